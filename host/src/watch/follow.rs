//! Files that grow and rotate.
//!
//! A followed file is known by a fingerprint of its first bytes, fixed at first sight, and not by its path: renamed
//! (`app.log` to `app.log.1`) or copied away before it is truncated, it stays the same object, and what takes its path
//! is another one. It is read up to the end of its last whole line; the ledger keeps the offset in the transaction
//! that makes the piece's events count.

use super::Watch;
use crate::event::object_id;
use crate::ingest::decompress::is_packed;
use crate::ingest::frame::PreparedFraming;
use crate::ingest::source::{LocalObject, Stamp, modified_nanoseconds};
use crate::ingest::stream::{Input, StreamKey};
use crate::ledger::{Followed, FollowedFile, ObjectId, ObjectRecord};
use crate::pipeline::ObjectRef;
use crate::route::Route;
use crate::store::is_store_failure;
use anyhow::Context;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Bytes of a file that its fingerprint covers, at most.
pub(super) const HEAD: u64 = 1024;
/// Bytes of its beginning that routing sees, and that may hold a header.
pub(super) const BEGINNING: u64 = 64 << 10;
/// A piece is at most this long; the next look goes on.
const PIECE: u64 = 256 << 20;
/// A line without its end, or a frame of several lines that may go on, is taken when the file is silent this long.
const SILENCE: Duration = Duration::from_secs(10);
/// A new file that begins as another one does may be a copy whose original is about to be truncated, and then takes
/// over the original's place. After this long it is a file of its own.
const COPYING: Duration = Duration::from_mins(1);
/// Bytes at the end of such a file that are compared.
const COMPARED: u64 = 64 << 10;

