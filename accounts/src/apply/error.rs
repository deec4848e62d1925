//! Why a run ends before its accounts do.

use super::journal::JournalError;
use crate::codes::FailureCode;
use crate::discover::DiscoverError;
use crate::inventory::Failure;
use crate::lines::LinesError;

/// Why nothing more is written anywhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    #[error("the plan must not be applied: {0}")]
    Stopped(String),
    #[error("{}: {text}; {cure}", FailureCode::StalePlan)]
    Stale { text: String, cure: String },
    #[error("the log account cannot be entered: {}: {}; {}", .0.code, .0.text, .0.cure)]
    LogAccount(Failure),
    #[error("the log account cannot be brought into shape, so no member was touched: {}: {}; {}", .0.code, .0.text, .0.cure)]
    LogAccountStep(Failure),
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Lines(#[from] LinesError),
}

/// Why a step of one account ends.
#[derive(Debug)]
pub(super) enum StepError {
    /// This bucket or account is left; the others go on.
    Failed(Failure),
    /// A signal asked to stop.
    Interrupted,
    /// Nothing goes on.
    Fatal(ApplyError),
}

impl From<LinesError> for StepError {
    fn from(error: LinesError) -> Self {
        Self::Fatal(error.into())
    }
}
