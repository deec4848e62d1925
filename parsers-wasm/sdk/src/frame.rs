//! What a parser reads: the batch's context, and frames.

use crate::time::{self, Zone};
use crate::{Batch, FramingKind, Origin, Wrapped};
use std::borrow::Cow;

/// What all frames of a batch share.
#[derive(Debug)]
pub struct Context<'a> {
    /// Where the frames come from.
    pub origin: &'a Origin,
    /// The time the object speaks of, nanoseconds since 1970: the only clock there is.
    pub reference_time: i64,
    /// The zone of times that name none.
    pub zone: Zone<'a>,
    /// What the bytes of a frame are.
    pub framing: FramingKind,
    /// The header line in force, or the fields configured for a headerless source.
    pub header: Option<&'a str>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(batch: &'a Batch) -> Self {
        Context {
            origin: &batch.origin,
            reference_time: batch.reference_time,
            zone: Zone {
                initial_offset: batch.time_zone.initial_offset,
                transitions: &batch.time_zone.transitions,
            },
            framing: batch.framing,
            header: batch.header.as_deref(),
        }
    }

    /// The value of an open attribute of the origin.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.origin.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// See [`time::parse_iso`].
    pub fn parse_iso(&self, text: &str) -> Option<i64> {
        time::parse_iso(text, &self.zone)
    }

    /// See [`time::parse_clf`].
    pub fn parse_clf(&self, text: &str) -> Option<i64> {
        time::parse_clf(text, &self.zone)
    }

    /// See [`time::parse_syslog`].
    pub fn parse_syslog(&self, text: &str) -> Option<(i64, usize)> {
        time::parse_syslog(text, self.reference_time, &self.zone)
    }
}

/// A line without the NUL bytes around it. A crash leaves them in a log that was not on disk yet, and `copytruncate` of
/// logrotate in one whose writer goes on at its old place.
#[inline]
pub fn without_padding(line: &str) -> &str {
    line.trim_matches('\0')
}

/// One frame: its bytes, and what a wrapper said of it.
#[derive(Debug)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    /// The bytes as text, when they are UTF-8.
    valid: Option<&'a str>,
    wrapped: Option<&'a Wrapped>,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(bytes: &'a [u8], valid: Option<&'a str>, wrapped: Option<&'a Wrapped>) -> Self {
        Frame { bytes, valid, wrapped }
    }

    /// The bytes as they stood in the object.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The frame as text. Bytes that are not UTF-8 read as U+FFFD; the host keeps the raw bytes.
    #[inline]
    pub fn text(&self) -> Cow<'a, str> {
        match self.valid {
            Some(text) => Cow::Borrowed(text),
            None => String::from_utf8_lossy(self.bytes),
        }
    }

    /// The frame as text, if it is UTF-8.
    #[inline]
    pub fn as_str(&self) -> Option<&'a str> {
        self.valid
    }

    /// The wrapper's time of the frame, nanoseconds since 1970.
    pub fn wrapper_time(&self) -> Option<i64> {
        self.wrapped.and_then(|wrapped| wrapped.time)
    }

    /// The wrapper's own id of the frame.
    pub fn wrapper_id(&self) -> Option<&'a str> {
        self.wrapped.and_then(|wrapped| wrapped.id.as_deref())
    }

    /// The value of one of the wrapper's attributes of this frame.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.wrapped?.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
