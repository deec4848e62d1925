//! The log account: its buckets, keys and queues.

use super::enter::{Entrance, NoEntry};
use super::member::{read_encryption, read_samples};
use super::{DiscoverError, keys};
use crate::aws::{Bucket, BucketFacts, CallError, Kind, S3, S3Read, Session, Sqs};
use crate::desired::DestinationSettings;
use crate::ids::{Arn, BucketName};
use crate::inventory::{Access, Destination, DestinationBucket, Failure, Key, LogAccount};
use crate::progress::Progress;
use std::collections::BTreeMap;

/// Reads what accounts.toml names in the log account.
pub(super) async fn read(entrance: &Entrance<'_>, progress: &Progress) -> Result<LogAccount, DiscoverError> {
    progress.begin("reading the log account", 0);
    let id = &entrance.desired.log_account.id;
    let mut log_account = LogAccount {
        id: id.clone(),
        access: Access::NotTried,
        destinations: BTreeMap::new(),
        keys: BTreeMap::new(),
        queues: BTreeMap::new(),
    };
    let (session, role) = match entrance.enter(id).await {
        Ok(entered) => entered,
        Err(NoEntry::Stop(error)) => return Err(error),
        Err(NoEntry::Failed(failure)) => {
            log_account.access = Access::Failed(failure);
            return Ok(log_account);
        }
    };
    let s3 = session.s3();
    let listed = match s3.buckets().await {
        Ok(listed) => listed,
        Err(error) => {
            log_account.access = Access::Failed(error.failure());
            return Ok(log_account);
        }
    };
    log_account.access = Access::Reached { role };
    for settings in &entrance.desired.destinations {
        let bucket =
            Bucket { name: settings.bucket.clone(), owner: id.clone(), region: settings.region.clone() };
        let destination = match read_destination(&s3, &session, &bucket, &listed, &mut log_account.keys).await
        {
            Ok(destination) => destination,
            Err(error) => {
                let resource = Some(settings.bucket.to_string());
                let failure = Failure { resource, ..error.failure() };
                Destination::Failed { bucket: settings.bucket.clone(), failure }
            }
        };
        log_account.destinations.insert(settings.region.clone(), destination);
        if let Err(error) = read_named(&session, settings, &mut log_account).await {
            let failure = error.failure();
            let destination = Destination::Failed { bucket: settings.bucket.clone(), failure };
            log_account.destinations.insert(settings.region.clone(), destination);
        }
    }
    Ok(log_account)
}

/// The key and the queue that accounts.toml names for a destination.
async fn read_named(
    session: &Session,
    settings: &DestinationSettings,
    log_account: &mut LogAccount,
) -> Result<(), CallError> {
    if let Some(key) = &settings.kms_key {
        keys::resolve(session, &settings.region, key.as_str(), &mut log_account.keys).await?;
    }
    if let Some(queue) = &settings.queue {
        let found = session.sqs(&settings.region).queue(queue).await?;
        log_account.queues.insert(queue.clone(), found);
    }
    Ok(())
}

async fn read_destination(
    s3: &S3<'_>,
    session: &Session,
    bucket: &Bucket,
    listed: &[BucketFacts],
    keys: &mut BTreeMap<Arn, Key>,
) -> Result<Destination, CallError> {
    let name = bucket.name.clone();
    if !listed.iter().any(|listed| listed.name == name) {
        // The list is of the log account's own buckets: one that exists beside it is somebody else's.
        return match s3.region(bucket).await {
            Err(CallError { kind: Kind::NotFound, .. }) => Ok(Destination::Missing { bucket: name }),
            Ok(_) | Err(CallError { kind: Kind::Denied, .. }) => Ok(Destination::OtherOwner { bucket: name }),
            Err(error) => Err(error),
        };
    }
    let region = s3.region(bucket).await?;
    if region != bucket.region {
        return Ok(Destination::OtherRegion { bucket: name, region });
    }
    let (versioning, ownership, public_access_block, policy, encryption, object_lock) = tokio::try_join!(
        s3.versioning(bucket),
        s3.ownership(bucket),
        s3.public_access_block(bucket),
        s3.policy(bucket),
        s3.encryption(bucket),
        s3.object_lock(bucket),
    )?;
    let (requester_pays, notifications, lifecycle, replication, samples) = tokio::try_join!(
        s3.requester_pays(bucket),
        s3.notifications(bucket),
        s3.lifecycle(bucket),
        s3.replication(bucket),
        read_samples(s3, bucket, SAMPLES),
    )?;
    let (versioning, mfa_delete) = versioning;
    Ok(Destination::Found(Box::new(DestinationBucket {
        control_tower: is_control_towers(&name),
        name,
        versioning,
        mfa_delete,
        ownership,
        public_access_block,
        policy,
        encryption: read_encryption(session, &bucket.region, encryption, keys).await?,
        object_lock,
        requester_pays,
        notifications,
        lifecycle,
        replication,
        samples,
    })))
}

/// Keys of a destination that are looked at.
const SAMPLES: u16 = 20;

/// The buckets that Control Tower makes in the log archive account (Control Tower user guide, "Resources created in the
/// shared accounts").
fn is_control_towers(bucket: &BucketName) -> bool {
    bucket.as_str().starts_with("aws-controltower-logs-")
        || bucket.as_str().starts_with("aws-controltower-s3-access-logs-")
        || bucket.as_str().starts_with("aws-controltower-config-")
        || bucket.as_str().starts_with("aws-controltower-cloudtrail-")
}
