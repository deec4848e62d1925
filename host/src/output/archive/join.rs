//! Joining small files of one partition: query engines pay for each file, and a day of one account may have thousands.

use super::error::reading;
use super::manifest::{JOINED, JoinedFile, Manifest, Part};
use super::writer::ArchiveFile;
use super::{Archive, ArchiveError, rows};
use crate::ledger::{ObjectId, StagedFile, place, publish, remove_files, replace};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// While a partition's manifest changes, names its folder, so that the next start can tidy up there.
const MARK: &str = "archive/.joining";

/// What to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinOptions {
    /// Days up to this one. Days that still get objects are better left alone.
    pub up_to: Date,
    /// Files below this size are joined.
    pub small_bytes: u64,
    /// A joined file is closed when it reaches this size.
    pub target_bytes: u64,
    /// Partitions with fewer small files stay as they are.
    pub files: usize,
}

/// What was joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Joined {
    pub partitions: u64,
    /// Files before.
    pub from: u64,
    /// Files after.
    pub to: u64,
    pub rows: u64,
}

/// Rows to be copied: those of a part, from its own file or from a joined one.
struct Source {
    /// Name in the folder of the file to read.
    file: String,
    /// The parts that its rows belong to, in their order, and whether they are wanted.
    parts: Vec<(Part, bool)>,
}

/// The files of a partition that count, as paths under the data folder `root`.
///
/// # Errors
/// When folder or manifest cannot be read.
pub fn files(root: &Path, folder: &str) -> Result<Vec<String>, ArchiveError> {
    let manifest = Manifest::read(root, folder)?;
    let live = names(root, folder)?.into_iter().filter(|name| is_live(&manifest, name));
    Ok(live.map(|name| format!("{folder}/{name}")).collect())
}

/// The folders of all partitions, as paths under the data folder `root`.
///
/// # Errors
/// When a folder cannot be read.
pub fn partitions(root: &Path) -> Result<Vec<String>, ArchiveError> {
    let mut folders = vec!["archive".to_owned()];
    for level in ["log_type=", "account=", "region=", "date="] {
        let mut below = Vec::new();
        for folder in &folders {
            let deeper = names(root, folder)?.into_iter().filter(|name| name.starts_with(level));
            below.extend(deeper.map(|name| format!("{folder}/{name}")));
        }
        folders = below;
    }
    Ok(folders)
}

impl Archive {
    /// Joins small files. `counts` says whether a file (a path under the data folder) is one that its object's record
    /// names, and no processing of the object is under way ([`crate::ledger::Ledger::holds`]): others are left alone.
    pub fn join<E: From<ArchiveError>>(
        &self,
        options: &JoinOptions,
        counts: impl Fn(ObjectId, &str) -> Result<bool, E>,
    ) -> Result<Joined, E> {
        let mut joined = Joined::default();
        for folder in partitions(self.root())? {
            let day = folder.rsplit_once("/date=").and_then(|(_, day)| day.parse::<Date>().ok());
            if day.is_some_and(|day| day <= options.up_to) {
                // Between partitions others may publish and remove.
                let _manifests = self.lock();
                self.join_partition(&folder, options, &counts, &mut joined)?;
            }
        }
        Ok(joined)
    }

    fn root(&self) -> &Path {
        self.staging.root()
    }

