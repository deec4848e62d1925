//! Worlds for tests: an organization of any size, made the same way each time.
//!
//! ```
//! let world = weir_aws_fake::builder::Blueprint { accounts: 25, units: 3, ..Default::default() }.build().unwrap();
//! assert_eq!(world.accounts.len(), 2 + 25 + 1);
//! ```

mod documents;

use std::collections::{BTreeMap, BTreeSet};

pub use self::documents::{administrator_trust, foreign_rule, replication_configuration};

use crate::world::{
    AccessKey, Account, Bucket, Kept, ObjectVersion, Organization, OrganizationalUnit, Queue, ResourcePolicy,
    Role, User, Versioning, World, WorldError,
};

/// The management account.
pub const MANAGEMENT: &str = "100000000000";
/// The log account, a member.
pub const LOG: &str = "200000000000";
/// An account outside of the organization that other teams replicate to.
pub const OUTSIDE: &str = "900000000000";
/// The access key of an administrator of the management account.
pub const MANAGEMENT_KEY: &str = "AKIAMANAGEMENT000001";
/// The access key of an administrator of the log account.
pub const LOG_KEY: &str = "AKIALOGACCOUNT000001";
/// The external id that the member role asks for.
pub const EXTERNAL_ID: &str = "weir-external-id";
/// The role in each member.
pub const MEMBER_ROLE: &str = "weir-onboarding";
/// A fixed instant for what was there before: 2026-01-01T00:00:00Z.
pub const EARLIER_MS: i64 = 1_767_225_600_000;

/// How keys of a log bucket look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `AWSLogs/ACCOUNT/…`
    AwsLogs,
    /// `o-…`: `AWSLogs/o-…/ACCOUNT/…`
    OrganizationTrail,
    /// `PREFIX/AWSLogs/ACCOUNT/…`
    Prefixed,
    /// Server access logs: `YYYY-MM-DD-hh-mm-ss-…` at the root.
    ServerAccessLogs,
    /// `AWSLogs/ACCOUNT/WAFLogs/…` in a bucket named `aws-waf-logs-…`
    Waf,
    /// Firehose's default: `YYYY/MM/DD/HH/…`
    Firehose,
}

/// What an organization for tests is made of.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Members beside the management and the log account.
    pub accounts: usize,
    /// Units below the root, among which the members are dealt out in turn; one more, `Security`, has the log account.
    pub units: usize,
    /// Regions in which each member has a log bucket and the log account its destination.
    pub regions: Vec<String>,
    /// Layouts, dealt out to the members in turn.
    pub layouts: Vec<Layout>,
    /// Each so-manieth member has a foreign replication rule on its log buckets; 0 for none.
    pub foreign_rule_every: usize,
    /// Each so-manieth member's log buckets are not versioned; 0 for none.
    pub unversioned_every: usize,
    /// Each so-manieth member is suspended; 0 for none.
    pub suspended_every: usize,
    /// Sampled objects in each log bucket.
    pub objects: usize,
    /// Whether the log account has its destination buckets and queues already.
    pub destinations: bool,
    pub seed: u64,
}

impl Default for Blueprint {
    fn default() -> Self {
        Self {
            accounts: 3,
            units: 1,
            regions: vec!["eu-west-1".to_owned()],
            layouts: vec![Layout::AwsLogs],
            foreign_rule_every: 0,
            unversioned_every: 0,
            suspended_every: 0,
            objects: 2,
            destinations: true,
            seed: 0,
        }
    }
}

/// The id of a member, from 0.
pub fn member(index: usize) -> String {
    format!("{:012}", 300_000_000_000_u64 + index as u64 + 1)
}

/// The id of a unit, from 0.
pub fn unit(index: usize) -> String {
    format!("ou-ab12-{:08}", index + 1)
}

/// The name of a member's log bucket in a region.
pub fn log_bucket(account: &str, region: &str, layout: Layout) -> String {
    let prefix = if layout == Layout::Waf { "aws-waf-logs" } else { "logs" };
    format!("{prefix}-{account}-{region}")
}