impl Watch<'_> {
    /// Reads what the files of a source have gained; says whether nothing was left to wait for.
    pub(super) fn follow(&mut self, objects: &[LocalObject], stop: &AtomicBool) -> anyhow::Result<bool> {
        let (pressed, objects): (Vec<_>, Vec<_>) =
            objects.iter().partition(|object| self.is_packed(&object.path));
        self.follow_plain(&objects, stop)?;
        // After what is still there as it was: of that they hold nothing new.
        if stop.load(Ordering::Relaxed) { Ok(false) } else { self.compressed(&pressed) }
    }

    /// Whether a file is compressed. It is opened only when it changed since the last look.
    fn is_packed(&mut self, path: &Path) -> bool {
        let look = || {
            let mut file = File::open(path)?;
            Ok::<_, std::io::Error>((Stamp::of(&file.metadata()?), is_packed(&mut file)?))
        };
        let stamp = std::fs::metadata(path).map(|metadata| Stamp::of(&metadata));
        if let (Ok(stamp), Some((known, packed))) = (stamp, self.packed.get(path))
            && stamp == *known
        {
            return *packed;
        }
        let Ok(found) = look() else { return false };
        self.packed.insert(path.to_owned(), found);
        found.1
    }

    fn follow_plain(&mut self, objects: &[&LocalObject], stop: &AtomicBool) -> anyhow::Result<()> {
        let mut known: HashMap<String, FollowedFile> = self
            .store
            .ledger()
            .followed_files()?
            .into_iter()
            .map(|file| (file.state.path.clone(), file))
            .collect();
        // Files that are where they were come first: what is left over is new, or a known one under a new name.
        let mut strangers = Vec::new();
        let mut here = Vec::new();
        for &object in objects {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let path = object.path.display().to_string();
            match known.get(&path) {
                Some(file) if goes_on(&object.path, &file.state) => {
                    let file = file.clone();
                    known.remove(&path);
                    here.push((object, file.state.fingerprint.clone()));
                    self.report(object, self.piece(object, file))?;
                }
                _ => strangers.push(object),
            }
        }
        // Renames come before new files: the file that took the path of a renamed one must not lose it again.
        let (mut unknown, mut moves, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for object in strangers {
            let moved = known.values().find(|file| goes_on(&object.path, &file.state)).cloned();
            let Some(mut file) = moved else {
                unknown.push(object);
                continue;
            };
            let old = std::mem::replace(&mut file.state.path, object.path.display().to_string());
            known.remove(&old);
            left.push(old);
            moves.push((object, file));
        }
        // In one step: each takes the path that another one leaves (`app.log.1` to `app.log.2`, `app.log` to
        // `app.log.1`).
        if !moves.is_empty() {
            let files: Vec<FollowedFile> = moves.iter().map(|(_, file)| file.clone()).collect();
            let left: Vec<&str> = left.iter().map(String::as_str).collect();
            self.store.ledger().follow(&files, &left)?;
        }
        for (object, file) in moves {
            self.report(object, self.piece(object, file))?;
        }
        for object in unknown {
            let twin = here.iter().find(|(other, fingerprint)| {
                matches(&object.path, fingerprint) && is_beginning(&object.path, &other.path)
            });
            if twin.is_some() {
                let since = *self.copies.entry(object.path.clone()).or_insert_with(Instant::now);
                if since.elapsed() < COPYING {
                    continue;
                }
            }
            self.copies.remove(&object.path);
            let outcome = match self.first_sight(object) {
                Ok(Some(file)) => self.piece(object, file),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            self.report(object, outcome)?;
        }
        Ok(())
    }

    pub(super) fn report(&self, object: &LocalObject, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        match outcome {
            Err(error) if is_store_failure(&error) => Err(error),
            Err(error) => {
                self.metrics.failed();
                tracing::error!(error = %format!("{error:#}"), object = object.key, "a followed file was not read on and will be tried again");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// A new file: `None` while it holds no whole line to know it by, and may still get one.
    fn first_sight(&self, object: &LocalObject) -> anyhow::Result<Option<FollowedFile>> {
        let head = head(&object.path, HEAD)?;
        let length = if head.len() as u64 == HEAD || is_silent(&std::fs::metadata(&object.path)?) {
            head.len()
        } else {
            memchr::memrchr(b'\n', &head).map_or(0, |at| at + 1)
        };
        if length == 0 {
            return Ok(None);
        }
        let fingerprint = fingerprint(head.get(..length).unwrap_or_default());
        let id = object_id(&object.bucket, &object.key, &fingerprint);
        let path = object.path.display().to_string();
        // The ledger may know the object although no path leads to it any more.
        let earlier = self.store.ledger().record(ObjectId(id))?.and_then(|record| record.followed);
        let state = match earlier {
            Some(followed) => Followed { path, ..followed },
            None => Followed { path, fingerprint, offset: 0, size: 0 },
        };
        Ok(Some(FollowedFile { object: ObjectId(id), state }))
    }

    /// Reads from the file's offset to its last line end.
    fn piece(&self, local: &LocalObject, file: FollowedFile) -> anyhow::Result<()> {
        let mut open =
            File::open(&local.path).with_context(|| format!("cannot read {}", local.path.display()))?;
        let metadata = open.metadata()?;
        let (offset, size) = (file.state.offset, metadata.len());
        if size <= offset {
            return Ok(());
        }
        let mut beginning = Vec::new();
        open.seek(SeekFrom::Start(0))?;
        (&mut open).take(BEGINNING).read_to_end(&mut beginning)?;
        let record = self.store.ledger().record(file.object)?;
        let route = self.route_of(local, record.as_ref(), &beginning);
        let framing = route.as_ref().map(|route| &route.parser.manifest().framing);
        let limit = size.min(offset + PIECE);
        let end = whole_frames(&mut open, offset, limit, framing, is_silent(&metadata))?;
        if end <= offset {
            return Ok(());
        }
        open.seek(SeekFrom::Start(offset))?;
        let input = Input::Reader { reader: Box::new(open.take(end - offset)), length: Some(end - offset) };
        self.take_piece(local, file, Piece { beginning, input }, || (end, size))
    }

    fn route_of(
        &self,
        local: &LocalObject,
        record: Option<&ObjectRecord>,
        beginning: &[u8],
    ) -> Option<Route> {
        let (bucket, key) = name_of(local, record);
        let begins = first_line(beginning).and_then(|line| std::str::from_utf8(line).ok());
        self.pipeline.router.route(bucket, key, &StreamKey::default(), begins, None)
    }

    /// Processes a piece of a followed file from its offset on, and commits it. `read` says, once all is read, how far
    /// the file was read and how long it is.
    pub(super) fn take_piece(
        &self,
        local: &LocalObject,
        file: FollowedFile,
        piece: Piece,
        read: impl FnOnce() -> (u64, u64),
    ) -> anyhow::Result<()> {
        let offset = file.state.offset;
        let before = self.store.ledger().record(file.object)?;
        let (bucket, key) = name_of(local, before.as_ref());
        let object = ObjectRef {
            id: file.object.0,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: file.state.fingerprint.clone(),
            modified: modified_nanoseconds(&std::fs::metadata(&local.path)?),
            base: offset,
        };
        let route = self.route_of(local, before.as_ref(), &piece.beginning);
        let header = match route.as_ref().map(|route| &route.parser.manifest().framing) {
            Some(PreparedFraming::Header { pattern, .. }) if offset > 0 => {
                first_line(&piece.beginning).filter(|line| pattern.is_match(line))
            }
            _ => None,
        };
        let header = header.map(|line| Arc::from(String::from_utf8_lossy(line).as_ref()));

        let day = self.store.day_of(&object)?;
        self.store.announce_piece(&object, day)?;
        let mut writer = self.store.begin_piece(&object, day)?;
        let counts = self.pipeline.process_from(&object, piece.input, header, None, &mut writer)?;
        let processed_by = self.store.processed_by(&object, &counts.log_types, &self.pipeline.router, None);
        let mut prepared = writer.finish(&counts, processed_by, None)?;
        let (end, size) = read();
        prepared.record.path = Some(local.path.display().to_string());
        prepared.record.size = size;
        prepared.record.followed = Some(Followed { offset: end, size, ..file.state });
        // A piece is committed at once: the next one begins where the ledger says.
        let mut records = self.store.add_piece(prepared, before.clone())?;
        records.extend(self.store.commit()?);
        for record in &records {
            let before = before.as_ref().filter(|before| before.id == record.id);
            self.metrics.grew(record, before);
        }
        Ok(())
    }
}

/// A piece of a followed file.
pub(super) struct Piece {
    /// How the file begins.
    pub(super) beginning: Vec<u8>,
    /// The piece.
    pub(super) input: Input,
}

/// The object keeps the name it was first seen under.
fn name_of<'a>(local: &'a LocalObject, record: Option<&'a ObjectRecord>) -> (&'a str, &'a str) {
    record.map_or((&local.bucket, &local.key), |record| (&record.bucket, &record.key))
}

/// Whether nobody wrote to a file lately.
fn is_silent(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
    age.is_some_and(|age| age >= SILENCE)
}

/// How far the file may be read without cutting a frame: to its last line end, or for frames of several lines to the
/// last line that begins one.
fn whole_frames(
    file: &mut File,
    offset: u64,
    limit: u64,
    framing: Option<&PreparedFraming>,
    silent: bool,
) -> anyhow::Result<u64> {
    if silent {
        return Ok(limit);
    }
    // Longer last lines wait for silence.
    let from = offset.max(limit.saturating_sub(16 << 20));
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(limit - from).read_to_end(&mut tail)?;
    let Some(last) = memchr::memrchr(b'\n', &tail) else { return Ok(offset) };
    let whole = tail.get(..=last).unwrap_or_default();
    let PreparedFraming::MultiLine { start, .. } = framing.unwrap_or(&PreparedFraming::Lines) else {
        return Ok(from + last as u64 + 1);
    };
    let mut begins = None;
    let mut at = 0;
    for line in whole.split_inclusive(|byte| *byte == b'\n') {
        if start.is_match(line) {
            begins = Some(at);
        }
        at += line.len() as u64;
    }
    Ok(begins.map_or(offset, |begins| from + begins))
}

fn head(path: &Path, length: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .with_context(|| format!("cannot read {}", path.display()))?
        .take(length)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The length of the head and its hash.
pub(super) fn fingerprint(head: &[u8]) -> String {
    format!("{}-{}", head.len(), blake3::hash(head).to_hex())
}

/// Whether a file is the one that was read so far: it begins the same, and is no shorter. One that is was truncated,
/// and a header alone does not tell it from the one before.
fn goes_on(path: &Path, state: &Followed) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() >= state.offset)
        && matches(path, &state.fingerprint)
}

/// Whether a file begins as the fingerprint says.
fn matches(path: &Path, wanted: &str) -> bool {
    let length = wanted.split_once('-').and_then(|(length, _)| length.parse().ok()).unwrap_or(0);
    head(path, length).is_ok_and(|head| head.len() as u64 == length && fingerprint(&head) == wanted)
}

/// Whether `whole` goes on where `part` ends, as far as the last bytes of `part` tell.
fn is_beginning(part: &Path, whole: &Path) -> bool {
    let same = || -> std::io::Result<bool> {
        let (mut part, mut whole) = (File::open(part)?, File::open(whole)?);
        let length = part.metadata()?.len();
        if length > whole.metadata()?.len() {
            return Ok(false);
        }
        let from = SeekFrom::Start(length.saturating_sub(COMPARED));
        let (mut left, mut right) = (Vec::new(), Vec::new());
        part.seek(from)?;
        whole.seek(from)?;
        part.take(COMPARED.min(length)).read_to_end(&mut left)?;
        whole.take(COMPARED.min(length)).read_to_end(&mut right)?;
        Ok(left == right)
    };
    same().unwrap_or(false)
}

fn first_line(beginning: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'\n', beginning)?;
    beginning.get(..end).map(<[u8]>::trim_ascii_end)
}
