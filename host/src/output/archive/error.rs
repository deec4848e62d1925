//! What can go wrong with the archive.

use crate::ledger::{LedgerError, Staging, StagingError, is_full};
use parquet::errors::ParquetError;
use std::io;
use std::path::{Path, PathBuf};

/// Why the archive could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    #[error(transparent)]
    Files(#[from] StagingError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("cannot write the archive file {}; this is a fault of weir: please report it", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: ParquetError,
    },
    #[error("cannot read the archive file {}; if it is damaged, run `weir ingest --again` on its object", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: ParquetError,
    },
    #[error("cannot read the archive's folder {}; check that it is yours to read", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot read the manifest {}; restore it from a backup: it says which files beside it count", path.display())]
    Manifest {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the archive file {} has {found} rows and not the {expected} that were written; run `weir ingest --again` on its object", path.display())]
    Rows { path: PathBuf, found: u64, expected: u64 },
}

/// Tells a full disk and other failures of the file system from those of the format.
pub(super) fn writing(staging: &Staging, path: &Path, error: ParquetError) -> ArchiveError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => staging.write_error(path, *source).into(),
            Err(other) => {
                ArchiveError::Write { path: path.to_owned(), source: ParquetError::External(other) }
            }
        },
        source => {
            // A writer reports some failures of the file system as text alone; a disk without room explains them.
            if let Err(full) = staging.check_space() {
                return full.into();
            }
            ArchiveError::Write { path: path.to_owned(), source }
        }
    }
}

pub(super) fn reading(path: &Path, source: ParquetError) -> ArchiveError {
    ArchiveError::Read { path: path.to_owned(), source }
}

impl ArchiveError {
    /// Whether room on the disk would help.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Files(StagingError::DiskFull { .. }) => true,
            Self::Files(StagingError::Write { source, .. }) => is_full(source),
            _ => false,
        }
    }
}
