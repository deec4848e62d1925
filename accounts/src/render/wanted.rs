//! What shall be there once a plan is carried out, whether or not it has to be changed for that.
//!
//! A template that held only the changes would lose its resources as soon as they are made, and the tool would delete
//! them. So each document is the plan's, or else the one that is there and needs no change.

use super::RenderError;
use crate::desired::{Desired, ROLE_PATH};
use crate::ids::{AccountId, Arn, BucketName, Region, RoleName};
use crate::inventory::{Destination, DestinationBucket, Inventory, Member, SourceBucket};
use crate::plan::{Action, BucketPlan, DocumentChange, Plan, PlannedState, ReplicationStage, Write};
use crate::policy::{INLINE_POLICY_NAME, PolicyDocument, is_ours};
use crate::replication::{ReplicationConfiguration, keep_lifecycle_of_others, stop_announcing};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that shall be there.
pub(super) struct Wanted<'a> {
    pub(super) log_account: &'a AccountId,
    pub(super) destinations: Vec<WantedDestination<'a>>,
    pub(super) members: Vec<WantedMember<'a>>,
}

/// A document, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    /// Holds something of others.
    pub(super) carries: bool,
    /// There is one already, this or another.
    pub(super) exists: bool,
}

pub(super) struct WantedDestination<'a> {
    pub(super) region: &'a Region,
    pub(super) bucket: &'a DestinationBucket,
    /// There is no such bucket yet.
    pub(super) is_missing: bool,
    /// Versioning, ownership and public access block are ours to set.
    pub(super) manages_bucket: bool,
    pub(super) policy: Option<Document<'a>>,
    pub(super) notifications: Option<Document<'a>>,
    pub(super) queue: Option<&'a Arn>,
}

pub(super) struct WantedMember<'a> {
    pub(super) id: &'a AccountId,
    pub(super) name: &'a str,
    pub(super) roles: Vec<WantedRole<'a>>,
    pub(super) buckets: Vec<WantedBucket<'a>>,
}

pub(super) struct WantedRole<'a> {
    pub(super) arn: &'a Arn,
    pub(super) name: RoleName,
    /// None for a role of others, on which only our inline policy is ours.
    pub(super) trust: Option<&'a str>,
    pub(super) policy: &'a str,
    pub(super) exists: bool,
    pub(super) policy_exists: bool,
}

pub(super) struct WantedBucket<'a> {
    pub(super) plan: &'a BucketPlan,
    pub(super) source: &'a SourceBucket,
    pub(super) replication: Document<'a>,
    /// Where our rule for old versions is, or comes.
    pub(super) lifecycle: Option<Document<'a>>,
}

impl<'a> Wanted<'a> {
    pub(super) fn find(
        plan: &'a Plan,
        inventory: &'a Inventory,
        desired: &'a Desired,
        missing: &BTreeSet<Region>,
    ) -> Result<Self, RenderError> {
        let mut destinations = Vec::new();
        for settings in &desired.destinations {
            let found = inventory.log_account.destinations.get_key_value(&settings.region);
            let Some((region, Destination::Found(bucket))) = found else { continue };
            destinations.push(WantedDestination {
                region,
                bucket,
                is_missing: missing.contains(region),
                manages_bucket: desired.log_account.manage_buckets,
                policy: bucket_policy(plan, bucket)?,
                notifications: notifications(plan, bucket)?,
                queue: settings.queue.as_ref(),
            });
        }
        let mut members = Vec::new();
        for account in &plan.accounts {
            let Some(member) = inventory.members.get(&account.id) else { continue };
            let accepted =
                |bucket: &&BucketPlan| bucket.account == account.id && bucket.state != PlannedState::Refused;
            let buckets: Vec<&BucketPlan> = plan.buckets.iter().filter(accepted).collect();
            if buckets.is_empty() {
                continue;
            }
            members.push(WantedMember {
                id: &account.id,
                name: &account.name,
                roles: roles(plan, member, &buckets),
                buckets: buckets
                    .into_iter()
                    .filter_map(|bucket| wanted_bucket(plan, member, bucket).transpose())
                    .collect::<Result<_, _>>()?,
            });
        }
        Ok(Wanted { log_account: &inventory.log_account.id, destinations, members })
    }
}

/// The document of the last action that `pick` finds something in.
fn planned<'a>(
    plan: &'a Plan,
    account: &AccountId,
    pick: impl Fn(&'a Write) -> Option<&'a DocumentChange>,
) -> Option<Document<'a>> {
    let actions = plan.actions.iter().filter(|action| action.account == *account);
    let document = actions.filter_map(|action: &'a Action| pick(&action.write)).next_back()?;
    Some(Document {
        text: &document.after,
        carries: !document.carried.is_empty(),
        exists: document.before.is_some(),
    })
}

fn bucket_policy<'a>(
    plan: &'a Plan,
    bucket: &'a DestinationBucket,
) -> Result<Option<Document<'a>>, RenderError> {
    let new = planned(plan, &plan.log_account, |write| match write {
        Write::PutBucketPolicy { bucket: name, document } if *name == bucket.name => Some(document),
        _ => None,
    });
    if new.is_some() {
        return Ok(new);
    }
    let Some(text) = bucket.policy.as_deref() else { return Ok(None) };
    let document = PolicyDocument::parse(text)
        .map_err(|source| RenderError::Policy { resource: format!("bucket {}", bucket.name), source })?;
    let of_others = |sid: Option<&str>| !sid.is_some_and(is_ours);
    let carries = document.statements().iter().any(|statement| of_others(statement.sid()));
    Ok(Some(Document { text, carries, exists: true }))
}

