//! From another character set to UTF-8, before framing.
//!
//! Offsets and byte counts of a transcoded member are those of the UTF-8 stream. What the character set does not have
//! becomes U+FFFD; a break of the carrier ends a character that it cut.

use encoding_rs::{CoderResult, Decoder, Encoding};

use super::{Budget, Carrier, Fill, Source};
use crate::ingest::stream::IngestError;

const INPUT_BYTES: usize = 64 << 10;

/// See the module.
pub(crate) struct Transcoder {
    source: Source,
    encoding: &'static Encoding,
    decoder: Decoder,
    input: Vec<u8>,
    start: usize,
    end: usize,
    stop: Option<Fill>,
    /// Whether the decoder was told that the text ends at `stop`.
    flushed: bool,
    /// What was decoded when the caller's buffer could not take one character.
    spill: Vec<u8>,
}

impl Transcoder {
    /// Decodes `source`; a byte order mark is dropped, and overrules `encoding` when it names another Unicode form.
    pub(crate) fn new(source: Source, encoding: &'static Encoding) -> Self {
        Self {
            source,
            encoding,
            decoder: encoding.new_decoder(),
            input: vec![0; INPUT_BYTES],
            start: 0,
            end: 0,
            stop: None,
            flushed: false,
            spill: Vec::new(),
        }
    }

    fn refill(&mut self, budget: &mut Budget) -> Result<(), IngestError> {
        self.start = 0;
        self.end = 0;
        while self.end < self.input.len() && self.stop.is_none() {
            match self.source.fill(&mut self.input[self.end..], budget)? {
                Fill::Bytes(read) => self.end += read,
                stop => self.stop = Some(stop),
            }
        }
        Ok(())
    }

    /// Decodes as much as fits; returns the bytes written.
    fn decode(&mut self, out: &mut [u8]) -> usize {
        let last = self.stop.is_some();
        let (result, read, written, _) =
            self.decoder.decode_to_utf8(&self.input[self.start..self.end], out, last);
        self.start += read;
        if last && result == CoderResult::InputEmpty {
            self.flushed = true;
        }
        written
    }
}

impl Carrier for Transcoder {
    fn fill(&mut self, out: &mut [u8], budget: &mut Budget) -> Result<Fill, IngestError> {
        loop {
            if !self.spill.is_empty() {
                let count = self.spill.len().min(out.len());
                out[..count].copy_from_slice(&self.spill[..count]);
                self.spill.drain(..count);
                return Ok(Fill::Bytes(count));
            }
            if self.flushed {
                if let Some(broken @ Fill::Break(_)) = self.stop.take() {
                    self.flushed = false;
                    self.decoder = self.encoding.new_decoder_without_bom_handling();
                    return Ok(broken);
                }
                self.stop = Some(Fill::End);
                return Ok(Fill::End);
            }
            if self.start == self.end && self.stop.is_none() {
                self.refill(budget)?;
            }
            // The decoder wants room for the longest character, which the caller's buffer may not have.
            if out.len() < 16 {
                let mut room = [0; 64];
                let written = self.decode(&mut room);
                self.spill.extend_from_slice(&room[..written]);
            } else {
                let written = self.decode(out);
                if written > 0 {
                    return Ok(Fill::Bytes(written));
                }
            }
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.input.capacity() + self.spill.capacity() + self.source.buffered_bytes()
    }
}
