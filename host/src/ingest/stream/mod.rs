//! What comes out of an object: streams of frames, what was damaged, and the count of every byte.
//!
//! An object (a file, an S3 object) holds one member, or several when it is an archive; a member holds one stream, or
//! several when a wrapper (CloudWatch Logs, FireLens) mixed them. A stream is framed as its log type asks, and its
//! frames are laid end to end in batches, as the parser contract wants them.
//!
//! Contract: the same bytes give the same frames with the same offsets, however they are read. Nothing here panics on
//! bad input; what cannot be framed becomes [`Damage`], and every decompressed byte is counted once, as frame, as
//! framing or as damaged, independently of the count of what was read ([`ByteLedger`]).

mod limits;
mod reader;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use self::limits::FrameLimits;
pub use self::reader::{IngestError, Input, ObjectReader, SourceOptions};
use super::frame::PreparedFraming;

/// What tells one stream of an object from another.
///
/// All fields are empty for a plain object. The router may route a stream again by them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// Path inside the archive; for an archive inside an archive the paths joined with `/`.
    pub member: Option<String>,
    /// The account that a CloudWatch Logs subscription names as owner.
    pub account: Option<String>,
    /// CloudWatch Logs group.
    pub log_group: Option<String>,
    /// CloudWatch Logs stream.
    pub log_stream: Option<String>,
    /// The container's name, when FireLens wrapped it.
    pub container: Option<String>,
    /// What else the wrapper says of the whole stream, by the wrapper's own names, in a fixed order.
    pub attributes: Vec<(String, String)>,
}

/// What the bytes of a frame are; the contract's `framing-kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// A line, several joined lines, or a whole member, without its line end.
    Text,
    /// One JSON value, exactly as it stood.
    Json,
    /// One row of a Parquet file as a JSON object.
    ParquetRow,
}

/// Where a frame stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Byte offset in the member's decompressed stream (in the UTF-8 one when the member was transcoded), or the row
    /// number for Parquet, from 0. For a wrapped frame the offset of its record in the wrapper. Part of the frame's
    /// identity.
    pub offset: u64,
    /// Bytes that the frame took there: its own length for plain text and JSON; the wrapper's record (the `logEvents`
    /// element, the FireLens object) for a wrapped one; 0 for a Parquet row.
    pub carrier: u32,
}

/// What a wrapper said of one frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wrapped {
    /// The wrapper's own id of the frame (CloudWatch Logs: `id`).
    pub id: Option<String>,
    /// The wrapper's time of the frame, in nanoseconds since 1970-01-01T00:00:00Z.
    pub time_ns: Option<i64>,
    /// Further attributes of this frame, by the wrapper's own names.
    pub attributes: Vec<(String, String)>,
    /// The envelope the frame lay in, when an envelope holds several frames.
    pub envelope: Option<EnvelopePosition>,
}

/// Where in which envelope a wrapped frame stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopePosition {
    /// Byte offset of the envelope in the member's decompressed stream.
    pub offset: u64,
    /// Index of the frame in the envelope, from 0.
    pub index: u32,
}

/// Frames of one stream, laid end to end as the parser contract's `batch` wants them. Never empty.
#[derive(Debug, Clone)]
pub struct FrameBatch {
    /// The stream that all frames belong to.
    pub stream: Arc<StreamKey>,
    /// The router's answer for the stream; `None` when no parser wants it.
    pub route: Option<usize>,
    pub kind: FrameKind,
    /// The header line or directive in force for every frame.
    pub header: Option<Arc<str>>,
    /// The frames without separators. Not necessarily UTF-8.
    pub bytes: Vec<u8>,
    /// Where each frame ends in `bytes`, ascending.
    pub ends: Vec<u32>,
    /// One for each frame.
    pub positions: Vec<Position>,
    /// Empty, or one for each frame.
    pub wrapped: Vec<Wrapped>,
}

impl FrameBatch {
    /// The number of frames.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no frame; never true for a batch that a reader gave out.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of one frame; empty when there is no such frame.
    pub fn frame(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).map_or(0, |end| *end as usize) };
        let end = self.ends.get(index).map_or(start, |end| *end as usize);
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// A range that cannot be framed: one quarantined frame.
#[derive(Debug, Clone)]
pub struct Damage {
    /// The stream it belongs to; of an envelope that cannot be read, the stream of the member.
    pub stream: Arc<StreamKey>,
    /// Byte offset in the member's decompressed stream, or the row number for Parquet.
    pub offset: u64,
    /// Decompressed bytes covered; 0 when nothing of the range could be decompressed.
    pub length: u64,
    pub reason: DamageReason,
    /// The first bytes of the range, at most [`FrameLimits::damage_head`]: decompressed ones, or when `length` is 0
    /// the stored ones that could not be decompressed.
    pub head: Vec<u8>,
    /// Whether `head` is the whole range, so that it could be framed again from here alone.
    pub complete: bool,
}

/// A format that hides bytes in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    /// Raw deflate, as it lies in a zip member.
    Deflate,
    Zip,
}

impl fmt::Display for Codec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Deflate => "deflate",
            Self::Zip => "zip",
        })
    }
}

