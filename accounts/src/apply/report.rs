//! What became of every account.

use crate::codes::FailureCode;
use crate::ids::{AccountId, BucketName, Region};
use crate::inventory::Failure;
use crate::plan::{Finding, Plan, PlannedState, Severity};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

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
                report(
                    account.id.clone(),
                    account.name.clone(),
                    account.unit.clone(),
                    account.state,
                    plan,
                    done,
                )
            })
            .collect();
        // The log account need not be among the accounts that are onboarded.
        for (id, done) in work {
            let name = if id == plan.log_account { "log account".to_owned() } else { id.to_string() };
            accounts.push(report(id, name, String::new(), PlannedState::Changes, plan, done));
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
            && !self
                .accounts
                .iter()
                .any(|account| matches!(account.state, AccountOutcome::Failed | AccountOutcome::Waiting))
    }

    /// How many accounts ended so.
    pub fn count(&self, state: AccountOutcome) -> usize {
        self.accounts.iter().filter(|account| account.state == state).count()
    }
}

fn report(
    id: AccountId,
    name: String,
    unit: String,
    planned: PlannedState,
    plan: &Plan,
    work: Work,
) -> AccountReport {
    let mut failures = work.failures;
    let refused = plan.findings.iter().filter(|finding| {
        finding.account.as_ref() == Some(&id)
            && matches!(finding.severity, Severity::Refused | Severity::Stop)
            && finding.code != FailureCode::AccountNotActive
    });
    failures.extend(refused.map(from_finding));
    let state = if !failures.is_empty() {
        AccountOutcome::Failed
    } else if !work.waiting.is_empty() {
        AccountOutcome::Waiting
    } else if work.writes > 0 {
        AccountOutcome::Done
    } else {
        match planned {
            PlannedState::Skipped => AccountOutcome::Skipped,
            // What stands in its way is said of another account, such as the log account.
            PlannedState::Refused | PlannedState::Partly => AccountOutcome::Failed,
            PlannedState::Unchanged | PlannedState::Changes => AccountOutcome::Unchanged,
        }
    };
    AccountReport {
        account: id,
        name,
        unit,
        state,
        writes: work.writes,
        waiting: work.waiting,
        failures,
        notes: work.notes,
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
