//! Reading buckets and objects.

use super::super::error::{CallError, Kind};
use super::super::raw::Capture;
use super::{Bucket, BucketFacts, Calls, ObjectFacts, found};
use crate::ids::{BucketName, Region};
use crate::inventory::{
    EncryptionAlgorithm, LoggingTarget, ObjectOwnership, ObjectSample, PublicAccessBlock, ReplicationStatus,
    Versioning,
};
use async_trait::async_trait;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ObjectLockEnabled, Payer};
use jiff::Timestamp;

/// The default encryption of a bucket, with the key as it was written: an ARN, an id or an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptionFacts {
    pub algorithm: EncryptionAlgorithm,
    pub key: Option<String>,
    pub bucket_key: bool,
}

/// The calls that read.
#[async_trait]
pub trait S3Read: Send + Sync {
    /// The account's buckets, in all Regions.
    async fn buckets(&self) -> Result<Vec<BucketFacts>, CallError>;
    /// Where the bucket is. Fails when there is none, or another account owns it.
    async fn region(&self, bucket: &Bucket) -> Result<Region, CallError>;
    /// Versioning, and whether MFA delete guards it.
    async fn versioning(&self, bucket: &Bucket) -> Result<(Versioning, bool), CallError>;
    /// `ReplicationConfiguration` XML, raw.
    async fn replication(&self, bucket: &Bucket) -> Result<Option<String>, CallError>;
    async fn encryption(&self, bucket: &Bucket) -> Result<Option<EncryptionFacts>, CallError>;
    async fn object_lock(&self, bucket: &Bucket) -> Result<bool, CallError>;
    async fn ownership(&self, bucket: &Bucket) -> Result<Option<ObjectOwnership>, CallError>;
    async fn public_access_block(&self, bucket: &Bucket) -> Result<Option<PublicAccessBlock>, CallError>;
    /// Bucket policy, JSON.
    async fn policy(&self, bucket: &Bucket) -> Result<Option<String>, CallError>;
    /// `LifecycleConfiguration` XML, raw.
    async fn lifecycle(&self, bucket: &Bucket) -> Result<Option<String>, CallError>;
    /// `NotificationConfiguration` XML, raw.
    async fn notifications(&self, bucket: &Bucket) -> Result<Option<String>, CallError>;
    async fn logging(&self, bucket: &Bucket) -> Result<Option<LoggingTarget>, CallError>;
    async fn requester_pays(&self, bucket: &Bucket) -> Result<bool, CallError>;
    /// The first keys under a prefix, after a key: one page of at most `most`.
    async fn keys(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&str>,
        most: u16,
    ) -> Result<Vec<ObjectSample>, CallError>;
    /// The "folders" right under a prefix, ending in `/`, sorted.
    async fn folders(&self, bucket: &Bucket, prefix: &str) -> Result<Vec<String>, CallError>;
    /// None when there is no such object.
    async fn object(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectFacts>, CallError>;
}

/// A call that answers XML which must survive: the SDK's own reading of it is thrown away.
macro_rules! raw {
    ($self:ident, $bucket:ident, $operation:literal, $method:ident) => {{
        let capture = Capture::default();
        let answer = $self
            .on($bucket, $operation, |client| {
                client
                    .$method()
                    .bucket($bucket.name.as_str())
                    .expected_bucket_owner($bucket.owner.as_str())
                    .customize()
                    .interceptor(capture.clone())
                    .send()
            })
            .await;
        match found(answer)? {
            None => Ok(None),
            Some(_) => match capture.text() {
                Some(text) => Ok(Some(text)),
                None => {
                    let call = $self.session.call("s3", $operation, &$bucket.region, $bucket.name.as_str());
                    Err(CallError::ours(call, "the answer is not text in UTF-8"))
                }
            },
        }
    }};
}

/// A call on a bucket without further parameters.
macro_rules! plain {
    ($self:ident, $bucket:ident, $operation:literal, $method:ident) => {
        $self
            .on($bucket, $operation, |client| {
                client
                    .$method()
                    .bucket($bucket.name.as_str())
                    .expected_bucket_owner($bucket.owner.as_str())
                    .send()
            })
            .await
    };
}

/// The buckets of one page of `ListBuckets`; only with this does the answer have their Regions.
const BUCKETS_PER_PAGE: i32 = 1_000;

#[async_trait]
impl S3Read for Calls<'_> {
    async fn buckets(&self) -> Result<Vec<BucketFacts>, CallError> {
        let home = self.session.connection().region();
        let call = self.session.call("s3", "ListBuckets", home, "all buckets");
        let client = self.client(home);
        let mut buckets = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let answer = self
                .session
                .run(&call, None, || {
                    client
                        .list_buckets()
                        .max_buckets(BUCKETS_PER_PAGE)
                        .set_continuation_token(token.clone())
                        .send()
                })
                .await?;
            for bucket in answer.buckets() {
                let name = bucket.name().unwrap_or_default().parse::<BucketName>();
                let name = name.map_err(|wrong| CallError::ours(call.clone(), wrong.to_string()))?;
                let region = bucket.bucket_region().and_then(|region| region.parse::<Region>().ok());
                if let Some(region) = &region {
                    self.session.set_bucket_region(&name, region.clone());
                }
                buckets.push(BucketFacts { name, region });
            }
            token = answer.continuation_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(buckets);
            }
        }
    }

    async fn region(&self, bucket: &Bucket) -> Result<Region, CallError> {
        let answer = plain!(self, bucket, "HeadBucket", head_bucket)?;
        let said = answer.bucket_region().and_then(|region| region.parse::<Region>().ok());
        let known = self.session.bucket_region(&bucket.name);
        let region = said.or(known).unwrap_or_else(|| bucket.region.clone());
        self.session.set_bucket_region(&bucket.name, region.clone());
        Ok(region)
    }

    async fn versioning(&self, bucket: &Bucket) -> Result<(Versioning, bool), CallError> {
        let answer = plain!(self, bucket, "GetBucketVersioning", get_bucket_versioning)?;
        let versioning = match answer.status().map(aws_sdk_s3::types::BucketVersioningStatus::as_str) {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            _ => Versioning::Unversioned,
        };
        let mfa_delete = answer.mfa_delete().is_some_and(|status| status.as_str() == "Enabled");
        Ok((versioning, mfa_delete))
    }

    async fn replication(&self, bucket: &Bucket) -> Result<Option<String>, CallError> {
        raw!(self, bucket, "GetBucketReplication", get_bucket_replication)
    }

    async fn encryption(&self, bucket: &Bucket) -> Result<Option<EncryptionFacts>, CallError> {
        let Some(answer) = found(plain!(self, bucket, "GetBucketEncryption", get_bucket_encryption))? else {
            return Ok(None);
        };
        let rule = answer.server_side_encryption_configuration().and_then(|all| all.rules().first());
        let Some(rule) = rule else { return Ok(None) };
        let default = rule.apply_server_side_encryption_by_default();
        let algorithm = match default.map(|default| default.sse_algorithm().as_str()) {
            Some("aws:kms") => EncryptionAlgorithm::SseKms,
            Some("aws:kms:dsse") => EncryptionAlgorithm::DsseKms,
            _ => EncryptionAlgorithm::SseS3,
        };
        Ok(Some(EncryptionFacts {
            algorithm,
            key: default.and_then(|default| default.kms_master_key_id()).map(str::to_owned),
            bucket_key: rule.bucket_key_enabled().unwrap_or(false),
        }))
    }

    async fn object_lock(&self, bucket: &Bucket) -> Result<bool, CallError> {
        let answer = plain!(self, bucket, "GetObjectLockConfiguration", get_object_lock_configuration);
        let Some(answer) = found(answer)? else { return Ok(false) };
        let enabled = answer.object_lock_configuration().and_then(|lock| lock.object_lock_enabled());
        Ok(enabled == Some(&ObjectLockEnabled::Enabled))
    }

    async fn ownership(&self, bucket: &Bucket) -> Result<Option<ObjectOwnership>, CallError> {
        let answer = plain!(self, bucket, "GetBucketOwnershipControls", get_bucket_ownership_controls);
        let Some(answer) = found(answer)? else { return Ok(None) };
        let rule = answer.ownership_controls().and_then(|controls| controls.rules().first());
        Ok(rule.and_then(|rule| match rule.object_ownership().as_str() {
            "BucketOwnerEnforced" => Some(ObjectOwnership::BucketOwnerEnforced),
            "BucketOwnerPreferred" => Some(ObjectOwnership::BucketOwnerPreferred),
            "ObjectWriter" => Some(ObjectOwnership::ObjectWriter),
            _ => None,
        }))
    }

    async fn public_access_block(&self, bucket: &Bucket) -> Result<Option<PublicAccessBlock>, CallError> {
        let answer = plain!(self, bucket, "GetPublicAccessBlock", get_public_access_block);
        let Some(answer) = found(answer)? else { return Ok(None) };
        Ok(answer.public_access_block_configuration().map(|block| PublicAccessBlock {
            block_public_acls: block.block_public_acls().unwrap_or(false),
            ignore_public_acls: block.ignore_public_acls().unwrap_or(false),
            block_public_policy: block.block_public_policy().unwrap_or(false),
            restrict_public_buckets: block.restrict_public_buckets().unwrap_or(false),
        }))
    }

    async fn policy(&self, bucket: &Bucket) -> Result<Option<String>, CallError> {
        let answer = found(plain!(self, bucket, "GetBucketPolicy", get_bucket_policy))?;
        Ok(answer.and_then(|answer| answer.policy().map(str::to_owned)))
    }

    async fn lifecycle(&self, bucket: &Bucket) -> Result<Option<String>, CallError> {
        raw!(self, bucket, "GetBucketLifecycleConfiguration", get_bucket_lifecycle_configuration)
    }

    async fn notifications(&self, bucket: &Bucket) -> Result<Option<String>, CallError> {
        raw!(self, bucket, "GetBucketNotificationConfiguration", get_bucket_notification_configuration)
    }

    async fn logging(&self, bucket: &Bucket) -> Result<Option<LoggingTarget>, CallError> {
        let answer = plain!(self, bucket, "GetBucketLogging", get_bucket_logging)?;
        let Some(enabled) = answer.logging_enabled() else { return Ok(None) };
        // A target that is no valid name is none that could be replicated.
        Ok(enabled.target_bucket().parse().ok().map(|target| LoggingTarget {
            bucket: target,
            prefix: enabled.target_prefix().to_owned(),
            partitioned: enabled
                .target_object_key_format()
                .is_some_and(|format| format.partitioned_prefix().is_some()),
        }))
    }

    async fn requester_pays(&self, bucket: &Bucket) -> Result<bool, CallError> {
        let answer = plain!(self, bucket, "GetBucketRequestPayment", get_bucket_request_payment)?;
        Ok(answer.payer() == Some(&Payer::Requester))
    }

    async fn keys(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&str>,
        most: u16,
    ) -> Result<Vec<ObjectSample>, CallError> {
        let answer = self
            .on(bucket, "ListObjectsV2", |client| {
                client
                    .list_objects_v2()
                    .bucket(bucket.name.as_str())
                    .expected_bucket_owner(bucket.owner.as_str())
                    .prefix(prefix)
                    .set_start_after(after.map(str::to_owned))
                    .max_keys(i32::from(most))
                    .send()
            })
            .await?;
        let samples = answer.contents().iter().filter_map(|object| {
            Some(ObjectSample {
                key: object.key()?.to_owned(),
                last_modified: object.last_modified().and_then(timestamp).map(|time| time.to_string()),
                replication_status: None,
                other_owner: None,
            })
        });
        Ok(samples.collect())
    }

    async fn folders(&self, bucket: &Bucket, prefix: &str) -> Result<Vec<String>, CallError> {
        let answer = self
            .on(bucket, "ListObjectsV2", |client| {
                client
                    .list_objects_v2()
                    .bucket(bucket.name.as_str())
                    .expected_bucket_owner(bucket.owner.as_str())
                    .prefix(prefix)
                    .delimiter("/")
                    .send()
            })
            .await?;
        Ok(answer.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)).collect())
    }

    async fn object(&self, bucket: &Bucket, key: &str) -> Result<Option<ObjectFacts>, CallError> {
        let answer = self
            .on(bucket, "HeadObject", |client| {
                client
                    .head_object()
                    .bucket(bucket.name.as_str())
                    .expected_bucket_owner(bucket.owner.as_str())
                    .key(key)
                    .send()
            })
            .await;
        let answer = match answer {
            Err(CallError { kind: Kind::NotFound, .. }) => return Ok(None),
            answer => answer?,
        };
        Ok(Some(ObjectFacts {
            last_modified: answer.last_modified().and_then(timestamp),
            replication_status: answer
                .replication_status()
                .and_then(|status| replication_status(status.as_str())),
            version_id: answer.version_id().map(str::to_owned),
        }))
    }
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), 0).ok()
}

/// The values of `x-amz-replication-status`.
fn replication_status(status: &str) -> Option<ReplicationStatus> {
    match status {
        "PENDING" => Some(ReplicationStatus::Pending),
        "COMPLETED" | "COMPLETE" => Some(ReplicationStatus::Completed),
        "FAILED" => Some(ReplicationStatus::Failed),
        "REPLICA" => Some(ReplicationStatus::Replica),
        _ => None,
    }
}
