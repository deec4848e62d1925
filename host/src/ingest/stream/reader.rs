//! The reader of one object: opens what it is made of, and gives frames out one batch at a time.
//!
//! Contract: synchronous and pull-based; nothing is read before it is asked for. Memory is bounded by
//! [`FrameLimits`] and the codecs' windows, not by the object. An error means that the source itself could not be
//! read (retry it); whatever is wrong with the bytes is an [`Item::Damage`].

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use encoding_rs::Encoding;

use super::{
    ByteLedger, DamageReason, FrameBatch, FrameLimits, Item, StreamKey, StreamRouter, UnparsedReason,
};
use crate::ingest::decompress::{
    Archive, Break, Budget, Detected, Flow, Layer, MAGIC_LENGTH, SharedFile, Source, Spooled, StoredReader,
    Transcoder, Window, detect, spool,
};
use crate::ingest::frame::{
    Ending, EveryValue, Framer, JsonFramer, Loss, ParquetRows, PreparedFraming, RowCounts, Shown, Sink,
    StreamSlot, framer_for,
};
use crate::ingest::unwrap::DETECTION_BYTES;
use crate::ingest::unwrap::cloudwatch::{self, CloudWatchLogs};
use crate::ingest::unwrap::firelens::FireLens;
use crate::ingest::unwrap::partial::Partials;

/// A first line that is longer tells the router nothing.
const HEADER_BYTES: usize = 4096;

/// Why an object could not be read on, through no fault of its bytes.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("reading the object failed at stored byte {offset}; try it again")]
    Read {
        offset: u64,
        #[source]
        source: io::Error,
    },
    #[error("writing a temporary file failed; free space in the temporary folder or point TMPDIR elsewhere")]
    Temporary {
        #[source]
        source: io::Error,
    },
}

/// The stored bytes of an object.
pub enum Input {
    /// A file, read by position.
    File(File),
    /// Anything else, with its length when it is known. Zip and Parquet are copied to a temporary file.
    Reader { reader: Box<dyn Read + Send>, length: Option<u64> },
}

/// What the configuration says of a source's bytes.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// The character set to decode from before framing; offsets are then those of the UTF-8 text. Without it bytes
    /// are taken as they are, unless they begin with a UTF-16 byte order mark.
    pub charset: Option<&'static Encoding>,
    /// The header in force from the beginning, for sources that have none; overrules the router's.
    pub header: Option<Arc<str>>,
}

/// A member being read.
struct OpenMember {
    window: Window,
    framer: Box<dyn Framer>,
    /// Path inside the archive.
    path: Option<String>,
}

/// An archive being read.
struct OpenArchive {
    archive: Archive,
    /// Path of the archive itself, when it lies in another.
    path: Option<String>,
    layers: u32,
}

/// See the module.
pub struct ObjectReader<'router> {
    charset: Option<&'static Encoding>,
    limits: FrameLimits,
    budget: Budget,
    sink: Sink<'router>,
    /// What is to be opened next.
    unopened: Option<Unopened>,
    member: Option<OpenMember>,
    parquet: Option<ParquetRows>,
    /// Rows of Parquet members that were closed.
    rows: RowCounts,
    archives: Vec<OpenArchive>,
    /// Bytes that closed members read.
    read: u64,
    members: u64,
    buffer: Vec<u8>,
}

/// Bytes whose format was not looked at yet.
struct Unopened {
    source: Source,
    /// A file that holds exactly these bytes, if one does.
    file: Option<SharedFile>,
    path: Option<String>,
    layers: u32,
}

impl<'router> ObjectReader<'router> {
    /// A reader of `input`. Nothing is read yet.
    pub fn open(
        input: Input,
        router: &'router dyn StreamRouter,
        options: SourceOptions,
        limits: FrameLimits,
    ) -> Result<Self, IngestError> {
        let limits = limits.normalized();
        let (source, file, length) = match input {
            Input::File(file) => {
                let file = SharedFile::whole(Arc::new(file))
                    .map_err(|source| IngestError::Read { offset: 0, source })?;
                let length = file.length();
                (StoredReader::new(Box::new(file.clone()), true), Some(file), Some(length))
            }
            Input::Reader { reader, length } => (StoredReader::new(reader, true), None, length),
        };
        Ok(Self {
            charset: options.charset,
            limits,
            budget: Budget::new(&limits, length),
            sink: Sink::new(limits, router, options.header),
            unopened: Some(Unopened { source: Source::new(Box::new(source)), file, path: None, layers: 0 }),
            member: None,
            parquet: None,
            rows: RowCounts::default(),
            archives: Vec::new(),
            read: 0,
            members: 0,
            buffer: Vec::new(),
        })
    }

