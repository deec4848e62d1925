//! What goes into a sink and what it answers.

use super::{ObjectRef, Origin};
use crate::event::{DocumentId, FrameId};
use crate::ingest::stream::{FrameBatch, FrameKind};
use crate::route::Route;
use crate::volume::Decision;
use std::ops::Range;

/// Where an object's events and rejected frames go.
pub trait ObjectSink {
    /// Whether documents shall carry `event.original`.
    fn wants_original(&self) -> bool;
    /// Takes a batch's events; says what became of each.
    ///
    /// # Errors
    /// When the sink cannot take them: the object is then not acknowledged.
    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError>;
    /// Keeps a frame that gave no event and must not be lost.
    ///
    /// # Errors
    /// As [`ObjectSink::deliver`].
    fn set_aside(&mut self, frame: &SetAside<'_>) -> Result<(), SinkError>;
}

/// Why a sink cannot go on. Carries the sink's own error.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// The events of one batch of frames, ready for delivery.
#[derive(Debug)]
pub struct Finished<'a> {
    pub object: &'a ObjectRef,
    pub route: &'a Route,
    pub frames: &'a FrameBatch,
    pub origin: &'a Origin,
    /// Documents laid end to end.
    pub text: Vec<u8>,
    pub events: Vec<FinishedEvent>,
}

/// One event of a [`Finished`] batch.
#[derive(Debug)]
pub struct FinishedEvent {
    pub id: DocumentId,
    pub frame_id: FrameId,
    /// Index of the frame in the batch.
    pub frame: u32,
    /// Number of the event in its frame.
    pub number: u32,
    /// `@timestamp`, nanoseconds since 1970.
    pub timestamp: i64,
    /// Where the document stands in [`Finished::text`].
    pub document: Range<usize>,
    pub decision: Decision,
    /// The original after redaction, where that changed it; the inner `None`: withheld.
    pub redacted_original: Option<Option<Vec<u8>>>,
}

impl Finished<'_> {
    /// An event's document.
    pub fn document(&self, event: &FinishedEvent) -> &[u8] {
        self.text.get(event.document.clone()).unwrap_or_default()
    }

    /// The raw bytes that an event came from, unless a redaction withholds them.
    pub fn original<'s>(&'s self, event: &'s FinishedEvent) -> Option<&'s [u8]> {
        match &event.redacted_original {
            Some(redacted) => redacted.as_deref(),
            None => Some(self.frames.frame(event.frame as usize)),
        }
    }
}

/// What became of a batch's events, as the sinks acknowledge it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    pub indexed: u64,
    pub archived_only: u64,
    pub reduced: u64,
    pub dead_lettered: u64,
}

/// A frame that goes to quarantine, or waits.
#[derive(Debug)]
pub struct SetAside<'a> {
    pub object: &'a ObjectRef,
    pub route: Option<&'a Route>,
    pub origin: &'a Origin,
    pub frame_id: FrameId,
    /// Byte offset in the decompressed stream.
    pub offset: u64,
    /// Decompressed bytes that the frame took.
    pub length: u64,
    pub raw: &'a [u8],
    /// Whether `raw` is all of it.
    pub complete: bool,
    pub kind: SetAsideKind,
    pub reason: String,
    pub header: Option<&'a str>,
    pub framing: FrameKind,
    pub wrapped: Option<&'a crate::ingest::stream::Wrapped>,
}

/// Why a frame was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAsideKind {
    /// The parser could not parse it.
    Malformed,
    /// The parser broke its bounds on it.
    Condemned,
    /// It could not be framed.
    Damaged,
    /// Its parser's breaker is open.
    Waiting,
}
