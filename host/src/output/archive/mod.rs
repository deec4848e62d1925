//! The archive: every event that any output keeps, in Parquet files that Athena and DuckDB read as they are.
//!
//! `archive/log_type=T/account=A/region=R/date=YYYY-MM-DD/OBJECT.parquet`: one file for each object and partition,
//! deterministic to the byte. Files are written aside and come into place with the group that the ledger commits (see
//! [`crate::ledger`]). Small files of a partition are joined under a manifest ([`Archive::join`]).
//!
//! Contract: a file that cannot be written whole never comes into place; rows are counted when their file is closed;
//! memory is bounded by [`ArchiveLimits`] and the largest row. Why without Arrow: its writer would double what has to
//! be built, and buffers of columns are all it would give.

mod columns;
mod error;
mod join;
mod manifest;
mod partition;
mod reader;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub use self::error::ArchiveError;
pub use self::join::{JoinOptions, Joined, files, partitions};
pub use self::manifest::{JoinedFile, Manifest, Part};
pub use self::partition::Partition;
pub use self::reader::{ArchivedRow, Rows, rows};
pub use self::row::{CommonFields, FoundFields, Row, RowDecision, RowObject, RowParser};
pub use self::writer::{ArchivedObject, ObjectArchive};

use crate::ledger::{StagedFile, Staging, publish};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bounds on what writing the archive may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of rows in one row group, before compression.
    pub row_group_bytes: usize,
    /// Bytes of rows held in memory for one object, over all its partitions.
    pub buffer_bytes: usize,
    /// Most partitions that one object may have.
    pub partitions: usize,
    /// Bytes that must stay free on the disk.
    pub reserve_bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { row_group_bytes: 8 << 20, buffer_bytes: 32 << 20, partitions: 1000, reserve_bytes: 256 << 20 }
    }
}

/// The archive of one data folder.
#[derive(Debug)]
pub struct Archive {
    staging: Arc<Staging>,
    limits: ArchiveLimits,
    /// Held while manifests change.
    manifests: Mutex<()>,
}

impl Archive {
    /// Opens the archive of the data folder `root`, and ends what a killed process began to join. The caller has the
    /// ledger open for writing.
    pub fn open(root: &Path, limits: ArchiveLimits) -> Result<Self, ArchiveError> {
        let staging = Arc::new(Staging::open(root, "archive", limits.reserve_bytes)?);
        let archive = Self { staging, limits, manifests: Mutex::new(()) };
        archive.recover()?;
        Ok(archive)
    }

    /// Begins to write the rows of an object. `generation` is from [`crate::ledger::Ledger::generation`].
    pub fn begin(&self, object: &RowObject<'_>, generation: u32) -> Result<ObjectArchive, ArchiveError> {
        ObjectArchive::new(Arc::clone(&self.staging), self.limits, object, generation)
    }

    /// Step 2 of a group's commit: puts staged files into place, those of the quarantine as well.
    pub fn publish(&self, files: Vec<StagedFile>) -> Result<(), ArchiveError> {
        let _manifests = self.lock();
        // Only without the ledger that accounted for them can names come again that were joined.
        let again: Vec<String> = files.iter().map(|file| file.file().to_owned()).collect();
        self.take_out(&again)?;
        Ok(publish(self.staging.root(), files)?)
    }

    /// Removes files, of the quarantine as well, and rows that were joined: what [`crate::ledger::Ledger::sweep`]
    /// asks for.
    pub fn remove(&self, files: &[String]) -> Result<(), ArchiveError> {
        let _manifests = self.lock();
        self.take_out(files)?;
        Ok(crate::ledger::remove_files(self.staging.root(), files)?)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
