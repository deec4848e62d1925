//! What the fake would decide, asked without HTTP: for tests that hold another evaluation of policies against it.

use std::collections::BTreeMap;

use crate::policy::{Context, Identity, Subject, authorize};
use crate::replication::{Attempt, configuration, judge};
use crate::s3::Target;
use crate::world::{ObjectVersion, ResourcePolicy, World};

/// A time at which every change of the world has long taken effect (ms since 1970).
const LONG_AFTER_MS: i64 = 4_102_444_800_000;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Asker {
    /// The root user of an account.
    Root { account: String },
    /// A session of a role of an account.
    Role { account: String, name: String },
    /// An AWS service, e.g. `s3.amazonaws.com`.
    Service { name: String },
}

/// Whether something is allowed.
#[derive(Debug, Clone)]
pub struct Question {
    pub asker: Asker,
    /// E.g. `s3:ReplicateObject`.
    pub action: String,
    /// The ARN.
    pub resource: String,
    /// The account that owns the resource.
    pub owner: String,
    /// The policy on the resource, if there is one.
    pub resource_policy: Option<String>,
    /// Whether that policy must allow even the owner, as those of KMS keys and trust policies must.
    pub policy_decides: bool,
    /// Condition keys beyond those of the asker.
    pub context: BTreeMap<String, Vec<String>>,
}

/// Why something is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `identity-based policy`, `resource-based policy`, `service control policy`, `permissions boundary` or
    /// `session policy`.
    pub policy: &'static str,
    /// Whether a statement denies; else none allows.
    pub explicit: bool,
    /// The statement that denies, if it has a name.
    pub sid: Option<String>,
}

impl Question {
    /// The decision in a world.
    pub fn decide(&self, world: &World) -> Result<(), Refusal> {
        let mut context = Context::default();
        for (key, values) in &self.context {
            context.set_all(key, values.clone());
        }
        let policy = self.resource_policy.as_deref().map(ResourcePolicy::of);
        let subject = Subject {
            action: &self.action,
            resource: &self.resource,
            owner: &self.owner,
            policy: policy.as_ref(),
            policy_decides: self.policy_decides,
            context,
        };
        authorize(world, LONG_AFTER_MS, &self.asker.identity(world), &subject).map_err(|denial| Refusal {
            policy: denial.source.name(),
            explicit: denial.explicit,
            sid: denial.sid,
        })
    }
}

impl Asker {
    fn identity(&self, world: &World) -> Identity {
        match self {
            Self::Root { account } => Identity::Root { account: account.clone() },
            Self::Service { name } => Identity::Service { name: name.clone() },
            Self::Role { account, name } => {
                let role = world.accounts.get(account).and_then(|found| found.roles.get(name));
                Identity::Role {
                    account: account.clone(),
                    name: name.clone(),
                    unique_id: role.map(|role| role.unique_id.clone()).unwrap_or_default(),
                    session: "oracle".to_owned(),
                    session_policy: None,
                }
            }
        }
    }
}

/// What would become of an object at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// The id of the rule that decides.
    pub rule: String,
    pub destination: String,
    /// The reason of failure as S3 names it; absent if a replica would come to be.
    pub failure: Option<&'static str>,
}

/// What would become of an object of a bucket that is written now and replicated in due time: one answer for each
/// destination, none if nothing would be replicated. `kms_key` is the ARN of the key that encrypts it.
pub fn replicate(world: &World, bucket: &str, key: &str, kms_key: Option<&str>) -> Vec<Replication> {
    let Some(configuration) = world.buckets.get(bucket).and_then(configuration) else { return Vec::new() };
    let owner = world.buckets.get(bucket).map(|found| found.owner.clone()).unwrap_or_default();
    let version = ObjectVersion {
        version_id: "oracle".to_owned(),
        owner,
        encryption: if kms_key.is_some() { "aws:kms" } else { "AES256" }.to_owned(),
        kms_key: kms_key.map(str::to_owned),
        ..ObjectVersion::default()
    };
    let source = Target { bucket: bucket.to_owned(), key: key.to_owned() };
    configuration
        .matching(key, &version.tags)
        .into_iter()
        .filter(|rule| rule.kms_objects || kms_key.is_none())
        .map(|rule| {
            let attempt = Attempt {
                now_ms: LONG_AFTER_MS,
                source: &source,
                version: &version,
                role: &configuration.role,
                rule,
            };
            Replication {
                rule: rule.id.clone(),
                destination: rule.destination.bucket.clone(),
                failure: judge(world, &attempt).err(),
            }
        })
        .collect()
}