/// Why a range could not be framed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DamageReason {
    #[error("the {codec} stream ends too early")]
    Truncated { codec: Codec },
    #[error("the {codec} stream is corrupt: {detail}")]
    Corrupt { codec: Codec, detail: String },
    #[error("bytes that are not {codec} follow the {codec} stream")]
    TrailingGarbage { codec: Codec },
    #[error("decompressed to more than {limit} bytes from {stored} stored ones")]
    DecompressionLimit { limit: u64, stored: u64 },
    #[error("compressed more than {limit} times over")]
    TooManyLayers { limit: u32 },
    #[error("the archive has more than {limit} members")]
    TooManyMembers { limit: u64 },
    #[error("the archive member is encrypted")]
    Encrypted,
    #[error("the archive member is compressed by a method that is not supported: {method}")]
    UnsupportedMethod { method: String },
    #[error("the frame is longer than {limit} bytes")]
    FrameTooLong { limit: u64 },
    #[error("not JSON: {detail}")]
    BadJson { detail: &'static str },
    #[error("the text ends in the middle of a value")]
    UnexpectedEnd,
    #[error("not a {wrapper} record: {detail}")]
    BadEnvelope { wrapper: &'static str, detail: String },
    #[error("the Parquet file cannot be read: {detail}")]
    BadParquet { detail: String },
}

impl DamageReason {
    /// The reason as one word of a closed set, for counters and lists.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::TrailingGarbage { .. } => "trailing-garbage",
            Self::DecompressionLimit { .. } => "decompression-limit",
            Self::TooManyLayers { .. } => "too-many-layers",
            Self::TooManyMembers { .. } => "too-many-members",
            Self::Encrypted => "encrypted",
            Self::UnsupportedMethod { .. } => "unsupported-method",
            Self::FrameTooLong { .. } => "frame-too-long",
            Self::BadJson { .. } => "bad-json",
            Self::UnexpectedEnd => "unexpected-end",
            Self::BadEnvelope { .. } => "bad-envelope",
            Self::BadParquet { .. } => "bad-parquet",
        }
    }
}

/// A frame that is counted and goes to no parser.
#[derive(Debug, Clone)]
pub struct Unparsed {
    pub stream: Arc<StreamKey>,
    /// Byte offset in the member's decompressed stream.
    pub offset: u64,
    /// Decompressed bytes covered.
    pub carrier: u64,
    pub reason: UnparsedReason,
}

/// Why a frame goes to no parser although nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnparsedReason {
    /// A control message of the wrapper, such as CloudWatch's `CONTROL_MESSAGE`: outcome `skipped`.
    Control,
    /// A whole member that no parser wants: outcome `unrouted`.
    Unrouted,
}

/// What a reader gives out. The order of items of different streams means nothing.
#[derive(Debug, Clone)]
pub enum Item {
    Batch(FrameBatch),
    Damage(Damage),
    Unparsed(Unparsed),
}

/// The count of an object's bytes, each side counted where it happens: `read` at the decompressor's (or the
/// transcoder's) output, the others by the framers as they consume. Nothing is derived from anything else, so that
/// [`ByteLedger::unexplained`] means something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteLedger {
    /// Decompressed bytes read, over all members.
    pub read: u64,
    /// Bytes of frames in their carrier, [`Unparsed`] ones included.
    pub frames: u64,
    /// Separators, headers, envelopes, byte order marks, blank lines.
    pub framing: u64,
    /// Bytes covered by [`Damage`].
    pub damaged: u64,
    /// Frames given out, each [`Damage`] and each [`Unparsed`] included.
    pub frame_count: u64,
    /// Rows that the footers of Parquet members promise.
    pub rows_expected: u64,
    /// Rows given out as frames.
    pub rows: u64,
    /// Rows that could not be read; each unreadable range of them is one [`Damage`].
    pub rows_damaged: u64,
    /// Members opened: 1 for a plain object, the files of an archive.
    pub members: u64,
}

impl ByteLedger {
    /// Bytes and rows that one side counted and the other did not; 0 unless something was lost.
    pub fn unexplained(&self) -> u64 {
        let explained = self.frames.wrapping_add(self.framing).wrapping_add(self.damaged);
        let rows = self.rows.wrapping_add(self.rows_damaged);
        self.read.abs_diff(explained).wrapping_add(self.rows_expected.abs_diff(rows))
    }
}

/// What becomes of a stream.
#[derive(Debug, Clone)]
pub struct RouteDecision {
    /// The router's own index of the log type, handed through to [`FrameBatch::route`]; `None` when no parser wants
    /// the stream. A member that is `None` is read through and counted as one [`Unparsed`]; a wrapped stream that is
    /// `None` is framed nevertheless, so that its frames are counted.
    pub route: Option<usize>,
    /// How to cut frames.
    pub framing: Arc<PreparedFraming>,
    /// The header in force before (or without) one in the stream.
    pub header: Option<Arc<str>>,
    /// Whether the stream is Fluent Bit's FireLens NDJSON, to be opened into container streams.
    pub unwrap_firelens: bool,
}

impl RouteDecision {
    /// For a stream that no parser wants.
    pub fn unrouted() -> Self {
        Self { route: None, framing: Arc::new(PreparedFraming::Lines), header: None, unwrap_firelens: false }
    }
}

/// Decides what becomes of a stream. Asked once for each member, and once more for each stream in a wrapper (again
/// when a stream comes back after many others); the answer must depend on the arguments alone.
pub trait StreamRouter: Sync {
    /// `header` is how a member begins: the header in force or else the first line of a text, the column names of a
    /// Parquet file with blanks between. `None` where that is not known, as for wrapped streams.
    fn route(&self, stream: &StreamKey, header: Option<&str>) -> RouteDecision;
}
