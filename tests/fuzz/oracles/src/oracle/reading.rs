//! Reading an object to its end, and what holds for every object.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use crate::ingest::decompress::{Detected, detect};
use crate::ingest::frame::PreparedFraming;
use crate::ingest::stream::{
    ByteLedger, FrameKind, FrameLimits, Input, Item, ObjectReader, RouteDecision, SourceOptions, StreamKey,
    StreamRouter, UnparsedReason, Wrapped,
};
use crate::ingest::unwrap::{DETECTION_BYTES, cloudwatch};

/// Routes every stream alike.
pub(super) struct OneRoute(pub(super) RouteDecision);

impl OneRoute {
    pub(super) fn new(framing: PreparedFraming) -> Self {
        let framing = Arc::new(framing);
        Self(RouteDecision { route: Some(0), framing, header: None, unwrap_firelens: false })
    }
}

impl StreamRouter for OneRoute {
    fn route(&self, _stream: &StreamKey, _header: Option<&str>) -> RouteDecision {
        self.0.clone()
    }
}

/// One frame with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) stream: Arc<StreamKey>,
    pub(super) offset: u64,
    pub(super) carrier: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) header: Option<Arc<str>>,
    pub(super) kind: FrameKind,
    pub(super) wrapped: Option<Wrapped>,
}

/// A range that could not be framed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) stream: Arc<StreamKey>,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) code: &'static str,
    pub(super) head: Vec<u8>,
}

/// A range that goes to no parser.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) stream: Arc<StreamKey>,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) reason: UnparsedReason,
}

/// Everything that an object gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) frames: Vec<Frame>,
    pub(super) lost: Vec<Lost>,
    pub(super) passed: Vec<Passed>,
    pub(super) ledger: ByteLedger,
}

/// How objects are read.
pub(super) struct Reading {
    pub(super) router: OneRoute,
    pub(super) options: SourceOptions,
    pub(super) limits: FrameLimits,
    /// Most bytes that the reader's buffers may take.
    pub(super) memory: usize,
}

impl Reading {
    /// With the default limits.
    pub(super) fn new(framing: PreparedFraming) -> Self {
        Self {
            router: OneRoute::new(framing),
            options: SourceOptions::default(),
            limits: FrameLimits::default(),
            memory: 40 << 20,
        }
    }

    /// Reads the object at once, then a few bytes at a time, then in small batches: the outcome must be the same.
    pub(super) fn check(&self, object: &[u8], sizes: [u8; 2]) -> Outcome {
        let whole = self.read(Cursor::new(object.to_vec()), object.len(), self.limits);
        let pieces = Pieces { bytes: Cursor::new(object.to_vec()), sizes, turn: 0 };
        let dribbled = self.read(pieces, object.len(), self.limits);
        assert_same(&whole, &dribbled, "the object was read in other pieces");
        let limits = FrameLimits {
            batch_bytes: 1 + usize::from(sizes[0]),
            batch_frames: 1 + usize::from(sizes[1] % 4),
            ..self.limits
        };
        let split = self.read(Cursor::new(object.to_vec()), object.len(), limits);
        assert_same(&whole, &split, "frames were given out in other batches");
        whole
    }

    /// Reads an object to its end, checking what holds for every object.
    pub(super) fn read(
        &self,
        reader: impl Read + Send + 'static,
        stored: usize,
        limits: FrameLimits,
    ) -> Outcome {
        let input = Input::Reader { reader: Box::new(reader), length: Some(stored as u64) };
        let mut reader = ObjectReader::open(input, &self.router, self.options.clone(), limits)
            .expect("nothing is read before it is asked for");
        let mut outcome = Outcome::default();
        while let Some(item) = reader.next_item().expect("a reader in memory does not fail") {
            let buffered = reader.buffered_bytes();
            assert!(buffered <= self.memory, "{buffered} bytes in buffers");
            match item {
                Item::Batch(batch) => {
                    assert!(!batch.is_empty(), "an empty batch");
                    assert!(batch.ends.is_sorted(), "ends that do not ascend: {:?}", batch.ends);
                    assert_eq!(batch.ends.last().map(|end| *end as usize), Some(batch.bytes.len()));
                    assert_eq!(batch.positions.len(), batch.len());
                    assert!(batch.wrapped.is_empty() || batch.wrapped.len() == batch.len());
                    for (index, position) in batch.positions.iter().enumerate() {
                        let bytes = batch.frame(index).to_vec();
                        // Escapes may make a wrapped frame shorter than its record, never longer than its bound.
                        assert!(bytes.len() <= limits.frame_bytes, "a frame of {} bytes", bytes.len());
                        outcome.frames.push(Frame {
                            stream: Arc::clone(&batch.stream),
                            offset: position.offset,
                            carrier: position.carrier,
                            bytes,
                            header: batch.header.clone(),
                            kind: batch.kind,
                            wrapped: batch.wrapped.get(index).cloned(),
                        });
                    }
                    reader.reuse(batch);
                }
                Item::Damage(damage) => {
                    assert!(damage.head.len() <= limits.damage_head, "{} bytes kept", damage.head.len());
                    if damage.length > 0 {
                        assert_eq!(damage.complete, damage.head.len() as u64 == damage.length);
                    }
                    outcome.lost.push(Lost {
                        code: damage.reason.code(),
                        stream: damage.stream,
                        offset: damage.offset,
                        length: damage.length,
                        head: damage.head,
                    });
                }
                Item::Unparsed(unparsed) => outcome.passed.push(Passed {
                    stream: unparsed.stream,
                    offset: unparsed.offset,
                    length: unparsed.carrier,
                    reason: unparsed.reason,
                }),
            }
        }
        outcome.ledger = reader.ledger();
        outcome.balance();
        outcome.sort();
        outcome
    }
}

