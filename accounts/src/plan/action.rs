//! The closed set of writes that onboarding and off-boarding are made of.

use crate::ids::{AccountId, Arn, BucketName, Region, RoleName, RolePath};
use crate::inventory::{ObjectOwnership, PublicAccessBlock, Versioning};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One write to AWS, with everything that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// A hash of all the rest: the journal knows an action by it, in this run and in the next.
    pub id: ActionId,
    pub step: Step,
    pub account: AccountId,
    /// Where the call goes. IAM is global; for its calls this is the Region of the first bucket that needs them.
    pub region: Region,
    pub write: Write,
}

/// The hash of an action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(String);

impl ActionId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The order of things: an action of a later step may rely on those of earlier steps in the log account and in its
/// own account. Off-boarding goes from the member to the log account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Log account: the destination bucket as it must be.
    DestinationBucket,
    /// Log account: the key that replicas are encrypted with.
    DestinationKey,
    /// Log account: who may replicate into the bucket.
    DestinationPolicy,
    /// Log account: the queue hears of new objects.
    DestinationNotifications,
    /// Member: versioning of the source bucket, and what becomes of old versions.
    SourceVersioning,
    /// Member: the role that S3 replicates with.
    ReplicationRole,
    /// Member: a rule for a tiny prefix, and an object under it.
    Canary,
    /// Member: the rules for the logs, once the canary's replica was seen.
    Widen,
    /// Off-boarding, member: our rules.
    RemoveRules,
    /// Off-boarding, member: our role, or our policy on a role of others.
    RemoveRole,
    /// Off-boarding, log account: our statements.
    RemoveStatements,
}

/// What is there, and what shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change<T> {
    pub before: Option<T>,
    pub after: T,
}

/// A whole document that is replaced: AWS has no calls for its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentChange {
    /// As AWS sent it; none when there is no document.
    pub before: Option<String>,
    /// As it is to be sent.
    pub after: String,
    /// The statements or rules of others that are carried through unchanged, by Sid or ID, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<String>,
}

/// What kind of text a document is: how two of them are compared and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    Json,
    Xml,
}

/// Which form our rules are put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicationStage {
    /// Only the canary's prefix is new.
    Canary,
    /// The logs' prefixes; after the canary's replica was seen.
    Wide,
    /// Our rules go, those of others stay.
    Remove,
}

/// A write to AWS. Every variant is one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all_fields = "snake_case", deny_unknown_fields)]
pub enum Write {
    /// S3.
    PutBucketVersioning { bucket: BucketName, change: Change<Versioning> },
    /// S3.
    PutBucketOwnershipControls { bucket: BucketName, change: Change<ObjectOwnership> },
    /// S3.
    PutPublicAccessBlock { bucket: BucketName, change: Change<PublicAccessBlock> },
    /// S3; JSON.
    PutBucketPolicy { bucket: BucketName, document: DocumentChange },
    /// S3; when nothing of others is left.
    DeleteBucketPolicy { bucket: BucketName, before: String },
    /// S3; XML `LifecycleConfiguration`.
    PutBucketLifecycleConfiguration { bucket: BucketName, document: DocumentChange },
    /// S3; XML `NotificationConfiguration`.
    PutBucketNotificationConfiguration { bucket: BucketName, document: DocumentChange },
    /// S3; XML `ReplicationConfiguration`.
    PutBucketReplication { bucket: BucketName, stage: ReplicationStage, document: DocumentChange },
    /// S3; when nothing of others is left.
    DeleteBucketReplication { bucket: BucketName, before: String },
    /// S3: an object under `key_prefix`, whose replica is then looked for. The key's end is chosen when it is written,
    /// since a canary is written anew each time.
    PutCanaryObject {
        bucket: BucketName,
        key_prefix: String,
        destination: BucketName,
        destination_region: Region,
        /// Rule of the canary.
        rule_id: String,
    },
    /// KMS; JSON.
    PutKeyPolicy { key: Arn, document: DocumentChange },
    /// IAM.
    CreateRole {
        role: Arn,
        path: RolePath,
        name: RoleName,
        /// JSON.
        trust_policy: String,
        description: String,
        tags: BTreeMap<String, String>,
    },
    /// IAM; JSON.
    UpdateAssumeRolePolicy { role: Arn, name: RoleName, document: DocumentChange },
    /// IAM; JSON, an inline policy that is all ours.
    PutRolePolicy { role: Arn, name: RoleName, policy_name: String, document: DocumentChange },
    /// IAM.
    DeleteRolePolicy { role: Arn, name: RoleName, policy_name: String, before: String },
    /// IAM; the inline policies are gone by then.
    DeleteRole { role: Arn, name: RoleName, before_trust_policy: String },
}

