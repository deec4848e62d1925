//! Room on the disk of the index.

use std::path::Path;

use super::error::IndexError;

/// Bytes that an ordinary process may still write to the file system of `dir`.
pub(super) fn free_bytes(dir: &Path) -> Result<u64, IndexError> {
    let status = rustix::fs::statvfs(dir)
        .map_err(std::io::Error::from)
        .map_err(IndexError::io("read the disk of", dir))?;
    Ok(status.f_bavail.saturating_mul(status.f_frsize))
}

/// Fails when writing `needed` bytes would leave less than `reserve`.
pub(super) fn require(dir: &Path, needed: u64, reserve: u64) -> Result<(), IndexError> {
    let free = free_bytes(dir)?;
    let needed = needed.saturating_add(reserve);
    if free < needed { Err(IndexError::DiskFull { dir: dir.to_owned(), free, needed }) } else { Ok(()) }
}
