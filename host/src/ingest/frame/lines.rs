//! Lines: one line, one frame.
//!
//! LF or CRLF ends a line, the last may lack it. Line ends and empty lines are framing. A line longer than a frame may
//! be is damage of the line's whole extent, its head kept, and the next line goes on; nothing longer than a frame is
//! ever held.

use memchr::{memchr, memchr_iter};

use super::{Ending, Framer, Loss, Shown, Sink, StreamSlot};
use crate::ingest::stream::{DamageReason, FrameLimits};

/// What a line means to the framing.
pub(crate) trait LineRule: Send {
    /// Whether the line (without its end, not empty) is no frame. May change the sink's header.
    fn is_framing(&mut self, line: &[u8], sink: &mut Sink<'_>) -> bool;
}

/// Every line is a frame.
pub(crate) struct PlainLines;

impl LineRule for PlainLines {
    #[inline]
    fn is_framing(&mut self, _line: &[u8], _sink: &mut Sink<'_>) -> bool {
        false
    }
}

/// Cuts at line ends; the rule says which lines are frames.
pub(crate) struct LineFramer<R> {
    rule: R,
    frame_bytes: usize,
    /// The line that is too long and whose end was not seen yet.
    loss: Option<Loss>,
}

impl<R: LineRule> LineFramer<R> {
    pub(crate) fn new(rule: R, limits: &FrameLimits) -> Self {
        Self { rule, frame_bytes: limits.frame_bytes, loss: None }
    }

    fn too_long(&self) -> DamageReason {
        DamageReason::FrameTooLong { limit: self.frame_bytes as u64 }
    }

    /// One line without its LF.
    #[inline]
    fn line(&mut self, line: &[u8], offset: u64, sink: &mut Sink<'_>) {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        if text.len() > self.frame_bytes {
            sink.damage(StreamSlot::MAIN, offset, line, self.too_long());
            return;
        }
        if text.is_empty() || self.rule.is_framing(text, sink) {
            sink.framing(line.len());
            return;
        }
        sink.framing(line.len() - text.len());
        sink.frame(StreamSlot::MAIN, text, offset, text.len());
    }

    /// Consumes the rest of a line that is too long.
    fn skip(&mut self, data: &[u8], sink: &mut Sink<'_>) -> usize {
        let Some(mut loss) = self.loss.take() else { return 0 };
        if let Some(end) = memchr(b'\n', data) {
            loss.extend(&data[..end]);
            sink.lose(StreamSlot::MAIN, loss);
            sink.framing(1);
            end + 1
        } else {
            loss.extend(data);
            self.loss = Some(loss);
            data.len()
        }
    }
}

impl<R: LineRule> Framer for LineFramer<R> {
    fn frame(&mut self, shown: Shown<'_>, sink: &mut Sink<'_>) -> usize {
        let Shown { data, offset, more } = shown;
        let mut start = self.skip(data, sink);
        if self.loss.is_some() {
            return start;
        }
        let skipped = start;
        let mut line_ends = 0;
        for end in memchr_iter(b'\n', &data[skipped..]) {
            let end = skipped + end;
            self.line(&data[start..end], offset + start as u64, sink);
            line_ends += 1;
            start = end + 1;
            if sink.is_full() {
                break;
            }
        }
        sink.framing(line_ends);
        // One byte more than a frame may have: it could be the CR of a line that is just short enough.
        if more && !sink.is_full() && data.len() - start > self.frame_bytes + 1 {
            let mut loss = Loss::new(offset + start as u64, self.too_long(), sink.limits());
            loss.extend(&data[start..]);
            self.loss = Some(loss);
            return data.len();
        }
        start
    }

    fn finish(&mut self, rest: &[u8], offset: u64, ending: Ending<'_>, sink: &mut Sink<'_>) {
        match (self.loss.take(), ending) {
            (Some(mut loss), ending) => {
                loss.extend(rest);
                if let Ending::Broken(broken) = ending {
                    loss.set_reason(broken.reason.clone());
                }
                sink.lose(StreamSlot::MAIN, loss);
            }
            (None, Ending::Broken(broken)) => sink.broken(StreamSlot::MAIN, offset, rest, broken),
            (None, Ending::End) if rest.is_empty() => {}
            (None, Ending::End) => self.line(rest, offset, sink),
        }
    }
}
