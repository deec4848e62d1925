//! The log account: its buckets, keys and queues, as they must be before a member replicates.

use super::access::{access, gone, lets_strangers_in, may_announce};
use super::action::{Action, Change, DocumentChange, Step, Write};
use super::finding::{Finding, Severity};
use super::sources::Source;
use crate::codes::FailureCode;
use crate::desired::{Desired, DestinationSettings};
use crate::ids::{AccountId, Arn, Region};
use crate::inventory::{
    Access, Destination, DestinationBucket, EncryptionAlgorithm, Inventory, Key, KeyManager, KeyState,
    ObjectOwnership, PublicAccessBlock, Versioning,
};
use crate::policy::simulate::NamedPolicy;
use crate::policy::{
    BUCKET_POLICY_BYTES, DestinationAccess, KEY_POLICY_BYTES, KeyAccess, PolicyDocument, equivalent, is_ours,
    merge,
};
use crate::replication::{announce_to_queue, announces_to};
use std::collections::{BTreeMap, BTreeSet};

/// A destination, with its documents as they will be.
#[derive(Debug)]
pub(super) struct PlannedDestination<'a> {
    pub(super) bucket: &'a DestinationBucket,
    pub(super) region: &'a Region,
    pub(super) policy: Option<NamedPolicy>,
    pub(super) key: Option<&'a Key>,
    pub(super) key_policy: Option<NamedPolicy>,
}

/// Destinations that can be used, by Region, and what makes them so.
#[derive(Debug, Default)]
pub(super) struct Destinations<'a> {
    pub(super) usable: BTreeMap<&'a Region, PlannedDestination<'a>>,
    pub(super) actions: Vec<Action>,
}

/// Plans every destination of accounts.toml.
pub(super) fn plan<'a>(
    inventory: &'a Inventory,
    desired: &'a Desired,
    sources: &[Source<'_>],
    findings: &mut Vec<Finding>,
) -> Destinations<'a> {
    let mut destinations = Destinations::default();
    if let Access::Failed(failure) = &inventory.log_account.access {
        findings.push(
            Finding::new(Severity::Stop, failure.code, failure.text.clone(), failure.cure.clone())
                .in_account(&inventory.log_account.id),
        );
        return destinations;
    }
    for settings in &desired.destinations {
        let mut planner = Planner { inventory, desired, settings, found: Vec::new(), actions: Vec::new() };
        if let Some(planned) = planner.plan(sources) {
            destinations.usable.insert(&settings.region, planned);
            destinations.actions.append(&mut planner.actions);
        }
        findings.append(&mut planner.found);
    }
    destinations
}

struct Planner<'a> {
    inventory: &'a Inventory,
    desired: &'a Desired,
    settings: &'a DestinationSettings,
    found: Vec<Finding>,
    actions: Vec<Action>,
}

