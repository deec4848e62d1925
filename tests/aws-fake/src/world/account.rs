//! An account and what it holds but for buckets: access keys, users, roles, KMS keys, queues.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Eventual, ResourcePolicy};

/// An AWS account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    pub name: String,
    pub email: String,
    pub state: AccountState,
    /// The id of the root or unit it is in; absent for an account outside of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Service control policies attached to the account itself; empty stands for `p-FullAWSAccess`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub policies: BTreeSet<String>,
    /// When it joined, ms since 1970.
    #[serde(skip_serializing_if = "is_default")]
    pub joined_ms: i64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Opt-in regions that are enabled.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<String>,
    /// Access keys by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub access_keys: BTreeMap<String, AccessKey>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, User>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Role>,
    /// Managed policies of the account: name → document.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub managed_policies: BTreeMap<String, ResourcePolicy>,
    /// KMS keys by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Key>,
    /// Queues by `REGION/NAME`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queues: BTreeMap<String, Queue>,
    /// How often a role of a name was created: the next one gets another unique id.
    #[serde(skip)]
    pub(crate) role_generations: BTreeMap<String, u32>,
}

/// The state of an account ("State" of the Account data type, Organizations API Reference).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountState {
    #[default]
    Active,
    Suspended,
    PendingClosure,
    PendingActivation,
    Closed,
}

impl AccountState {
    /// As Organizations writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Closed => "CLOSED",
        }
    }

    /// `Status`, which knows fewer states.
    pub fn status(self) -> &'static str {
        match self {
            Self::Active | Self::PendingActivation => "ACTIVE",
            Self::Suspended | Self::Closed => "SUSPENDED",
            Self::PendingClosure => "PENDING_CLOSURE",
        }
    }
}

/// An access key. Its secret is never looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessKey {
    /// `root`, `user/NAME` or `role/NAME`.
    pub principal: String,
    /// For temporary credentials: the token that must accompany the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// When they expire, ms since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

/// An IAM user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    pub unique_id: String,
    pub inline_policies: BTreeMap<String, ResourcePolicy>,
    /// ARNs of managed policies.
    pub managed_policies: BTreeSet<String>,
    pub tags: BTreeMap<String, String>,
}

/// An IAM role.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    /// `AROA…`; derived when absent.
    pub unique_id: String,
    /// Begins and ends with a slash.
    pub path: String,
    pub description: String,
    pub created_ms: i64,
    pub max_session_s: i64,
    pub trust: Eventual<ResourcePolicy>,
    pub inline_policies: Eventual<BTreeMap<String, ResourcePolicy>>,
    /// ARNs of managed policies.
    pub managed_policies: Eventual<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            unique_id: String::new(),
            path: "/".to_owned(),
            description: String::new(),
            created_ms: 0,
            max_session_s: 3_600,
            trust: Eventual::default(),
            inline_policies: Eventual::default(),
            managed_policies: Eventual::default(),
            permissions_boundary: None,
            tags: BTreeMap::new(),
        }
    }
}

impl Role {
    /// The ARN of this role of an account.
    pub fn arn(&self, account: &str, name: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{name}", self.path)
    }
}

/// A KMS key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Key {
    pub region: String,
    pub state: KeyState,
    /// Whether AWS manages it, as `aws/s3`: its policy cannot be changed and other accounts cannot use it.
    pub aws_managed: bool,
    pub description: String,
    pub multi_region: bool,
    /// The region of the primary, for a replica of a multi-Region key.
    pub policy: ResourcePolicy,
    /// Aliases, e.g. `alias/weir`.
    pub aliases: BTreeSet<String>,
    pub created_ms: i64,
    pub tags: BTreeMap<String, String>,
}

/// The state of a key ("Key states of AWS KMS keys", KMS Developer Guide).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    #[default]
    Enabled,
    Disabled,
    PendingDeletion,
    PendingImport,
    Unavailable,
}

impl KeyState {
    /// As KMS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::PendingImport => "PendingImport",
            Self::Unavailable => "Unavailable",
        }
    }
}

/// An SQS queue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Attributes but for the policy, as they were set.
    pub attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<ResourcePolicy>,
    pub tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub messages: VecDeque<Message>,
    /// How many messages were ever sent: part of the next one's id.
    #[serde(skip)]
    pub(crate) sent: u64,
}

/// A message of a queue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub sent_ms: i64,
    pub visible_ms: i64,
    pub received: u32,
    pub receipt: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default(value: &i64) -> bool {
    *value == 0
}
