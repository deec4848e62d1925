//! The plan in numbers.

use crate::plan::{Plan, PlannedState, Purpose, Severity};
use serde::Serialize;
use std::fmt;

/// How much a plan does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    #[serde(skip)]
    purpose: Purpose,
    /// Nothing may be applied.
    pub stopped: bool,
    pub accounts: usize,
    pub accounts_changed: usize,
    pub accounts_unchanged: usize,
    /// Left out, wholly or partly.
    pub accounts_refused: usize,
    pub accounts_skipped: usize,
    pub buckets: usize,
    pub writes: usize,
    pub writes_in_log_account: usize,
    pub warnings: usize,
}

impl Summary {
    pub fn of(plan: &Plan) -> Self {
        let accounts =
            |state: PlannedState| plan.accounts.iter().filter(|account| account.state == state).count();
        let writes_in_log_account =
            plan.actions.iter().filter(|action| action.account == plan.log_account).count();
        Summary {
            purpose: plan.purpose,
            stopped: plan.is_stopped(),
            accounts: plan.accounts.len(),
            accounts_changed: accounts(PlannedState::Changes),
            accounts_unchanged: accounts(PlannedState::Unchanged),
            accounts_refused: accounts(PlannedState::Refused) + accounts(PlannedState::Partly),
            accounts_skipped: accounts(PlannedState::Skipped),
            buckets: plan.buckets.iter().filter(|bucket| bucket.state != PlannedState::Refused).count(),
            writes: plan.actions.len(),
            writes_in_log_account,
            warnings: plan.findings.iter().filter(|finding| finding.severity == Severity::Warning).count(),
        }
    }
}

/// One line.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stopped {
            return write!(f, "Stopped: nothing can be applied before what is marked `stop` is mended.");
        }
        let what = match self.purpose {
            Purpose::Onboard => "Plan",
            Purpose::Offboard => "Plan to off-board",
        };
        write!(f, "{what}: {}", counted(self.writes, "write"))?;
        if self.writes > 0 {
            write!(f, ", {} of them in the log account", self.writes_in_log_account)?;
        }
        write!(
            f,
            "; {}: {} to change, {} unchanged, {} refused, {} skipped; {}; {}.",
            counted(self.accounts, "account"),
            self.accounts_changed,
            self.accounts_unchanged,
            self.accounts_refused,
            self.accounts_skipped,
            counted(self.buckets, "bucket"),
            counted(self.warnings, "warning"),
        )
    }
}

/// A number and its noun.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