/// What a write changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteTarget<'a> {
    Bucket(&'a BucketName),
    Key(&'a Arn),
    Role(&'a Arn),
}

impl fmt::Display for WriteTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteTarget::Bucket(bucket) => bucket.fmt(f),
            WriteTarget::Key(arn) | WriteTarget::Role(arn) => f.pad(arn.resource()),
        }
    }
}

impl Write {
    /// The name of the API call.
    pub fn operation(&self) -> &'static str {
        match self {
            Write::PutBucketVersioning { .. } => "PutBucketVersioning",
            Write::PutBucketOwnershipControls { .. } => "PutBucketOwnershipControls",
            Write::PutPublicAccessBlock { .. } => "PutPublicAccessBlock",
            Write::PutBucketPolicy { .. } => "PutBucketPolicy",
            Write::DeleteBucketPolicy { .. } => "DeleteBucketPolicy",
            Write::PutBucketLifecycleConfiguration { .. } => "PutBucketLifecycleConfiguration",
            Write::PutBucketNotificationConfiguration { .. } => "PutBucketNotificationConfiguration",
            Write::PutBucketReplication { .. } => "PutBucketReplication",
            Write::DeleteBucketReplication { .. } => "DeleteBucketReplication",
            Write::PutCanaryObject { .. } => "PutObject",
            Write::PutKeyPolicy { .. } => "PutKeyPolicy",
            Write::CreateRole { .. } => "CreateRole",
            Write::UpdateAssumeRolePolicy { .. } => "UpdateAssumeRolePolicy",
            Write::PutRolePolicy { .. } => "PutRolePolicy",
            Write::DeleteRolePolicy { .. } => "DeleteRolePolicy",
            Write::DeleteRole { .. } => "DeleteRole",
        }
    }

    /// The IAM actions that the call needs (Service Authorization Reference).
    pub fn permissions(&self) -> &'static [&'static str] {
        match self {
            Write::PutBucketVersioning { .. } => &["s3:PutBucketVersioning"],
            Write::PutBucketOwnershipControls { .. } => &["s3:PutBucketOwnershipControls"],
            Write::PutPublicAccessBlock { .. } => &["s3:PutBucketPublicAccessBlock"],
            Write::PutBucketPolicy { .. } => &["s3:PutBucketPolicy"],
            Write::DeleteBucketPolicy { .. } => &["s3:DeleteBucketPolicy"],
            Write::PutBucketLifecycleConfiguration { .. } => &["s3:PutLifecycleConfiguration"],
            Write::PutBucketNotificationConfiguration { .. } => &["s3:PutBucketNotification"],
            Write::PutBucketReplication { .. } => &["s3:PutReplicationConfiguration", "iam:PassRole"],
            Write::DeleteBucketReplication { .. } => &["s3:PutReplicationConfiguration"],
            // The key only where the bucket encrypts with one.
            Write::PutCanaryObject { .. } => &["s3:PutObject", "kms:GenerateDataKey"],
            Write::PutKeyPolicy { .. } => &["kms:PutKeyPolicy"],
            Write::CreateRole { .. } => &["iam:CreateRole", "iam:TagRole"],
            Write::UpdateAssumeRolePolicy { .. } => &["iam:UpdateAssumeRolePolicy"],
            Write::PutRolePolicy { .. } => &["iam:PutRolePolicy"],
            Write::DeleteRolePolicy { .. } => &["iam:DeleteRolePolicy"],
            Write::DeleteRole { .. } => &["iam:DeleteRole"],
        }
    }

    /// The service, as IAM and signatures name it.
    pub fn service(&self) -> &'static str {
        match self.target() {
            WriteTarget::Bucket(_) => "s3",
            WriteTarget::Key(_) => "kms",
            WriteTarget::Role(_) => "iam",
        }
    }

    /// What is changed.
    pub fn target(&self) -> WriteTarget<'_> {
        match self {
            Write::PutBucketVersioning { bucket, .. }
            | Write::PutBucketOwnershipControls { bucket, .. }
            | Write::PutPublicAccessBlock { bucket, .. }
            | Write::PutBucketPolicy { bucket, .. }
            | Write::DeleteBucketPolicy { bucket, .. }
            | Write::PutBucketLifecycleConfiguration { bucket, .. }
            | Write::PutBucketNotificationConfiguration { bucket, .. }
            | Write::PutBucketReplication { bucket, .. }
            | Write::DeleteBucketReplication { bucket, .. }
            | Write::PutCanaryObject { bucket, .. } => WriteTarget::Bucket(bucket),
            Write::PutKeyPolicy { key, .. } => WriteTarget::Key(key),
            Write::CreateRole { role, .. }
            | Write::UpdateAssumeRolePolicy { role, .. }
            | Write::PutRolePolicy { role, .. }
            | Write::DeleteRolePolicy { role, .. }
            | Write::DeleteRole { role, .. } => WriteTarget::Role(role),
        }
    }

    /// The document that is replaced, and its kind.
    pub fn document(&self) -> Option<(&DocumentChange, DocumentKind)> {
        match self {
            Write::PutBucketPolicy { document, .. }
            | Write::PutKeyPolicy { document, .. }
            | Write::UpdateAssumeRolePolicy { document, .. }
            | Write::PutRolePolicy { document, .. } => Some((document, DocumentKind::Json)),
            Write::PutBucketLifecycleConfiguration { document, .. }
            | Write::PutBucketNotificationConfiguration { document, .. }
            | Write::PutBucketReplication { document, .. } => Some((document, DocumentKind::Xml)),
            _ => None,
        }
    }

    /// The place within a step: a role before its policies, a rule before its canary.
    fn order(&self) -> u8 {
        match self {
            // Before versioning: a run that ends between the two would else leave versions that nothing removes.
            Write::PutBucketLifecycleConfiguration { .. } | Write::CreateRole { .. } => 0,
            Write::PutBucketVersioning { .. } | Write::UpdateAssumeRolePolicy { .. } => 1,
            Write::PutBucketOwnershipControls { .. } | Write::PutRolePolicy { .. } => 2,
            Write::PutPublicAccessBlock { .. } | Write::DeleteRolePolicy { .. } => 3,
            Write::PutBucketReplication { .. } | Write::DeleteBucketReplication { .. } => 4,
            Write::PutCanaryObject { .. } => 5,
            Write::PutKeyPolicy { .. }
            | Write::PutBucketPolicy { .. }
            | Write::DeleteBucketPolicy { .. }
            | Write::PutBucketNotificationConfiguration { .. } => 6,
            Write::DeleteRole { .. } => 7,
        }
    }
}

