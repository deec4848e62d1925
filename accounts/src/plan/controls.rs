//! The organization's policies, as they come down to an account.

use crate::ids::AccountId;
use crate::inventory::{Inventory, Member, PolicyKind};
use crate::policy::simulate::NamedPolicy;
use std::collections::BTreeMap;

/// Service and resource control policies, parsed once.
#[derive(Debug, Default)]
pub(super) struct Controls {
    policies: BTreeMap<String, NamedPolicy>,
    /// Policies that are not JSON, by name: nothing can be predicted from them.
    pub(super) unreadable: Vec<String>,
}

impl Controls {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut controls = Controls::default();
        for (id, policy) in &inventory.organization.policies {
            let kind = match policy.kind {
                PolicyKind::ServiceControlPolicy => "service control policy",
                PolicyKind::ResourceControlPolicy => "resource control policy",
            };
            match NamedPolicy::parse(format!("{kind} {} ({id})", policy.name), &policy.content) {
                Ok(named) => {
                    controls.policies.insert(id.clone(), named);
                }
                Err(_) => controls.unreadable.push(policy.name.clone()),
            }
        }
        controls
    }

    /// The policies that hold for an account, level by level from the root. Empty when a level was not read, or when
    /// none hold: those of the management account do not, and neither do those of another organization.
    pub(super) fn levels(
        &self,
        inventory: &Inventory,
        member: &Member,
        kind: PolicyKind,
    ) -> Vec<Vec<NamedPolicy>> {
        let organization = &inventory.organization;
        if member.id == organization.management_account || !member.in_organization {
            return Vec::new();
        }
        let targets = [organization.root.as_str()]
            .into_iter()
            .chain(member.units.iter().map(AsRef::as_ref))
            .chain([member.id.as_str()]);
        let mut levels = Vec::new();
        for target in targets {
            let Some(policies) = organization.policies_at(target, kind) else { return Vec::new() };
            // Without a policy of the kind anywhere, the kind is not enabled and limits nothing.
            levels.push(
                policies.into_iter().filter_map(|(id, _)| self.policies.get(id).cloned()).collect::<Vec<_>>(),
            );
        }
        if levels.iter().all(Vec::is_empty) { Vec::new() } else { levels }
    }

    /// The levels of the log account, which the inventory may not list among the members.
    pub(super) fn levels_of(
        &self,
        inventory: &Inventory,
        account: &AccountId,
        kind: PolicyKind,
    ) -> Vec<Vec<NamedPolicy>> {
        inventory.members.get(account).map_or_else(Vec::new, |member| self.levels(inventory, member, kind))
    }
}

/// The organization's path of an account, as `aws:PrincipalOrgPaths` has it.
pub(super) fn organization_path(inventory: &Inventory, member: &Member) -> String {
    let organization = &inventory.organization;
    let mut path = format!("{}/{}/", organization.id, organization.root);
    for unit in &member.units {
        path.push_str(unit.as_str());
        path.push('/');
    }
    path
}
