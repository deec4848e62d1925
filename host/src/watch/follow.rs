//! Files that grow and rotate.
//!
//! A followed file is known by a fingerprint of its first bytes, fixed at first sight, and not by its path: renamed
//! (`app.log` to `app.log.1`) or copied away before it is truncated, it stays the same object, and what takes its path
//! is another one. It is read up to the end of its last whole line; the ledger keeps the offset in the transaction
//! that makes the piece's events count.

use super::Watch;
use crate::config::SourceSettings;
use crate::event::object_id;
use crate::ingest::frame::PreparedFraming;
use crate::ingest::source::{LocalObject, modified_nanoseconds};
use crate::ingest::stream::{Input, StreamKey};
use crate::ledger::{Followed, FollowedFile, ObjectId};
use crate::pipeline::ObjectRef;
use anyhow::Context;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Bytes of a file that its fingerprint covers, at most.
const HEAD: u64 = 1024;
/// A piece is at most this long; the next look goes on.
const PIECE: u64 = 256 << 20;
/// A line without its end, or a frame of several lines that may go on, is taken when the file is silent this long.
const SILENCE: Duration = Duration::from_secs(10);
/// A new file that begins as another one does may be a copy whose original is about to be truncated, and then takes
/// over the original's place. After this long it is a file of its own.
const COPYING: Duration = Duration::from_secs(60);
/// Bytes at the end of such a file that are compared.
const COMPARED: u64 = 64 << 10;

impl Watch<'_> {
    /// Reads what the files of a source have gained.
    pub(super) fn follow(
        &mut self,
        source: &SourceSettings,
        objects: &[LocalObject],
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
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
        for object in objects {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let path = object.path.display().to_string();
            match known.get(&path) {
                Some(file) if matches(&object.path, &file.state.fingerprint) => {
                    let file = file.clone();
                    known.remove(&path);
                    here.push((object, file.state.fingerprint.clone()));
                    self.report(object, self.piece(source, object, file))?;
                }
                _ => strangers.push(object),
            }
        }
        // Renames come before new files: the file that took the path of a renamed one must not lose it again.
        let (mut unknown, mut moves, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for object in strangers {
            let moved = known.values().find(|file| matches(&object.path, &file.state.fingerprint)).cloned();
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
            self.report(object, self.piece(source, object, file))?;
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
                Ok(Some(file)) => self.piece(source, object, file),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            self.report(object, outcome)?;
        }
        Ok(())
    }

    fn report(&self, object: &LocalObject, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        match outcome {
            Err(error)
                if error
                    .downcast_ref::<crate::store::StoreError>()
                    .is_some_and(crate::store::StoreError::is_disk_full) =>
            {
                Err(error)
            }
            Err(error) => {
                self.metrics.failed();
                tracing::error!(error = %format!("{error:#}"), object = object.key, "a followed file was not read on and will be tried again");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// A new file: `None` while it holds no whole line to know it by.
    fn first_sight(&self, object: &LocalObject) -> anyhow::Result<Option<FollowedFile>> {
        let head = head(&object.path, HEAD)?;
        let length = if head.len() as u64 == HEAD {
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
    fn piece(&self, _source: &SourceSettings, local: &LocalObject, file: FollowedFile) -> anyhow::Result<()> {
        let mut open =
            File::open(&local.path).with_context(|| format!("cannot read {}", local.path.display()))?;
        let metadata = open.metadata()?;
        let (offset, size) = (file.state.offset, metadata.len());
        if size <= offset {
            return Ok(());
        }
        let record = self.store.ledger().record(file.object)?;
        // The object keeps the name it was first seen under.
        let (bucket, key) =
            record.as_ref().map_or((&local.bucket, &local.key), |record| (&record.bucket, &record.key));
        let object = ObjectRef {
            id: file.object.0,
            bucket: bucket.clone(),
            key: key.clone(),
            version: file.state.fingerprint.clone(),
            modified: modified_nanoseconds(&metadata),
            base: offset,
        };
        let beginning = first_line(&mut open)?;
        let begins = beginning.as_deref().and_then(|line| std::str::from_utf8(line).ok());
        let route = self.pipeline.router.route(bucket, key, &StreamKey::default(), begins, None);
        let framing = route.as_ref().map(|route| &route.parser.manifest().framing);
        let silent = metadata
            .modified()
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok())
            .is_some_and(|age| age >= SILENCE);
        let end = whole_frames(&mut open, offset, size.min(offset + PIECE), framing, silent)?;
        if end <= offset {
            return Ok(());
        }
        let header = match framing {
            Some(PreparedFraming::Header { pattern, .. }) if offset > 0 => {
                beginning.filter(|line| pattern.is_match(line))
            }
            _ => None,
        };
        open.seek(SeekFrom::Start(offset))?;
        let input = Input::Reader { reader: Box::new(open.take(end - offset)), length: Some(end - offset) };
        let header = header.map(|line| Arc::from(String::from_utf8_lossy(&line).as_ref()));

        let day = self.store.day_of(&object)?;
        self.store.announce_piece(&object, day)?;
        let mut writer = self.store.begin_piece(&object, day)?;
        let counts = self.pipeline.process_from(&object, input, header, None, &mut writer)?;
        let processed_by = self.store.processed_by(&object, &counts.log_types, &self.pipeline.router, None);
        let mut prepared = writer.finish(&counts, processed_by, None)?;
        prepared.record.path = Some(local.path.display().to_string());
        prepared.record.size = size;
        prepared.record.followed = Some(Followed { offset: end, size, ..file.state });
        // A piece is committed at once: the next one begins where the ledger says.
        let mut records = self.store.add_piece(prepared, record)?;
        records.extend(self.store.commit()?);
        self.count(&records);
        Ok(())
    }
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
fn fingerprint(head: &[u8]) -> String {
    format!("{}-{}", head.len(), blake3::hash(head).to_hex())
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

fn first_line(file: &mut File) -> anyhow::Result<Option<Vec<u8>>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = vec![0; 64 << 10];
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        let count = file.read(room)?;
        if count == 0 {
            break;
        }
        filled += count;
    }
    bytes.truncate(filled);
    let end = memchr::memchr(b'\n', &bytes);
    Ok(end.map(|end| bytes.get(..end).unwrap_or_default().trim_ascii_end().to_vec()))
}
