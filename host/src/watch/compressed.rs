//! Rotated files that were compressed (`app.log.1` to `app.log.1.gz`) among those that are followed.
//!
//! What is inside is either a file that was followed before, of which only what was not read yet counts, or a whole
//! file of its own.

use super::follow::{BEGINNING, HEAD, Piece, fingerprint};
use super::{Seen, Stamp, Watch};
use crate::ingest::decompress::Decompressed;
use crate::ingest::source::LocalObject;
use crate::ingest::stream::Input;
use crate::ledger::{Followed, FollowedFile, ObjectId, RecordFilter};
use anyhow::Context;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

impl Watch<'_> {
    /// Takes compressed files once they are whole; says whether nothing was left to wait for.
    pub(super) fn compressed(&mut self, objects: &[&LocalObject]) -> anyhow::Result<bool> {
        let mut quiet = true;
        let mut known: Option<Vec<FollowedFile>> = None;
        for object in objects {
            let Ok(metadata) = std::fs::metadata(&object.path) else { continue };
            let stamp = Stamp::of(&metadata);
            match self.seen.get(&object.path) {
                Some(Seen::Taken(taken)) if *taken == stamp => continue,
                Some(Seen::Once(once)) if *once == stamp => {}
                _ => {
                    // Not whole yet, or a failure to be tried again: as with any complete file.
                    quiet &= self.complete(object)?;
                    continue;
                }
            }
            let known = match &mut known {
                Some(known) => known,
                none => none.insert(self.ever_followed()?),
            };
            match self.original(&object.path, known) {
                Ok(None) => quiet &= self.complete(object)?,
                Ok(Some(file)) => {
                    let outcome = self.rest(object, file.object);
                    self.report(object, outcome)?;
                    self.seen.insert(object.path.clone(), Seen::Taken(stamp));
                }
                Err(error) => {
                    self.report(object, Err(error))?;
                    self.seen.insert(object.path.clone(), Seen::Taken(stamp));
                }
            }
        }
        Ok(quiet)
    }

    /// Every file that was ever followed: to most that are compressed no path leads any more, since others took theirs.
    fn ever_followed(&self) -> anyhow::Result<Vec<FollowedFile>> {
        let mut files = Vec::new();
        for record in self.store.ledger().records(RecordFilter::default())? {
            let record = record?;
            files.extend(record.followed.map(|state| FollowedFile { object: record.id, state }));
        }
        Ok(files)
    }

    /// The followed file whose content this is.
    fn original(&self, path: &Path, known: &[FollowedFile]) -> anyhow::Result<Option<FollowedFile>> {
        let mut head = Vec::new();
        let Some(reader) = self.decompressed(path)? else { return Ok(None) };
        match reader.take(HEAD).read_to_end(&mut head) {
            // A damaged file tells no more than it can; its frames are told when it is read.
            Err(error) if error.kind() != io::ErrorKind::InvalidData => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
            _ => {}
        }
        let length = |file: &FollowedFile| {
            let (length, _) = file.state.fingerprint.split_once('-')?;
            length.parse::<usize>().ok()
        };
        let is_in = |file: &&FollowedFile| {
            length(file)
                .and_then(|length| head.get(..length))
                .is_some_and(|head| fingerprint(head) == file.state.fingerprint)
        };
        // The longer a fingerprint, the more it says.
        Ok(known.iter().filter(is_in).max_by_key(|file| length(file)).cloned())
    }

    /// `None` for archives of several files.
    fn decompressed(&self, path: &Path) -> anyhow::Result<Option<Decompressed>> {
        let open = || Decompressed::open(File::open(path)?, &self.pipeline.limits);
        open().with_context(|| format!("cannot read {}", path.display()))
    }

    /// Reads what lies behind the followed file's offset. Its path is the compressed file's from then on: the one it had
    /// belongs to another file by now.
    fn rest(&self, object: &LocalObject, id: ObjectId) -> anyhow::Result<()> {
        let followed = self.store.ledger().record(id)?.and_then(|record| record.followed);
        let Some(state) = followed else { return Ok(()) };
        let path = object.path.display().to_string();
        let file = FollowedFile { object: id, state: Followed { path, ..state } };
        let Some(mut reader) = self.decompressed(&object.path)? else { return Ok(()) };
        let mut beginning = Vec::new();
        (&mut reader).take(BEGINNING).read_to_end(&mut beginning)?;
        let mut reader = Cursor::new(beginning.clone()).chain(reader);
        let offset = file.state.offset;
        let passed = io::copy(&mut (&mut reader).take(offset), &mut io::sink())?;
        let mut next = [0];
        if passed < offset || reader.read(&mut next)? == 0 {
            return Ok(());
        }
        let count = Arc::new(AtomicU64::new(offset));
        let counted = Counted { reader: Cursor::new(next).chain(reader), count: count.clone() };
        let piece = Piece { beginning, input: Input::Reader { reader: Box::new(counted), length: None } };
        self.take_piece(object, file, piece, || {
            let end = count.load(Ordering::Relaxed);
            (end, end)
        })
    }
}

/// Counts the bytes read.
struct Counted<R> {
    reader: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
