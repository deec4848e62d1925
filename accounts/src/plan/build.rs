//! From inventory and accounts.toml to a plan.

use super::finding::{Finding, Severity};
use super::sources::Source;
use super::{Plan, PlannedState, Purpose, cost, destinations, members, sources};
use crate::codes::FailureCode;
use crate::desired::Desired;
use crate::inventory::{CallerKind, Inventory, ReplicationStatus};
use crate::policy::{PolicyOf, reasons};

/// Plans the onboarding. Pure: the same inputs give the same plan.
pub fn build(inventory: &Inventory, desired: &Desired) -> Plan {
    let mut findings = Vec::new();
    check_organization(inventory, desired, &mut findings);
    let mut found = sources::find(inventory, desired, &mut findings);
    let destinations = destinations::plan(inventory, desired, &found.buckets, &mut findings);
    let mut plans = members::plan(inventory, desired, &mut found.buckets, &destinations, &mut findings);
    check_double_ingestion(inventory, &found.buckets, &mut findings);

    let mut actions = destinations.actions;
    actions.append(&mut plans.actions);
    actions.sort_by(|left, right| left.sort_key().cmp(&right.sort_key()));
    plans.buckets.sort_by(|left, right| (&left.account, &left.bucket).cmp(&(&right.account, &right.bucket)));
    let mut accounts: Vec<_> = found.accounts.into_values().collect();
    for account in &mut accounts {
        let states =
            || plans.buckets.iter().filter(|bucket| bucket.account == account.id).map(|bucket| bucket.state);
        if states().next().is_none() {
            // Nothing of the account is left of which only a part could be read.
            if account.state == PlannedState::Partly {
                account.state = PlannedState::Refused;
            }
            continue;
        }
        let refused = states().any(|state| state == PlannedState::Refused);
        let accepted = states().any(|state| state != PlannedState::Refused);
        let acts = actions
            .iter()
            .any(|action| action.account == account.id && action.step >= super::Step::SourceVersioning);
        account.state = match (refused || account.state == PlannedState::Partly, accepted) {
            (true, true) => PlannedState::Partly,
            (true, false) => PlannedState::Refused,
            (false, _) if acts => PlannedState::Changes,
            (false, _) => PlannedState::Unchanged,
        };
    }
    let nobody = accounts.iter().all(|account| account.state == PlannedState::Skipped);
    if nobody && !inventory.members.is_empty() {
        findings.push(Finding::new(
            Severity::Warning,
            FailureCode::NothingSelected,
            "no account is onboarded: none is selected, or none that is has a bucket that accounts.toml names",
            "check `[members.select]` and the `buckets` of each [[source]] in accounts.toml",
        ));
    }
    // A bucket can be asked about twice, when another of its account was refused.
    findings.sort();
    findings.dedup();
    let cost = cost::estimate(inventory, desired, &plans.buckets);
    Plan {
        format: super::FORMAT,
        purpose: Purpose::Onboard,
        organization: inventory.organization.id.clone(),
        log_account: inventory.log_account.id.clone(),
        accounts,
        buckets: plans.buckets,
        actions,
        findings,
        cost,
    }
}

/// What speaks against the whole run.
fn check_organization(inventory: &Inventory, desired: &Desired, findings: &mut Vec<Finding>) {
    if inventory.caller.kind == CallerKind::Member {
        let actions: Vec<&str> = reasons(PolicyOf::Caller).iter().map(|reason| reason.action).collect();
        findings.push(
            Finding::new(
                Severity::Stop,
                FailureCode::CallerNotAllowed,
                format!(
                    "{} is neither in the management account {} nor a delegated administrator",
                    inventory.caller.arn, inventory.organization.management_account
                ),
                format!(
                    "use credentials of the management account, or delegate to account {} with a policy that allows {}",
                    inventory.caller.account,
                    actions.join(", ")
                ),
            )
            .in_account(&inventory.caller.account),
        );
    }
    if inventory.log_account.id != desired.log_account.id {
        findings.push(Finding::new(
            Severity::Stop,
            FailureCode::Unexpected,
            format!(
                "the inventory is of the log account {}, accounts.toml names {}",
                inventory.log_account.id, desired.log_account.id
            ),
            "take a new inventory with `weir accounts discover`",
        ));
    }
    check_units(inventory, desired, findings);
    if inventory.members.is_empty() {
        findings.push(Finding::new(
            Severity::Warning,
            FailureCode::NothingSelected,
            "the inventory holds no account",
            "check `[members.select]` in accounts.toml",
        ));
    }
}

/// A unit that is not there would select nobody, or leave nobody out.
fn check_units(inventory: &Inventory, desired: &Desired, findings: &mut Vec<Finding>) {
    let organization = &inventory.organization;
    let select = &desired.members.select;
    let paths: Vec<(&str, String)> = organization
        .units
        .keys()
        .map(|unit| (unit.as_str(), organization.unit_names(&organization.path_to(unit))))
        .collect();
    for (field, units) in [("units", &select.units), ("exclude-units", &select.exclude_units)] {
        for unit in units {
            if paths.iter().any(|(id, path)| id == unit || path == unit) {
                continue;
            }
            let mut there: Vec<&str> = paths.iter().map(|(_, path)| path.as_str()).collect();
            there.sort_unstable();
            let more = if there.len() > MOST_UNITS { ", …" } else { "" };
            there.truncate(MOST_UNITS);
            findings.push(Finding::new(
                Severity::Stop,
                FailureCode::NothingSelected,
                format!(
                    "`members.select.{field}` names the unit `{unit}`, and organization {} has none of that name",
                    organization.id
                ),
                format!("correct it in accounts.toml; there are: {}{more}", there.join(", ")),
            ));
        }
    }
}

/// Units that a message lists.
const MOST_UNITS: usize = 20;

/// An organization's trail that delivers to the destination itself, and trails of members that are replicated there.
fn check_double_ingestion(inventory: &Inventory, sources: &[Source<'_>], findings: &mut Vec<Finding>) {
    let trail = format!("AWSLogs/{}/", inventory.organization.id);
    for (region, destination) in &inventory.log_account.destinations {
        let crate::inventory::Destination::Found(bucket) = destination else { continue };
        let delivered = bucket.samples.iter().find(|sample| {
            sample.key.contains(&trail)
                && sample.key.contains("/CloudTrail/")
                && sample.replication_status != Some(ReplicationStatus::Replica)
        });
        let Some(delivered) = delivered else { continue };
        let twice: Vec<&Source<'_>> = sources
            .iter()
            .filter(|source| !source.refused && source.destination.region == *region)
            .filter(|source| {
                let samples = &source.bucket.samples;
                samples
                    .iter()
                    .any(|sample| source.layout.covers(&sample.key) && sample.key.contains("/CloudTrail/"))
            })
            .collect();
        for source in twice {
            findings.push(
                Finding::new(
                    Severity::Warning,
                    FailureCode::DoubleIngestion,
                    format!(
                        "the organization's trail delivers to bucket {} (`{}`), and bucket {} replicates a trail there too: CloudTrail events would be ingested twice",
                        bucket.name, delivered.key, source.name
                    ),
                    "leave out CloudTrail with `services` of the [[source]] in accounts.toml, or end the account's own trail",
                )
                .in_account(&source.member.id)
                .in_region(&source.bucket.region)
                .on(source.name),
            );
        }
    }
}
