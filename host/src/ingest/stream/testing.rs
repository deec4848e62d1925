//! What tests of the reader share: a router, readers of odd sizes, and everything an object gives in one value.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use super::{
    ByteLedger, Damage, FrameKind, FrameLimits, Input, Item, ObjectReader, RouteDecision, SourceOptions,
    StreamKey, StreamRouter, Unparsed, Wrapped,
};
use crate::ingest::frame::{Framing, PreparedFraming};

/// Routes every stream alike.
pub(crate) struct OneRoute(pub(crate) RouteDecision);

impl StreamRouter for OneRoute {
    fn route(&self, _: &StreamKey, _: Option<&str>) -> RouteDecision {
        self.0.clone()
    }
}

pub(crate) fn routed(framing: PreparedFraming) -> OneRoute {
    OneRoute(RouteDecision {
        route: Some(7),
        framing: Arc::new(framing),
        header: None,
        unwrap_firelens: false,
    })
}

pub(crate) fn prepared(framing: &str) -> PreparedFraming {
    serde_json::from_str::<Framing>(framing).unwrap().prepare().unwrap()
}

/// One frame with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) offset: u64,
    pub(crate) carrier: u32,
    pub(crate) header: Option<String>,
    pub(crate) kind: FrameKind,
    pub(crate) stream: StreamKey,
    pub(crate) wrapped: Option<Wrapped>,
}

/// Everything that an object gave.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) frames: Vec<Frame>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) unparsed: Vec<Unparsed>,
    pub(crate) ledger: ByteLedger,
    pub(crate) batches: usize,
    pub(crate) most_buffered: usize,
}

impl Outcome {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.frames.iter().map(|frame| String::from_utf8_lossy(&frame.bytes).into_owned()).collect()
    }

    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.damage.iter().map(|damage| damage.reason.code()).collect()
    }
}

/// Reads an object to its end, checking what holds for every object.
pub(crate) fn read_with(
    input: Input,
    router: &dyn StreamRouter,
    options: SourceOptions,
    limits: FrameLimits,
) -> Outcome {
    let mut reader = ObjectReader::open(input, router, options, limits).unwrap();
    let mut outcome = Outcome::default();
    while let Some(item) = reader.next_item().unwrap() {
        outcome.most_buffered = outcome.most_buffered.max(reader.buffered_bytes());
        match item {
            Item::Batch(batch) => {
                outcome.batches += 1;
                assert!(!batch.is_empty() && batch.positions.len() == batch.len());
                assert!(batch.wrapped.is_empty() || batch.wrapped.len() == batch.len());
                assert_eq!(*batch.ends.last().unwrap() as usize, batch.bytes.len());
                for index in 0..batch.len() {
                    outcome.frames.push(Frame {
                        bytes: batch.frame(index).to_vec(),
                        offset: batch.positions[index].offset,
                        carrier: batch.positions[index].carrier,
                        header: batch.header.as_deref().map(str::to_owned),
                        kind: batch.kind,
                        stream: (*batch.stream).clone(),
                        wrapped: batch.wrapped.get(index).cloned(),
                    });
                }
                reader.reuse(batch);
            }
            Item::Damage(damage) => {
                assert!(damage.length == 0 || damage.complete == (damage.head.len() as u64 == damage.length));
                outcome.damage.push(damage);
            }
            Item::Unparsed(unparsed) => outcome.unparsed.push(unparsed),
        }
    }
    outcome.ledger = reader.ledger();
    assert_eq!(outcome.ledger.unexplained(), 0, "{:?}", outcome.ledger);
    let counted = outcome.frames.len() + outcome.damage.len() + outcome.unparsed.len();
    assert_eq!(outcome.ledger.frame_count, counted as u64);
    let carried: u64 = outcome.frames.iter().map(|frame| u64::from(frame.carrier)).sum();
    let passed: u64 = outcome.unparsed.iter().map(|unparsed| unparsed.carrier).sum();
    assert_eq!(outcome.ledger.frames, carried + passed);
    assert_eq!(outcome.ledger.damaged, outcome.damage.iter().map(|damage| damage.length).sum::<u64>());
    outcome
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Input {
    Input::Reader { reader: Box::new(Cursor::new(bytes.to_vec())), length: Some(bytes.len() as u64) }
}

/// Reads bytes under one framing with the default limits.
pub(crate) fn read(bytes: &[u8], framing: PreparedFraming) -> Outcome {
    read_with(from_bytes(bytes), &routed(framing), SourceOptions::default(), FrameLimits::default())
}

/// Gives at most so many bytes at a time, in turn.
pub(crate) struct Dribble {
    pub(crate) bytes: Cursor<Vec<u8>>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) turn: usize,
}

impl Dribble {
    pub(crate) fn input(bytes: &[u8], sizes: &[usize]) -> Input {
        let reader = Self { bytes: Cursor::new(bytes.to_vec()), sizes: sizes.to_vec(), turn: 0 };
        Input::Reader { reader: Box::new(reader), length: Some(bytes.len() as u64) }
    }
}

impl Read for Dribble {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].max(1).min(out.len());
        self.turn += 1;
        if self.turn.is_multiple_of(7) {
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        self.bytes.read(&mut out[..size])
    }
}

/// A stream that is made up as it is read and never held.
pub(crate) struct Synthetic<F> {
    pub(crate) left: u64,
    pub(crate) make: F,
}

impl<F: FnMut(&mut [u8])> Read for Synthetic<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        (self.make)(&mut out[..size]);
        self.left -= size as u64;
        Ok(size)
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
