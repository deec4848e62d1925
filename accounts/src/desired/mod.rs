//! `accounts.toml`: what the organization should look like. Read and checked once.
//!
//! An unknown key is refused with the nearest known one, and every message names the file, the field and what to
//! write: this file decides what is written in hundreds of accounts.

mod error;
mod select;
mod source;
mod template;
#[cfg(test)]
mod tests;

pub use self::error::DesiredError;
pub use self::select::{Candidate, Selected, Selection};
pub use self::source::{LayoutKind, LogService, SourceSettings};
pub use self::template::template;

use crate::ids::{AccountId, Arn, BucketName, ExternalId, Region, RoleName, RolePath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The name that is looked for in the working directory.
pub const FILE_NAME: &str = "accounts.toml";

/// The path of every role that we create, so that one pattern in a policy covers them: `role/weir/*`.
pub const ROLE_PATH: &str = "/weir/";

/// Everything that `accounts.toml` can say.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Desired {
    /// The account that the logs go to.
    pub log_account: LogAccountSettings,
    /// Destination buckets, one per Region at most.
    #[serde(rename = "destination")]
    pub destinations: Vec<DestinationSettings>,
    /// Which accounts, and how they are entered.
    #[serde(default)]
    pub members: MemberSettings,
    /// Which buckets, and what their keys look like.
    #[serde(rename = "source")]
    pub sources: Vec<SourceSettings>,
    /// How objects are replicated.
    #[serde(default)]
    pub replication: ReplicationSettings,
    /// What the cost estimate assumes.
    #[serde(default)]
    pub cost: CostSettings,
    /// How fast the organization is read and changed.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// `[log-account]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LogAccountSettings {
    pub id: AccountId,
    /// The role that is assumed there; not needed when the caller is in the log account.
    #[serde(default = "default_member_role")]
    pub role: RoleName,
    /// None means the one of the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// Whether versioning, ownership and public access block of the destination buckets are ours to set.
    #[serde(default = "yes")]
    pub manage_buckets: bool,
}

fn yes() -> bool {
    true
}

/// `[[destination]]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DestinationSettings {
    pub region: Region,
    pub bucket: BucketName,
    /// Replicas are encrypted with this key of the log account; none means as the source is, where S3 can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<Arn>,
    /// The queue that hears of new objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Arn>,
    /// Other Regions whose buckets replicate here. Its own always does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Region>,
    /// Whether all Regions without a destination replicate here.
    #[serde(default)]
    pub from_all_others: bool,
}

/// `[members]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MemberSettings {
    /// The role that is assumed in each member.
    pub role: RoleName,
    pub external_id: Option<ExternalId>,
    /// The name, under the path `/weir/`, of the role that S3 replicates with.
    pub replication_role: RoleName,
    /// Accounts outside of the organization that replicate too, named one by one in the bucket policy.
    pub outside_organization: Vec<AccountId>,
    pub select: Selection,
}

impl Default for MemberSettings {
    fn default() -> Self {
        MemberSettings {
            role: default_member_role(),
            external_id: None,
            replication_role: RoleName::literal("weir-replication"),
            outside_organization: Vec::new(),
            select: Selection::default(),
        }
    }
}

fn default_member_role() -> RoleName {
    RoleName::literal("weir-onboarding")
}

/// `[replication]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ReplicationSettings {
    /// S3 Replication Time Control: 15 minutes promised, and billed by the gigabyte.
    pub time_control: bool,
    /// What happens to a source bucket that is not versioned.
    pub versioning: VersioningPolicy,
    /// Old versions in a source bucket go after this many days, where the plan enables versioning; 0 keeps them.
    pub noncurrent_days: u32,
    /// What happens when a role of others is on the replication configuration.
    pub foreign_role: ForeignRole,
    /// Converts rules of the first version, which changes how delete markers are replicated.
    pub convert_v1_rules: bool,
    /// Lets the role take part in S3 Batch Replication, for objects that were there before.
    pub existing_objects: bool,
    /// The storage class of the replicas; none means that of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<StorageClass>,
    /// Asks for `aws:SourceAccount` in the trust policy of the replication role.
    pub source_account_condition: bool,
}

impl Default for ReplicationSettings {
    fn default() -> Self {
        ReplicationSettings {
            time_control: false,
            versioning: VersioningPolicy::Enable,
            noncurrent_days: 7,
            foreign_role: ForeignRole::Refuse,
            convert_v1_rules: false,
            existing_objects: false,
            storage_class: None,
            source_account_condition: false,
        }
    }
}

