//! What can go wrong with the ledger and with the files it decides about.

use super::ObjectId;
use std::path::PathBuf;

/// Why the ledger could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    #[error(
        "another weir uses the data folder {}; wait until it ends, or give this one another folder with --data",
        folder.display()
    )]
    InUse { folder: PathBuf },
    #[error("cannot use the ledger {}; check that the disk has room and the folder is yours to write", path.display())]
    Storage {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
    #[error(
        "the ledger {} is damaged; move it away and run `weir ingest` on the same paths again, which replaces what is \
         there and adds nothing",
        path.display()
    )]
    Damaged {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
    #[error("there is no ledger at {}; ingest something first, or name the data folder with --data", path.display())]
    Missing { path: PathBuf },
    #[error("the ledger {} was written by a newer weir (format {found}, this one knows {known}); use that one", path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("the ledger's entry of object {object} cannot be read; ingest the object again")]
    Entry {
        object: ObjectId,
        #[source]
        source: serde_json::Error,
    },
    #[error("the ledger has no record of object {object}; ingest it first")]
    NoRecord { object: ObjectId },
    #[error(
        "object {object} has {have} {count} left, not {asked}; list the quarantine again, as it changed since"
    )]
    NotSoMany { object: ObjectId, count: &'static str, have: u64, asked: u64 },
    #[error("the ledger was opened for reading; this is a fault of weir: please report it")]
    ReadOnly,
    #[error(transparent)]
    Files(#[from] StagingError),
}

/// Why files could not be put into place or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StagingError {
    #[error(
        "the disk of {} is full: {available} bytes are free, {reserve} are to stay free; free some, or set a retention, and start again: nothing was lost",
        folder.display()
    )]
    DiskFull { folder: PathBuf, available: u64, reserve: u64 },
    #[error("cannot write {}; check that its folder exists and is yours to write", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot remove {}; check that its folder is yours to write", path.display())]
    Remove {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{file:?} is not a path under the data folder; this is a fault of weir: please report it")]
    OutsideFolder { file: String },
}
