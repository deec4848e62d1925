//! A bucket, its configurations as they were put, and its objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ResourcePolicy;

/// A bucket.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The account that owns it.
    pub owner: String,
    pub region: String,
    #[serde(default)]
    pub created_ms: i64,
    #[serde(default)]
    pub versioning: Versioning,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ResourcePolicy>,
    /// The replication configuration as XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<String>,
    /// The default encryption as XML; without one, SSE-S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The Object Lock configuration as XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<String>,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access_block: Option<PublicAccessBlock>,
    /// The lifecycle configuration as XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// The notification configuration as XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<String>,
    /// The logging status as XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<String>,
    #[serde(default)]
    pub requester_pays: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Versions by key, oldest first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, Vec<ObjectVersion>>,
    /// How many versions were ever written: part of the next one's id.
    #[serde(skip)]
    pub(crate) written: u64,
}

/// The versioning of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Versioning {
    /// `Enabled`, `Suspended`, or absent for a bucket that never was versioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    pub mfa_delete: bool,
    /// When it was enabled for the first time, ms since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_enabled_ms: Option<i64>,
}

impl Versioning {
    /// Versioning that has long been enabled.
    pub fn enabled() -> Self {
        Self { status: Some("Enabled".to_owned()), ..Self::default() }
    }

    /// Whether new objects get versions.
    pub fn is_enabled(&self) -> bool {
        self.status.as_deref() == Some("Enabled")
    }
}

/// The four settings of Block Public Access.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublicAccessBlock {
    pub block_public_acls: bool,
    pub ignore_public_acls: bool,
    pub block_public_policy: bool,
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on.
    pub fn all() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }
}

/// `x-amz-replication-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReplicationStatus {
    Pending,
    Completed,
    Failed,
    Replica,
}

impl ReplicationStatus {
    /// As S3 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Replica => "REPLICA",
        }
    }
}

/// One version of an object, or a delete marker.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectVersion {
    /// `null` for one written without versioning.
    pub version_id: String,
    pub modified_ms: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delete_marker: bool,
    pub body: Kept,
    pub etag: String,
    /// The account that owns it.
    pub owner: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// User metadata, without the prefix of the header.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub encryption: String,
    /// The ARN of the key, if KMS encrypts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bucket_key: bool,
    pub storage_class: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_status: Option<ReplicationStatus>,
    /// Why its replication failed (S3 replication failure reasons): not shown by S3's reads, but by events and here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
}

/// The bytes of an object. In JSON: its text, or `{"size": N}` for N zero bytes that take no memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Kept {
    Text(String),
    Bytes { base64: String },
    Zeros { size: u64 },
}

impl Default for Kept {
    fn default() -> Self {
        Self::Zeros { size: 0 }
    }
}

impl Kept {
    /// Keeps bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use base64::Engine as _;
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes { base64: base64::engine::general_purpose::STANDARD.encode(bytes) },
        }
    }

    /// The bytes again.
    pub fn bytes(&self) -> Vec<u8> {
        use base64::Engine as _;
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes { base64 } => {
                base64::engine::general_purpose::STANDARD.decode(base64).unwrap_or_default()
            }
            Self::Zeros { size } => vec![0; usize::try_from(*size).unwrap_or(0)],
        }
    }

    /// How many bytes they are.
    pub fn size(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Bytes { .. } => self.bytes().len() as u64,
            Self::Zeros { size } => *size,
        }
    }
}

impl Bucket {
    /// A bucket of an account in a region, as S3 creates it.
    pub fn new(owner: &str, region: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            region: region.to_owned(),
            ownership: Some("BucketOwnerEnforced".to_owned()),
            public_access_block: Some(PublicAccessBlock::all()),
            ..Self::default()
        }
    }

    /// The current version of a key, if it is not a delete marker.
    pub fn current(&self, key: &str) -> Option<&ObjectVersion> {
        self.objects.get(key).and_then(|versions| versions.last()).filter(|version| !version.delete_marker)
    }
}
