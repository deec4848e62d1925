//! What would be written, in which order, and what stands in the way.
//!
//! Contract: a plan holds every id, ARN and document that a write needs, so that applying makes no choice. It is a
//! pure function of the inventory and `accounts.toml`: the same inputs give the same bytes. Every [`Action`] tells the
//! state that it was planned against; applying reads that again and refuses when it moved. A plan with a finding of
//! [`Severity::Stop`] is never applied.

mod access;
mod action;
mod build;
mod controls;
mod cost;
mod destinations;
mod finding;
mod forecast;
mod members;
mod offboard;
mod roles;
mod sources;
#[cfg(test)]
mod tests;
pub mod view;

pub use self::action::{
    Action, ActionId, Change, DocumentChange, DocumentKind, ReplicationStage, Step, Write, WriteTarget,
};
pub use self::build::build;
pub(crate) use self::cost::price;
pub use self::cost::{CostEstimate, CostItem};
pub use self::finding::{Finding, Severity};
pub use self::offboard::offboard;

use crate::ids::{AccountId, Arn, BucketName, OrganizationId, Region};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the file format.
pub const FORMAT: u32 = 1;

/// A plan, as `weir accounts plan -o FILE` writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`FORMAT`] of the version that wrote it.
    pub format: u32,
    pub purpose: Purpose,
    pub organization: OrganizationId,
    pub log_account: AccountId,
    /// Sorted by id.
    pub accounts: Vec<AccountPlan>,
    /// Every bucket that is to be replicated, changed or not, sorted by account and name. Verification goes by it.
    pub buckets: Vec<BucketPlan>,
    /// In the order in which they may run; those of different members are independent of each other.
    pub actions: Vec<Action>,
    /// The gravest first.
    pub findings: Vec<Finding>,
    pub cost: CostEstimate,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    Onboard,
    Offboard,
}

/// One account of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountPlan {
    pub id: AccountId,
    pub name: String,
    /// Names of the units, as `Workloads/Production`; empty directly under the root.
    pub unit: String,
    pub state: PlannedState,
}

/// One bucket that is to be replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketPlan {
    pub account: AccountId,
    pub bucket: BucketName,
    pub region: Region,
    pub destination: BucketName,
    pub destination_region: Region,
    /// The role on the replication configuration.
    pub role: Arn,
    /// Prefixes of the keys that are replicated, sorted.
    pub prefixes: Vec<String>,
    /// Keys of canary objects begin with it; it lies within what the destination allows.
    pub canary_prefix: String,
    /// The key that replicas are encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<Arn>,
    pub time_control: bool,
    pub state: PlannedState,
}

/// What the plan does to an account or a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedState {
    /// As accounts.toml says already.
    Unchanged,
    Changes,
    /// Left out; a finding says why.
    Refused,
    /// Some buckets of the account are left out.
    Partly,
    /// Not selected, not active, or without log buckets.
    Skipped,
}

/// Why a plan file is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    #[error("cannot read the plan {}; check the path, or write one with `weir accounts plan -o FILE`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the plan {} cannot be understood; write it anew with `weir accounts plan -o FILE`", path.display())]
    Syntax {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "the plan {} has format {found}, this weir knows {FORMAT}; write it anew with `weir accounts plan -o FILE`",
        path.display()
    )]
    Format { path: PathBuf, found: u32 },
    #[error("the plan {} was changed after it was made (action {action}); write it anew with `weir accounts plan -o FILE`", path.display())]
    Altered { path: PathBuf, action: ActionId },
}

impl Plan {
    /// Reads a plan file. Ids of actions are hashes of what they do, so that a changed action is noticed.
    ///
    /// # Errors
    /// Names the file and how to write a new one.
    pub fn load(path: &Path) -> Result<Self, PlanFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlanFileError::Read { path: path.to_owned(), source })?;
        let plan: Plan = serde_json::from_str(&text)
            .map_err(|source| PlanFileError::Syntax { path: path.to_owned(), source })?;
        if plan.format != FORMAT {
            return Err(PlanFileError::Format { path: path.to_owned(), found: plan.format });
        }
        if let Some(altered) = plan.actions.iter().find(|action| action.computed_id() != action.id) {
            return Err(PlanFileError::Altered { path: path.to_owned(), action: altered.id.clone() });
        }
        Ok(plan)
    }

    /// Whether applying would write anything.
    pub fn has_changes(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Whether a finding forbids to apply anything at all.
    pub fn is_stopped(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Stop)
    }

    /// Whether accounts or buckets are left out.
    pub fn has_refusals(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Refused)
    }

    /// The actions in one account, in order.
    pub fn actions_in<'a>(&'a self, account: &'a AccountId) -> impl Iterator<Item = &'a Action> {
        self.actions.iter().filter(move |action| action.account == *account)
    }
}

/// An error and its causes, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
