//! Sets frames of one object aside.

use super::{Entry, EntryKind, QuarantineError};
use crate::ledger::{ObjectId, StagedFile, Staging, StagingError, file_stem};
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zstd::stream::write::Encoder;

/// Frames repeat their context: the usual level takes out most of it.
const LEVEL: i32 = 3;
/// How many bytes are written between looks at the disk's free room.
const CHECK_BYTES: u64 = 8 << 20;

/// The quarantine of one data folder.
#[derive(Debug, Clone)]
pub struct Quarantine {
    staging: Arc<Staging>,
}

/// Frames set aside, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetAsideCounts {
    pub malformed: u64,
    pub condemned: u64,
    pub damaged: u64,
    pub waiting: u64,
}

impl SetAsideCounts {
    /// Frames that the ledger counts as quarantined: all but the waiting ones.
    pub fn quarantined(&self) -> u64 {
        self.malformed + self.condemned + self.damaged
    }

    fn count(&mut self, kind: EntryKind) {
        *match kind {
            EntryKind::Malformed => &mut self.malformed,
            EntryKind::Condemned => &mut self.condemned,
            EntryKind::Damaged => &mut self.damaged,
            EntryKind::Waiting => &mut self.waiting,
        } += 1;
    }
}

/// The frames of one object on their way into its file. Most objects have none, and no file.
#[derive(Debug)]
pub struct ObjectQuarantine {
    staging: Arc<Staging>,
    place: String,
    file: Option<LineFile>,
    counts: SetAsideCounts,
}

impl Quarantine {
    /// Opens the quarantine of the data folder `root`, of whose disk `reserve` bytes must stay free. The caller has
    /// the ledger open for writing.
    pub fn open(root: &Path, reserve: u64) -> Result<Self, QuarantineError> {
        Ok(Self { staging: Arc::new(Staging::open(root, "quarantine", reserve)?) })
    }

    /// Begins to set frames of an object aside. `generation` is from [`crate::ledger::Ledger::generation`].
    pub fn begin(&self, object: ObjectId, day: Date, generation: u32) -> ObjectQuarantine {
        let place = place_of(object, day, generation);
        ObjectQuarantine {
            staging: Arc::clone(&self.staging),
            place,
            file: None,
            counts: SetAsideCounts::default(),
        }
    }

    pub(super) fn staging(&self) -> &Staging {
        &self.staging
    }
}

/// The file of an object, as a path under the data folder.
pub(super) fn place_of(object: ObjectId, day: Date, generation: u32) -> String {
    format!("quarantine/{day}/{}.ndjson.zst", file_stem(object, generation))
}

impl ObjectQuarantine {
    /// Sets a frame aside; `raw` are its bytes.
    pub fn add(&mut self, entry: &Entry, raw: &[u8]) -> Result<(), QuarantineError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(LineFile::create(&self.staging, &self.place)?),
        };
        file.write_entry(&self.staging, entry, raw)?;
        self.counts.count(entry.kind);
        Ok(())
    }

    /// What was set aside so far.
    pub fn counts(&self) -> SetAsideCounts {
        self.counts
    }

    /// Closes the file. It comes into place with [`crate::ledger::publish`]; dropped, it is gone.
    pub fn finish(self) -> Result<(Option<StagedFile>, SetAsideCounts), QuarantineError> {
        let file = self.file.map(|file| file.finish(&self.staging)).transpose()?;
        Ok((file, self.counts))
    }
}

/// One line of a file. The bytes come last, and apart, so that lists need not decode them.
#[derive(Serialize)]
struct Line<'a> {
    entry: &'a Entry,
    raw: Encoded<'a>,
}

struct Encoded<'a>(&'a [u8]);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Encoded piece by piece: a frame may have many megabytes.
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// A compressed file of lines in the making.
pub(super) struct LineFile {
    path: PathBuf,
    staged: StagedFile,
    encoder: Encoder<'static, BufWriter<File>>,
    unchecked: u64,
}

impl std::fmt::Debug for LineFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LineFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl LineFile {
    pub(super) fn create(staging: &Staging, place: &str) -> Result<Self, QuarantineError> {
        staging.check_space()?;
        let path = staging.temporary();
        let create = || {
            let mut encoder = Encoder::new(BufWriter::new(File::create(&path)?), LEVEL)?;
            encoder.include_checksum(true)?;
            Ok(encoder)
        };
        let encoder = create().map_err(|source| staging.write_error(&path, source))?;
        let staged = StagedFile::new(path.clone(), place.to_owned());
        Ok(Self { path, staged, encoder, unchecked: 0 })
    }

    pub(super) fn write_entry(
        &mut self,
        staging: &Staging,
        entry: &Entry,
        raw: &[u8],
    ) -> Result<(), QuarantineError> {
        let line = Line { entry, raw: Encoded(raw) };
        if let Err(error) = serde_json::to_writer(&mut self.encoder, &line) {
            return Err(match error.io_error_kind() {
                Some(_) => staging.write_error(&self.path, error.into()).into(),
                None => QuarantineError::Describe(error),
            });
        }
        self.end_line(staging, raw.len())
    }

    /// Writes a line that another file had, without its line end.
    pub(super) fn write_line(&mut self, staging: &Staging, line: &[u8]) -> Result<(), QuarantineError> {
        self.encoder.write_all(line).map_err(|source| staging.write_error(&self.path, source))?;
        self.end_line(staging, line.len())
    }

    fn end_line(&mut self, staging: &Staging, bytes: usize) -> Result<(), QuarantineError> {
        self.encoder.write_all(b"\n").map_err(|source| staging.write_error(&self.path, source))?;
        self.unchecked += bytes as u64;
        if self.unchecked >= CHECK_BYTES {
            staging.check_space()?;
            self.unchecked = 0;
        }
        Ok(())
    }

    pub(super) fn finish(self, staging: &Staging) -> Result<StagedFile, QuarantineError> {
        let Self { path, mut staged, encoder, .. } = self;
        let close = || -> io::Result<()> {
            encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(())
        };
        close().map_err(|source| -> StagingError { staging.write_error(&path, source) })?;
        staged.measure();
        Ok(staged)
    }
}
