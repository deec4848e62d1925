//! From stored bytes to plain ones: which format hides them is told by their first bytes, never by a name.
//!
//! Formats stack: a `Source` is the object's bytes, or what a codec makes of another source. A stream that is corrupt
//! or ends too early gives what was readable, then a `Break` where it stopped; behind a break more may follow, when
//! the next member's start can be found. Memory is bounded by the codecs' windows (gzip 32 KiB, bzip2 4 MiB, zstd and
//! xz up to 128 MiB) and output by a `Budget` for the whole object.
//!
//! Raw decoders are used here only (clippy.toml bans them elsewhere): outside they have no bound.

mod archive;
mod codec;
mod layer;
mod plain;
mod source;
mod transcode;
mod window;

pub(crate) use self::archive::Archive;
pub(crate) use self::codec::{Detected, MAGIC_LENGTH, detect, inflated_length};
pub(crate) use self::layer::Layer;
pub use self::plain::{Decompressed, is_packed};
pub(crate) use self::source::{SharedFile, Source, Spooled, StoredReader, spool};
pub(crate) use self::transcode::Transcoder;
pub(crate) use self::window::{Flow, Window};
use super::stream::{DamageReason, FrameLimits, IngestError};

/// Where a stream of bytes stops although more was to come.
#[derive(Debug, Clone)]
pub(crate) struct Break {
    pub(crate) reason: DamageReason,
    /// The first of the stored bytes that could not be decompressed.
    pub(crate) stored: Vec<u8>,
    /// Whether `stored` is all of them.
    pub(crate) stored_complete: bool,
}

/// What a carrier gave.
#[derive(Debug)]
pub(crate) enum Fill {
    /// This many bytes, at least one.
    Bytes(usize),
    /// The stream stopped here; call again for what is behind.
    Break(Break),
    /// Nothing more, now and later.
    End,
}

/// A stream of bytes with breaks.
pub(crate) trait Carrier: Send {
    /// Puts the next bytes at the beginning of `out`, which is not empty.
    fn fill(&mut self, out: &mut [u8], budget: &mut Budget) -> Result<Fill, IngestError>;

    /// Bytes of memory held in buffers, without a codec's window.
    fn buffered_bytes(&self) -> usize;
}

/// What decompression of one object may produce, over all its layers and members.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    /// Stored bytes: the object's length if known, else what was read so far.
    stored: u64,
    stored_known: bool,
    produced: u64,
    object_bytes: u64,
    ratio: u64,
    ratio_after: u64,
}

impl Budget {
    pub(crate) fn new(limits: &FrameLimits, stored: Option<u64>) -> Self {
        Self {
            stored: stored.unwrap_or(0),
            stored_known: stored.is_some(),
            produced: 0,
            object_bytes: limits.object_bytes,
            ratio: limits.ratio,
            ratio_after: limits.ratio_after,
        }
    }

    /// Counts bytes read from the object itself.
    pub(crate) fn stored(&mut self, bytes: usize) {
        if !self.stored_known {
            self.stored += bytes as u64;
        }
    }

    pub(crate) fn produced(&mut self, bytes: usize) {
        self.produced += bytes as u64;
    }

    fn limit(&self) -> u64 {
        self.object_bytes.min(self.stored.saturating_mul(self.ratio).max(self.ratio_after))
    }

    /// Bytes that may still be produced.
    pub(crate) fn allowance(&self) -> u64 {
        self.limit().saturating_sub(self.produced)
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.allowance() == 0
    }

    pub(crate) fn reason(&self) -> DamageReason {
        DamageReason::DecompressionLimit { limit: self.limit(), stored: self.stored }
    }
}
