//! What became of every account.

use crate::codes::FailureCode;
use crate::ids::{AccountId, BucketName, Region};
use crate::inventory::Failure;
use crate::plan::{Finding, Plan, PlannedState, Severity};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    pub run: String,
    /// Sorted by account; the log account first.
    pub accounts: Vec<AccountReport>,
    /// Writes that AWS took.
    pub writes: usize,
    /// Whether a signal ended the run early.
    pub interrupted: bool,
}

/// What became of one account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccountReport {
    pub account: AccountId,
    pub name: String,
    pub unit: String,
    pub state: AccountOutcome,
    pub writes: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// Worth knowing, though nothing failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Failure>,
}

/// How an account ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountOutcome {
    /// Something could not be done; it has a code and a cure.
    Failed,
    /// A signal ended the run before the account was done; a note says so. Run it again.
    Interrupted,
    /// A wait of AWS's is not over; run it again.
    Waiting,
    /// Changed, and as accounts.toml says now.
    Done,
    /// As accounts.toml says already.
    Unchanged,
    /// Not selected, not active, or without log buckets.
    Skipped,
}

impl AccountOutcome {
    /// As the report and `--json` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
        }
    }
}

/// A bucket whose canary is not through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Waiting {
    pub bucket: BucketName,
    pub region: Region,
    /// Why, as a person reads it.
    pub reason: String,
    /// When it is worth running again; none when any time is good.
    pub until: Option<Timestamp>,
}

/// What the run of one account adds to the report.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    pub(super) writes: usize,
    pub(super) waiting: Vec<Waiting>,
    pub(super) failures: Vec<Failure>,
    pub(super) notes: Vec<Failure>,
    /// Whether every step was come to. Not so where a signal ended the run.
    pub(super) complete: bool,
}

impl Report {
    /// Puts together what was planned and what was done.
    pub(super) fn new(
        run: String,
        plan: &Plan,
        mut work: BTreeMap<AccountId, Work>,
        interrupted: bool,
    ) -> Self {
        let mut accounts: Vec<AccountReport> = plan
            .accounts
            .iter()
            .map(|account| {
                let done = work.remove(&account.id).unwrap_or_default();
                let named = (account.name.clone(), account.unit.clone());
                report(account.id.clone(), named, account.state, plan, done, interrupted)
            })
            .collect();
        // The log account need not be among the accounts that are onboarded.
        for (id, done) in work {
            let name = if id == plan.log_account { "log account".to_owned() } else { id.to_string() };
            let named = (name, String::new());
            accounts.push(report(id, named, PlannedState::Changes, plan, done, interrupted));
        }
        accounts.sort_by(|a, b| {
            let first = |account: &AccountReport| account.account != plan.log_account;
            first(a).cmp(&first(b)).then_with(|| a.account.cmp(&b.account))
        });
        let writes = accounts.iter().map(|account| account.writes).sum();
        Self { run, accounts, writes, interrupted }
    }

    /// Whether every account is as accounts.toml says.
    pub fn is_converged(&self) -> bool {
        !self.interrupted
            && !self.accounts.iter().any(|account| {
                matches!(
                    account.state,
                    AccountOutcome::Failed | AccountOutcome::Interrupted | AccountOutcome::Waiting
                )
            })
    }

    /// How many accounts ended so.
    pub fn count(&self, state: AccountOutcome) -> usize {
        self.accounts.iter().filter(|account| account.state == state).count()
    }
}

fn report(
    id: AccountId,
    (name, unit): (String, String),
    planned: PlannedState,
    plan: &Plan,
    work: Work,
    interrupted: bool,
) -> AccountReport {
    let Work { writes, waiting, mut failures, mut notes, complete } = work;
    failures.extend(refusals(&id, planned, plan));
    let cut_short = interrupted && !complete && plan.actions_in(&id).next().is_some();
    if cut_short {
        notes.push(cut(&id, writes));
    }
    let state = if !failures.is_empty() {
        AccountOutcome::Failed
    } else if cut_short {
        AccountOutcome::Interrupted
    } else if !waiting.is_empty() {
        AccountOutcome::Waiting
    } else if writes > 0 {
        AccountOutcome::Done
    } else {
        match planned {
            PlannedState::Skipped => AccountOutcome::Skipped,
            PlannedState::Refused | PlannedState::Partly => AccountOutcome::Failed,
            PlannedState::Unchanged | PlannedState::Changes => AccountOutcome::Unchanged,
        }
    };
    AccountReport { account: id, name, unit, state, writes, waiting, failures, notes }
}

/// What the plan refuses of an account, with code and cure.
fn refusals(id: &AccountId, planned: PlannedState, plan: &Plan) -> Vec<Failure> {
    let is_refusal = |finding: &&Finding| {
        matches!(finding.severity, Severity::Refused | Severity::Stop)
            && finding.code != FailureCode::AccountNotActive
    };
    let refused = plan.findings.iter().filter(is_refusal);
    let own: Vec<Failure> =
        refused.clone().filter(|finding| finding.account.as_ref() == Some(id)).map(from_finding).collect();
    if !own.is_empty() || !matches!(planned, PlannedState::Refused | PlannedState::Partly) {
        return own;
    }
    // What stands in its way is said of the log account: of a destination that its buckets would go to.
    let regions: BTreeSet<&Region> = plan
        .buckets
        .iter()
        .filter(|bucket| bucket.account == *id && bucket.state == PlannedState::Refused)
        .map(|bucket| &bucket.destination_region)
        .collect();
    refused
        .filter(|finding| finding.account.as_ref() == Some(&plan.log_account))
        .filter(|finding| finding.region.as_ref().is_none_or(|region| regions.contains(region)))
        .map(from_finding)
        .collect()
}

/// What is said of an account that a signal left unfinished.
fn cut(id: &AccountId, writes: usize) -> Failure {
    Failure {
        code: FailureCode::Interrupted,
        resource: None,
        region: None,
        text: format!("the run was interrupted before account {id} was done, after {writes} writes in it"),
        cure: "run it again: the journal knows how far it came".into(),
    }
}

fn from_finding(finding: &Finding) -> Failure {
    Failure {
        code: finding.code,
        resource: finding.resource.clone(),
        region: finding.region.clone(),
        text: finding.text.clone(),
        cure: finding.cure.clone(),
    }
}