/// Whether versioning of source buckets is ours to enable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersioningPolicy {
    /// Enable it, with a lifecycle rule that lets old versions go.
    Enable,
    /// Leave out buckets that are not versioned.
    Require,
}

/// S3 allows one role per replication configuration, so our rules must share a role that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignRole {
    /// Use the role when it can already do what our rules need; else leave the bucket out.
    Refuse,
    /// Add an inline policy of ours to the role.
    Extend,
}

/// Storage classes that a replica can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    Standard,
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
    GlacierIr,
    Glacier,
    DeepArchive,
}

impl StorageClass {
    /// As S3 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            StorageClass::Standard => "STANDARD",
            StorageClass::StandardIa => "STANDARD_IA",
            StorageClass::OnezoneIa => "ONEZONE_IA",
            StorageClass::IntelligentTiering => "INTELLIGENT_TIERING",
            StorageClass::GlacierIr => "GLACIER_IR",
            StorageClass::Glacier => "GLACIER",
            StorageClass::DeepArchive => "DEEP_ARCHIVE",
        }
    }
}

/// `[cost]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CostSettings {
    /// What a bucket receives in a day, where the inventory does not know.
    pub gigabytes_per_bucket_and_day: f64,
    /// The mean size of an object.
    pub kilobytes_per_object: f64,
    /// Prices in US dollars that differ from the list prices of us-east-1, by name.
    pub prices: BTreeMap<PriceName, f64>,
}

impl Default for CostSettings {
    fn default() -> Self {
        CostSettings {
            gigabytes_per_bucket_and_day: 1.0,
            kilobytes_per_object: 256.0,
            prices: BTreeMap::new(),
        }
    }
}

/// What has a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceName {
    /// Replication Time Control, per GB.
    TimeControlGigabyte,
    /// Transfer between Regions, per GB.
    TransferGigabyte,
    /// PUT requests, per 1,000.
    PutThousand,
    /// S3 Standard, per GB and month.
    StorageGigabyteMonth,
    /// KMS requests, per 10,000.
    KmsTenThousand,
    /// A customer managed KMS key, per month.
    KmsKeyMonth,
    /// A CloudWatch metric, per month.
    MetricMonth,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LimitSettings {
    /// Accounts that are worked on at the same time.
    pub accounts_at_once: u32,
    /// Calls of AWS Organizations per second.
    pub organizations_per_second: f64,
    /// AssumeRole calls per second.
    pub assume_role_per_second: f64,
    /// Keys that are looked at in each bucket.
    pub samples_per_bucket: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings {
            accounts_at_once: 128,
            organizations_per_second: 5.0,
            assume_role_per_second: 50.0,
            samples_per_bucket: 100,
        }
    }
}

