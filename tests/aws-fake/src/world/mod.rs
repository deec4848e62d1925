//! The world: every account, bucket, role, key, queue and policy there is, and its JSON form.
//!
//! The types are the JSON form: what `POST /_fake/world` takes, `GET /_fake/world` gives. Documents (policies,
//! configurations) are kept as they were put. Every field but a bucket's owner and region has a default.

mod account;
mod bucket;
mod derive;
mod eventual;
mod load;
mod organization;
mod regions;
mod resource_policy;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::account::{AccessKey, Account, AccountState, Key, KeyState, Message, Queue, Role, User};
pub use self::bucket::{Bucket, Kept, ObjectVersion, PublicAccessBlock, ReplicationStatus, Versioning};
pub(crate) use self::derive::{base32, derive_id, hexadecimal, md5};
pub use self::eventual::Eventual;
pub use self::load::WorldError;
pub use self::organization::{FULL_AWS_ACCESS, Organization, OrganizationalUnit, ServiceControlPolicy};
pub(crate) use self::regions::{is_opt_in, is_region};
pub use self::resource_policy::ResourcePolicy;

/// A whole world.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    pub settings: Settings,
    /// The organization; without one, Organizations answers `AWSOrganizationsNotInUseException`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// Accounts by id (12 digits), of the organization and outside of it.
    pub accounts: BTreeMap<String, Account>,
    /// Buckets by name: names are unique over all accounts and regions of a partition.
    pub buckets: BTreeMap<String, Bucket>,
}

/// How the fake behaves where AWS leaves a range. All times are seconds of the fake's clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Until a change of IAM takes effect: a new role can neither be assumed nor passed nor named as a principal.
    pub iam_lag_s: i64,
    /// From the write of an object to the end of its replication.
    pub replication_s: i64,
    /// After versioning is enabled for the first time, objects written within this time are not replicated.
    pub versioning_lag_s: i64,
    /// Treat us-east-1 as the global endpoint of STS, whose tokens are not valid in opt-in regions.
    pub sts_us_east_1_is_global: bool,
    /// Evaluate S3's trust with `aws:SourceAccount` and `aws:SourceArn` present when S3 assumes a replication role.
    pub s3_sends_source_account: bool,
    /// Destination buckets that replication cannot reach for now: objects stay PENDING until they are taken out.
    pub unreachable_destinations: BTreeSet<String>,
    /// At most this many accounts on a page of `ListAccounts` and `ListAccountsForParent`.
    pub accounts_per_page: usize,
    /// Mixed into every generated id.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            iam_lag_s: 10,
            replication_s: 30,
            versioning_lag_s: 900,
            sts_us_east_1_is_global: false,
            s3_sends_source_account: true,
            unreachable_destinations: BTreeSet::new(),
            accounts_per_page: 20,
            seed: 0,
        }
    }
}

impl World {
    /// An account that can act: it exists and is not closed.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Whether an account is in the organization.
    pub fn is_member(&self, account: &str) -> bool {
        self.organization.is_some() && self.accounts.get(account).is_some_and(|found| found.parent.is_some())
    }

    /// The id of the organization an account is in.
    pub fn organization_of(&self, account: &str) -> Option<&Organization> {
        if self.is_member(account) { self.organization.as_ref() } else { None }
    }

    /// The ids from the root down to the parent of an account, e.g. `r-ab12`, `ou-…`, `ou-…`.
    pub fn path_of(&self, account: &str) -> Vec<&str> {
        let Some(organization) = &self.organization else { return Vec::new() };
        let mut path = Vec::new();
        let mut at = self.accounts.get(account).and_then(|found| found.parent.as_deref());
        while let Some(id) = at {
            path.push(id);
            at = organization.units.get(id).map(|unit| unit.parent.as_str());
            if path.len() > 16 {
                break;
            }
        }
        path.reverse();
        path
    }

    /// Whether an account may use a region.
    pub fn region_enabled(&self, account: &str, region: &str) -> bool {
        is_region(region)
            && (!is_opt_in(region)
                || self.accounts.get(account).is_some_and(|found| found.regions.contains(region)))
    }

    /// A role by its ARN.
    pub fn role(&self, arn: &str) -> Option<(&str, &Role)> {
        let rest = arn.strip_prefix("arn:aws:iam::")?;
        let (account, path) = rest.split_once(":role/")?;
        let name = path.rsplit('/').next()?;
        let (id, account) = self.accounts.get_key_value(account)?;
        let role = account.roles.get(name)?;
        (role.arn(id, name) == arn).then_some((id.as_str(), role))
    }

    /// A KMS key by its ARN; an alias's ARN names none.
    pub fn key(&self, arn: &str) -> Option<(&str, &Key)> {
        let rest = arn.strip_prefix("arn:aws:kms:")?;
        let mut parts = rest.splitn(3, ':');
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (id, account) = self.accounts.get_key_value(account)?;
        let key = account.keys.get(resource.strip_prefix("key/")?)?;
        (key.region == region).then_some((id.as_str(), key))
    }
}