impl Action {
    /// An action with the id of its content.
    pub fn new(step: Step, account: AccountId, region: Region, write: Write) -> Self {
        let mut action = Action { id: ActionId(String::new()), step, account, region, write };
        action.id = action.computed_id();
        action
    }

    /// The id that the content gives: 128 bits of BLAKE3 over the action's JSON.
    pub fn computed_id(&self) -> ActionId {
        // Serialising plain data to JSON cannot fail; were it to, the ids would differ and the plan be refused.
        let content =
            serde_json::to_vec(&(&self.step, &self.account, &self.region, &self.write)).unwrap_or_default();
        let hash = blake3::hash(&content);
        ActionId(hash.to_hex().chars().take(32).collect())
    }

    /// The order of a plan: the log account's steps first, then account by account in the order of steps, and what is taken
    /// from the log account last.
    pub fn sort_key(&self) -> (u8, &AccountId, Step, u8, &Region, String, String) {
        let place = match self.step {
            Step::DestinationBucket
            | Step::DestinationKey
            | Step::DestinationPolicy
            | Step::DestinationNotifications => 0,
            Step::RemoveStatements => 2,
            _ => 1,
        };
        let target = self.write.target().to_string();
        // Within a bucket's step the order counts, across buckets the name: both are deterministic.
        let detail = match &self.write {
            Write::PutRolePolicy { policy_name, .. } | Write::DeleteRolePolicy { policy_name, .. } => {
                policy_name.clone()
            }
            _ => String::new(),
        };
        (place, &self.account, self.step, self.write.order(), &self.region, target, detail)
    }
}