impl<'a> Planner<'a> {
    fn log_account(&self) -> &'a AccountId {
        &self.inventory.log_account.id
    }

    fn say(&mut self, severity: Severity, code: FailureCode, text: String, cure: impl Into<String>) {
        let finding = Finding::new(severity, code, text, cure)
            .in_account(self.log_account())
            .in_region(&self.settings.region)
            .on(&self.settings.bucket);
        self.found.push(finding);
    }

    fn act(&mut self, step: Step, write: Write) {
        self.actions.push(Action::new(step, self.log_account().clone(), self.settings.region.clone(), write));
    }

    /// None when the destination cannot be used; findings say why.
    fn plan(&mut self, sources: &[Source<'_>]) -> Option<PlannedDestination<'a>> {
        let bucket = self.bucket()?;
        if !self.check_state(bucket) {
            return None;
        }
        self.plan_bucket(bucket);
        let key = self.key(bucket).ok()?;
        let access = access(self.inventory, self.desired, self.settings, sources, bucket, &BTreeSet::new());
        for account in gone(self.inventory, bucket) {
            self.say(
                Severity::Warning,
                FailureCode::LeftOrganization,
                format!("account {account} is named in the policy of bucket {}, and is no longer in the organization: it replicates no more", bucket.name),
                "off-board accounts before they leave; the plan takes the name out",
            );
        }
        let policy = self.plan_policy(bucket, &access).ok()?;
        let key_policy = match key {
            Some(key) => Some(self.plan_key_policy(key, &access)?),
            None => None,
        };
        self.plan_notifications(bucket)?;
        Some(PlannedDestination { bucket, region: &self.settings.region, policy, key, key_policy })
    }

    fn bucket(&mut self) -> Option<&'a DestinationBucket> {
        let name = &self.settings.bucket;
        let region = &self.settings.region;
        match self.inventory.log_account.destinations.get(region) {
            Some(Destination::Found(bucket)) if bucket.name == *name => return Some(bucket),
            Some(Destination::OtherOwner { .. }) => self.say(
                Severity::Stop,
                FailureCode::OwnerMismatch,
                format!("bucket {name} belongs to another account than the log account {}", self.log_account()),
                "correct `bucket` of the [[destination]], or `id` of [log-account], in accounts.toml",
            ),
            Some(Destination::OtherRegion { region: actual, .. }) => self.say(
                Severity::Stop,
                FailureCode::WrongRegion,
                format!("bucket {name} is in {actual}, not in {region}"),
                "correct `region` of the [[destination]] in accounts.toml",
            ),
            Some(Destination::Failed { failure, .. }) => {
                self.say(Severity::Stop, failure.code, failure.text.clone(), failure.cure.clone());
            }
            Some(Destination::Missing { .. }) => self.say(
                Severity::Stop,
                FailureCode::BucketGone,
                format!("there is no bucket {name} in {region} of the log account {}", self.log_account()),
                "make it with the template for the log account in infra/, or correct `bucket` of the [[destination]] in accounts.toml",
            ),
            _ => self.say(
                Severity::Stop,
                FailureCode::BucketGone,
                format!("the inventory does not know bucket {name} in {region}"),
                "take a new inventory with `weir accounts discover`",
            ),
        }
        None
    }

    /// States that no write of ours may change.
    fn check_state(&mut self, bucket: &DestinationBucket) -> bool {
        let name = &bucket.name;
        let before = self.found.len();
        if bucket.control_tower || name.as_str().starts_with("aws-controltower-") {
            self.say(
                Severity::Stop,
                FailureCode::ControlTowerBucket,
                format!("bucket {name} is Control Tower's own, whose policy must not be changed"),
                "make a bucket of your own in the log account, and name it in accounts.toml",
            );
        }
        if bucket.requester_pays {
            self.say(
                Severity::Stop,
                FailureCode::RequesterPays,
                format!("bucket {name} is Requester Pays, and takes no replicas of other accounts"),
                "turn Requester Pays off: `aws s3api put-bucket-request-payment`",
            );
        }
        let versioning_stops = match bucket.versioning {
            Versioning::Enabled => None,
            _ if bucket.mfa_delete => Some("MFA delete guards its versioning"),
            Versioning::Suspended => Some("somebody suspended it"),
            Versioning::Unversioned if !self.desired.log_account.manage_buckets => {
                Some("accounts.toml says `manage-buckets = false`")
            }
            Versioning::Unversioned => None,
        };
        if let Some(why) = versioning_stops {
            self.say(
                Severity::Stop,
                FailureCode::DestinationUnversioned,
                format!("bucket {name} is not versioned, and {why}"),
                "enable versioning of the bucket",
            );
        }
        let log_account = self.inventory.members.get(self.log_account());
        if log_account.is_some_and(|account| {
            !account.regions.is_empty() && !account.regions.contains(&self.settings.region)
        }) {
            self.say(
                Severity::Stop,
                FailureCode::RegionDisabled,
                format!(
                    "the log account {} has not opted in to {}",
                    self.log_account(),
                    self.settings.region
                ),
                "enable the Region in the log account, or choose another in accounts.toml",
            );
        }
        if bucket.replication.is_some() {
            self.say(
                Severity::Note,
                FailureCode::SourceIsReplica,
                format!("bucket {name} is replicated itself; the replicas of members do not go further, as S3 replicates no replica"),
                "",
            );
        }
        !self.found.iter().skip(before).any(|finding| finding.severity <= Severity::Refused)
    }

    /// Versioning, ownership, public access block.
    fn plan_bucket(&mut self, bucket: &DestinationBucket) {
        let name = &bucket.name;
        if !self.desired.log_account.manage_buckets {
            if bucket.ownership != Some(ObjectOwnership::BucketOwnerEnforced) {
                self.say(
                    Severity::Warning,
                    FailureCode::ForeignObjects,
                    format!("bucket {name} does not enforce its owner's ownership of objects; the rules ask for it one by one"),
                    "set Object Ownership to BucketOwnerEnforced",
                );
            }
            return;
        }
        if bucket.versioning == Versioning::Unversioned {
            self.say(
                Severity::Warning,
                FailureCode::DestinationUnversioned,
                format!("bucket {name} is not versioned; the plan enables it, and S3 asks to wait 15 minutes after that"),
                "",
            );
            let change = Change { before: Some(bucket.versioning), after: Versioning::Enabled };
            self.act(Step::DestinationBucket, Write::PutBucketVersioning { bucket: name.clone(), change });
        }
        if bucket.ownership != Some(ObjectOwnership::BucketOwnerEnforced) {
            let change = Change { before: bucket.ownership, after: ObjectOwnership::BucketOwnerEnforced };
            self.act(
                Step::DestinationBucket,
                Write::PutBucketOwnershipControls { bucket: name.clone(), change },
            );
        }
        if bucket.public_access_block != Some(PublicAccessBlock::ALL) {
            let change = Change { before: bucket.public_access_block, after: PublicAccessBlock::ALL };
            self.act(Step::DestinationBucket, Write::PutPublicAccessBlock { bucket: name.clone(), change });
        }
    }

    /// The key that replicas are encrypted with. Ok(None) means none; Err means that it cannot be used.
    fn key(&mut self, bucket: &'a DestinationBucket) -> Result<Option<&'a Key>, ()> {
        let uses_kms = bucket.encryption.algorithm != EncryptionAlgorithm::SseS3;
        let arn: &Arn = match (&self.settings.kms_key, &bucket.encryption.key) {
            (Some(key), _) => key,
            (None, Some(key)) if uses_kms => key,
            (None, None) if uses_kms => {
                self.say(
                    Severity::Refused,
                    FailureCode::KmsKeyUnusable,
                    format!("bucket {} encrypts with the key `aws/s3`, which other accounts cannot use; S3 would take the configuration, and replicate nothing", bucket.name),
                    "set `kms-key` of the [[destination]] in accounts.toml to a customer managed key of the log account",
                );
                return Err(());
            }
            _ => return Ok(None),
        };
        let Some(key) = self.inventory.log_account.keys.get(arn) else {
            self.say(
                Severity::Refused,
                FailureCode::KmsKeyUnusable,
                format!("the inventory does not know the key {arn}"),
                "check `kms-key` in accounts.toml, and take a new inventory with `weir accounts discover`",
            );
            return Err(());
        };
        let problem = if key.state == KeyState::Missing {
            Some("does not exist".to_owned())
        } else if key.state != KeyState::Enabled {
            Some(format!("is {:?}", key.state))
        } else if key.manager == KeyManager::Aws {
            Some("is managed by AWS, and other accounts cannot use it".to_owned())
        } else if key.arn.region().as_ref() != Some(&self.settings.region) {
            Some(format!("is not in {}, where bucket {} is", self.settings.region, bucket.name))
        } else if key.policy.is_none() {
            Some("has a policy that could not be read (kms:GetKeyPolicy)".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            self.say(
                Severity::Refused,
                FailureCode::KmsKeyUnusable,
                format!("the key {arn} {problem}; S3 would take the configuration, and replicate nothing"),
                "name an enabled customer managed key of the log account, in the bucket's Region, as `kms-key` in accounts.toml",
            );
            return Err(());
        }
        Ok(Some(key))
    }

    fn plan_policy(
        &mut self,
        bucket: &DestinationBucket,
        access: &DestinationAccess<'_>,
    ) -> Result<Option<NamedPolicy>, ()> {
        let name = &bucket.name;
        let merged = match merge(bucket.policy.as_deref(), &access.statements()) {
            Ok(merged) => merged,
            Err(error) => {
                self.say(
                    Severity::Refused,
                    FailureCode::CannotRoundTrip,
                    format!("the policy of bucket {name}: {}", super::with_causes(&error)),
                    "mend the policy, and plan again",
                );
                return Err(());
            }
        };
        self.say_about_merge(&format!("the policy of bucket {name}"), &merged);
        let Some(text) = merged.text else { return Ok(None) };
        if text.len() > BUCKET_POLICY_BYTES {
            self.say_too_large(bucket, &text, access);
            return Err(());
        }
        self.check_isolation(name.as_str(), &text, access);
        let named = NamedPolicy::parse(format!("the policy of bucket {name}"), &text).ok();
        if merged.changed {
            let document =
                DocumentChange { before: bucket.policy.clone(), after: text, carried: merged.carried };
            self.act(Step::DestinationPolicy, Write::PutBucketPolicy { bucket: name.clone(), document });
        }
        Ok(named)
    }

    fn say_about_merge(&mut self, what: &str, merged: &crate::policy::Merged) {
        if merged.version_raised && merged.changed {
            self.say(
                Severity::Warning,
                FailureCode::PolicyDeny,
                format!("{what} has Version 2008-10-17, which knows no variables; the plan raises it, and no statement holds a `${{`"),
                "",
            );
        }
        if !merged.stale_principals.is_empty() {
            self.say(
                Severity::Warning,
                FailureCode::StalePrincipal,
                format!("{what} names {}, which stands for a role that was deleted; the plan writes our statement anew", merged.stale_principals.join(", ")),
                "",
            );
        }
    }

    /// What takes the room, and what would take less.
    fn say_too_large(&mut self, bucket: &DestinationBucket, text: &str, access: &DestinationAccess<'_>) {
        let ours: usize = access.statements().iter().map(|statement| statement.text().len() + 1).sum();
        let document = PolicyDocument::parse(text).ok();
        let largest = document
            .iter()
            .flat_map(PolicyDocument::statements)
            .max_by_key(|statement| statement.text().len());
        let blame = largest.map_or_else(String::new, |statement| {
            let sid =
                statement.sid().map_or_else(|| "one without a Sid".to_owned(), |sid| format!("`{sid}`"));
            format!("; the largest statement is {sid} with {} bytes", statement.text().len())
        });
        // Roles under `/weir/` share one pattern; each role of others is named, in every statement of ours.
        let shared = match access.shared_roles.len() {
            0 => String::new(),
            count => format!(
                " with {count} roles of others, such as {}",
                access.shared_roles.iter().next().map_or("", String::as_str)
            ),
        };
        if !shared.is_empty() {
            self.say(
                Severity::Refused,
                FailureCode::PolicyTooLarge,
                format!(
                    "the policy of bucket {} would have {} bytes, and S3 takes {BUCKET_POLICY_BYTES}: {ours} are ours{shared}{blame}",
                    bucket.name,
                    text.len()
                ),
                format!(
                    "a role under {} needs no room: let the owners of the other rules use it, or set `foreign-role = \"refuse\"` and leave their buckets out; a second [[destination]] takes other Regions",
                    crate::desired::ROLE_PATH
                ),
            );
            return;
        }
        self.say(
            Severity::Refused,
            FailureCode::PolicyTooLarge,
            format!(
                "the policy of bucket {} would have {} bytes, and S3 takes {BUCKET_POLICY_BYTES}: {ours} are ours{blame}",
                bucket.name,
                text.len()
            ),
            format!(
                "in statements that list accounts or roles, name the organization instead: \"Principal\": \"*\" with \"Condition\": {{\"StringEquals\": {{\"aws:PrincipalOrgID\": \"{}\"}}}}",
                access.organization
            ),
        );
    }

    /// Statements of others that let one account write another's keys.
    fn check_isolation(&mut self, name: &str, text: &str, access: &DestinationAccess<'_>) {
        let Ok(document) = PolicyDocument::parse(text) else { return };
        let version = document.version();
        for (place, statement) in document.statements().iter().enumerate() {
            if statement.sid().is_some_and(is_ours) {
                continue;
            }
            let alone = format!(r#"{{"Version":"{version}","Statement":[{}]}}"#, statement.text());
            let Ok(policy) = NamedPolicy::parse(name, &alone) else { continue };
            if access
                .by_account
                .iter()
                .any(|pattern| lets_strangers_in(&policy, access, pattern, self.log_account()))
            {
                let sid = statement
                    .sid()
                    .map_or_else(|| format!("statement {}", place + 1), |sid| format!("statement {sid}"));
                self.say(
                    Severity::Warning,
                    FailureCode::CollisionRisk,
                    format!("{sid} of the policy of bucket {name} lets any account of the organization write the logs of another"),
                    "narrow its Resource to keys with ${aws:PrincipalAccount}, as our statement WeirReplicate does",
                );
            }
        }
    }

    fn plan_key_policy(&mut self, key: &Key, access: &DestinationAccess<'_>) -> Option<NamedPolicy> {
        let current = key.policy.as_deref();
        let statements = KeyAccess { destination: access, region: &self.settings.region }.statements();
        let merged = match merge(current, &statements) {
            Ok(merged) => merged,
            Err(error) => {
                self.say(
                    Severity::Refused,
                    FailureCode::CannotRoundTrip,
                    format!("the policy of key {}: {}", key.arn, super::with_causes(&error)),
                    "mend the policy, and plan again",
                );
                return None;
            }
        };
        self.say_about_merge(&format!("the policy of key {}", key.arn), &merged);
        let text = merged.text?;
        if text.len() > KEY_POLICY_BYTES {
            self.say(
                Severity::Refused,
                FailureCode::PolicyTooLarge,
                format!("the policy of key {} would have {} bytes, and KMS takes {KEY_POLICY_BYTES}", key.arn, text.len()),
                format!("in statements that list accounts, name the organization instead, by aws:PrincipalOrgID = {}", access.organization),
            );
            return None;
        }
        let named = NamedPolicy::parse(format!("the policy of key {}", key.arn), &text).ok()?;
        // KMS gives policies back in its own layout: only what they say counts.
        if merged.changed && !current.is_some_and(|current| equivalent(current, &text)) {
            let document =
                DocumentChange { before: key.policy.clone(), after: text, carried: merged.carried };
            self.act(Step::DestinationKey, Write::PutKeyPolicy { key: key.arn.clone(), document });
        }
        Some(named)
    }

    fn plan_notifications(&mut self, bucket: &DestinationBucket) -> Option<()> {
        let name = &bucket.name;
        let Some(queue) = &self.settings.queue else {
            if bucket.notifications.as_deref().is_none_or(|text| !text.contains("Configuration>")) {
                self.say(
                    Severity::Warning,
                    FailureCode::NotificationMissing,
                    format!("nobody is told of new objects in bucket {name}"),
                    "name the queue that Weir reads as `queue` of the [[destination]] in accounts.toml",
                );
            }
            return Some(());
        };
        let known = self.inventory.log_account.queues.get(queue);
        if !known.is_some_and(|queue| queue.exists) {
            self.say(
                Severity::Refused,
                FailureCode::NotificationMissing,
                format!("there is no queue {queue}"),
                "make it with the template for the log account in infra/, or correct `queue` in accounts.toml",
            );
            return None;
        }
        if !may_announce(
            known.and_then(|queue| queue.policy.as_deref()),
            queue,
            &access_arn(bucket, self.inventory),
            self.log_account(),
        ) {
            self.say(
                Severity::Refused,
                FailureCode::NotificationMissing,
                format!("the policy of queue {queue} does not let bucket {name} send to it"),
                format!(
                    "add to it: {{\"Effect\":\"Allow\",\"Principal\":{{\"Service\":\"s3.amazonaws.com\"}},\"Action\":\"sqs:SendMessage\",\"Resource\":\"{queue}\",\"Condition\":{{\"ArnEquals\":{{\"aws:SourceArn\":\"{}\"}}}}}}",
                    access_arn(bucket, self.inventory)
                ),
            );
            return None;
        }
        let announced = announces_to(bucket.notifications.as_deref(), queue).and_then(|is_there| {
            if is_there {
                return Ok(None);
            }
            announce_to_queue(bucket.notifications.as_deref(), queue).map(Some)
        });
        match announced {
            Ok(None) => {}
            Ok(Some((after, carried))) => {
                let document = DocumentChange { before: bucket.notifications.clone(), after, carried };
                self.act(
                    Step::DestinationNotifications,
                    Write::PutBucketNotificationConfiguration { bucket: name.clone(), document },
                );
            }
            Err(error) => {
                self.say(
                    Severity::Refused,
                    FailureCode::CannotRoundTrip,
                    format!("the notifications of bucket {name}: {}", super::with_causes(&error)),
                    "mend the configuration, and plan again",
                );
                return None;
            }
        }
        Some(())
    }
}

fn access_arn(bucket: &DestinationBucket, inventory: &Inventory) -> Arn {
    Arn::of_bucket(inventory.organization.partition, &bucket.name)
}
