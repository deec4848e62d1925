//! Replication roles of one member: how many, for which buckets, and what they lack.

use super::action::{DocumentChange, Write};
use super::destinations::PlannedDestination;
use super::sources::{RoleChoice, Source};
use crate::desired::{Desired, ForeignRole};
use crate::ids::{Arn, Region, RoleName};
use crate::inventory::{EncryptionAlgorithm, Member};
use crate::policy::{
    INLINE_POLICY_CHARACTERS, INLINE_POLICY_NAME, RoleBucket, counted_characters, equivalent, inline_policy,
    role_description, split_into_roles, trust_policy,
};
use crate::replication::ReplicationConfiguration;
use std::collections::BTreeMap;

/// A role as it will be.
#[derive(Debug)]
pub(super) struct PlannedRole {
    pub(super) arn: Arn,
    pub(super) unique_id: Option<String>,
    /// JSON.
    pub(super) trust: String,
    /// JSON by name: inline and attached.
    pub(super) policies: BTreeMap<String, String>,
    pub(super) boundary: Option<String>,
    /// What it takes.
    pub(super) writes: Vec<Write>,
    /// The role belongs to others, and is left as it is.
    pub(super) untouched: bool,
    /// Characters of its inline policies, where IAM would refuse them.
    pub(super) excess: Option<usize>,
}

/// The roles of a member's buckets.
#[derive(Debug, Default)]
pub(super) struct Roles {
    roles: Vec<PlannedRole>,
    /// The role of each bucket, by the bucket's place.
    of_bucket: BTreeMap<usize, usize>,
}

impl Roles {
    /// Gives each bucket a role. A bucket that is refused keeps its place in the role while rules of ours use it.
    pub(super) fn assign<'a>(
        desired: &Desired,
        member: &Member,
        sources: &[Source<'_>],
        destination: impl Fn(&Source<'_>) -> Option<&'a PlannedDestination<'a>>,
    ) -> Self {
        let mut roles = Roles::default();
        let mut own: Vec<(usize, RoleBucket, Option<usize>)> = Vec::new();
        let mut shared: BTreeMap<&Arn, Vec<(usize, RoleBucket)>> = BTreeMap::new();
        for (place, source) in sources.iter().enumerate() {
            if source.refused && !source.has_own_rules {
                continue;
            }
            let bucket = role_bucket(source, destination(source));
            match &source.role {
                RoleChoice::Ours => own.push((place, bucket, number_of_role(desired, source))),
                RoleChoice::Shared(role) => shared.entry(role).or_default().push((place, bucket)),
            }
        }
        let existing_objects = desired.replication.existing_objects;
        let buckets: Vec<RoleBucket> = own.iter().map(|(_, bucket, _)| bucket.clone()).collect();
        let assigned = |bucket: &RoleBucket| {
            own.iter().find(|(_, other, _)| other.bucket == bucket.bucket).and_then(|(.., number)| *number)
        };
        let (groups, _) = split_into_roles(&buckets, assigned, existing_objects);
        for (number, group) in groups.iter().enumerate().filter(|(_, group)| !group.is_empty()) {
            let members: Vec<RoleBucket> =
                group.iter().filter_map(|place| buckets.get(*place).cloned()).collect();
            let place_of_role = roles.roles.len();
            roles
                .of_bucket
                .extend(group.iter().filter_map(|place| Some((own.get(*place)?.0, place_of_role))));
            roles.roles.push(own_role(desired, member, number, &members));
        }
        for (arn, members) in shared {
            let place_of_role = roles.roles.len();
            roles.of_bucket.extend(members.iter().map(|(place, _)| (*place, place_of_role)));
            let buckets: Vec<RoleBucket> = members.into_iter().map(|(_, bucket)| bucket).collect();
            roles.roles.push(shared_role(desired, member, arn, &buckets));
        }
        roles
    }

    /// The role of the bucket at a place.
    pub(super) fn of(&self, place: usize) -> Option<&PlannedRole> {
        self.roles.get(*self.of_bucket.get(&place)?)
    }

    /// The roles that a bucket which is not refused has, each with the Region of its first such bucket.
    pub(super) fn in_use<'b>(&'b self, sources: &'b [Source<'_>]) -> Vec<(&'b PlannedRole, &'b Region)> {
        self.roles
            .iter()
            .enumerate()
            .filter_map(|(number, role)| {
                let first = sources
                    .iter()
                    .enumerate()
                    .find(|(place, source)| !source.refused && self.of_bucket.get(place) == Some(&number))?;
                Some((role, &first.1.bucket.region))
            })
            .collect()
    }
}

fn role_bucket(source: &Source<'_>, destination: Option<&PlannedDestination<'_>>) -> RoleBucket {
    let encryption = &source.bucket.encryption;
    let source_key = encryption.key.clone().filter(|_| encryption.algorithm != EncryptionAlgorithm::SseS3);
    RoleBucket {
        partition: source.bucket.region.partition(),
        bucket: source.name.clone(),
        region: source.bucket.region.clone(),
        base: source.layout.base.clone(),
        object_lock: source.bucket.object_lock,
        source_key,
        destination: source.destination.bucket.clone(),
        destination_region: source.destination.region.clone(),
        destination_key: destination.and_then(|destination| Some(destination.key?.arn.clone())),
    }
}

