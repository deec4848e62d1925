//! Whole local files: how each is opened, and its way into the store in `weir ingest` and `weir run`.

use crate::event::object_id;
use crate::ingest::source::{ChangedWhileRead, LocalObject, Stamp, content_version};
use crate::ingest::stream::Input;
use crate::ledger::{ObjectId, ObjectRecord};
use crate::pipeline::{ObjectRef, Pipeline};
use crate::store::{Earlier, Store};
use anyhow::Context;
use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

/// What a file came to.
#[derive(Debug)]
pub(crate) enum Taken {
    /// To be committed with its group; the records of the groups committed by it.
    Processed(Vec<ObjectRecord>),
    /// Done before, by the same parsers and rules.
    Unchanged(Box<ObjectRecord>),
    /// The same object as another file's that is under way.
    Twin(ObjectId),
}

/// An open file that is read whole, and known by its content.
#[derive(Debug)]
pub(crate) struct WholeFile {
    file: File,
    stamp: Stamp,
    path: PathBuf,
    /// BLAKE3 of its content, in hexadecimal.
    pub(crate) version: String,
}

impl WholeFile {
    /// Opens a file and reads it once, for its version.
    ///
    /// # Errors
    /// When it cannot be read, or changed meanwhile.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| {
            format!("cannot read {}; check that it exists and may be read", path.display())
        })?;
        Self::of(file, path)
    }

    /// As [`WholeFile::open`], of a file that is open and stands at its beginning; `path` names it in errors.
    ///
    /// # Errors
    /// As [`WholeFile::open`].
    pub(crate) fn of(mut file: File, path: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("cannot read {}", path.display());
        let stamp = Stamp::of(&file.metadata().with_context(unreadable)?);
        let version = content_version(&mut file).with_context(unreadable)?;
        stamp.check(&file, path)?;
        file.rewind().with_context(unreadable)?;
        Ok(WholeFile { file, stamp, path: path.to_owned(), version })
    }

    /// Length and modification time as it was opened.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The content, from its beginning. To be taken once: copies share their place in the file.
    ///
    /// # Errors
    /// When the system has no more files to give.
    pub(crate) fn content(&self) -> anyhow::Result<File> {
        self.file.try_clone().with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// # Errors
    /// When somebody wrote to it since it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), ChangedWhileRead> {
        self.stamp.check(&self.file, &self.path)
    }
}

/// Processes a file, unless the store has done so. `forced` is a log type in place of the route; `again` processes what
/// is done, too.
///
/// # Errors
/// When it cannot be read or stored, or changed while it was read: then nothing of it counts.
pub(crate) fn take(
    local: &LocalObject,
    pipeline: &Pipeline,
    store: &Store,
    forced: Option<&str>,
    again: bool,
) -> anyhow::Result<Taken> {
    let file = WholeFile::open(&local.path)?;
    let object = ObjectRef {
        id: object_id(&local.bucket, &local.key, &file.version),
        bucket: local.bucket.clone(),
        key: local.key.clone(),
        version: file.version.clone(),
        modified: file.stamp().modified,
        base: 0,
    };
    let (day, before, claim) = match store.earlier(&object, &pipeline.router, forced, again)? {
        Earlier::Done(record) => return Ok(Taken::Unchanged(record)),
        Earlier::UnderWay => return Ok(Taken::Twin(ObjectId(object.id))),
        Earlier::Again { day, record, claim } => (day, record, claim),
    };
    store.announce(std::slice::from_ref(&object))?;
    let mut writer = store.begin(&object, day, claim)?;
    let counts = pipeline.process(&object, Input::File(file.content()?), forced, &mut writer);
    // Before anything that failed: a file that changed is the likelier cause.
    if let Err(changed) = file.check_unchanged() {
        store.abandon(writer)?;
        return Err(changed.into());
    }
    let counts = counts?;
    let processed_by = store.processed_by(&object, &counts.log_types, &pipeline.router, forced);
    let mut prepared = writer.finish(&counts, processed_by, before.as_deref())?;
    prepared.record.path = Some(local.path.display().to_string());
    prepared.record.size = file.stamp().length;
    Ok(Taken::Processed(store.add(prepared)?))
}
