//! What the documents of a destination have to allow, and what they must not.

use super::sources::{RoleChoice, Source};
use crate::desired::{Desired, DestinationSettings};
use crate::ids::{AccountId, Arn};
use crate::inventory::{Access, DestinationBucket, Inventory};
use crate::layout::{Isolation, resolve};
use crate::policy::simulate::{Context, Decision, NamedPolicy, Policies, Principal, Request, decide};
use crate::policy::{DestinationAccess, PolicyDocument, is_ours};
use std::collections::{BTreeMap, BTreeSet};

/// What the bucket's policy has to allow. Key patterns come from accounts.toml alone, so that a run over a part of the
/// organization does not narrow the policy. Accounts of `leaving` get nothing of their own.
pub(super) fn access<'a>(
    inventory: &'a Inventory,
    desired: &Desired,
    settings: &DestinationSettings,
    sources: &[Source<'_>],
    bucket: &'a DestinationBucket,
    leaving: &BTreeSet<AccountId>,
) -> DestinationAccess<'a> {
    let organization = &inventory.organization.id;
    let outside = desired.members.outside_organization.iter().filter(|account| !leaving.contains(*account));
    let mut access = DestinationAccess {
        partition: inventory.organization.partition,
        bucket: &bucket.name,
        organization,
        by_account: BTreeSet::new(),
        by_owner: BTreeMap::new(),
        shared_roles: BTreeSet::new(),
        outside: outside.cloned().collect(),
    };
    for source in &desired.sources {
        let here = source.regions.is_empty()
            || source.regions.iter().any(|region| {
                desired.destination_for(region).is_some_and(|found| found.region == settings.region)
            });
        // The pattern is the same for every account and bucket.
        let layout = resolve(source, &inventory.log_account.id, &settings.region, &bucket.name, organization);
        if let (true, Isolation::ByAccount { pattern }) = (here, layout.isolation) {
            access.by_account.insert(pattern);
        }
    }
    let here = |source: &&Source<'_>| {
        source.destination.region == settings.region
            && !source.refused
            && !leaving.contains(&source.member.id)
    };
    for source in sources.iter().filter(here) {
        if let Isolation::ByOwner { pattern } = &source.layout.isolation {
            access.by_owner.entry(pattern.clone()).or_default().insert(source.member.id.clone());
        }
        if let RoleChoice::Shared(role) = &source.role {
            access.shared_roles.insert(role.to_string());
        }
    }
    keep_unread(inventory, &mut access, bucket, leaving);
    access
}

/// What a policy in force grants an account by its name.
enum Grant {
    /// A role of others replicates for us.
    Role(String),
    /// The account holds a trail of the organization: key patterns.
    Owner(Vec<String>),
}

/// What our statements of a policy grant single accounts.
fn granted(policy: Option<&str>, bucket_arn: &str) -> Vec<(AccountId, Grant)> {
    let Some(document) = policy.and_then(|text| PolicyDocument::parse(text).ok()) else { return Vec::new() };
    let mut found = Vec::new();
    for statement in document.statements().iter().filter(|statement| statement.sid().is_some_and(is_ours)) {
        let condition = |operator: &str, key: &str| -> Vec<String> {
            statement
                .value()
                .get("Condition")
                .and_then(|condition| condition.get(operator)?.get(key))
                .map(strings)
                .unwrap_or_default()
        };
        for role in condition("ArnLike", "aws:PrincipalArn") {
            if let Some(account) = Arn::new(role.as_str()).ok().and_then(|arn| arn.account()) {
                found.push((account, Grant::Role(role)));
            }
        }
        let prefix = format!("{bucket_arn}/");
        let resources = statement.value().get("Resource").map(strings).unwrap_or_default();
        let patterns: Vec<String> = resources
            .iter()
            .filter_map(|resource| resource.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        for owner in condition("StringEquals", "aws:PrincipalAccount") {
            if let Ok(owner) = AccountId::new(owner) {
                found.push((owner, Grant::Owner(patterns.clone())));
            }
        }
    }
    found
}

/// Owners and shared roles of accounts that this inventory did not read stay in the policy.
fn keep_unread(
    inventory: &Inventory,
    access: &mut DestinationAccess<'_>,
    bucket: &DestinationBucket,
    leaving: &BTreeSet<AccountId>,
) {
    let is_unread = |account: &AccountId| {
        let member = inventory.members.get(account);
        !leaving.contains(account)
            && member.is_some_and(|member| !matches!(member.access, Access::Reached { .. }))
    };
    for (account, grant) in granted(bucket.policy.as_deref(), &access.bucket_arn()) {
        match grant {
            _ if !is_unread(&account) => {}
            Grant::Role(role) => {
                access.shared_roles.insert(role);
            }
            Grant::Owner(patterns) => {
                for pattern in patterns {
                    access.by_owner.entry(pattern).or_default().insert(account.clone());
                }
            }
        }
    }
}

/// Accounts that the policy in force names, and that are no longer in the organization.
pub(super) fn gone(inventory: &Inventory, bucket: &DestinationBucket) -> BTreeSet<AccountId> {
    let arn = Arn::of_bucket(inventory.organization.partition, &bucket.name);
    granted(bucket.policy.as_deref(), arn.as_str())
        .into_iter()
        .map(|(account, _)| account)
        .filter(|account| !inventory.members.contains_key(account))
        .collect()
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Array(values) => {
            values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
        }
        other => other.as_str().map(str::to_owned).into_iter().collect(),
    }
}