impl Desired {
    /// Reads `path`, or `accounts.toml` of the working directory.
    ///
    /// # Errors
    /// Names the file, the field and what would be right.
    pub fn load(path: Option<&Path>) -> Result<Self, DesiredError> {
        let path = path.unwrap_or(Path::new(FILE_NAME));
        let text = std::fs::read_to_string(path).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                DesiredError::Missing { path: path.to_owned() }
            } else {
                DesiredError::Read { path: path.to_owned(), source }
            }
        })?;
        Self::from_text(path, &text)
    }

    /// Reads the text of the file; `path` is for messages.
    ///
    /// # Errors
    /// As [`Desired::load`].
    pub fn from_text(path: &Path, text: &str) -> Result<Self, DesiredError> {
        let desired: Desired =
            toml::from_str(text).map_err(|error| DesiredError::in_file(path, text, &error))?;
        desired.check().map_err(|(field, problem)| DesiredError::Value {
            path: path.to_owned(),
            field,
            problem,
        })?;
        Ok(desired)
    }

    /// Where buckets of `region` replicate to: its own destination, one that names it, or the one for all others.
    pub fn destination_for(&self, region: &Region) -> Option<&DestinationSettings> {
        let own = |destination: &&DestinationSettings| destination.region == *region;
        let named = |destination: &&DestinationSettings| destination.from.contains(region);
        let rest = |destination: &&DestinationSettings| destination.from_all_others;
        let destinations = || self.destinations.iter();
        destinations().find(own).or_else(|| destinations().find(named)).or_else(|| destinations().find(rest))
    }

    /// The path of the roles that we create.
    pub fn role_path() -> RolePath {
        RolePath::literal(ROLE_PATH)
    }

    /// The external ID for the log account.
    pub fn log_account_external_id(&self) -> Option<&ExternalId> {
        self.log_account.external_id.as_ref().or(self.members.external_id.as_ref())
    }

    /// What serde cannot say: relations between fields.
    fn check(&self) -> Result<(), (String, String)> {
        self.check_destinations()?;
        if self.sources.is_empty() {
            return Err((
                "source".into(),
                "no log buckets are named; add a [[source]] with `buckets = [\"…\"]`".into(),
            ));
        }
        for (index, source) in self.sources.iter().enumerate() {
            source.check().map_err(|(field, problem)| (format!("source[{index}].{field}"), problem))?;
        }
        self.members
            .select
            .check()
            .map_err(|(field, problem)| (format!("members.select.{field}"), problem))?;
        if self.members.outside_organization.contains(&self.log_account.id) {
            return Err((
                "members.outside-organization".into(),
                "the log account is in the organization; take it off the list".into(),
            ));
        }
        // `weir-replication-12` has to be a name too, where one role cannot hold the permissions of all buckets.
        if self.members.replication_role.as_str().len() > 60 {
            return Err((
                "members.replication-role".into(),
                "it is too long for a number after it; use at most 60 characters".into(),
            ));
        }
        self.check_numbers()
    }

    fn check_destinations(&self) -> Result<(), (String, String)> {
        if self.destinations.is_empty() {
            return Err((
                "destination".into(),
                "no destination bucket is named; add a [[destination]] with `region` and `bucket`".into(),
            ));
        }
        let mut from: BTreeMap<&Region, usize> = BTreeMap::new();
        for (index, destination) in self.destinations.iter().enumerate() {
            let field = |name: &str| format!("destination[{index}].{name}");
            let earlier = self.destinations.iter().take(index);
            if earlier.clone().any(|other| other.region == destination.region) {
                return Err((
                    field("region"),
                    format!("{} has a destination already; a Region has one", destination.region),
                ));
            }
            if earlier.clone().any(|other| other.bucket == destination.bucket) {
                return Err((
                    field("bucket"),
                    format!(
                        "{} is the destination of another Region; a bucket is in one",
                        destination.bucket
                    ),
                ));
            }
            if destination.from_all_others && earlier.clone().any(|other| other.from_all_others) {
                return Err((
                    field("from-all-others"),
                    "another destination takes all other Regions already; keep one of the two".into(),
                ));
            }
            if let Some(key) = &destination.kms_key {
                self.check_arn(key, "kms", "key/", &destination.region)
                    .map_err(|problem| (field("kms-key"), problem))?;
            }
            if let Some(queue) = &destination.queue {
                self.check_arn(queue, "sqs", "", &destination.region)
                    .map_err(|problem| (field("queue"), problem))?;
            }
            for region in &destination.from {
                let elsewhere = self.destinations.iter().any(|other| other.region == *region);
                if elsewhere || from.insert(region, index).is_some() {
                    return Err((
                        field("from"),
                        format!("{region} has another destination already; name it once"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// A key or queue must be where the bucket is.
    fn check_arn(&self, arn: &Arn, service: &str, resource: &str, region: &Region) -> Result<(), String> {
        if arn.service() != service || !arn.resource().starts_with(resource) {
            let example = format!(
                "arn:{}:{service}:{region}:{}:{}",
                region.partition(),
                self.log_account.id,
                if resource.is_empty() { "NAME" } else { "key/ID" }
            );
            return Err(format!("{arn} is not the ARN of the right kind; it looks like {example}"));
        }
        if arn.region().as_ref() != Some(region) {
            return Err(format!("{arn} is not in {region}, where the bucket is; name one of that Region"));
        }
        if arn.account().as_ref() != Some(&self.log_account.id) {
            return Err(format!(
                "{arn} is not in the log account {}; name one of that account",
                self.log_account.id
            ));
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), (String, String)> {
        let positive = [
            ("cost.gigabytes-per-bucket-and-day", self.cost.gigabytes_per_bucket_and_day),
            ("cost.kilobytes-per-object", self.cost.kilobytes_per_object),
            ("limits.organizations-per-second", self.limits.organizations_per_second),
            ("limits.assume-role-per-second", self.limits.assume_role_per_second),
            ("limits.accounts-at-once", f64::from(self.limits.accounts_at_once)),
        ];
        for (field, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err((field.into(), format!("{value} cannot be; write a number above 0")));
            }
        }
        for (name, price) in &self.cost.prices {
            if !(price.is_finite() && *price >= 0.0) {
                return Err((
                    "cost.prices".into(),
                    format!("{price} for {name:?} cannot be; write US dollars, 0 or more"),
                ));
            }
        }
        Ok(())
    }
}
