//! Whether a version can be replicated, and to what.
//!
//! The reasons of failure are those of "Amazon S3 replication failure reasons" (Amazon S3 User Guide); what the role
//! needs is in "Setting up permissions for live replication" and "Replicating encrypted objects".

use crate::kms::{context_of_s3, resolve};
use crate::policy::{Context, Identity, Subject, authorize};
use crate::s3::{Rule, Target};
use crate::world::{Bucket, KeyState, ObjectVersion, ReplicationStatus, World};
use crate::xml::Element;

/// One version to one destination.
pub(crate) struct Attempt<'a> {
    pub(crate) now_ms: i64,
    pub(crate) source: &'a Target,
    pub(crate) version: &'a ObjectVersion,
    /// The ARN of the replication role.
    pub(crate) role: &'a str,
    pub(crate) rule: &'a Rule,
}

/// The replica, or the reason of failure.
pub(crate) fn judge(world: &World, attempt: &Attempt<'_>) -> Result<ObjectVersion, &'static str> {
    let source = world.buckets.get(&attempt.source.bucket).ok_or("SrcBucketNotFound")?;
    let role = assume(world, attempt, source)?;
    read_source(world, attempt, source, &role)?;
    let destination = &attempt.rule.destination;
    let bucket = world.buckets.get(&destination.bucket).ok_or("DstBucketNotFound")?;
    if destination.account.as_ref().is_some_and(|account| *account != bucket.owner) {
        return Err("DstPutObjectNotPermitted");
    }
    if !bucket.versioning.is_enabled() {
        return Err("DstBucketUnversioned");
    }
    if source.object_lock.is_some() && bucket.object_lock.is_none() {
        return Err("DstBucketObjectLockConfigMissing");
    }
    let reachable = world.region_enabled(&source.owner, &bucket.region)
        && world.region_enabled(&bucket.owner, &source.region);
    // A bucket whose requester pays is no destination ("What does Amazon S3 replicate?").
    if bucket.requester_pays || !reachable {
        return Err("DstPutObjectNotPermitted");
    }
    write_destination(world, attempt, bucket, &role)
}

/// S3 assumes the role.
fn assume(world: &World, attempt: &Attempt<'_>, source: &Bucket) -> Result<Identity, &'static str> {
    let refused = "AssumeRoleNotPermitted";
    let in_effect = attempt.now_ms - world.settings.iam_lag_s * 1_000;
    let (account, role) = world.role(attempt.role).ok_or(refused)?;
    if role.created_ms > in_effect || account != source.owner {
        return Err(refused);
    }
    let mut context = Context::default();
    if world.settings.s3_sends_source_account {
        context.set("aws:SourceAccount", &*source.owner);
        context.set("aws:SourceArn", format!("arn:aws:s3:::{}", attempt.source.bucket));
    }
    let subject = Subject {
        action: "sts:AssumeRole",
        resource: attempt.role,
        owner: account,
        policy: Some(role.trust.at(in_effect)),
        policy_decides: true,
        context,
    };
    let service = Identity::Service { name: "s3.amazonaws.com".to_owned() };
    authorize(world, attempt.now_ms, &service, &subject).map_err(|_| refused)?;
    Ok(Identity::Role {
        account: account.to_owned(),
        name: attempt.role.rsplit('/').next().unwrap_or_default().to_owned(),
        unique_id: role.unique_id.clone(),
        session: "s3-replication".to_owned(),
        session_policy: None,
    })
}

/// Whether the role may act on a bucket or an object of it.
fn may(
    world: &World,
    attempt: &Attempt<'_>,
    role: &Identity,
    bucket: &Bucket,
    target: &Target,
    action: &str,
    context: Context,
) -> bool {
    let resource = if target.key.is_empty() {
        format!("arn:aws:s3:::{}", target.bucket)
    } else {
        format!("arn:aws:s3:::{}/{}", target.bucket, target.key)
    };
    let mut context = context;
    context.set("s3:ResourceAccount", &*bucket.owner);
    context.set("aws:RequestedRegion", &*bucket.region);
    let subject = Subject {
        action,
        resource: &resource,
        owner: &bucket.owner,
        policy: bucket.policy.as_ref(),
        policy_decides: false,
        context,
    };
    authorize(world, attempt.now_ms, role, &subject).is_ok()
}

fn read_source(
    world: &World,
    attempt: &Attempt<'_>,
    source: &Bucket,
    role: &Identity,
) -> Result<(), &'static str> {
    let object = attempt.source;
    let whole = Target { bucket: object.bucket.clone(), key: String::new() };
    let may =
        |target: &Target, action: &str| may(world, attempt, role, source, target, action, Context::default());
    if !may(&whole, "s3:GetReplicationConfiguration") || !may(&whole, "s3:ListBucket") {
        return Err("SrcBucketReplicationConfigMissing");
    }
    if attempt.version.delete_marker {
        return Ok(());
    }
    let kms = attempt.version.kms_key.as_deref();
    // `s3:GetObjectVersion` does as well, but not for objects that KMS encrypts.
    let readable = may(object, "s3:GetObjectVersionForReplication")
        || (kms.is_none() && may(object, "s3:GetObjectVersion"));
    if !readable {
        return Err("SrcGetObjectNotPermitted");
    }
    if !may(object, "s3:GetObjectVersionAcl") {
        return Err("SrcGetAclNotPermitted");
    }
    if !attempt.version.tags.is_empty() && !may(object, "s3:GetObjectVersionTagging") {
        return Err("SrcGetTaggingNotPermitted");
    }
    if source.object_lock.is_some()
        && !(may(object, "s3:GetObjectRetention") && may(object, "s3:GetObjectLegalHold"))
    {
        return Err("SrcGetObjectNotPermitted");
    }
    if let Some(key) = kms {
        let bucket_key = attempt.version.bucket_key;
        match use_key(world, attempt, role, key, &source.region, object, bucket_key, "kms:Decrypt") {
            Ok(()) => {}
            Err(KeyProblem::Denied) => return Err("SrcGetObjectNotPermitted"),
            Err(KeyProblem::State | KeyProblem::Absent) => return Err("SrcKmsKeyInvalidState"),
        }
    }
    Ok(())
}

enum KeyProblem {
    Absent,
    State,
    Denied,
}

#[expect(clippy::too_many_arguments, reason = "what a use of a key depends on")]
fn use_key(
    world: &World,
    attempt: &Attempt<'_>,
    role: &Identity,
    key: &str,
    region: &str,
    object: &Target,
    bucket_key: bool,
    action: &str,
) -> Result<(), KeyProblem> {
    if let Some(rest) = key.strip_suffix(":alias/aws/s3") {
        // The key that AWS manages, which an account's policies need not allow and no other account may use.
        return if rest.ends_with(role.account()) { Ok(()) } else { Err(KeyProblem::Denied) };
    }
    // A name that is not an ARN is looked up in the account that asks, which is that of the role.
    let arn = resolve(world, key, role.account(), region, true).ok_or(KeyProblem::Absent)?;
    let (owner, found) = world.key(&arn).filter(|(_, key)| key.region == region).ok_or(KeyProblem::Absent)?;
    if found.state != KeyState::Enabled {
        return Err(KeyProblem::State);
    }
    if found.aws_managed {
        return if owner == role.account() { Ok(()) } else { Err(KeyProblem::Denied) };
    }
    let subject = Subject {
        action,
        resource: &arn,
        owner,
        policy: Some(&found.policy),
        policy_decides: true,
        context: context_of_s3(region, role.account(), object, bucket_key),
    };
    authorize(world, attempt.now_ms, role, &subject).map_err(|_| KeyProblem::Denied)
}

/// How the replica is encrypted: algorithm, key, action of KMS it takes.
struct ReplicaEncryption {
    algorithm: String,
    key: Option<(String, &'static str)>,
    bucket_key: bool,
}

/// An object that KMS encrypts keeps to KMS, under the rule's key; another takes the destination's default
/// ("Replicating encrypted objects" and "Setting default server-side encryption behavior").
fn encryption_of_replica(attempt: &Attempt<'_>, bucket: &Bucket) -> ReplicaEncryption {
    let default = bucket.encryption.as_deref().and_then(|text| Element::parse(text).ok());
    let rule = default.as_ref().and_then(|default| default.child("Rule"));
    let by_default =
        |name: &str| rule.and_then(|rule| rule.path_text(&["ApplyServerSideEncryptionByDefault", name]));
    let bucket_key = rule.and_then(|rule| rule.child_text("BucketKeyEnabled")) == Some("true");
    if attempt.version.encryption.starts_with("aws:kms") {
        let key = attempt.rule.destination.kms_key.clone().unwrap_or_default();
        return ReplicaEncryption {
            algorithm: attempt.version.encryption.clone(),
            key: Some((key, "kms:Encrypt")),
            bucket_key: bucket_key || attempt.version.bucket_key,
        };
    }
    match by_default("SSEAlgorithm") {
        Some(algorithm) if algorithm.starts_with("aws:kms") => {
            let managed = || format!("arn:aws:kms:{}:{}:alias/aws/s3", bucket.region, bucket.owner);
            let key = by_default("KMSMasterKeyID").map_or_else(managed, str::to_owned);
            ReplicaEncryption {
                algorithm: algorithm.to_owned(),
                key: Some((key, "kms:GenerateDataKey")),
                bucket_key,
            }
        }
        _ => ReplicaEncryption { algorithm: "AES256".to_owned(), key: None, bucket_key: false },
    }
}

fn write_destination(
    world: &World,
    attempt: &Attempt<'_>,
    bucket: &Bucket,
    role: &Identity,
) -> Result<ObjectVersion, &'static str> {
    let object = Target { bucket: attempt.rule.destination.bucket.clone(), key: attempt.source.key.clone() };
    let encryption = encryption_of_replica(attempt, bucket);
    let context = || {
        let mut context = Context::default();
        context.set("s3:x-amz-server-side-encryption", &*encryption.algorithm);
        if let Some((key, _)) = &encryption.key {
            context.set("s3:x-amz-server-side-encryption-aws-kms-key-id", &**key);
        }
        context
    };
    let may = |action: &str| may(world, attempt, role, bucket, &object, action, context());
    if attempt.version.delete_marker {
        if !may("s3:ReplicateDelete") {
            return Err("DstDelObjNotPermitted");
        }
        return Ok(ObjectVersion { owner: bucket.owner.clone(), ..attempt.version.clone() });
    }
    if !may("s3:ReplicateObject") {
        return Err("DstPutObjectNotPermitted");
    }
    if !attempt.version.tags.is_empty() && !may("s3:ReplicateTags") {
        return Err("DstPutTaggingNotPermitted");
    }
    let enforced = bucket.ownership.as_deref().is_none_or(|ownership| ownership == "BucketOwnerEnforced");
    // A destination that enforces its ownership owns replicas without this permission.
    if attempt.rule.destination.owner_override && !enforced && !may("s3:ObjectOwnerOverrideToBucketOwner") {
        return Err("DstPutAclNotPermitted");
    }
    let mut kms_key = None;
    if let Some((key, action)) = &encryption.key {
        let bucket_key = encryption.bucket_key;
        let mut actions = vec![*action];
        if bucket_key {
            // "Using an S3 Bucket Key with replication": its integrity is checked before it is used.
            actions.push("kms:Decrypt");
        }
        for action in actions {
            use_key(world, attempt, role, key, &bucket.region, &object, bucket_key, action).map_err(
                |problem| match problem {
                    KeyProblem::Absent => "DstKmsKeyNotFound",
                    KeyProblem::State => "DstKmsKeyInvalidState",
                    KeyProblem::Denied => "DstPutObjectNotPermitted",
                },
            )?;
        }
        kms_key = resolve(world, key, role.account(), &bucket.region, true).or_else(|| Some(key.clone()));
    }
    let given = enforced || attempt.rule.destination.owner_override;
    let class = attempt.rule.destination.storage_class.clone();
    Ok(ObjectVersion {
        replication_status: Some(ReplicationStatus::Replica),
        failure_reason: None,
        owner: if given { bucket.owner.clone() } else { attempt.version.owner.clone() },
        storage_class: class.unwrap_or_else(|| attempt.version.storage_class.clone()),
        encryption: encryption.algorithm,
        kms_key,
        bucket_key: encryption.bucket_key,
        ..attempt.version.clone()
    })
}
