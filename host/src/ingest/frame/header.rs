//! Lines with a header or directives: the header in force goes with the batch, header lines are no frames.

use std::sync::Arc;

use regex::bytes::Regex;

use super::lines::{LineFramer, LineRule};
use super::{Sink, StreamSlot};
use crate::ingest::stream::FrameLimits;

/// A header line: the first line, if the pattern matches it, and any later one that matches, since files with a header
/// are often joined end to end. A first line that does not match is a frame under the header configured, if any.
pub(crate) struct HeaderRule {
    pattern: Regex,
    each: bool,
    first: bool,
}

/// Lines under a header line.
pub(crate) type HeaderFramer = LineFramer<HeaderRule>;

impl HeaderFramer {
    pub(crate) fn with_pattern(pattern: Regex, each: bool, limits: &FrameLimits) -> Self {
        Self::new(HeaderRule { pattern, each, first: true }, limits)
    }
}

impl LineRule for HeaderRule {
    fn is_framing(&mut self, line: &[u8], sink: &mut Sink<'_>) -> bool {
        let candidate = self.first || self.each;
        self.first = false;
        if !candidate || !self.pattern.is_match(line) {
            return false;
        }
        put_in_force(line, sink);
        true
    }
}

/// Directive lines as in the W3C extended log format: all that begin with the comment mark are no frames, and the
/// latest with the prefix is in force.
pub(crate) struct DirectiveRule {
    prefix: Vec<u8>,
    comment: Vec<u8>,
}

/// Lines under directives.
pub(crate) type DirectiveFramer = LineFramer<DirectiveRule>;

impl DirectiveFramer {
    pub(crate) fn with_prefix(prefix: Vec<u8>, comment: Vec<u8>, limits: &FrameLimits) -> Self {
        Self::new(DirectiveRule { prefix, comment }, limits)
    }
}

impl LineRule for DirectiveRule {
    fn is_framing(&mut self, line: &[u8], sink: &mut Sink<'_>) -> bool {
        if line.starts_with(&self.prefix) {
            put_in_force(line, sink);
            return true;
        }
        line.starts_with(&self.comment)
    }
}

/// A batch has one header, so a new one ends the batch. The same line again changes nothing.
fn put_in_force(line: &[u8], sink: &mut Sink<'_>) {
    let header = String::from_utf8_lossy(line);
    if sink.header(StreamSlot::MAIN).is_none_or(|current| **current != *header) {
        sink.set_header(StreamSlot::MAIN, Some(Arc::from(&*header)));
    }
}
