//! Files that come into being all at once: written aside, made durable, then renamed into place.
//!
//! The temporary files lie in a hidden folder on the same file system as their places, where readers of the archive
//! (Athena, DuckDB) do not look. What a killed process left there is removed when the next one starts.

use super::StagingError;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const HIDDEN: &str = ".staging";
/// The journal takes the `fsync` calls of several threads together; more threads gain nothing.
const SYNC_THREADS: usize = 8;

/// Where one kind of files is written aside.
#[derive(Debug)]
pub struct Staging {
    /// The data folder.
    root: PathBuf,
    folder: PathBuf,
    reserve: u64,
}

/// Names no other of this process has.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Staging {
    /// Prepares to write files under `area` of the data folder `root`, and removes what dead processes left there.
    ///
    /// `reserve` is in bytes: when less is free on the disk, nothing is written any more. The caller must hold the
    /// ledger open for writing, so that no other process stages files here.
    pub fn open(root: &Path, area: &str, reserve: u64) -> Result<Self, StagingError> {
        let folder = root.join(area).join(HIDDEN);
        fs::create_dir_all(&folder).map_err(|source| StagingError::Write { path: folder.clone(), source })?;
        let ours = own_prefix();
        let listing =
            fs::read_dir(&folder).map_err(|source| StagingError::Write { path: folder.clone(), source })?;
        for entry in listing.flatten() {
            if !entry.file_name().to_string_lossy().starts_with(&ours) {
                remove(&entry.path())?;
            }
        }
        Ok(Self { root: root.to_owned(), folder, reserve })
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path that no other file has, for a file that is to become `target`.
    pub(crate) fn temporary(&self) -> PathBuf {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("{}{number}.tmp", own_prefix()))
    }

    /// Fails while the disk has less room than the reserve.
    pub fn check_space(&self) -> Result<(), StagingError> {
        let available = available(&self.folder);
        if available.is_some_and(|available| available < self.reserve) {
            return Err(self.full(available));
        }
        Ok(())
    }

    /// Tells a full disk from other failures.
    pub(crate) fn write_error(&self, path: &Path, source: io::Error) -> StagingError {
        if is_full(&source) {
            return self.full(available(&self.folder));
        }
        StagingError::Write { path: path.to_owned(), source }
    }

    fn full(&self, available: Option<u64>) -> StagingError {
        StagingError::DiskFull {
            folder: self.root.clone(),
            available: available.unwrap_or(0),
            reserve: self.reserve,
        }
    }
}

fn own_prefix() -> String {
    format!("{}-", std::process::id())
}

/// Bytes free for us on the file system of `path`; `None` when it does not say.
fn available(path: &Path) -> Option<u64> {
    let state = rustix::fs::statvfs(path).ok()?;
    Some(state.f_bavail.saturating_mul(state.f_frsize))
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A file that is whole but not yet in its place. Dropped, it is removed.
#[derive(Debug)]
#[must_use = "dropping a staged file removes it"]
pub struct StagedFile {
    temporary: PathBuf,
    file: String,
    bytes: u64,
    published: bool,
}

impl StagedFile {
    /// Takes over the file at `temporary`, to become `file`: a path under the data folder with `/` as separator.
    pub(crate) fn new(temporary: PathBuf, file: String) -> Self {
        let mut staged = Self { temporary, file, bytes: 0, published: false };
        staged.measure();
        staged
    }

    /// Looks up the size again, once the file is whole.
    pub(crate) fn measure(&mut self) {
        self.bytes = fs::metadata(&self.temporary).map_or(0, |metadata| metadata.len());
    }

    /// Its place: a path under the data folder.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.published {
            // Left behind, it is removed at the next start.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes files durable and puts them into place, replacing what was there.
///
/// # Errors
/// A full disk shows before the first file is in place: then none is. After an error in the middle, the ledger's
/// intents say what to take away.
pub fn publish(root: &Path, mut files: Vec<StagedFile>) -> Result<(), StagingError> {
    let temporaries: Vec<PathBuf> = files.iter().map(|file| file.temporary.clone()).collect();
    sync_all(root, &temporaries)?;
    let mut folders = BTreeSet::new();
    for staged in &mut files {
        let place = place(root, &staged.file)?;
        for folder in place.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
            folders.insert(folder.to_owned());
        }
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(|source| write_error(root, parent, source))?;
        }
        fs::rename(&staged.temporary, &place).map_err(|source| write_error(root, &place, source))?;
        staged.published = true;
    }
    // A renamed file is only there after a crash when its folder was written, too.
    sync_all(root, &folders.into_iter().collect::<Vec<_>>())
}

