//! What discovery found: the organization, its members and the log account, as plain data.
//!
//! Contract: an inventory can be written as JSON and planned from later, without AWS. Documents that a write would
//! replace (policies, replication, lifecycle, notifications) are held raw, as AWS sent them: what a parser of ours does
//! not know must survive. Maps are sorted, so that equal worlds give equal files.

mod buckets;
mod organization;

pub use self::buckets::{
    Destination, DestinationBucket, Encryption, EncryptionAlgorithm, Key, KeyManager, KeyState,
    LoggingTarget, ObjectOwnership, ObjectSample, PublicAccessBlock, Queue, ReplicationStatus, SourceBucket,
    Versioning,
};
pub use self::organization::{
    Attachment, Caller, CallerKind, Organization, OrganizationPolicy, OrganizationalUnit, PolicyKind,
};

use crate::codes::FailureCode;
use crate::ids::{AccountId, Arn, BucketName, OuId, Region};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The version of the file format.
pub const FORMAT: u32 = 1;

/// Everything that a plan is made from, besides `accounts.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// [`FORMAT`] of the version that wrote it.
    pub format: u32,
    pub organization: Organization,
    pub caller: Caller,
    pub log_account: LogAccount,
    /// The accounts that were looked at, whether or not they could be read. The log account may be among them.
    #[serde(default)]
    pub members: BTreeMap<AccountId, Member>,
}

/// One account of the organization, or one that accounts.toml names although it is outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub id: AccountId,
    /// Account names are not unique.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub state: AccountState,
    /// The units that the account is in, from the root's child down to its parent. Empty directly under the root.
    #[serde(default)]
    pub units: Vec<OuId>,
    /// None when tags were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// False for accounts that only accounts.toml names.
    #[serde(default = "yes")]
    pub in_organization: bool,
    pub access: Access,
    /// The Regions that the account may use; empty when that was not asked for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<Region>,
    /// The buckets that accounts.toml selects.
    #[serde(default)]
    pub buckets: BTreeMap<BucketName, SourceBucket>,
    /// The replication role, and every role of this account that a replication configuration names.
    #[serde(default)]
    pub roles: BTreeMap<Arn, Role>,
    /// The keys that the buckets' default encryption names.
    #[serde(default)]
    pub keys: BTreeMap<Arn, Key>,
    /// What could not be read, bucket by bucket or for the account; those parts are left out of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

fn yes() -> bool {
    true
}

/// The life of an account (Organizations, `Account.State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountState {
    PendingActivation,
    Active,
    Suspended,
    PendingClosure,
    Closed,
}

/// Whether the account could be entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// With this role.
    Reached {
        role: Arn,
    },
    Failed(Failure),
    /// Not tried: the account is not selected or not active.
    NotTried,
}

/// Why something could not be read or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub code: FailureCode,
    /// The bucket, role or key; none when it is the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// What happened, naming the thing.
    pub text: String,
    /// What to do.
    pub cure: String,
}

/// An IAM role, with everything that decides what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub arn: Arn,
    /// `AROA…`: a role that was deleted and made anew has another.
    pub unique_id: String,
    /// JSON, as IAM sent it (percent-decoded).
    pub trust_policy: String,
    /// JSON by policy name.
    #[serde(default)]
    pub inline_policies: BTreeMap<String, String>,
    /// JSON of the default version, by the policy's ARN.
    #[serde(default)]
    pub attached_policies: BTreeMap<Arn, String>,
    /// JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The account that the replicas go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogAccount {
    pub id: AccountId,
    pub access: Access,
    /// One for each Region that accounts.toml names a destination in.
    #[serde(default)]
    pub destinations: BTreeMap<Region, Destination>,
    /// The keys of the destinations: those that accounts.toml names and those of the default encryption.
    #[serde(default)]
    pub keys: BTreeMap<Arn, Key>,
    /// The queues that accounts.toml names.
    #[serde(default)]
    pub queues: BTreeMap<Arn, Queue>,
}

/// Why an inventory file is refused.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    #[error(
        "cannot read the inventory {path}; check the path, or write one with `weir accounts discover -o {path}`"
    )]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the inventory {path} cannot be understood; write it anew with `weir accounts discover -o {path}`"
    )]
    Syntax {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "the inventory {path} has format {found}, this weir knows {FORMAT}; write it anew with `weir accounts discover -o {path}`"
    )]
    Format { path: PathBuf, found: u32 },
}

impl Inventory {
    /// Reads an inventory file.
    ///
    /// # Errors
    /// Names the file and how to write a new one.
    pub fn load(path: &Path) -> Result<Self, InventoryError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| InventoryError::Read { path: path.to_owned(), source })?;
        let inventory: Inventory = serde_json::from_str(&text)
            .map_err(|source| InventoryError::Syntax { path: path.to_owned(), source })?;
        if inventory.format != FORMAT {
            return Err(InventoryError::Format { path: path.to_owned(), found: inventory.format });
        }
        Ok(inventory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_says_how_to_write_one() {
        let folder = std::env::temp_dir().join(format!("weir-inventory-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("inventory.json");
        let message = Inventory::load(&path).unwrap_err().to_string();
        assert!(
            message.contains("inventory.json") && message.contains("weir accounts discover -o"),
            "{message}"
        );
        std::fs::write(&path, "{\"format\": 1, \"organisation\": {}}").unwrap();
        let message = crate::plan::with_causes(&Inventory::load(&path).unwrap_err());
        assert!(message.contains("cannot be understood") && message.contains("organisation"), "{message}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