/// The name of the destination bucket in a region.
pub fn destination_bucket(region: &str) -> String {
    format!("weir-logs-{region}")
}

/// The name of the bucket that foreign rules replicate to in a region.
pub fn foreign_bucket(region: &str) -> String {
    format!("foreign-archive-{region}")
}

fn every(step: usize, index: usize) -> bool {
    step > 0 && (index + 1).is_multiple_of(step)
}

impl Blueprint {
    /// Members that differ: two layouts, some with foreign rules, some without versioning.
    pub fn varied(accounts: usize, units: usize) -> Self {
        Self {
            accounts,
            units,
            layouts: vec![Layout::AwsLogs, Layout::Prefixed],
            foreign_rule_every: 5,
            unversioned_every: 7,
            ..Self::default()
        }
    }

    /// Makes the world.
    pub fn build(&self) -> Result<World, WorldError> {
        let mut world = World::default();
        world.settings.seed = self.seed;
        let units = (0..self.units)
            .map(|index| (unit(index), format!("Unit {}", index + 1)))
            .chain([("ou-ab12-security".to_owned(), "Security".to_owned())]);
        world.organization = Some(Organization {
            management_account: MANAGEMENT.to_owned(),
            units: units
                .map(|(id, name)| {
                    let parent = "r-ab12".to_owned();
                    (id, OrganizationalUnit { name, parent, ..OrganizationalUnit::default() })
                })
                .collect(),
            ..Organization::default()
        });
        world
            .accounts
            .insert(MANAGEMENT.to_owned(), self.administered("Management", "r-ab12", MANAGEMENT_KEY));
        world.accounts.insert(LOG.to_owned(), self.administered("Log archive", "ou-ab12-security", LOG_KEY));
        world
            .accounts
            .insert(OUTSIDE.to_owned(), Account { name: "Outside".to_owned(), ..Account::default() });
        for region in &self.regions {
            self.add_log_account(&mut world, region);
        }
        for index in 0..self.accounts {
            self.add_member(&mut world, index);
        }
        world.complete()?;
        Ok(world)
    }

    /// An account with an administrator's access key and the member role.
    fn administered(&self, name: &str, parent: &str, key: &str) -> Account {
        let administrator = User {
            managed_policies: BTreeSet::from(["arn:aws:iam::aws:policy/AdministratorAccess".to_owned()]),
            ..User::default()
        };
        let access_key = AccessKey { principal: "user/administrator".to_owned(), ..AccessKey::default() };
        Account {
            access_keys: BTreeMap::from([(key.to_owned(), access_key)]),
            users: BTreeMap::from([("administrator".to_owned(), administrator)]),
            ..self.account(name, parent)
        }
    }

    fn account(&self, name: &str, parent: &str) -> Account {
        let role = Role {
            trust: ResourcePolicy::of(administrator_trust(MANAGEMENT, EXTERNAL_ID)).into(),
            managed_policies: BTreeSet::from(["arn:aws:iam::aws:policy/AdministratorAccess".to_owned()])
                .into(),
            created_ms: EARLIER_MS,
            ..Role::default()
        };
        Account {
            name: name.to_owned(),
            email: format!("{}@example.com", name.to_lowercase().replace(' ', "-")),
            parent: Some(parent.to_owned()),
            joined_ms: EARLIER_MS,
            regions: self.regions.iter().filter(|region| crate::world::is_opt_in(region)).cloned().collect(),
            roles: BTreeMap::from([(MEMBER_ROLE.to_owned(), role)]),
            ..Account::default()
        }
    }

