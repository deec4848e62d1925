//! Looking through the quarantine, and taking out what was replayed.

use super::writer::{LineFile, place_of};
use super::{Entry, EntryKind, Quarantine, QuarantineError};
use crate::ledger::{Ledger, ObjectRecord, RecordFilter, StagedFile, place, to_hex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The longest line that is read: the longest frame that can be configured, encoded, and its context.
const LINE_BYTES: u64 = 384 << 20;

/// Which frames are wanted. All conditions must hold; the default wants all.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    pub log_type: Option<String>,
    pub kind: Option<EntryKind>,
    pub key_prefix: Option<String>,
    /// The parser's name.
    pub parser: Option<String>,
    /// The first digits of the frame's id.
    pub frame_prefix: Option<String>,
}

impl EntryFilter {
    /// Whether the frame is wanted.
    pub fn wants(&self, entry: &Entry) -> bool {
        let parser = entry.parser.as_ref().map(|parser| &parser.name);
        self.log_type.as_ref().is_none_or(|wanted| entry.log_type.as_ref() == Some(wanted))
            && self.kind.is_none_or(|kind| entry.kind == kind)
            && self.key_prefix.as_ref().is_none_or(|prefix| entry.key.starts_with(prefix))
            && self.parser.as_ref().is_none_or(|wanted| parser == Some(wanted))
            && self
                .frame_prefix
                .as_ref()
                .is_none_or(|prefix| to_hex(entry.frame_id).starts_with(&prefix.to_ascii_lowercase()))
    }

    /// The records whose files may have such frames.
    fn records(&self) -> RecordFilter {
        RecordFilter { key_prefix: self.key_prefix.clone(), ..RecordFilter::default() }
    }
}

/// The bytes of a frame, decoded when asked for.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    frame: [u8; 16],
    encoded: &'a str,
}

impl Raw<'_> {
    /// The bytes.
    pub fn decode(&self) -> Result<Vec<u8>, QuarantineError> {
        let damaged = |source| QuarantineError::Raw { frame: to_hex(self.frame), source };
        STANDARD.decode(self.encoded).map_err(damaged)
    }

    /// How many bytes there are, about.
    pub fn length(&self) -> usize {
        base64::decoded_len_estimate(self.encoded.len())
    }
}

/// What becomes of a frame when its file is rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Stays,
    /// It was replayed.
    Goes,
    /// It stays for another reason: this is its entry now.
    Changes(Box<Entry>),
}

#[derive(Deserialize)]
struct Line<'a> {
    entry: Entry,
    #[serde(borrow)]
    raw: &'a str,
}

/// The quarantine files that the ledger counts and that may have frames wanted by `filter`, as paths under the data
/// folder.
pub fn files_of(ledger: &Ledger, filter: &EntryFilter) -> Result<Vec<String>, QuarantineError> {
    let mut files = Vec::new();
    for record in ledger.records(filter.records())? {
        files.extend(record?.files.into_iter().filter(|file| file.starts_with("quarantine/")));
    }
    Ok(files)
}

/// Shows the frames of `files` that `filter` wants to `visitor`, one at a time, until it breaks. A file that cannot be
/// read keeps none of the others back; the first of them is the error in the end.
pub fn visit<E: From<QuarantineError>>(
    root: &Path,
    files: &[String],
    filter: &EntryFilter,
    mut visitor: impl FnMut(&Entry, &Raw<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut damaged = None;
    for file in files {
        let mut read = || {
            let mut lines = Lines::open(root, file).map_err(Stop::Damaged)?;
            while let Some(line) = lines.next().map_err(Stop::Damaged)? {
                let Line { entry, raw } = line.parse().map_err(Stop::Damaged)?;
                let raw = Raw { frame: entry.frame_id, encoded: raw };
                if filter.wants(&entry) && visitor(&entry, &raw).map_err(Stop::Failed)?.is_break() {
                    return Err(Stop::Enough);
                }
            }
            Ok(())
        };
        match read() {
            Ok(()) => {}
            Err(Stop::Enough) => return Ok(()),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Damaged(error)) => {
                damaged.get_or_insert(error);
            }
        }
    }
    damaged.map_or(Ok(()), |error| Err(error.into()))
}

/// Why a file is not read to its end.
enum Stop<E> {
    Enough,
    Damaged(QuarantineError),
    Failed(E),
}

/// The frames whose id begins with `prefix`, at most `limit` of them.
pub fn find(ledger: &Ledger, prefix: &str, limit: usize) -> Result<Vec<(Entry, Vec<u8>)>, QuarantineError> {
    let filter = EntryFilter { frame_prefix: Some(prefix.to_owned()), ..EntryFilter::default() };
    let files = files_of(ledger, &filter)?;
    let mut found = Vec::new();
    let visited = visit(ledger.folder(), &files, &filter, |entry, raw| {
        if found.len() < limit {
            found.push((entry.clone(), raw.decode()?));
        }
        let enough = found.len() >= limit;
        Ok::<_, QuarantineError>(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    if found.is_empty() { visited.map(|()| found) } else { Ok(found) }
}

impl Quarantine {
    /// Writes what is left of an object's file after a replay, under the next generation's name; `None` when nothing
    /// is left. The old file stays until the ledger has the new one ([`Ledger::replayed`]).
    pub fn rewrite(
        &self,
        record: &ObjectRecord,
        file: &str,
        generation: u32,
        mut fate: impl FnMut(&Entry) -> Fate,
    ) -> Result<Option<StagedFile>, QuarantineError> {
        let staging = self.staging();
        let mut lines = Lines::open(staging.root(), file)?;
        let mut left: Option<LineFile> = None;
        while let Some(text) = lines.next()? {
            let line = text.parse()?;
            let fate = fate(&line.entry);
            if fate == Fate::Goes {
                continue;
            }
            let target = match &mut left {
                Some(target) => target,
                none => none.insert(LineFile::create(staging, &place_of(record.id, record.day, generation))?),
            };
            match fate {
                Fate::Changes(entry) => {
                    let raw = Raw { frame: line.entry.frame_id, encoded: line.raw };
                    target.write_entry(staging, &entry, &raw.decode()?)?;
                }
                _ => target.write_line(staging, text.text)?,
            }
        }
        left.map(|target| target.finish(staging)).transpose()
    }
}

/// The lines of one file, one in memory at a time.
struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

struct LineText<'a> {
    text: &'a [u8],
    path: &'a Path,
    number: u64,
}

impl Lines {
    fn open(root: &Path, file: &str) -> Result<Self, QuarantineError> {
        let path = place(root, file)?;
        let open = || decompress(&path);
        let reader = open().map_err(|source| QuarantineError::Read { path: path.clone(), source })?;
        Ok(Self { path, reader, line: Vec::new(), number: 0 })
    }

    fn next(&mut self) -> Result<Option<LineText<'_>>, QuarantineError> {
        self.line.clear();
        let read = self.reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut self.line);
        let read = read.map_err(|source| QuarantineError::Read { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some(LineText { text, path: &self.path, number: self.number }))
    }
}

#[expect(clippy::disallowed_types, reason = "a file of our own, read line by line, each of them bounded")]
fn decompress(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let decoder = zstd::stream::read::Decoder::new(File::open(path)?)?;
    Ok(Box::new(BufReader::new(decoder)))
}

impl LineText<'_> {
    fn parse(&self) -> Result<Line<'_>, QuarantineError> {
        let fail = |source| QuarantineError::Entry { path: self.path.to_owned(), line: self.number, source };
        serde_json::from_slice(self.text).map_err(fail)
    }
}