/// Whether S3 may send to the queue for the bucket.
pub(super) fn may_announce(policy: Option<&str>, queue: &Arn, bucket: &Arn, log_account: &AccountId) -> bool {
    let Some(policy) = policy.and_then(|text| NamedPolicy::parse("queue policy", text).ok()) else {
        return false;
    };
    let request = Request {
        principal: Principal::Service { name: "s3.amazonaws.com".to_owned() },
        action: "sqs:SendMessage".to_owned(),
        resource: queue.to_string(),
        resource_account: log_account.clone(),
        context: Context::default()
            .with("aws:SourceArn", bucket.to_string())
            .with("aws:SourceAccount", log_account.to_string())
            .with("aws:PrincipalIsAWSService", "true")
            .with("aws:PrincipalServiceName", "s3.amazonaws.com")
            .with("aws:SecureTransport", "true")
            .unknown("aws:SourceOrgID")
            .unknown("aws:SourceIp"),
    };
    let policies = Policies { resource: Some(&policy), ..Policies::default() };
    !matches!(decide(&request, &policies), Decision::Denied(_))
}

/// Whether some account of the organization, with a role of any name, may write keys that hold another's id.
pub(super) fn lets_strangers_in(
    policy: &NamedPolicy,
    access: &DestinationAccess<'_>,
    pattern: &str,
    log_account: &AccountId,
) -> bool {
    // Ids that no account has: what is let in is a stranger.
    let (stranger, victim) = ("000000000000", "999999999999");
    let Ok(account) = AccountId::new(stranger) else { return false };
    let Ok(arn) = Arn::new(format!("arn:{}:iam::{stranger}:role/weir/weir-replication", access.partition))
    else {
        return false;
    };
    let key = pattern.replace(crate::layout::ACCOUNT_VARIABLE, victim).replace('*', "x");
    let everything =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let Ok(identity) = NamedPolicy::parse("everything", everything) else { return false };
    let identity = [identity];
    ["s3:ReplicateObject", "s3:PutObject"].into_iter().any(|action| {
        let request = Request {
            principal: Principal::Role { arn: arn.clone(), account: account.clone(), unique_id: None },
            action: action.to_owned(),
            resource: format!("{}/{key}", access.bucket_arn()),
            resource_account: log_account.clone(),
            context: Context::default()
                .with("aws:PrincipalArn", arn.to_string())
                .with("aws:PrincipalAccount", stranger)
                .with("aws:PrincipalOrgID", access.organization.to_string())
                .with("aws:PrincipalType", "AssumedRole")
                .with("aws:SecureTransport", "true")
                .with("s3:x-amz-acl", "bucket-owner-full-control"),
        };
        let policies = Policies { identity: &identity, resource: Some(policy), ..Policies::default() };
        decide(&request, &policies) == Decision::Allowed
    })
}