    /// The next item, or `None` after the last.
    pub fn next_item(&mut self) -> Result<Option<Item>, IngestError> {
        loop {
            if let Some(item) = self.sink.pop() {
                return Ok(Some(item));
            }
            if self.member.is_some() {
                self.advance_member()?;
            } else if self.parquet.is_some() {
                self.advance_parquet()?;
            } else if let Some(unopened) = self.unopened.take() {
                self.open_layers(unopened)?;
            } else if self.archives.is_empty() {
                self.sink.close_streams();
                return Ok(self.sink.pop());
            } else {
                self.next_archive_member()?;
            }
        }
    }

    /// Gives a batch's buffers back, for the batches to come.
    pub fn reuse(&mut self, batch: FrameBatch) {
        self.sink.reuse(batch);
    }

    /// The byte count so far; it balances after the last item.
    pub fn ledger(&self) -> ByteLedger {
        let counts = self.sink.counts();
        let open_rows = self.parquet.as_ref().map(ParquetRows::counts).unwrap_or_default();
        ByteLedger {
            read: self.read + self.member.as_ref().map_or(0, |member| member.window.read()),
            frames: counts.frames,
            framing: counts.framing,
            damaged: counts.damaged,
            frame_count: counts.frame_count,
            rows_expected: self.rows.expected.saturating_add(open_rows.expected),
            rows: self.rows.given.saturating_add(open_rows.given),
            rows_damaged: self.rows.damaged.saturating_add(open_rows.damaged),
            members: self.members,
        }
    }

    /// Bytes of memory held in buffers, without the codecs' windows.
    pub fn buffered_bytes(&self) -> usize {
        self.sink.buffered_bytes()
            + self.buffer.capacity()
            + self.member.as_ref().map_or(0, |member| member.window.buffered_bytes())
            + self.parquet.as_ref().map_or(0, ParquetRows::buffered_bytes)
    }

    /// Looks at the first bytes, and opens the format that they show, until they are plain.
    fn open_layers(&mut self, mut unopened: Unopened) -> Result<(), IngestError> {
        loop {
            let detected = detect(unopened.source.peek(MAGIC_LENGTH, &mut self.budget)?);
            if detected != Detected::Plain && unopened.layers >= self.limits.layers {
                let reason = DamageReason::TooManyLayers { limit: self.limits.layers };
                self.damaged_member(unopened.path, reason);
                return Ok(());
            }
            match detected {
                Detected::Compressed(codec) => {
                    unopened.layers += 1;
                    unopened.file = None;
                    match Layer::new(codec, unopened.source) {
                        Ok(layer) => unopened.source = Source::new(Box::new(layer)),
                        Err(detail) => {
                            self.damaged_member(unopened.path, DamageReason::Corrupt { codec, detail });
                            return Ok(());
                        }
                    }
                }
                Detected::Zip => {
                    let Spooled { file, broken } = self.spooled(&mut unopened)?;
                    let archive = Archive::open(file, broken.map(|broken| broken.reason))?;
                    self.archives.push(OpenArchive {
                        archive,
                        path: unopened.path,
                        layers: unopened.layers + 1,
                    });
                    return Ok(());
                }
                Detected::Parquet => return self.open_parquet(unopened),
                Detected::Plain => return self.open_member(unopened),
            }
        }
    }

    /// A file that holds a source's bytes, written if need be.
    fn spooled(&mut self, unopened: &mut Unopened) -> Result<Spooled, IngestError> {
        match unopened.file.take() {
            Some(file) => Ok(Spooled { file, broken: None }),
            None => spool(&mut unopened.source, &mut self.budget),
        }
    }

