//! One member: which of its buckets hold logs, and everything that decides whether they replicate.

use super::enter::{Entrance, NoEntry};
use super::{DiscoverError, keys};
use crate::aws::{Bucket, BucketFacts, CallError, EncryptionFacts, Iam, Kind, S3, S3Read, Session};
use crate::codes::FailureCode;
use crate::ids::{AccountId, Arn, BucketName, Region};
use crate::inventory::{Access, Encryption, Failure, Key, Member, ObjectSample, Role, SourceBucket};
use std::collections::{BTreeMap, BTreeSet};

/// What was read of a member.
#[derive(Debug)]
pub(super) struct Reading {
    access: Access,
    buckets: BTreeMap<BucketName, SourceBucket>,
    roles: BTreeMap<Arn, Role>,
    keys: BTreeMap<Arn, Key>,
    failures: Vec<Failure>,
}

impl Reading {
    fn failed(failure: Failure) -> Self {
        Self::with_access(Access::Failed(failure))
    }

    fn with_access(access: Access) -> Self {
        Self {
            access,
            buckets: BTreeMap::new(),
            roles: BTreeMap::new(),
            keys: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    pub(super) fn into_member(self, member: &mut Member) {
        member.access = self.access;
        member.buckets = self.buckets;
        member.roles = self.roles;
        member.keys = self.keys;
        member.failures = self.failures;
    }
}

/// Reads one member. What fails in it is in the reading; an error stops the discovery.
pub(super) async fn read(entrance: &Entrance<'_>, account: &AccountId) -> Result<Reading, DiscoverError> {
    let (session, role) = match entrance.enter(account).await {
        Ok(entered) => entered,
        Err(NoEntry::Failed(failure)) => return Ok(Reading::failed(failure)),
        Err(NoEntry::Stop(error)) => return Err(error),
    };
    let s3 = session.s3();
    let listed = match s3.buckets().await {
        Ok(listed) => listed,
        Err(error) => return Ok(Reading::failed(error.failure())),
    };
    let mut reading = Reading::with_access(Access::Reached { role });
    for missing in exact_names(entrance, account) {
        if !listed.iter().any(|bucket| bucket.name == missing) {
            reading.failures.push(gone(&s3, account, entrance.connection.region(), missing).await);
        }
    }
    for found in listed {
        let Some(bucket) = selected(entrance, &s3, account, found, &mut reading.failures).await else {
            continue;
        };
        match read_bucket(entrance, &s3, &session, &bucket, &mut reading.keys).await {
            Ok(source) => {
                reading.buckets.insert(bucket.name, source);
            }
            Err(error) => {
                reading.failures.push(Failure { resource: Some(bucket.name.to_string()), ..error.failure() });
            }
        }
    }
    read_roles(entrance, account, &session, &mut reading).await;
    Ok(reading)
}

/// The bucket, if accounts.toml selects it. Its Region decides too, and is asked for only when the name fits.
async fn selected(
    entrance: &Entrance<'_>,
    s3: &S3<'_>,
    account: &AccountId,
    found: BucketFacts,
    failures: &mut Vec<Failure>,
) -> Option<Bucket> {
    let desired = entrance.desired;
    let fits = |region: Option<&Region>| {
        desired.sources.iter().any(|source| source.covers_name(account, &found.name, region))
    };
    // A destination is not its own source, even where a pattern fits it.
    if !fits(None) || desired.destinations.iter().any(|destination| destination.bucket == found.name) {
        return None;
    }
    let guess = found.region.clone().unwrap_or_else(|| entrance.connection.region().clone());
    let mut bucket = Bucket { name: found.name.clone(), owner: account.clone(), region: guess };
    if found.region.is_none() {
        match s3.region(&bucket).await {
            Ok(region) => bucket.region = region,
            Err(error) => {
                failures.push(Failure { resource: Some(bucket.name.to_string()), ..error.failure() });
                return None;
            }
        }
    }
    desired
        .sources
        .iter()
        .any(|source| source.covers(account, &bucket.name, &bucket.region))
        .then_some(bucket)
}

/// Names that accounts.toml gives in full for this very account: such a bucket is meant to be there.
fn exact_names(entrance: &Entrance<'_>, account: &AccountId) -> BTreeSet<BucketName> {
    entrance
        .desired
        .sources
        .iter()
        .flat_map(|source| &source.buckets)
        .filter(|pattern| pattern.contains("{account}") && !pattern.contains(['*', '?']))
        .filter(|pattern| !pattern.contains("{region}"))
        .filter_map(|pattern| pattern.replace("{account}", account.as_str()).parse().ok())
        .collect()
}

/// Why a bucket that is named in full is not in the account's list.
async fn gone(s3: &S3<'_>, account: &AccountId, region: &Region, name: BucketName) -> Failure {
    let bucket = Bucket { name, owner: account.clone(), region: region.clone() };
    let (code, text) = match s3.region(&bucket).await {
        Err(CallError { kind: Kind::NotFound, .. }) => {
            (FailureCode::BucketGone, format!("account {account} has no bucket {}", bucket.name))
        }
        _ => (
            FailureCode::OwnerMismatch,
            format!("the bucket {} exists, but account {account} does not own it", bucket.name),
        ),
    };
    Failure {
        code,
        resource: Some(bucket.name.to_string()),
        region: None,
        text,
        cure: format!("correct `buckets` in accounts.toml, or exclude {account}"),
    }
}

/// The configuration of one bucket, all of it at once.
async fn read_bucket(
    entrance: &Entrance<'_>,
    s3: &S3<'_>,
    session: &Session,
    bucket: &Bucket,
    keys: &mut BTreeMap<Arn, Key>,
) -> Result<SourceBucket, CallError> {
    let most = u16::try_from(entrance.desired.limits.samples_per_bucket.min(1_000)).unwrap_or(1_000);
    let (versioning, replication, encryption, object_lock, ownership, policy, lifecycle, logging, samples) =
        tokio::try_join!(
            s3.versioning(bucket),
            s3.replication(bucket),
            s3.encryption(bucket),
            s3.object_lock(bucket),
            s3.ownership(bucket),
            s3.policy(bucket),
            s3.lifecycle(bucket),
            s3.logging(bucket),
            read_samples(s3, bucket, most),
        )?;
    let (versioning, mfa_delete) = versioning;
    Ok(SourceBucket {
        region: bucket.region.clone(),
        versioning,
        mfa_delete,
        replication,
        encryption: read_encryption(session, &bucket.region, encryption, keys).await?,
        object_lock,
        ownership,
        policy,
        lifecycle,
        logging,
        samples,
        bytes_per_day: None,
    })
}

/// The default encryption with its key resolved, and the key itself.
pub(super) async fn read_encryption(
    session: &Session,
    region: &Region,
    facts: Option<EncryptionFacts>,
    keys: &mut BTreeMap<Arn, Key>,
) -> Result<Encryption, CallError> {
    let Some(facts) = facts else { return Ok(Encryption::default()) };
    let key = match facts.key {
        Some(name) => keys::resolve(session, region, &name, keys).await?,
        None => None,
    };
    Ok(Encryption { algorithm: facts.algorithm, key, bucket_key: facts.bucket_key })
}

/// Some keys, and for the last two of them whether they are replicas or replicated: enough to see a chain.
pub(super) async fn read_samples(
    s3: &S3<'_>,
    bucket: &Bucket,
    most: u16,
) -> Result<Vec<ObjectSample>, CallError> {
    let mut samples = s3.keys(bucket, "", None, most).await?;
    samples.sort_by(|a, b| b.last_modified.cmp(&a.last_modified).then_with(|| a.key.cmp(&b.key)));
    for sample in samples.iter_mut().take(ASKED_SAMPLES) {
        // An object may go between the two calls.
        if let Some(object) = s3.object(bucket, &sample.key).await? {
            sample.replication_status = object.replication_status;
        }
    }
    Ok(samples)
}

/// Objects whose replication status is asked for.
const ASKED_SAMPLES: usize = 2;

/// Our roles, and those that replication configurations name.
async fn read_roles(entrance: &Entrance<'_>, account: &AccountId, session: &Session, reading: &mut Reading) {
    let own = &entrance.desired.members.replication_role;
    let named =
        reading.buckets.values().filter_map(|bucket| bucket.replication.as_deref()).filter_map(role_of);
    let foreign: BTreeSet<Arn> =
        named.filter(|role| role.account().as_ref() == Some(account) && role.role_name().is_some()).collect();
    let iam = session.iam();
    // A member with many buckets has more than one role of ours: the name, and the name with a number.
    for number in 1.. {
        let name = if number == 1 { own.to_string() } else { format!("{own}-{number}") };
        let Ok(name) = name.parse() else { break };
        match iam.role(&name).await {
            Ok(Some(role)) => {
                reading.roles.insert(role.arn.clone(), role);
            }
            Ok(None) => break,
            Err(error) => {
                reading.failures.push(error.failure());
                break;
            }
        }
    }
    for arn in foreign {
        let Some(name) = arn.role_name().filter(|_| !reading.roles.contains_key(&arn)) else { continue };
        match iam.role(&name).await {
            Ok(Some(role)) => {
                reading.roles.insert(role.arn.clone(), role);
            }
            // The plan says that the configuration names a role which is not there.
            Ok(None) => {}
            Err(error) => reading.failures.push(error.failure()),
        }
    }
}

/// The role of a replication configuration.
fn role_of(xml: &str) -> Option<Arn> {
    let (_, rest) = xml.split_once("<Role>")?;
    let (role, _) = rest.split_once("</Role>")?;
    role.trim().parse().ok()
}