    fn join_partition<E: From<ArchiveError>>(
        &self,
        folder: &str,
        options: &JoinOptions,
        counts: &impl Fn(ObjectId, &str) -> Result<bool, E>,
        joined: &mut Joined,
    ) -> Result<(), E> {
        let mut manifest = Manifest::read(self.root(), folder)?;
        let mut small = Vec::new();
        for name in names(self.root(), folder)?.into_iter().filter(|name| is_live(&manifest, name)) {
            let file = format!("{folder}/{name}");
            let bytes = size(self.root(), &file)?;
            let known = match object_of(&name) {
                Some(object) => counts(object, &file)?,
                None => manifest.names(&name),
            };
            if known && bytes < options.small_bytes {
                small.push((name, bytes));
            }
        }
        if small.len() < options.files.max(2) {
            return Ok(());
        }
        let (mut group, mut bytes, mut gone) = (Vec::new(), 0_u64, Vec::new());
        let last = small.len() - 1;
        self.mark(folder)?;
        for (index, (name, size)) in small.into_iter().enumerate() {
            bytes = bytes.saturating_add(size);
            group.push(name);
            if bytes < options.target_bytes && index < last {
                continue;
            }
            let names = std::mem::take(&mut group);
            bytes = 0;
            if names.len() > 1 {
                let (file, rows) = self.join_files(folder, &manifest, &names)?;
                manifest.files.retain(|joined| !names.contains(&joined.file));
                manifest.files.push(file);
                joined.from += names.len() as u64;
                joined.to += 1;
                joined.rows += rows;
                gone.extend(names);
            }
        }
        joined.partitions += u64::from(!gone.is_empty());
        self.switch(folder, &manifest, &gone)?;
        Ok(())
    }

    /// Writes the rows of several files into one and puts it into place, where it does not count yet.
    fn join_files(
        &self,
        folder: &str,
        manifest: &Manifest,
        names: &[String],
    ) -> Result<(JoinedFile, u64), ArchiveError> {
        let mut sources = Vec::new();
        for name in names {
            let parts = if let Some(joined) = manifest.files.iter().find(|joined| joined.file == *name) {
                joined.parts.iter().map(|part| (part.clone(), true)).collect()
            } else {
                let path = place(self.root(), &format!("{folder}/{name}"))?;
                let object = object_of(name).unwrap_or_default();
                vec![(Part { file: name.clone(), object, rows: rows(&path)?.promised() }, true)]
            };
            sources.push(Source { file: name.clone(), parts });
        }
        self.copy(folder, &sources)
    }

    /// Takes the rows of `files` out of the joined files they are in.
    pub(super) fn take_out(&self, files: &[String]) -> Result<(), ArchiveError> {
        let mut by_folder: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for file in files.iter().filter(|file| file.starts_with("archive/")) {
            if let Some((folder, name)) = file.rsplit_once('/') {
                by_folder.entry(folder).or_default().insert(name);
            }
        }
        for (folder, names) in by_folder {
            let manifest = Manifest::read(self.root(), folder)?;
            if names.iter().any(|name| manifest.holds(name)) {
                self.mark(folder)?;
                self.take_out_of(folder, manifest, &names)?;
            }
        }
        Ok(())
    }

    fn take_out_of(
        &self,
        folder: &str,
        manifest: Manifest,
        names: &BTreeSet<&str>,
    ) -> Result<(), ArchiveError> {
        let (mut kept, mut gone) = (Manifest::default(), Vec::new());
        for joined in manifest.files {
            let parts = joined.parts.iter().map(|part| (part.clone(), !names.contains(part.file.as_str())));
            let parts: Vec<(Part, bool)> = parts.collect();
            if parts.iter().all(|(_, wanted)| *wanted) {
                kept.files.push(joined);
                continue;
            }
            gone.push(joined.file.clone());
            if parts.iter().any(|(_, wanted)| *wanted) {
                kept.files.push(self.copy(folder, &[Source { file: joined.file, parts }])?.0);
            }
        }
        self.switch(folder, &kept, &gone)
    }

