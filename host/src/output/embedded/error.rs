//! What can go wrong with the embedded index.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};

use tantivy::TantivyError;
use tantivy::directory::error::{OpenDirectoryError, OpenReadError, OpenWriteError};
use thiserror::Error;

use super::schema::SCHEMA_VERSION;

/// An error of the embedded index.
#[derive(Debug, Error)]
pub enum IndexError {
    #[error(
        "the disk of the index {} has {free} bytes free and {needed} are needed (with the reserve); what was committed \
         stays searchable; free space or lower the index's retention, then start again",
        dir.display()
    )]
    DiskFull { dir: PathBuf, free: u64, needed: u64 },
    #[error("another process writes to the index {}; stop it, or give this one another data folder", dir.display())]
    Busy { dir: PathBuf },
    #[error(
        "the index {} has schema version {found}, and this program reads version {SCHEMA_VERSION}; move the folder away \
         and run `weir ingest --again` on the source objects",
        dir.display()
    )]
    SchemaVersion { dir: PathBuf, found: String },
    #[error("cannot {action} {}; check the folder and its permissions", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "cannot {action} the index {}; if it is damaged, move that day's folder away and run \
         `weir ingest --again` on its objects",
        dir.display()
    )]
    Engine { action: &'static str, dir: PathBuf, source: TantivyError },
    #[error("the writer of the index {} stopped after an earlier error; open it again", dir.display())]
    Stopped { dir: PathBuf },
    #[error("{field} cannot be counted by value: {why}")]
    Field { field: String, why: &'static str },
    #[error(
        "more than {limit} words match one part of a wildcard phrase; write more letters before the wildcard"
    )]
    TooManyWords { limit: usize },
    #[error("a search returns at most {limit} hits, skipped ones included; narrow the time range instead")]
    TooManyHits { limit: usize },
}

impl IndexError {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| {
            if is_full(&source) { full(&path) } else { Self::Io { action, path, source } }
        }
    }

    /// Names the index and what was being done; a full disk becomes [`IndexError::DiskFull`].
    pub(super) fn engine(action: &'static str, dir: &Path) -> impl FnOnce(TantivyError) -> Self + use<> {
        let dir = dir.to_owned();
        move |source| {
            if is_full_inside(&source) { full(&dir) } else { Self::Engine { action, dir, source } }
        }
    }
}

fn full(dir: &Path) -> IndexError {
    let free = super::space::free_bytes(dir).unwrap_or(0);
    IndexError::DiskFull { dir: dir.to_owned(), free, needed: free.saturating_add(1) }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn is_full_inside(error: &TantivyError) -> bool {
    match error {
        TantivyError::IoError(error)
        | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error: error, .. })
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error: error, .. })
        | TantivyError::OpenDirectoryError(
            OpenDirectoryError::IoError { io_error: error, .. }
            | OpenDirectoryError::FailedToCreateTempDir(error),
        ) => is_full(error) || error.source().and_then(|inner| inner.downcast_ref()).is_some_and(is_full),
        // Of a thread of its own the engine passes on the words alone.
        TantivyError::InternalError(message) | TantivyError::ErrorInThread(message) => {
            let full = io::Error::from(io::ErrorKind::StorageFull).to_string();
            message.contains(&full) || message.contains("No space left on device")
        }
        _ => false,
    }
}