/// Writes `contents` to `file` so that readers see the old or the new ones whole.
pub(crate) fn replace(staging: &Staging, file: &str, contents: &[u8]) -> Result<(), StagingError> {
    let temporary = staging.temporary();
    let mut staged = StagedFile::new(temporary.clone(), file.to_owned());
    fs::write(&temporary, contents).map_err(|source| staging.write_error(&temporary, source))?;
    staged.measure();
    publish(&staging.root, vec![staged])
}

/// Removes files under the data folder; one that is not there is no fault.
pub fn remove_files(root: &Path, files: &[String]) -> Result<(), StagingError> {
    files.iter().try_for_each(|file| remove(&place(root, file)?))
}

/// Where `file` lies, if it stays inside the data folder.
pub(crate) fn place(root: &Path, file: &str) -> Result<PathBuf, StagingError> {
    let path = Path::new(file);
    if file.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(StagingError::OutsideFolder { file: file.to_owned() });
    }
    Ok(root.join(path))
}

fn remove(path: &Path) -> Result<(), StagingError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StagingError::Remove { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn write_error(root: &Path, path: &Path, source: io::Error) -> StagingError {
    if is_full(&source) {
        let available = available(root).unwrap_or(0);
        return StagingError::DiskFull { folder: root.to_owned(), available, reserve: 0 };
    }
    StagingError::Write { path: path.to_owned(), source }
}

fn sync_all(root: &Path, paths: &[PathBuf]) -> Result<(), StagingError> {
    let sync = |path: &PathBuf| {
        File::open(path).and_then(|file| file.sync_all()).map_err(|source| write_error(root, path, source))
    };
    if paths.len() < 3 {
        return paths.iter().try_for_each(sync);
    }
    let share = paths.len().div_ceil(SYNC_THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            paths.chunks(share).map(|share| scope.spawn(move || share.iter().try_for_each(sync))).collect();
        // A thread that panicked synced nothing.
        threads.into_iter().try_for_each(|thread| {
            let panicked = |_| write_error(root, root, io::Error::other("syncing ended in a panic"));
            thread.join().map_err(panicked)?
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(staging: &Staging, file: &str, contents: &str) -> StagedFile {
        let temporary = staging.temporary();
        fs::write(&temporary, contents).unwrap();
        StagedFile::new(temporary, file.to_owned())
    }

    #[test]
    fn files_come_into_place_together_or_are_gone() {
        let root = tempfile::tempdir().unwrap();
        let staging = Staging::open(root.path(), "archive", 0).unwrap();
        let dropped = staged(&staging, "archive/x/gone", "g");
        let files = (0..20).map(|n| staged(&staging, &format!("archive/{}/{n}", n % 3), "here")).collect();
        assert!(!root.path().join("archive/0/0").exists());
        publish(root.path(), files).unwrap();
        drop(dropped);
        assert_eq!(fs::read_to_string(root.path().join("archive/1/19")).unwrap(), "here");
        assert!(!root.path().join("archive/x").exists());
        assert_eq!(fs::read_dir(root.path().join("archive/.staging")).unwrap().count(), 0);

        remove_files(root.path(), &["archive/1/19".to_owned(), "archive/1/never".to_owned()]).unwrap();
        assert!(!root.path().join("archive/1/19").exists());
    }

    #[test]
    fn what_a_dead_process_left_is_removed_and_our_own_is_not() {
        let root = tempfile::tempdir().unwrap();
        let staging = Staging::open(root.path(), "archive", 0).unwrap();
        let ours = staged(&staging, "archive/a", "a");
        let stale = root.path().join("archive/.staging/1-7.tmp");
        fs::write(&stale, "stale").unwrap();
        let again = Staging::open(root.path(), "archive", 0).unwrap();
        assert!(!stale.exists());
        publish(again.root(), vec![ours]).unwrap();
    }

    #[test]
    fn no_path_leads_out_of_the_data_folder() {
        let root = tempfile::tempdir().unwrap();
        for bad in ["", "/etc/passwd", "../x", "archive/../../x", "."] {
            let error = remove_files(root.path(), &[bad.to_owned()]).unwrap_err();
            assert!(matches!(error, StagingError::OutsideFolder { .. }), "{bad}");
        }
    }

    #[test]
    fn a_disk_with_less_room_than_the_reserve_stops_writing_and_says_so() {
        let root = tempfile::tempdir().unwrap();
        assert!(Staging::open(root.path(), "archive", 1).unwrap().check_space().is_ok());
        let error = Staging::open(root.path(), "archive", u64::MAX).unwrap().check_space().unwrap_err();
        assert!(error.to_string().contains(&root.path().display().to_string()), "{error}");
        assert!(error.to_string().contains("free some"), "{error}");
    }
}