/// `weir-replication` is number 0, `weir-replication-2` number 1.
fn role_name(desired: &Desired, number: usize) -> RoleName {
    let first = &desired.members.replication_role;
    if number == 0 {
        return first.clone();
    }
    // The first name is short enough for a number, as `Desired` checks.
    RoleName::new(format!("{first}-{}", number + 1)).unwrap_or_else(|_| first.clone())
}

/// The number of the role of ours that is on the bucket's configuration.
fn number_of_role(desired: &Desired, source: &Source<'_>) -> Option<usize> {
    let configuration = ReplicationConfiguration::parse(source.bucket.replication.as_deref()?).ok()?;
    let arn = Arn::new(configuration.role()?).ok()?;
    let name = arn.role_name()?;
    let first = desired.members.replication_role.as_str();
    if name.as_str() == first {
        return Some(0);
    }
    let number: usize = name.as_str().strip_prefix(first)?.strip_prefix('-')?.parse().ok()?;
    number.checked_sub(1).filter(|number| *number > 0)
}

fn own_role(desired: &Desired, member: &Member, number: usize, buckets: &[RoleBucket]) -> PlannedRole {
    let name = role_name(desired, number);
    let path = Desired::role_path();
    let partition = buckets.first().map_or(crate::ids::Partition::Commercial, |bucket| bucket.partition);
    let arn = Arn::of_role(partition, &member.id, &path, &name);
    let settings = &desired.replication;
    let trust = trust_policy(&member.id, settings.existing_objects, settings.source_account_condition);
    let inline = inline_policy(buckets, settings.existing_objects);
    let known = member.roles.get(&arn);
    let mut writes = Vec::new();
    match known {
        None => writes.push(Write::CreateRole {
            role: arn.clone(),
            path,
            name: name.clone(),
            trust_policy: trust.clone(),
            description: role_description().to_owned(),
            tags: BTreeMap::from([("weir:managed".to_owned(), "true".to_owned())]),
        }),
        Some(role) if !equivalent(&role.trust_policy, &trust) => writes.push(Write::UpdateAssumeRolePolicy {
            role: arn.clone(),
            name: name.clone(),
            document: DocumentChange {
                before: Some(role.trust_policy.clone()),
                after: trust.clone(),
                carried: Vec::new(),
            },
        }),
        Some(_) => {}
    }
    let mut policies = existing_policies(member, &arn);
    let excess = put_inline(&mut policies, &mut writes, &arn, &name, inline);
    PlannedRole {
        unique_id: known.map(|role| role.unique_id.clone()),
        boundary: known.and_then(|role| role.permissions_boundary.clone()),
        arn,
        trust,
        policies: policies.into_iter().map(|(name, (text, _))| (name, text)).collect(),
        writes,
        untouched: false,
        excess,
    }
}

fn shared_role(desired: &Desired, member: &Member, arn: &Arn, buckets: &[RoleBucket]) -> PlannedRole {
    let known = member.roles.get(arn);
    let mut policies = existing_policies(member, arn);
    let mut writes = Vec::new();
    let mut excess = None;
    // What was ours once stays ours to keep right.
    let extends = desired.replication.foreign_role == ForeignRole::Extend
        || known.is_some_and(|role| role.inline_policies.contains_key(INLINE_POLICY_NAME));
    if let (true, Some(name)) = (extends, arn.role_name()) {
        let inline = inline_policy(buckets, desired.replication.existing_objects);
        excess = put_inline(&mut policies, &mut writes, arn, &name, inline);
    }
    PlannedRole {
        unique_id: known.map(|role| role.unique_id.clone()),
        boundary: known.and_then(|role| role.permissions_boundary.clone()),
        arn: arn.clone(),
        trust: known.map_or_else(String::new, |role| role.trust_policy.clone()),
        policies: policies.into_iter().map(|(name, (text, _))| (name, text)).collect(),
        writes,
        untouched: !extends,
        excess,
    }
}

/// The role's policies by the name that messages use, and whether each is inline.
fn existing_policies(member: &Member, arn: &Arn) -> BTreeMap<String, (String, bool)> {
    let Some(role) = member.roles.get(arn) else { return BTreeMap::new() };
    let inline = role.inline_policies.iter().map(|(name, text)| (name.clone(), (text.clone(), true)));
    let attached = role.attached_policies.iter().map(|(arn, text)| (arn.to_string(), (text.clone(), false)));
    inline.chain(attached).collect()
}

/// Puts our inline policy where it differs. The answer is the length of all inline policies, where it is too much.
fn put_inline(
    policies: &mut BTreeMap<String, (String, bool)>,
    writes: &mut Vec<Write>,
    arn: &Arn,
    name: &RoleName,
    inline: String,
) -> Option<usize> {
    let before = policies.get(INLINE_POLICY_NAME).map(|(text, _)| text.clone());
    if !before.as_deref().is_some_and(|text| equivalent(text, &inline)) {
        writes.push(Write::PutRolePolicy {
            role: arn.clone(),
            name: name.clone(),
            policy_name: INLINE_POLICY_NAME.to_owned(),
            document: DocumentChange { before, after: inline.clone(), carried: Vec::new() },
        });
    }
    policies.insert(INLINE_POLICY_NAME.to_owned(), (inline, true));
    let characters: usize =
        policies.values().filter(|(_, inline)| *inline).map(|(text, _)| counted_characters(text)).sum();
    (characters > INLINE_POLICY_CHARACTERS).then_some(characters)
}