    /// Opens the next member of the innermost archive, or leaves the archive. Members beyond a bound are not opened:
    /// one damage stands for them, and the object ends there.
    fn next_archive_member(&mut self) -> Result<(), IngestError> {
        let Some(open) = self.archives.last_mut() else { return Ok(()) };
        let (path, layers) = (open.path.clone(), open.layers);
        let Some(member) = open.archive.next_member()? else {
            let damage = open.archive.take_damage();
            self.archives.pop();
            if let Some(reason) = damage {
                self.damaged_archive(path, reason);
            }
            return Ok(());
        };
        let bound = if self.budget.is_exhausted() {
            Some(self.budget.reason())
        } else if self.members >= self.limits.members {
            Some(DamageReason::TooManyMembers { limit: self.limits.members })
        } else {
            None
        };
        if let Some(reason) = bound {
            self.archives.clear();
            self.damaged_archive(path, reason);
            return Ok(());
        }
        let path = match path {
            Some(outer) => format!("{outer}/{}", member.name),
            None => member.name,
        };
        match member.content {
            Ok(source) => {
                self.unopened = Some(Unopened { source, file: None, path: Some(path), layers });
            }
            Err(reason) => {
                open.archive.member_was_damaged();
                self.damaged_member(Some(path), reason);
            }
        }
        Ok(())
    }

    /// Counts a member of which nothing can be read.
    fn damaged_member(&mut self, path: Option<String>, reason: DamageReason) {
        self.members += 1;
        self.damaged_archive(path, reason);
    }

    fn damaged_archive(&mut self, path: Option<String>, reason: DamageReason) {
        let key = StreamKey { member: path, ..StreamKey::default() };
        self.sink.begin_member(key, None);
        let broken = Break { reason, stored: Vec::new(), stored_complete: false };
        self.sink.broken(StreamSlot::MAIN, 0, &[], &broken);
    }

    /// Begins to frame plain bytes.
    fn open_member(&mut self, mut unopened: Unopened) -> Result<(), IngestError> {
        self.members += 1;
        let path = unopened.path;
        let key = StreamKey { member: path.clone(), ..StreamKey::default() };
        let charset = match self.charset {
            Some(charset) => Some(charset).filter(|charset| *charset != encoding_rs::UTF_8),
            None => match unopened.source.peek(2, &mut self.budget)? {
                [0xff, 0xfe, ..] => Some(encoding_rs::UTF_16LE),
                [0xfe, 0xff, ..] => Some(encoding_rs::UTF_16BE),
                _ => None,
            },
        };
        let mut source = match charset {
            Some(charset) => Source::new(Box::new(Transcoder::new(unopened.source, charset))),
            None => unopened.source,
        };
        let (decision, has_records) = {
            let head = source.peek(HEADER_BYTES, &mut self.budget)?;
            let decision = self.sink.begin_member(key, first_line(head));
            let may_have = FireLens::may_begin(head);
            (decision, may_have && FireLens::begins(source.peek(DETECTION_BYTES, &mut self.budget)?))
        };
        // To a parser of text such records are nothing but wrappers. One of JSON may want them whole.
        let is_text =
            !matches!(*decision.framing, PreparedFraming::Json { .. } | PreparedFraming::WholeObject);
        let window = Window::new(source, std::mem::take(&mut self.buffer), self.limits.frame_bytes);
        let framer: Box<dyn Framer> = match decision.route {
            Some(_) if decision.unwrap_firelens || (is_text && has_records) => {
                let records = Partials::new(FireLens::new(path.clone()), &self.limits);
                Box::new(JsonFramer::new(records, Vec::new(), &self.limits))
            }
            Some(_) if has_records && let PreparedFraming::Json { pointers } = &*decision.framing => {
                let records = Partials::new(EveryValue, &self.limits);
                Box::new(JsonFramer::new(records, pointers.clone(), &self.limits))
            }
            Some(_) => framer_for(&decision.framing, &self.limits),
            None => Box::new(ReadThrough::default()),
        };
        self.member = Some(OpenMember { window, framer, path });
        Ok(())
    }

