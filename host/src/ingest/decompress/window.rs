//! The read buffer: bytes of a member that no framer has consumed yet.

use super::{Break, Budget, Carrier, Fill, Source};
use crate::ingest::stream::IngestError;

/// The buffer's size until a frame needs more.
const INITIAL_BYTES: usize = 256 << 10;

/// What follows the bytes at hand.
#[derive(Debug)]
pub(crate) enum Flow {
    /// More bytes, perhaps.
    More,
    /// A break of the carrier.
    Broken(Break),
    /// Nothing.
    Ended,
}

/// See the module.
pub(crate) struct Window {
    source: Source,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    read: u64,
    flow: Flow,
    /// The buffer's largest size: one frame, and room to read on.
    most: usize,
}

impl Window {
    /// Reads `source` from here on; `buffer` is reused, whatever it holds.
    pub(crate) fn new(source: Source, mut buffer: Vec<u8>, frame_bytes: usize) -> Self {
        if buffer.len() < INITIAL_BYTES {
            buffer.resize(INITIAL_BYTES, 0);
        }
        Self {
            source,
            buffer,
            start: 0,
            end: 0,
            offset: 0,
            read: 0,
            flow: Flow::More,
            most: INITIAL_BYTES + frame_bytes,
        }
    }

    /// The bytes at hand.
    pub(crate) fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset of [`Window::data`] in the member's decompressed stream.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes read since the beginning, counted where they came in.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    pub(crate) fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Leaves a break behind.
    pub(crate) fn resume(&mut self) {
        if matches!(self.flow, Flow::Broken(_)) {
            self.flow = Flow::More;
        }
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until the buffer is full or the flow stops. A buffer of which more than half is still wanted grows first,
    /// so that reading a long frame costs no more than twice its length.
    pub(crate) fn fill(&mut self, budget: &mut Budget) -> Result<(), IngestError> {
        if !matches!(self.flow, Flow::More) {
            return Ok(());
        }
        if self.end - self.start > self.buffer.len() / 2 {
            self.buffer.resize((self.buffer.len() * 2).min(self.most), 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < self.buffer.len() {
            match self.source.fill(&mut self.buffer[self.end..], budget)? {
                Fill::Bytes(read) => {
                    self.end += read;
                    self.read += read as u64;
                }
                Fill::Break(broken) => {
                    self.flow = Flow::Broken(broken);
                    break;
                }
                Fill::End => {
                    self.flow = Flow::Ended;
                    break;
                }
            }
        }
        Ok(())
    }

    /// The buffer, for the next member; one that a long frame blew up is given back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        if self.buffer.len() > INITIAL_BYTES { Vec::new() } else { self.buffer }
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.buffer.capacity() + self.source.buffered_bytes()
    }
}