impl Outcome {
    /// The ledger against what was given out: `read = frames + framing + damaged`.
    fn balance(&self) {
        let ledger = &self.ledger;
        assert_eq!(ledger.read, ledger.frames + ledger.framing + ledger.damaged, "{ledger:?}");
        assert_eq!(ledger.unexplained(), 0, "{ledger:?}");
        let given = self.frames.len() + self.lost.len() + self.passed.len();
        assert_eq!(ledger.frame_count, given as u64, "{ledger:?}");
        let carried: u64 = self.frames.iter().map(|frame| u64::from(frame.carrier)).sum();
        let passed: u64 = self.passed.iter().map(|passed| passed.length).sum();
        assert_eq!(ledger.frames, carried + passed, "{ledger:?}");
        assert_eq!(ledger.damaged, self.lost.iter().map(|lost| lost.length).sum::<u64>(), "{ledger:?}");
    }

    /// Brings items of different streams, whose order means nothing, into one order.
    fn sort(&mut self) {
        let key = |frame: &Frame| {
            let envelope = frame.wrapped.as_ref().and_then(|wrapped| wrapped.envelope);
            (frame.offset, envelope.map(|envelope| (envelope.offset, envelope.index)))
        };
        self.frames.sort_by(|a, b| a.stream.member.cmp(&b.stream.member).then_with(|| key(a).cmp(&key(b))));
        self.lost.sort_by(|a, b| {
            (&a.stream.member, a.offset, a.length).cmp(&(&b.stream.member, b.offset, b.length))
        });
        self.passed.sort_by(|a, b| {
            (&a.stream.member, a.offset, a.length).cmp(&(&b.stream.member, b.offset, b.length))
        });
    }

    /// No byte of a plain object belongs to two items, and every frame is what stands at its place.
    pub(super) fn check_places(&self, object: &[u8]) {
        let mut ranges = Vec::new();
        for frame in &self.frames {
            let start = usize::try_from(frame.offset).expect("an offset in the object");
            let found = object.get(start..start + frame.bytes.len());
            assert_eq!(found, Some(&frame.bytes[..]), "the frame at {start} is not what stands there");
            ranges.push((frame.offset, frame.offset + u64::from(frame.carrier)));
        }
        ranges.extend(self.lost.iter().map(|lost| (lost.offset, lost.offset + lost.length)));
        ranges.extend(self.passed.iter().map(|passed| (passed.offset, passed.offset + passed.length)));
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{:?} and {:?} overlap", pair[0], pair[1]);
        }
        if let Some((_, end)) = ranges.last() {
            assert!(*end <= object.len() as u64, "an item ends behind the object");
        }
    }
}

fn assert_same(whole: &Outcome, other: &Outcome, how: &str) {
    for (frame, same) in whole.frames.iter().zip(&other.frames) {
        assert_eq!(frame, same, "another frame when {how}");
    }
    assert_eq!(whole.frames.len(), other.frames.len(), "not as many frames when {how}");
    assert_eq!(whole.lost, other.lost, "other damage when {how}");
    assert_eq!(whole.passed, other.passed, "other unparsed frames when {how}");
    assert_eq!(whole.ledger, other.ledger, "another count when {how}");
}

/// Whether an object is what it looks like: not compressed, no archive, no UTF-16, no wrapper.
pub(super) fn is_plain(object: &[u8]) -> bool {
    detect(object) == Detected::Plain
        && !object.starts_with(b"\xff\xfe")
        && !object.starts_with(b"\xfe\xff")
        && !cloudwatch::detect(&object[..object.len().min(DETECTION_BYTES)])
}

/// The lines of a text as frames, slowly: offset and bytes, empty lines left out.
pub(super) fn reference_lines(text: &[u8]) -> Vec<(u64, &[u8])> {
    let mut offset = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        if !bare.is_empty() {
            lines.push((offset, bare));
        }
        offset += line.len() as u64;
    }
    lines
}

/// Gives at most so many bytes at a time, in turn, and is interrupted now and then.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    sizes: [u8; 2],
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(7) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        let size = usize::from(self.sizes[self.turn % 2]).max(1).min(out.len());
        self.bytes.read(&mut out[..size])
    }
}
