//! Reads the organization, its members and the log account into an [`Inventory`]. Writes nothing.
//!
//! The organization is one service with one quota for everybody, so its tree is walked once and paced; members are read
//! many at a time, and what goes wrong in one is a failure of that one.

mod enter;
mod error;
mod keys;
mod log_account;
mod member;
mod tree;

pub use self::enter::{Entrance, NoEntry};
pub use self::error::DiscoverError;

use crate::aws::{Connection, Organizations, Sts};
use crate::desired::{Candidate, Desired, Selected};
use crate::ids::{AccountId, OuId};
use crate::inventory::{
    Access, AccountState, Caller, CallerKind, FORMAT, Inventory, LogAccount, Member, Organization,
};
use crate::progress::Progress;
use futures_util::stream::{self, StreamExt};
use std::collections::{BTreeMap, BTreeSet};

/// Reads everything that a plan needs.
///
/// # Errors
/// Stops when the organization cannot be read, and when a role leads into another account than it was asked for.
pub async fn discover(
    connection: &Connection,
    desired: &Desired,
    progress: &Progress,
) -> Result<Inventory, DiscoverError> {
    let (caller, organization, mut members) = read_organization(connection, desired, progress).await?;
    let entrance = Entrance::new(connection, desired, &caller);
    let selected = select(desired, &organization, &members);
    let log_account = log_account::read(&entrance, progress).await?;

    progress.begin("reading accounts", selected.len());
    let at_once = desired.limits.accounts_at_once.max(1) as usize;
    let mut reads = stream::iter(selected)
        .map(|id| {
            let name = members.get(&id).map(|member| member.name.clone()).unwrap_or_default();
            let entrance = &entrance;
            async move { (member::read(entrance, &id).await, id, name) }
        })
        .buffer_unordered(at_once)
        .collect::<Vec<_>>()
        .await;
    for (reading, id, _) in reads.drain(..) {
        let reading = reading?;
        if let Some(member) = members.get_mut(&id) {
            reading.into_member(member);
        }
    }
    progress.finish();
    Ok(Inventory { format: FORMAT, organization, caller, log_account, members })
}

/// What is around every member: the organization and the log account.
#[derive(Debug)]
pub(crate) struct Surroundings {
    caller: Caller,
    organization: Organization,
    members: BTreeMap<AccountId, Member>,
    log_account: LogAccount,
}

/// Reads what is around every member, again.
pub(crate) async fn surroundings(
    connection: &Connection,
    desired: &Desired,
) -> Result<Surroundings, DiscoverError> {
    let quiet = Progress::on_terminal(false);
    let (caller, organization, members) = read_organization(connection, desired, &quiet).await?;
    let log_account = log_account::read(&Entrance::new(connection, desired, &caller), &quiet).await?;
    Ok(Surroundings { caller, organization, members, log_account })
}

/// Reads one member again; the inventory has no other.
pub(crate) async fn reread(
    entrance: &Entrance<'_>,
    around: &Surroundings,
    account: &AccountId,
) -> Result<Inventory, DiscoverError> {
    let mut members = BTreeMap::new();
    if let Some(known) = around.members.get(account) {
        let mut member = known.clone();
        member::read(entrance, account).await?.into_member(&mut member);
        members.insert(account.clone(), member);
    }
    Ok(Inventory {
        format: FORMAT,
        organization: around.organization.clone(),
        caller: around.caller.clone(),
        log_account: around.log_account.clone(),
        members,
    })
}

/// The caller, the tree and its accounts, without looking into any account.
///
/// # Errors
/// When the caller may not list the organization.
pub async fn read_organization(
    connection: &Connection,
    desired: &Desired,
    progress: &Progress,
) -> Result<(Caller, Organization, BTreeMap<AccountId, Member>), DiscoverError> {
    progress.begin("reading the organization", 0);
    let session = connection.caller(None);
    let identity = session.sts().caller_identity().await.map_err(DiscoverError::credentials)?;
    let session = connection.caller(Some(identity.account.clone()));
    let organizations = session.organizations();
    let tree = tree::walk(&organizations, &identity, progress).await?;
    let kind = if tree.organization.management_account == identity.account {
        CallerKind::ManagementAccount
    } else {
        CallerKind::DelegatedAdministrator
    };
    let caller = Caller { account: identity.account, arn: identity.arn, kind };
    let mut members = tree.members;
    for id in &desired.members.outside_organization {
        members.entry(id.clone()).or_insert_with(|| outside(id));
    }
    if desired.members.select.needs_tags() {
        read_tags(&organizations, &mut members, progress).await?;
    }
    progress.finish();
    Ok((caller, tree.organization, members))
}

/// An account that only accounts.toml names.
fn outside(id: &AccountId) -> Member {
    Member {
        id: id.clone(),
        name: id.to_string(),
        email: None,
        state: AccountState::Active,
        units: Vec::new(),
        tags: None,
        in_organization: false,
        access: Access::NotTried,
        regions: BTreeSet::new(),
        buckets: BTreeMap::new(),
        roles: BTreeMap::new(),
        keys: BTreeMap::new(),
        failures: Vec::new(),
    }
}

/// One call per account: only when the selection asks for tags, and only for accounts that could be selected.
async fn read_tags(
    organizations: &impl Organizations,
    members: &mut BTreeMap<AccountId, Member>,
    progress: &Progress,
) -> Result<(), DiscoverError> {
    let active: Vec<AccountId> = members
        .values()
        .filter(|member| member.state == AccountState::Active && member.in_organization)
        .map(|member| member.id.clone())
        .collect();
    progress.begin("reading tags", active.len());
    let mut answers = stream::iter(active)
        .map(|id| async move { (organizations.tags(&id).await, id) })
        .buffer_unordered(TAGS_AT_ONCE);
    while let Some((tags, id)) = answers.next().await {
        let tags = tags?;
        progress.advance(id.as_str());
        if let Some(member) = members.get_mut(&id) {
            member.tags = Some(tags);
        }
    }
    Ok(())
}

/// The pacer decides about the rate; this only keeps it busy while answers are on their way.
const TAGS_AT_ONCE: usize = 8;

/// The accounts to look into: active and selected, or named although they are outside.
pub fn select(
    desired: &Desired,
    organization: &Organization,
    members: &BTreeMap<AccountId, Member>,
) -> Vec<AccountId> {
    members
        .values()
        .filter(|member| member.state == AccountState::Active)
        .filter(|member| !member.in_organization || is_selected(desired, organization, member))
        .map(|member| member.id.clone())
        .collect()
}

/// Whether `[members.select]` takes the account.
pub fn is_selected(desired: &Desired, organization: &Organization, member: &Member) -> bool {
    let units: Vec<(&OuId, &str)> = member
        .units
        .iter()
        .map(|unit| (unit, organization.units.get(unit).map_or(unit.as_str(), |known| known.name.as_str())))
        .collect();
    let candidate =
        Candidate { id: &member.id, name: &member.name, units: &units, tags: member.tags.as_ref() };
    desired.members.select.decide(&candidate) == Selected::Yes
}
