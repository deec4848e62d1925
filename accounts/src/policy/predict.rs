//! Whether S3 could replicate with these documents, and what it would say if not.
//!
//! S3 reports a failed replication as `failureReason` (S3 User Guide, "Amazon S3 replication failure reasons"), long
//! after the object was written. The same documents give the answer before anything is put. Where the guide has no
//! reason of its own for a denied KMS call, the read or the write that needs the key is what fails.

use super::simulate::{Context, Decision, NamedPolicy, Policies, Principal, Request, decide};
use crate::ids::{AccountId, Arn, BucketName, OrganizationId, Partition, Region};
use crate::inventory::{Key, KeyState};
use serde::{Deserialize, Serialize};
use std::fmt;

/// S3's reasons, as far as documents can tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FailureReason {
    AssumeRoleNotPermitted,
    SrcBucketReplicationConfigMissing,
    SrcHeadObjectNotPermitted,
    SrcGetObjectNotPermitted,
    SrcGetAclNotPermitted,
    SrcGetTaggingNotPermitted,
    SrcKmsKeyInvalidState,
    DstBucketNotFound,
    DstBucketUnversioned,
    DstBucketObjectLockConfigMissing,
    DstPutObjectNotPermitted,
    DstPutAclNotPermitted,
    DstPutTaggingNotPermitted,
    DstKmsKeyInvalidState,
    DstKmsKeyNotFound,
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Everything between a source object and its replica.
#[derive(Debug, Clone, Copy)]
pub struct ReplicationPath<'a> {
    pub partition: Partition,
    /// Of source bucket and role.
    pub account: &'a AccountId,
    /// None when the account is outside of the organization.
    pub organization: Option<&'a OrganizationId>,
    /// `o-…/r-…/ou-…/`, where it is known.
    pub organization_path: Option<&'a str>,
    pub role: &'a Arn,
    pub role_unique_id: Option<&'a str>,
    pub trust: &'a NamedPolicy,
    pub identity: &'a [NamedPolicy],
    pub boundary: Option<&'a NamedPolicy>,
    pub service_control: &'a [Vec<NamedPolicy>],
    pub source: SourceSide<'a>,
    pub destination: DestinationSide<'a>,
    /// A key that would be replicated.
    pub key: &'a str,
}

/// The bucket that is read.
#[derive(Debug, Clone, Copy)]
pub struct SourceSide<'a> {
    pub bucket: &'a BucketName,
    pub region: &'a Region,
    pub policy: Option<&'a NamedPolicy>,
    pub object_lock: bool,
    /// The customer managed key of the objects.
    pub key: Option<&'a Key>,
    pub key_policy: Option<&'a NamedPolicy>,
    pub bucket_key: bool,
}

/// The bucket that is written.
#[derive(Debug, Clone, Copy)]
pub struct DestinationSide<'a> {
    pub account: &'a AccountId,
    pub bucket: &'a BucketName,
    pub region: &'a Region,
    pub policy: Option<&'a NamedPolicy>,
    pub resource_control: &'a [Vec<NamedPolicy>],
    pub versioned: bool,
    pub object_lock: bool,
    pub key: Option<&'a Key>,
    pub key_policy: Option<&'a NamedPolicy>,
    pub bucket_key: bool,
}

/// A failure that the documents foretell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    pub reason: FailureReason,
    /// Such as `s3:ReplicateObject`; none when a state is the cause.
    pub action: Option<&'static str>,
    pub resource: String,
    /// False when it depends on what is not known offline.
    pub certain: bool,
    /// Which policy and statement.
    pub why: String,
    /// A service control policy is the cause.
    pub service_control: bool,
    /// The call to KMS fails only because of the encryption context that a Bucket Key has.
    pub bucket_key_context: Option<String>,
}