fn notifications<'a>(
    plan: &'a Plan,
    bucket: &'a DestinationBucket,
) -> Result<Option<Document<'a>>, RenderError> {
    let new = planned(plan, &plan.log_account, |write| match write {
        Write::PutBucketNotificationConfiguration { bucket: name, document } if *name == bucket.name => {
            Some(document)
        }
        _ => None,
    });
    if new.is_some() {
        return Ok(new);
    }
    let Some(text) = bucket.notifications.as_deref() else { return Ok(None) };
    let others = stop_announcing(text)
        .map_err(|source| RenderError::Xml { resource: format!("bucket {}", bucket.name), source })?;
    Ok(others.map(|(_, names)| Document { text, carries: !names.is_empty(), exists: true }))
}

/// The roles of the buckets, each once. A role of others that needs nothing of ours is left out.
fn roles<'a>(plan: &'a Plan, member: &'a Member, buckets: &[&'a BucketPlan]) -> Vec<WantedRole<'a>> {
    let arns: BTreeSet<&'a Arn> = buckets.iter().map(|bucket| &bucket.role).collect();
    arns.into_iter().filter_map(|arn| wanted_role(plan, member, arn)).collect()
}

fn wanted_role<'a>(plan: &'a Plan, member: &'a Member, arn: &'a Arn) -> Option<WantedRole<'a>> {
    let known = member.roles.get(arn);
    let is_ours = arn.resource().starts_with(&format!("role{ROLE_PATH}"));
    let actions = || plan.actions.iter().filter(|action| action.account == member.id);
    let trust = actions()
        .filter_map(|action| match &action.write {
            Write::CreateRole { role, trust_policy, .. } if role == arn => Some(trust_policy.as_str()),
            Write::UpdateAssumeRolePolicy { role, document, .. } if role == arn => {
                Some(document.after.as_str())
            }
            _ => None,
        })
        .next_back()
        .or_else(|| known.map(|role| role.trust_policy.as_str()))
        .filter(|_| is_ours);
    let before = known.and_then(|role| role.inline_policies.get(INLINE_POLICY_NAME));
    let policy = planned(plan, &member.id, |write| match write {
        Write::PutRolePolicy { role, document, .. } if role == arn => Some(document),
        _ => None,
    });
    Some(WantedRole {
        arn,
        name: arn.role_name()?,
        trust,
        policy: policy.map(|policy| policy.text).or_else(|| before.map(String::as_str))?,
        exists: known.is_some(),
        policy_exists: before.is_some(),
    })
}

fn wanted_bucket<'a>(
    plan: &'a Plan,
    member: &'a Member,
    bucket: &'a BucketPlan,
) -> Result<Option<WantedBucket<'a>>, RenderError> {
    let resource = || format!("bucket {} of account {}", bucket.bucket, member.id);
    let Some(source) = member.buckets.get(&bucket.bucket) else { return Ok(None) };
    let stage = |wanted: ReplicationStage| {
        planned(plan, &member.id, move |write| match write {
            Write::PutBucketReplication { bucket: name, stage, document }
                if *name == bucket.bucket && *stage == wanted =>
            {
                Some(document)
            }
            _ => None,
        })
    };
    let new = stage(ReplicationStage::Wide).or_else(|| stage(ReplicationStage::Canary));
    let replication = if let Some(document) = new {
        // Where the canary's rule comes first, what was there before it is what counts.
        Document { exists: source.replication.is_some(), ..document }
    } else {
        let Some(text) = source.replication.as_deref() else { return Ok(None) };
        let configuration = ReplicationConfiguration::parse(text)
            .map_err(|source| RenderError::Replication { resource: resource(), source })?;
        Document { text, carries: !configuration.foreign().is_empty(), exists: true }
    };
    let lifecycle = planned(plan, &member.id, |write| match write {
        Write::PutBucketLifecycleConfiguration { bucket: name, document } if *name == bucket.bucket => {
            Some(document)
        }
        _ => None,
    });
    let lifecycle = match (lifecycle, source.lifecycle.as_deref()) {
        (None, Some(text)) => keep_lifecycle_of_others(text)
            .map_err(|source| RenderError::Xml { resource: resource(), source })?
            .map(|(_, names)| Document { text, carries: !names.is_empty(), exists: true }),
        (lifecycle, _) => lifecycle,
    };
    Ok(Some(WantedBucket { plan: bucket, source, replication, lifecycle }))
}

/// What templates take care of, by account and resource; the bundle does the rest.
#[derive(Default)]
pub(super) struct Covered {
    writes: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Covered {
    pub(super) fn add(&mut self, operation: &'static str, resource: &impl ToString) {
        self.writes.entry(operation).or_default().insert(resource.to_string());
    }

    /// Marks an operation on a bucket. Names of buckets are unique in a partition.
    pub(super) fn add_bucket(&mut self, operation: &'static str, bucket: &BucketName) {
        self.add(operation, bucket);
    }

    /// Whether a template does what the write would.
    pub(super) fn has(&self, write: &Write) -> bool {
        // A canary object belongs to the rule that replicates it.
        let operation = match write {
            Write::PutCanaryObject { .. } => "PutBucketReplication",
            write => write.operation(),
        };
        let resource = match write.target() {
            crate::plan::WriteTarget::Bucket(bucket) => bucket.to_string(),
            crate::plan::WriteTarget::Key(arn) | crate::plan::WriteTarget::Role(arn) => arn.to_string(),
        };
        self.writes.get(operation).is_some_and(|resources| resources.contains(&resource))
    }
}
