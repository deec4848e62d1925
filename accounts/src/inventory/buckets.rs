//! Buckets, keys and queues, as far as replication depends on them.

use crate::ids::{AccountId, Arn, BucketName, Region};
use serde::{Deserialize, Serialize};

/// A log bucket of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceBucket {
    pub region: Region,
    pub versioning: Versioning,
    /// Changes of versioning then need a device in somebody's hand.
    #[serde(default)]
    pub mfa_delete: bool,
    /// `ReplicationConfiguration` XML; none when there is no configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<String>,
    #[serde(default)]
    pub encryption: Encryption,
    #[serde(default)]
    pub object_lock: bool,
    /// None means the default of old buckets: the writer of an object owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<ObjectOwnership>,
    /// Bucket policy, JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// `LifecycleConfiguration` XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// Where the bucket's own server access logs go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<LoggingTarget>,
    /// Some keys, newest first as far as listing shows, for the lints of layout and chains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<ObjectSample>,
    /// What arrives in a day, where it is known; else accounts.toml has an assumption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
}

/// A bucket that receives replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationBucket {
    pub name: BucketName,
    pub versioning: Versioning,
    #[serde(default)]
    pub mfa_delete: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<ObjectOwnership>,
    /// None when nothing is blocked at the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access_block: Option<PublicAccessBlock>,
    /// Bucket policy, JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(default)]
    pub encryption: Encryption,
    #[serde(default)]
    pub object_lock: bool,
    #[serde(default)]
    pub requester_pays: bool,
    /// `NotificationConfiguration` XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<String>,
    /// `LifecycleConfiguration` XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// `ReplicationConfiguration` XML of the destination itself: its replicas go no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<String>,
    /// Made by Control Tower, which forbids changes of its policy.
    #[serde(default)]
    pub control_tower: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<ObjectSample>,
}

/// What is there under a destination's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    Found(Box<DestinationBucket>),
    /// No bucket of that name.
    Missing {
        bucket: BucketName,
    },
    /// A bucket of that name belongs to another account.
    OtherOwner {
        bucket: BucketName,
    },
    /// The bucket is in another Region than accounts.toml says.
    OtherRegion {
        bucket: BucketName,
        region: Region,
    },
    Failed {
        bucket: BucketName,
        failure: super::Failure,
    },
}

/// The state of a bucket's versioning (S3 `GetBucketVersioning`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never enabled.
    Unversioned,
    Enabled,
    Suspended,
}

/// The default encryption of a bucket (S3 `GetBucketEncryption`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    pub algorithm: EncryptionAlgorithm,
    /// The key's ARN, with aliases and bare ids resolved. None with KMS means the key `aws/s3` that AWS manages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arn>,
    /// S3 Bucket Key: one KMS call for many objects, with the bucket as encryption context.
    #[serde(default)]
    pub bucket_key: bool,
}

impl Default for Encryption {
    /// What S3 does since 2023 when nothing is configured.
    fn default() -> Self {
        Encryption { algorithm: EncryptionAlgorithm::SseS3, key: None, bucket_key: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EncryptionAlgorithm {
    #[serde(rename = "AES256")]
    SseS3,
    #[serde(rename = "aws:kms")]
    SseKms,
    /// Two layers.
    #[serde(rename = "aws:kms:dsse")]
    DsseKms,
}

/// Who owns what others write (S3 `GetBucketOwnershipControls`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectOwnership {
    BucketOwnerEnforced,
    BucketOwnerPreferred,
    ObjectWriter,
}

/// S3 `GetPublicAccessBlock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicAccessBlock {
    pub block_public_acls: bool,
    pub ignore_public_acls: bool,
    pub block_public_policy: bool,
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// What every destination has.
    pub const ALL: PublicAccessBlock = PublicAccessBlock {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// S3 `GetBucketLogging`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggingTarget {
    pub bucket: BucketName,
    pub prefix: String,
    /// `[prefix][account]/[region]/[bucket]/[date]/` instead of `[prefix][date]`.
    #[serde(default)]
    pub partitioned: bool,
}

/// One object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectSample {
    pub key: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// None when the object takes no part in replication, or was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_status: Option<ReplicationStatus>,
    /// Who owns the object, where it is not the bucket's owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_owner: Option<String>,
}

/// `x-amz-replication-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReplicationStatus {
    Pending,
    Completed,
    Failed,
    /// The object is itself a replica, and is not replicated again.
    Replica,
}

/// A KMS key (`DescribeKey`, `GetKeyPolicy`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub arn: Arn,
    pub account: AccountId,
    pub state: KeyState,
    pub manager: KeyManager,
    /// Key policy, JSON; none when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// KMS `KeyState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    Creating,
    Enabled,
    Disabled,
    PendingDeletion,
    PendingImport,
    PendingReplicaDeletion,
    Unavailable,
    Updating,
    /// No such key.
    Missing,
}

/// Who may change the key's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyManager {
    /// AWS: no other account can be let in.
    Aws,
    Customer,
}

/// The queue that is told of new objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    pub arn: Arn,
    /// False when there is no such queue.
    pub exists: bool,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}