/// What S3 would report for an object under `path.key`. Empty means that replication would work.
pub fn predict(path: &ReplicationPath<'_>) -> Vec<Prediction> {
    let mut predictions = states(path);
    let source = format!("arn:{}:s3:::{}", path.partition, path.source.bucket);
    let destination = format!("arn:{}:s3:::{}", path.partition, path.destination.bucket);
    let source_object = format!("{source}/{}", path.key);
    let replica = format!("{destination}/{}", path.key);

    predictions.extend(assume_role(path));
    let mut reads = vec![
        (FailureReason::SrcBucketReplicationConfigMissing, "s3:GetReplicationConfiguration", &source),
        (FailureReason::SrcHeadObjectNotPermitted, "s3:ListBucket", &source),
        (FailureReason::SrcGetObjectNotPermitted, "s3:GetObjectVersionForReplication", &source_object),
        (FailureReason::SrcGetAclNotPermitted, "s3:GetObjectVersionAcl", &source_object),
        (FailureReason::SrcGetTaggingNotPermitted, "s3:GetObjectVersionTagging", &source_object),
    ];
    if path.source.object_lock {
        reads.push((FailureReason::SrcGetObjectNotPermitted, "s3:GetObjectRetention", &source_object));
        reads.push((FailureReason::SrcGetObjectNotPermitted, "s3:GetObjectLegalHold", &source_object));
    }
    for (reason, action, resource) in reads {
        let request = path.request(action, resource, path.account, path.source.region);
        let policies = Policies { resource: path.source.policy, ..path.policies() };
        predictions.extend(prediction(reason, action, &request, &policies));
    }
    for (reason, action) in [
        (FailureReason::DstPutObjectNotPermitted, "s3:ReplicateObject"),
        (FailureReason::DstPutTaggingNotPermitted, "s3:ReplicateTags"),
        (FailureReason::DstPutAclNotPermitted, "s3:ObjectOwnerOverrideToBucketOwner"),
    ] {
        let request = path.request(action, &replica, path.destination.account, path.destination.region);
        let policies = Policies {
            resource: path.destination.policy,
            resource_control: path.destination.resource_control,
            ..path.policies()
        };
        predictions.extend(prediction(reason, action, &request, &policies));
    }
    let bucket_key = path.source.bucket_key || path.destination.bucket_key;
    if let (Some(key), Some(policy)) = (path.source.key, path.source.key_policy) {
        predictions.extend(path.key_calls(
            FailureReason::SrcGetObjectNotPermitted,
            &["kms:Decrypt"],
            key,
            policy,
            path.source.region,
            [&source, &source_object],
            bucket_key,
            &[],
        ));
    }
    if let (Some(key), Some(policy)) = (path.destination.key, path.destination.key_policy) {
        // An object that KMS does not encrypt takes the destination's default, for which S3 asks for a data key (S3 User
        // Guide, "Replicating encrypted objects"). A Bucket Key is itself a data key, and is checked before it is used.
        let actions: &[&'static str] = match (path.source.key.is_some(), bucket_key) {
            (true, false) => &["kms:Encrypt"],
            (true, true) => &["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"],
            (false, false) => &["kms:GenerateDataKey"],
            (false, true) => &["kms:GenerateDataKey", "kms:Decrypt"],
        };
        predictions.extend(path.key_calls(
            FailureReason::DstPutObjectNotPermitted,
            actions,
            key,
            policy,
            path.destination.region,
            [&destination, &replica],
            bucket_key,
            path.destination.resource_control,
        ));
    }
    predictions.sort_by(|a, b| (a.reason, a.action, !a.certain).cmp(&(b.reason, b.action, !b.certain)));
    predictions.dedup();
    predictions
}

/// What no permission can mend.
fn states(path: &ReplicationPath<'_>) -> Vec<Prediction> {
    let state = |reason: FailureReason, resource: String, why: String| Prediction {
        reason,
        action: None,
        resource,
        certain: true,
        why,
        service_control: false,
        bucket_key_context: None,
    };
    let mut found = Vec::new();
    let destination = path.destination.bucket;
    if !path.destination.versioned {
        found.push(state(
            FailureReason::DstBucketUnversioned,
            destination.to_string(),
            format!("{destination} is not versioned"),
        ));
    }
    if path.source.object_lock && !path.destination.object_lock {
        found.push(state(
            FailureReason::DstBucketObjectLockConfigMissing,
            destination.to_string(),
            format!("{} has Object Lock, {destination} has not", path.source.bucket),
        ));
    }
    for (key, gone, invalid) in [
        (path.source.key, FailureReason::SrcKmsKeyInvalidState, FailureReason::SrcKmsKeyInvalidState),
        (path.destination.key, FailureReason::DstKmsKeyNotFound, FailureReason::DstKmsKeyInvalidState),
    ] {
        let Some(key) = key else { continue };
        let reason = match key.state {
            KeyState::Enabled => continue,
            KeyState::Missing => gone,
            _ => invalid,
        };
        found.push(state(reason, key.arn.to_string(), format!("the key {} is {:?}", key.arn, key.state)));
    }
    found
}

fn assume_role(path: &ReplicationPath<'_>) -> Option<Prediction> {
    let request = Request {
        principal: Principal::Service { name: "s3.amazonaws.com".to_owned() },
        action: "sts:AssumeRole".to_owned(),
        resource: path.role.to_string(),
        resource_account: path.account.clone(),
        // Whether S3 sends aws:SourceAccount and aws:SourceArn is not documented for this call.
        context: Context::default()
            .with("aws:PrincipalIsAWSService", "true")
            .with("aws:PrincipalServiceName", "s3.amazonaws.com")
            .unknown("aws:SourceAccount")
            .unknown("aws:SourceArn")
            .unknown("aws:SourceOrgID"),
    };
    let policies = Policies { resource: Some(path.trust), ..Policies::default() };
    prediction(FailureReason::AssumeRoleNotPermitted, "sts:AssumeRole", &request, &policies)
}