    fn add_log_account(&self, world: &mut World, region: &str) {
        if self.foreign_rule_every > 0 {
            let versioning = Versioning::enabled();
            world
                .buckets
                .insert(foreign_bucket(region), Bucket { versioning, ..Bucket::new(OUTSIDE, region) });
        }
        if !self.destinations {
            return;
        }
        let name = destination_bucket(region);
        let queue = format!("arn:aws:sqs:{region}:{LOG}:weir-logs");
        let bucket = Bucket {
            created_ms: EARLIER_MS,
            versioning: Versioning::enabled(),
            notification: Some(documents::notification(&queue)),
            ..Bucket::new(LOG, region)
        };
        let policy = ResourcePolicy::of(documents::queue_policy(&queue, &name, LOG));
        if let Some(account) = world.accounts.get_mut(LOG) {
            let queue = Queue { policy: Some(policy), ..Queue::default() };
            account.queues.insert(format!("{region}/weir-logs"), queue);
        }
        world.buckets.insert(name, bucket);
    }

    fn add_member(&self, world: &mut World, index: usize) {
        let id = member(index);
        let parent = if self.units == 0 { "r-ab12".to_owned() } else { unit(index % self.units) };
        let mut account = self.account(&format!("Member {}", index + 1), &parent);
        let environment = if index.is_multiple_of(2) { "production" } else { "development" };
        account.tags.insert("environment".to_owned(), environment.to_owned());
        if every(self.suspended_every, index) {
            account.state = crate::world::AccountState::Suspended;
        }
        let foreign = every(self.foreign_rule_every, index);
        if foreign {
            let role = Role {
                trust: ResourcePolicy::of(documents::s3_trust()).into(),
                created_ms: EARLIER_MS,
                ..Role::default()
            };
            account.roles.insert("foreign-replication".to_owned(), role);
        }
        let layout = match self.layouts.len() {
            0 => Layout::AwsLogs,
            count => self.layouts.get(index % count).copied().unwrap_or(Layout::AwsLogs),
        };
        for region in &self.regions {
            let name = log_bucket(&id, region, layout);
            let versioned = !every(self.unversioned_every, index) || foreign;
            let mut bucket = Bucket {
                created_ms: EARLIER_MS,
                versioning: if versioned { Versioning::enabled() } else { Versioning::default() },
                ..Bucket::new(&id, region)
            };
            if foreign {
                let role = format!("arn:aws:iam::{id}:role/foreign-replication");
                let rule = foreign_rule("archive", 7, "archive/", &foreign_bucket(region));
                bucket.replication = Some(replication_configuration(&role, &[rule]));
                bucket.policy = Some(ResourcePolicy::of(documents::foreign_policy(&name, &id)));
            }
            for number in 0..self.objects {
                let key = key_of(layout, &id, region, number);
                let version = ObjectVersion {
                    version_id: if versioned { format!("v{number}") } else { String::new() },
                    modified_ms: EARLIER_MS + number as i64 * 60_000,
                    body: Kept::Zeros { size: 1_024 },
                    etag: "\"00000000000000000000000000000000\"".to_owned(),
                    ..ObjectVersion::default()
                };
                bucket.objects.insert(key, vec![version]);
            }
            world.buckets.insert(name, bucket);
        }
        world.accounts.insert(id, account);
    }
}

/// The key of a sampled object.
fn key_of(layout: Layout, account: &str, region: &str, number: usize) -> String {
    let (hour, day) = (number % 24, "2026/01/01");
    match layout {
        Layout::AwsLogs => {
            format!(
                "AWSLogs/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{number:06}.json.gz"
            )
        }
        Layout::OrganizationTrail => {
            format!("AWSLogs/o-a1b2c3d4e5/{account}/CloudTrail/{region}/{day}/{number:06}.json.gz")
        }
        Layout::Prefixed => {
            format!("flow/AWSLogs/{account}/vpcflowlogs/{region}/{day}/{number:06}.log.gz")
        }
        Layout::ServerAccessLogs => format!("2026-01-01-{hour:02}-00-00-{number:016X}"),
        Layout::Waf => {
            format!("AWSLogs/{account}/WAFLogs/{region}/acl/{day}/{hour:02}/00/{number:06}.log.gz")
        }
        Layout::Firehose => format!("{day}/{hour:02}/stream-1-2026-01-01-{hour:02}-00-00-{number:06}"),
    }
}

impl World {
    /// The JSON form of this world.
    pub fn to_json(&self) -> Result<String, WorldError> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}
