//! What a walk through JSON text finds, and who takes it: a framing's every value, or a wrapper's records.

use super::{Sink, StreamSlot};

/// What stands where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) bytes: &'a [u8],
    /// Bytes of the stream that it took: its own, unless it was put together from several.
    pub(crate) carrier: usize,
    /// Offset in the member's decompressed stream.
    pub(crate) offset: u64,
    /// Whether it is an element of an array that was opened; else a whole document.
    pub(crate) element: bool,
}

/// An array of a pointer, about to be opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    /// What is at hand of the document from its first byte on, if it is still at hand.
    pub(crate) document: &'a [u8],
    /// Length of the part of `document` before the array's elements.
    pub(crate) prefix: usize,
    /// Offset of the document in the member's decompressed stream.
    pub(crate) offset: u64,
    /// Whether nothing more of the document will be at hand.
    pub(crate) all: bool,
}

/// Takes the values that a walk finds.
pub(crate) trait Values: Send {
    /// An array opens. When it returns false it is asked again with more of the document at hand.
    fn opening(&mut self, opening: Opening<'_>, sink: &mut Sink<'_>) -> bool;

    /// A value within the frame limit.
    fn value(&mut self, value: Value<'_>, sink: &mut Sink<'_>);

    /// The document whose array was opened ended, or was given up.
    fn closed(&mut self, sink: &mut Sink<'_>);

    /// Nothing follows without a break: what is held is to be handed on.
    fn ended(&mut self, _sink: &mut Sink<'_>) {}
}

/// Every value is a frame of the member's own stream.
pub(crate) struct EveryValue;

impl Values for EveryValue {
    fn opening(&mut self, _opening: Opening<'_>, _sink: &mut Sink<'_>) -> bool {
        true
    }

    #[inline]
    fn value(&mut self, value: Value<'_>, sink: &mut Sink<'_>) {
        sink.frame(StreamSlot::MAIN, value.bytes, value.offset, value.carrier);
    }

    fn closed(&mut self, _sink: &mut Sink<'_>) {}
}
