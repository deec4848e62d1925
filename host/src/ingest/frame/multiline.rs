//! Multi-line records: a line that matches the start pattern begins a frame, the others belong to the frame before.
//!
//! Lines before the first start are a frame of their own. Line ends between the lines of a frame are part of it, those
//! behind it are framing, as are empty lines before it. A frame is bounded by its bytes (longer: damage up to the next
//! start) and by its lines (more: the rest is a frame of its own). Of a line the pattern sees the first
//! [`PATTERN_BYTES`], so that a line of any length is decided on while the frame before it is still held.

use memchr::memchr;
use regex::bytes::Regex;

use super::{Ending, Framer, Loss, Shown, Sink, StreamSlot};
use crate::ingest::stream::{DamageReason, FrameLimits};

/// Bytes of a line that the start pattern is held against.
const PATTERN_BYTES: usize = 64 << 10;

/// See the module.
pub(crate) struct MultiLineFramer {
    begin: Regex,
    max_lines: usize,
    frame_bytes: usize,
    /// Bytes of the open frame that are at hand, from the first shown on.
    joined: usize,
    /// Lines of the open frame.
    lines: usize,
    /// Whether the frame's last line goes on behind `joined`.
    in_line: bool,
    /// The open frame, when it is too long to be held.
    loss: Option<Loss>,
}

impl MultiLineFramer {
    pub(crate) fn new(begin: Regex, max_lines: Option<usize>, limits: &FrameLimits) -> Self {
        Self {
            begin,
            max_lines: max_lines.unwrap_or(limits.frame_lines),
            frame_bytes: limits.frame_bytes,
            joined: 0,
            lines: 0,
            in_line: false,
            loss: None,
        }
    }

    /// A frame and its line end.
    fn most(&self) -> usize {
        self.frame_bytes + 2
    }

    fn too_long(&self) -> DamageReason {
        DamageReason::FrameTooLong { limit: self.frame_bytes as u64 }
    }

    /// Gives the open frame out, of which `lines` is at hand.
    fn close(&mut self, lines: &[u8], offset: u64, sink: &mut Sink<'_>) {
        (self.joined, self.lines, self.in_line) = (0, 0, false);
        if let Some(mut loss) = self.loss.take() {
            loss.extend(lines);
            sink.lose(StreamSlot::MAIN, loss);
            return;
        }
        let end = lines.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        if lines.len() > self.most() || end > self.frame_bytes {
            sink.damage(StreamSlot::MAIN, offset, lines, self.too_long());
            return;
        }
        let frame = &lines[..end];
        sink.framing(lines.len() - end);
        if !frame.is_empty() {
            sink.frame(StreamSlot::MAIN, frame, offset, frame.len());
        }
    }

    /// Goes over one line or the rest of one; `None` when more of it must be there first. Otherwise where it ends, and
    /// whether the frame that was open ends before it.
    fn line(&mut self, rest: &[u8], more: bool) -> Option<(usize, bool)> {
        if rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', rest);
        let length = end.map_or(rest.len(), |end| end + 1);
        if self.in_line {
            self.in_line = end.is_none();
            return Some((length, false));
        }
        if end.is_none() && more && rest.len() < PATTERN_BYTES {
            return None;
        }
        let line = &rest[..end.unwrap_or(length)];
        let line = &line[..line.len().min(PATTERN_BYTES)];
        let begins = self.begin.is_match(line.strip_suffix(b"\r").unwrap_or(line));
        self.in_line = end.is_none();
        Some((length, self.lines > 0 && (begins || self.lines >= self.max_lines)))
    }
}

impl Framer for MultiLineFramer {
    fn frame(&mut self, shown: Shown<'_>, sink: &mut Sink<'_>) -> usize {
        let Shown { data, offset, more } = shown;
        let mut start = 0;
        while !sink.is_full() {
            let at = start + self.joined;
            let goes_on = self.in_line;
            let Some((length, closes)) = self.line(&data[at..], more) else { break };
            if closes {
                let in_line = self.in_line;
                self.close(&data[start..at], offset + start as u64, sink);
                self.in_line = in_line;
                start = at;
            }
            if self.lines == 0 && !goes_on && matches!(&data[at..at + length], b"\n" | b"\r\n") {
                // No frame begins with an empty line.
                sink.framing(length);
                start = at + length;
                continue;
            }
            self.lines += usize::from(!goes_on);
            self.joined += length;
        }
        if self.loss.is_none() && self.joined > self.most() {
            self.loss = Some(Loss::new(offset + start as u64, self.too_long(), sink.limits()));
        }
        if let Some(loss) = &mut self.loss {
            loss.extend(&data[start..start + self.joined]);
            start += std::mem::take(&mut self.joined);
        }
        start
    }

    fn finish(&mut self, rest: &[u8], offset: u64, ending: Ending<'_>, sink: &mut Sink<'_>) {
        match (ending, &mut self.loss) {
            (Ending::Broken(broken), None) => sink.broken(StreamSlot::MAIN, offset, rest, broken),
            (Ending::Broken(broken), Some(loss)) => {
                loss.set_reason(broken.reason.clone());
                self.close(rest, offset, sink);
            }
            (Ending::End, _) => self.close(rest, offset, sink),
        }
        (self.joined, self.lines, self.in_line) = (0, 0, false);
    }
}