    /// Begins to read rows, if a parser wants them.
    fn open_parquet(&mut self, mut unopened: Unopened) -> Result<(), IngestError> {
        let key = StreamKey { member: unopened.path.clone(), ..StreamKey::default() };
        if self.sink.begin_member(key, None).route.is_none() {
            return self.open_member(unopened);
        }
        self.members += 1;
        let Spooled { file, broken } = self.spooled(&mut unopened)?;
        if broken.is_some()
            && let Some(open) = self.archives.last_mut()
        {
            open.archive.member_was_damaged();
        }
        self.parquet = Some(ParquetRows::new(file, broken));
        Ok(())
    }

    fn advance_parquet(&mut self) -> Result<(), IngestError> {
        let Some(parquet) = &mut self.parquet else { return Ok(()) };
        if !parquet.advance(&mut self.sink, &mut self.budget)? {
            let RowCounts { expected, given, damaged } = parquet.counts();
            self.rows.expected = self.rows.expected.saturating_add(expected);
            self.rows.given = self.rows.given.saturating_add(given);
            self.rows.damaged = self.rows.damaged.saturating_add(damaged);
            self.parquet = None;
            self.sink.close_streams();
        }
        Ok(())
    }

    /// Reads and frames until the sink has an item or the member ends.
    fn advance_member(&mut self) -> Result<(), IngestError> {
        let Some(OpenMember { window, framer, .. }) = &mut self.member else { return Ok(()) };
        let shown =
            Shown { data: window.data(), offset: window.offset(), more: matches!(window.flow(), Flow::More) };
        let consumed = if shown.data.is_empty() { 0 } else { framer.frame(shown, &mut self.sink) };
        window.consume(consumed);
        if consumed > 0 && !window.data().is_empty() || self.sink.is_full() {
            return Ok(());
        }
        match window.flow() {
            Flow::More => {
                let first = window.read() == 0;
                window.fill(&mut self.budget)?;
                if first {
                    self.look_at_beginning();
                }
            }
            Flow::Broken(broken) => {
                framer.finish(window.data(), window.offset(), Ending::Broken(broken), &mut self.sink);
                window.consume(usize::MAX);
                window.resume();
                if let Some(open) = self.archives.last_mut() {
                    open.archive.member_was_damaged();
                }
            }
            Flow::Ended => {
                framer.finish(window.data(), window.offset(), Ending::End, &mut self.sink);
                self.close_member();
            }
        }
        Ok(())
    }

    /// At the first bytes of a member: a byte order mark, a wrapper.
    fn look_at_beginning(&mut self) {
        let Some(OpenMember { window, framer, path }) = &mut self.member else { return };
        if window.data().starts_with(b"\xef\xbb\xbf") {
            window.consume(3);
            self.sink.framing(3);
        }
        let head = window.data();
        if cloudwatch::detect(&head[..head.len().min(DETECTION_BYTES)]) {
            let logs = CloudWatchLogs::new(path.take());
            *framer = Box::new(JsonFramer::new(logs, cloudwatch::pointers(), &self.limits));
        }
    }

    fn close_member(&mut self) {
        if let Some(member) = self.member.take() {
            self.read += member.window.read();
            self.buffer = member.window.into_buffer();
        }
        self.sink.close_streams();
    }
}

/// The first line, if it is text and whole.
fn first_line(head: &[u8]) -> Option<&str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let line = match memchr::memchr(b'\n', head) {
        Some(end) => head.get(..end)?,
        None if head.len() < HEADER_BYTES => head,
        None => return None,
    };
    std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()
}

/// Counts a member that no parser wants as one frame.
#[derive(Default)]
struct ReadThrough {
    length: u64,
}

impl Framer for ReadThrough {
    fn frame(&mut self, shown: Shown<'_>, _sink: &mut Sink<'_>) -> usize {
        self.length += shown.data.len() as u64;
        shown.data.len()
    }

    fn finish(&mut self, rest: &[u8], offset: u64, ending: Ending<'_>, sink: &mut Sink<'_>) {
        match ending {
            Ending::Broken(broken) => {
                let mut loss = Loss::new(offset, broken.reason.clone(), sink.limits());
                loss.extend(rest);
                sink.lose(StreamSlot::MAIN, loss);
            }
            Ending::End => {
                let length = self.length + rest.len() as u64;
                if length > 0 {
                    sink.unparsed(StreamSlot::MAIN, 0, length, UnparsedReason::Unrouted);
                }
            }
        }
    }
}
