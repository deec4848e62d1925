//! Forgetting old days: a day's folder is renamed, so that it vanishes at once, and then removed.

use std::fs;
use std::path::Path;

use jiff::ToSpan;
use jiff::civil::Date;

use super::error::IndexError;
use super::{day, days_in};

/// Marks a folder that is being removed.
const ABANDONED: &str = ".removed-";

/// The days of the index that lie more than `keep` days before `today`, oldest first.
pub(super) fn expired(dir: &Path, today: Date, keep: u32) -> Result<Vec<Date>, IndexError> {
    // Before the calendar's first day nothing can have expired.
    let Ok(first_kept) = today.checked_sub(i64::from(keep).days()) else { return Ok(Vec::new()) };
    let mut dates = days_in(dir)?;
    dates.retain(|date| *date < first_kept);
    Ok(dates)
}

pub(super) fn remove(dir: &Path, date: Date) -> Result<(), IndexError> {
    let folder = day::folder(dir, date);
    let abandoned = dir.join(format!("{ABANDONED}{date}"));
    fs::rename(&folder, &abandoned).map_err(IndexError::io("remove", &folder))?;
    fs::remove_dir_all(&abandoned).map_err(IndexError::io("remove", &abandoned))
}

/// Finishes removals that a process did not live to finish.
pub(super) fn remove_abandoned(dir: &Path) -> Result<(), IndexError> {
    for entry in fs::read_dir(dir).map_err(IndexError::io("list", dir))? {
        let entry = entry.map_err(IndexError::io("list", dir))?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(ABANDONED)) {
            fs::remove_dir_all(entry.path()).map_err(IndexError::io("remove", entry.path()))?;
        }
    }
    Ok(())
}