    /// Copies the wanted rows into a new joined file and puts it into place, where it does not count yet.
    fn copy(&self, folder: &str, sources: &[Source]) -> Result<(JoinedFile, u64), ArchiveError> {
        let wanted = || sources.iter().flat_map(|source| &source.parts).filter(|(_, wanted)| *wanted);
        let parts: Vec<Part> = wanted().map(|(part, _)| part.clone()).collect();
        let name = joined_name(&parts);
        let mut target = ArchiveFile::create(&self.staging, format!("{folder}/{name}"))?;
        for source in sources {
            let path = place(self.root(), &format!("{folder}/{}", source.file))?;
            let mut rows = rows(&path)?;
            for (part, wanted) in &source.parts {
                let mut found = 0;
                for row in rows.by_ref().take(usize::try_from(part.rows).unwrap_or(usize::MAX)) {
                    let row = row?;
                    found += 1;
                    if *wanted {
                        target.push(&row.object(), &row.row());
                        if target.columns.bytes() >= self.limits.row_group_bytes {
                            target.close_row_group(&self.staging)?;
                        }
                    }
                }
                if found != part.rows {
                    return Err(ArchiveError::Rows { path, found, expected: part.rows });
                }
            }
            if rows.next().is_some() {
                let promised: u64 = source.parts.iter().map(|(part, _)| part.rows).sum();
                return Err(ArchiveError::Rows { path, found: promised + 1, expected: promised });
            }
        }
        let (staged, written): (StagedFile, u64) = target.finish(&self.staging)?;
        let expected = parts.iter().map(|part| part.rows).sum();
        if written != expected {
            return Err(ArchiveError::Rows {
                path: self.root().join(staged.file()),
                found: written,
                expected,
            });
        }
        publish(self.root(), vec![staged])?;
        Ok((JoinedFile { file: name, parts }, written))
    }

    /// The step that decides: from here on `manifest` holds, and the files `gone` count no more.
    fn switch(&self, folder: &str, manifest: &Manifest, gone: &[String]) -> Result<(), ArchiveError> {
        manifest.store(&self.staging, folder)?;
        let gone: Vec<String> =
            gone.iter().filter(|name| !manifest.names(name)).map(|name| format!("{folder}/{name}")).collect();
        remove_files(self.root(), &gone)?;
        self.unmark()
    }

    fn mark(&self, folder: &str) -> Result<(), ArchiveError> {
        // What failed in the middle, on a full disk for example, is tidied up before its mark is lost.
        self.recover()?;
        Ok(replace(&self.staging, MARK, folder.as_bytes())?)
    }

    fn unmark(&self) -> Result<(), ArchiveError> {
        Ok(remove_files(self.root(), &[MARK.to_owned()])?)
    }

    /// After a kill: removes the files that the manifest does not count in the folder that was being changed.
    pub(super) fn recover(&self) -> Result<(), ArchiveError> {
        let path = place(self.root(), MARK)?;
        let folder = match fs::read_to_string(&path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(ArchiveError::Folder { path, source }),
        };
        let manifest = Manifest::read(self.root(), &folder)?;
        let dead = names(self.root(), &folder)?.into_iter();
        let dead = dead.filter(|name| name.ends_with(".parquet") && !is_live(&manifest, name));
        let dead: Vec<String> = dead.map(|name| format!("{folder}/{name}")).collect();
        remove_files(self.root(), &dead)?;
        self.unmark()
    }
}

/// A name that the same parts have again, and no others.
fn joined_name(parts: &[Part]) -> String {
    let mut hasher = blake3::Hasher::new();
    for Part { file, rows, .. } in parts {
        hasher.update(&(file.len() as u64).to_le_bytes()).update(file.as_bytes()).update(&rows.to_le_bytes());
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    format!("{JOINED}{}.parquet", crate::ledger::to_hex(id))
}

fn is_live(manifest: &Manifest, name: &str) -> bool {
    name.ends_with(".parquet")
        && if name.starts_with(JOINED) { manifest.names(name) } else { !manifest.holds(name) }
}

/// The object whose file has this name, `ID.parquet` or `ID.GENERATION.parquet`.
fn object_of(name: &str) -> Option<ObjectId> {
    name.split('.').next()?.parse().ok()
}

/// Names in a folder, in their order; none when there is no such folder.
fn names(root: &Path, folder: &str) -> Result<Vec<String>, ArchiveError> {
    let path = place(root, folder)?;
    let fail = |source| ArchiveError::Folder { path: path.clone(), source };
    let listing = match fs::read_dir(&path) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(fail(source)),
    };
    let mut names = Vec::new();
    for entry in listing {
        names.extend(entry.map_err(fail)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn size(root: &Path, file: &str) -> Result<u64, ArchiveError> {
    let path = place(root, file)?;
    fs::metadata(&path).map(|metadata| metadata.len()).map_err(|source| reading(&path, source.into()))
}