fn prediction(
    reason: FailureReason,
    action: &'static str,
    request: &Request,
    policies: &Policies<'_>,
) -> Option<Prediction> {
    let (denial, certain) = match decide(request, policies) {
        Decision::Allowed => return None,
        Decision::Denied(denial) => (denial, true),
        Decision::Uncertain(denial) => (denial, false),
    };
    Some(Prediction {
        reason,
        action: Some(action),
        resource: request.resource.clone(),
        certain,
        why: denial.to_string(),
        service_control: denial.layer == super::simulate::Layer::ServiceControl,
        bucket_key_context: None,
    })
}

impl<'a> ReplicationPath<'a> {
    fn policies(&self) -> Policies<'a> {
        Policies {
            service_control: self.service_control,
            identity: self.identity,
            boundary: self.boundary,
            ..Policies::default()
        }
    }

    fn request(&self, action: &str, resource: &str, owner: &AccountId, region: &Region) -> Request {
        let mut context = Context::default()
            .with("aws:PrincipalArn", self.role.to_string())
            .with("aws:PrincipalAccount", self.account.to_string())
            .with("aws:PrincipalType", "AssumedRole")
            .with("aws:PrincipalIsAWSService", "false")
            .with("aws:ViaAWSService", "false")
            .with("aws:SecureTransport", "true")
            .with("aws:RequestedRegion", region.to_string())
            .with("aws:ResourceAccount", owner.to_string());
        // A service's own keys come with its own calls alone: KMS knows none of S3's.
        if action.starts_with("s3:") {
            context = context
                .with("s3:ResourceAccount", owner.to_string())
                .with("s3:TlsVersion", "1.3")
                .unknown("s3:x-amz-*")
                .unknown("s3:ExistingObjectTag/*")
                .unknown("s3:authType")
                .unknown("s3:signatureversion");
        }
        for key in [
            "aws:SourceIp",
            "aws:VpcSourceIp",
            "aws:UserAgent",
            "aws:CurrentTime",
            "aws:EpochTime",
            "aws:TokenIssueTime",
            "aws:userid",
            "aws:PrincipalTag/*",
            "aws:ResourceTag/*",
        ] {
            context = context.unknown(key);
        }
        if let Some(organization) = self.organization {
            context = context.with("aws:PrincipalOrgID", organization.to_string());
            match self.organization_path {
                Some(path) => context = context.with_many("aws:PrincipalOrgPaths", &[path]),
                None => context = context.unknown("aws:PrincipalOrgPaths"),
            }
            context = context.with("aws:ResourceOrgID", organization.to_string());
        } else {
            context = context.unknown("aws:PrincipalOrgID").unknown("aws:PrincipalOrgPaths");
        }
        Request {
            principal: Principal::Role {
                arn: self.role.clone(),
                account: self.account.clone(),
                unique_id: self.role_unique_id.map(str::to_owned),
            },
            action: action.to_owned(),
            resource: resource.to_owned(),
            resource_account: owner.clone(),
            context,
        }
    }

    /// Calls of KMS that S3 makes for the role. With a Bucket Key the encryption context is the bucket, else the object.
    #[expect(clippy::too_many_arguments, reason = "both keys are asked alike, and nothing else groups these")]
    fn key_calls(
        &self,
        reason: FailureReason,
        actions: &[&'static str],
        key: &Key,
        policy: &NamedPolicy,
        region: &Region,
        [bucket, object]: [&str; 2],
        bucket_key: bool,
        resource_control: &[Vec<NamedPolicy>],
    ) -> Vec<Prediction> {
        let ask = |action: &'static str, encryption_context: &str| {
            let mut request = self.request(action, key.arn.as_str(), &key.account, region);
            request.context = request
                .context
                .with("kms:ViaService", format!("s3.{region}.{}", self.partition.dns_suffix()))
                .with("kms:CallerAccount", self.account.to_string())
                .with("kms:EncryptionContext:aws:s3:arn", encryption_context)
                .with_many("kms:EncryptionContextKeys", &["aws:s3:arn"])
                .with("aws:ViaAWSService", "true");
            let policies = Policies {
                resource: Some(policy),
                resource_control,
                resource_policy_rules: true,
                ..self.policies()
            };
            prediction(reason, action, &request, &policies)
        };
        actions
            .iter()
            .filter_map(|action| {
                let mut found = ask(action, if bucket_key { bucket } else { object })?;
                // The same call with the object as context would pass: the condition was written before the Bucket Key.
                if bucket_key && found.certain && ask(action, object).is_none() {
                    found.bucket_key_context = Some(bucket.to_owned());
                }
                Some(found)
            })
            .collect()
    }
}
