//! The organization's tree, its policies, and who asks.

use crate::ids::{AccountId, Arn, OrganizationId, OuId, Partition, RootId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The organization (AWS Organizations).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    pub id: OrganizationId,
    pub partition: Partition,
    pub management_account: AccountId,
    /// AWS has one root per organization.
    pub root: RootId,
    #[serde(default)]
    pub units: BTreeMap<OuId, OrganizationalUnit>,
    /// By policy id; each document is held once, however often it is attached.
    #[serde(default)]
    pub policies: BTreeMap<String, OrganizationPolicy>,
    /// Which policies hold at a root, a unit or an account. A target that is absent was not read, and what its
    /// policies deny cannot be predicted.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// An organizational unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationalUnit {
    pub name: String,
    /// None under the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<OuId>,
}

/// A policy of the organization that limits what accounts can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationPolicy {
    pub name: String,
    pub kind: PolicyKind,
    /// JSON, as Organizations sent it.
    pub content: String,
}

/// Kinds of organization policies that decide about calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyKind {
    /// Limits the principals of an account.
    ServiceControlPolicy,
    /// Limits access to the resources of an account.
    ResourceControlPolicy,
}

/// The policies at one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// A root, unit or account id.
    pub target: String,
    /// Policy ids, sorted.
    pub policies: Vec<String>,
}

impl Organization {
    /// The policies of a kind at `target`, as (id, policy), sorted by id. None when the target was not read.
    pub fn policies_at(&self, target: &str, kind: PolicyKind) -> Option<Vec<(&str, &OrganizationPolicy)>> {
        let attachment = self.attachments.iter().find(|attachment| attachment.target == target)?;
        let mut policies: Vec<_> = attachment
            .policies
            .iter()
            .filter_map(|id| self.policies.get_key_value(id))
            .filter(|(_, policy)| policy.kind == kind)
            .map(|(id, policy)| (id.as_str(), policy))
            .collect();
        policies.sort_by_key(|(id, _)| *id);
        Some(policies)
    }

    /// The units from the root's child down to `unit`, which is the last.
    pub fn path_to(&self, unit: &OuId) -> Vec<OuId> {
        let mut path = vec![unit.clone()];
        let mut at = unit;
        // A tree of AWS has at most five levels; the bound is for files that were written by hand.
        while let Some(parent) = self.units.get(at).and_then(|unit| unit.parent.as_ref()) {
            if path.contains(parent) {
                break;
            }
            path.push(parent.clone());
            at = parent;
        }
        path.reverse();
        path
    }

    /// The names along `units`, as `Workloads/Production`. A unit that is not known shows its id.
    pub fn unit_names(&self, units: &[OuId]) -> String {
        let names: Vec<&str> = units
            .iter()
            .map(|unit| self.units.get(unit).map_or(unit.as_str(), |known| known.name.as_str()))
            .collect();
        names.join("/")
    }
}

/// Whose credentials ask (STS `GetCallerIdentity`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    pub account: AccountId,
    pub arn: Arn,
    pub kind: CallerKind,
}

/// What the caller's account is to the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerKind {
    ManagementAccount,
    DelegatedAdministrator,
    /// May not list the organization.
    Member,
}
