//! Why the data folder cannot take an object.

use crate::ledger::{LedgerError, StagingError};
use crate::output::archive::ArchiveError;
use crate::output::embedded::IndexError;
use crate::quarantine::QuarantineError;
use std::path::PathBuf;

/// An error of index, archive, quarantine or ledger.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot make the data folder {folder}; check the path and its permissions")]
    Folder {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Staging(#[from] StagingError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
}

impl StoreError {
    /// Whether there is no room left: ingest stops, and loses nothing.
    pub fn is_disk_full(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let full = match error.downcast_ref::<std::io::Error>() {
                Some(error) => is_full(error),
                None => {
                    matches!(error.downcast_ref(), Some(StagingError::DiskFull { .. }))
                        || matches!(error.downcast_ref(), Some(IndexError::DiskFull { .. }))
                        || matches!(
                            error.downcast_ref(),
                            Some(LedgerError::Files(StagingError::DiskFull { .. }))
                        )
                        || error.downcast_ref::<ArchiveError>().is_some_and(ArchiveError::is_disk_full)
                }
            };
            if full {
                return true;
            }
            // Transparent wrappers hide the error that they hold from `source`.
            cause = match error.downcast_ref::<StoreError>() {
                Some(StoreError::Ledger(inner)) => Some(inner),
                Some(StoreError::Staging(inner)) => Some(inner),
                Some(StoreError::Archive(inner)) => Some(inner),
                Some(StoreError::Index(inner)) => Some(inner),
                Some(StoreError::Quarantine(inner)) => Some(inner),
                _ => error.source(),
            };
        }
        false
    }
}

/// Whether an error is one of the data folder, so that going on would only repeat it with the next object.
pub fn is_store_failure(error: &anyhow::Error) -> bool {
    error.chain().any(<dyn std::error::Error + 'static>::is::<StoreError>)
}

/// Whether an error came to be because there is no room left.
pub fn is_disk_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_disk_full)
            || cause.downcast_ref::<std::io::Error>().is_some_and(is_full)
    })
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
