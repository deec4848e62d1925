//! The tree of the organization, from the root down. The accounts come with the unit that they are in, so that no call
//! per account is needed.

use super::DiscoverError;
use crate::aws::{CallError, CallerFacts, Kind, Organizations};
use crate::ids::{AccountId, OuId, Partition};
use crate::inventory::{
    Access, Attachment, Member, Organization, OrganizationPolicy, OrganizationalUnit, PolicyKind,
};
use crate::progress::Progress;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, BTreeSet};

/// The organization and its accounts, none of them entered.
pub(super) struct Tree {
    pub(super) organization: Organization,
    pub(super) members: BTreeMap<AccountId, Member>,
}

/// A root or a unit whose children are to be listed.
struct Parent {
    id: String,
    units: Vec<OuId>,
}

/// Parents asked about at once. The pacer decides about the rate; this only keeps it busy.
const PARENTS_AT_ONCE: usize = 8;

pub(super) async fn walk(
    organizations: &impl Organizations,
    caller: &CallerFacts,
    progress: &Progress,
) -> Result<Tree, DiscoverError> {
    let refused = |error: CallError| match error.kind {
        Kind::Denied | Kind::DeniedByOrganization { .. } | Kind::NotFound => not_allowed(caller, error),
        _ if error.has_code("AWSOrganizationsNotInUseException") => not_allowed(caller, error),
        _ => error.into(),
    };
    let facts = organizations.organization().await.map_err(refused)?;
    let root =
        organizations.roots().await.map_err(refused)?.into_iter().next().ok_or(DiscoverError::NoRoot)?.id;
    let mut units: BTreeMap<OuId, OrganizationalUnit> = BTreeMap::new();
    let mut members = BTreeMap::new();
    let mut waiting = vec![Parent { id: root.to_string(), units: Vec::new() }];
    let mut asked = FuturesUnordered::new();
    loop {
        while asked.len() < PARENTS_AT_ONCE
            && let Some(parent) = waiting.pop()
        {
            asked.push(children(organizations, parent));
        }
        let Some(answer) = asked.next().await else { break };
        let (parent, below, accounts) = answer?;
        for unit in below {
            let mut path = parent.units.clone();
            path.push(unit.id.clone());
            waiting.push(Parent { id: unit.id.to_string(), units: path });
            units.insert(
                unit.id,
                OrganizationalUnit { name: unit.name, parent: parent.units.last().cloned() },
            );
        }
        for account in accounts {
            let member = Member {
                id: account.id.clone(),
                name: account.name,
                email: account.email,
                state: account.state,
                units: parent.units.clone(),
                tags: None,
                in_organization: true,
                access: Access::NotTried,
                regions: BTreeSet::new(),
                buckets: BTreeMap::new(),
                roles: BTreeMap::new(),
                keys: BTreeMap::new(),
                failures: Vec::new(),
            };
            members.insert(account.id, member);
        }
        progress.say(&format!("{} units, {} accounts", units.len(), members.len()));
    }
    let targets: BTreeSet<String> = std::iter::once(root.to_string())
        .chain(units.keys().map(ToString::to_string))
        .chain(members.keys().map(ToString::to_string))
        .collect();
    let (policies, attachments) = policies(organizations, targets).await;
    let organization = Organization {
        id: facts.id,
        partition: Partition::from_name(caller.arn.partition()).unwrap_or(Partition::Commercial),
        management_account: facts.management_account,
        root,
        units,
        policies,
        attachments,
    };
    Ok(Tree { organization, members })
}

type Children = (Parent, Vec<crate::aws::OuFacts>, Vec<crate::aws::AccountFacts>);

async fn children(organizations: &impl Organizations, parent: Parent) -> Result<Children, CallError> {
    let units = organizations.units(&parent.id).await?;
    let accounts = organizations.accounts(&parent.id).await?;
    Ok((parent, units, accounts))
}

/// The policies that can deny our calls, for prediction only: a caller that may not read them can still onboard, and a
/// target without an attachment says that it was not read.
async fn policies(
    organizations: &impl Organizations,
    targets: BTreeSet<String>,
) -> (BTreeMap<String, OrganizationPolicy>, Vec<Attachment>) {
    let mut policies = BTreeMap::new();
    let mut attached: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut was_read = false;
    for kind in [PolicyKind::ServiceControlPolicy, PolicyKind::ResourceControlPolicy] {
        match organizations.policies(kind).await {
            Ok(read) => {
                was_read |= kind == PolicyKind::ServiceControlPolicy;
                for policy in read {
                    for target in policy.targets {
                        attached.entry(target).or_default().push(policy.id.clone());
                    }
                    let known = OrganizationPolicy { name: policy.name, kind, content: policy.content };
                    policies.insert(policy.id, known);
                }
            }
            // An emulator may not know this kind, and an organization need not use it.
            Err(error) if error.kind == Kind::Rejected => {
                tracing::debug!(?kind, %error, "there are no such policies");
            }
            Err(error) => {
                tracing::warn!(?kind, %error, "policies of the organization cannot be read; what they deny is not predicted");
            }
        }
    }
    if !was_read {
        return (BTreeMap::new(), Vec::new());
    }
    let attachments = targets.into_iter().map(|target| {
        let mut policies = attached.remove(&target).unwrap_or_default();
        policies.sort();
        Attachment { target, policies }
    });
    (policies, attachments.collect())
}

fn not_allowed(caller: &CallerFacts, error: CallError) -> DiscoverError {
    DiscoverError::NotAllowed {
        account: caller.account.clone(),
        arn: caller.arn.clone(),
        source: Box::new(error),
    }
}
