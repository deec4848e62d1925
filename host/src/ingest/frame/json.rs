//! JSON: values one after the other, in whatever way they were written.
//!
//! Detected for each value: an object in which a pointer leads to an array gives the array's elements, the rest of it
//! is framing; a top-level array gives its elements; any other object is one frame. Values may be concatenated, one a
//! line, or spread over lines. Elements are sliced exactly as they stand, and an element is given out before the end
//! of its object was seen, so that an object cut short keeps the elements before the cut.
//!
//! Where a value is broken (brackets that do not match, a string not closed in its line, the next value beginning in
//! it), it is damage up to the next line that begins with a bracket. In an array whose elements stand on lines of their
//! own, a line indented as the last of them that goes on with a bracket is the next element, and one indented less that
//! goes on with `]` the end of the array: a broken element of a printed document costs no other. (On a single line
//! nothing tells an element from an object inside one, so that there a broken element costs those behind it.) A line
//! that begins with anything else, outside any value, is damage of that line. Commas are taken wherever a value may
//! begin.
//!
//! The walk never holds more than one frame: what is larger passes through as damage while its end is looked for.

mod resync;

use memchr::{memchr, memchr3};

use super::scan::{BracketScan, Scan, is_space};
use super::values::{Opening, Value, Values};
use super::{Ending, Framer, Loss, Shown, Sink, StreamSlot};
use crate::ingest::stream::{DamageReason, FrameLimits};

/// A longer key cannot be a pointer's, so it need not be held.
const KEY_BYTES: usize = 4096;
/// The record separator of RFC 7464, taken as white space.
const RECORD_SEPARATOR: u8 = 0x1e;

/// Deeper indentation is not kept.
const INDENT_BYTES: usize = 256;

/// A container that the walk went into; others are scanned as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// An object in which a pointer may lead on.
    Object,
    /// An array whose elements are values.
    Elements,
}

/// What the pointers want of the value behind a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wanted {
    /// Its elements, if it is an array.
    array: bool,
    /// To be gone into, if it is an object.
    object: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value, a key, or the end of the level.
    Ready,
    /// The colon (unless `seen`) and the value behind a key, by what the pointers want of it.
    Colon { seen: bool, wanted: Wanted },
    /// The rest of a value in brackets.
    Brackets,
    /// The rest of a string.
    Text { key: bool },
    /// The rest of a number, `true`, `false`, `null` or whatever else has no end of its own.
    Scalar,
    /// The rest of a line that is no JSON.
    Junk,
    /// The rest of a broken value.
    Resync(&'static str),
}

/// The bytes since the value began that is being looked at.
#[derive(Debug)]
enum Hold {
    /// There is none: bytes passed are framing.
    Nothing,
    /// They are at hand.
    Kept,
    /// They are too many and go by.
    Lost(Loss),
}

/// Walks through JSON text and hands values on; see the module.
pub(crate) struct JsonFramer<V> {
    values: V,
    pointers: Vec<Vec<Vec<u8>>>,
    frame_bytes: usize,
    path: Vec<Level>,
    /// The keys that led to the innermost object of the path, below the document.
    keys: Vec<Vec<u8>>,
    /// The key before the value that may be gone into.
    key: Vec<u8>,
    /// Whether an array was opened in the document, which is then no frame itself.
    opened: bool,
    document: u64,
    state: State,
    scan: BracketScan,
    hold: Hold,
    /// Whether nothing or a comma stands before the next element.
    separated: bool,
    /// Whether the byte before is a line feed.
    line_begins: bool,
    /// The blanks since the last line feed, if nothing else stands behind it.
    blanks: Option<Vec<u8>>,
    /// The blanks before the last element that began a line; empty when none did.
    indent: Vec<u8>,
    /// Bytes of the data shown that are dealt with.
    start: usize,
    /// Bytes of the data shown that were looked at.
    at: usize,
    /// Offset of the data shown.
    offset: u64,
}

/// Whether a step did something or needs more data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    On,
    Wait,
}

impl<V: Values> JsonFramer<V> {
    pub(crate) fn new(values: V, pointers: Vec<Vec<Vec<u8>>>, limits: &FrameLimits) -> Self {
        Self {
            values,
            pointers,
            frame_bytes: limits.frame_bytes,
            path: Vec::new(),
            keys: Vec::new(),
            key: Vec::new(),
            opened: false,
            document: 0,
            state: State::Ready,
            scan: BracketScan::new(),
            hold: Hold::Nothing,
            separated: true,
            line_begins: true,
            blanks: None,
            indent: Vec::new(),
            start: 0,
            at: 0,
            offset: 0,
        }
    }

    fn too_long(&self) -> DamageReason {
        DamageReason::FrameTooLong { limit: self.frame_bytes as u64 }
    }

    fn step(&mut self, data: &[u8], more: bool, sink: &mut Sink<'_>) -> Step {
        match self.state {
            State::Ready => match self.path.last() {
                None => self.top(data, sink),
                Some(Level::Elements) => self.elements(data, sink),
                Some(Level::Object) => self.members(data, sink),
            },
            State::Colon { seen, wanted } => self.member(data, more, seen, wanted, sink),
            State::Brackets => match self.scan.scan(data, self.at, more, &self.indent) {
                Scan::End(end) => {
                    self.at = end;
                    self.value_ends(data, sink)
                }
                Scan::More(at) => {
                    self.at = at;
                    Step::Wait
                }
                Scan::Broken(at, why) => self.breaks(at, why, sink),
            },
            State::Text { key } => self.text(data, more, key, sink),
            State::Scalar => {
                let rest = &data[self.at..];
                let end = rest.iter().position(|byte| is_space(*byte) || matches!(byte, b',' | b']' | b'}'));
                self.at += end.unwrap_or(rest.len());
                if end.is_some() { self.value_ends(data, sink) } else { Step::Wait }
            }
            State::Junk => {
                let Some(end) = memchr(b'\n', &data[self.at..]) else {
                    self.at = data.len();
                    return Step::Wait;
                };
                self.at += end;
                self.lose(data, "the line is not JSON", sink);
                Step::On
            }
            State::Resync(why) => self.resync(data, more, why, sink),
        }
    }

    /// Moves over white space and commas.
    fn skip_separators(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        while let Some(byte) = data.get(self.at) {
            match byte {
                b'\n' => {
                    self.line_begins = true;
                    self.blanks.get_or_insert_default().clear();
                    self.at += 1;
                    continue;
                }
                b' ' | b'\t' if self.blanks.as_ref().is_some_and(|blanks| blanks.len() < INDENT_BYTES) => {
                    self.blanks.get_or_insert_default().push(*byte);
                }
                b' ' | b'\t' | b'\r' | &RECORD_SEPARATOR => self.blanks = None,
                b',' => (self.separated, self.blanks) = (true, None),
                _ => break,
            }
            self.line_begins = false;
            self.at += 1;
        }
        if matches!(self.hold, Hold::Nothing) {
            sink.framing(self.at - self.start);
            self.start = self.at;
        }
    }

    /// The blanks that the next element has before it, if the elements stand on lines of their own.
    fn next_element(&self) -> &[u8] {
        &self.indent
    }

    /// Outside any value.
    fn top(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Step {
        self.skip_separators(data, sink);
        let Some(byte) = data.get(self.at) else { return Step::Wait };
        self.document = self.offset + self.at as u64;
        self.opened = false;
        self.hold = Hold::Kept;
        match byte {
            b'{' if self.pointers.is_empty() => self.brackets(),
            b'{' => {
                self.at += 1;
                self.path.push(Level::Object);
            }
            b'[' => {
                self.at += 1;
                self.open(sink);
            }
            _ => self.state = State::Junk,
        }
        Step::On
    }

    /// In an array whose elements are values.
    fn elements(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Step {
        self.skip_separators(data, sink);
        let Some(byte) = data.get(self.at) else { return Step::Wait };
        match byte {
            b']' => {
                self.at += 1;
                self.level_ends(data, sink);
                return Step::On;
            }
            b'{' | b'[' if self.line_begins && !self.separated => {
                // The document stops here, and the next begins.
                let reason =
                    DamageReason::BadJson { detail: "an array is not closed where the next value begins" };
                sink.damage(StreamSlot::MAIN, self.offset + self.at as u64, &[], reason);
                self.give_up(sink);
                return Step::On;
            }
            b'}' | b':' => {
                self.hold = Hold::Kept;
                return self.breaks(self.at, "the brackets do not match", sink);
            }
            b'{' | b'[' => {
                if let Some(blanks) = self.blanks.take().filter(|blanks| !blanks.is_empty()) {
                    self.indent = blanks;
                }
                self.brackets();
            }
            b'"' => {
                self.at += 1;
                self.state = State::Text { key: false };
            }
            _ => self.state = State::Scalar,
        }
        self.blanks = None;
        self.hold = Hold::Kept;
        Step::On
    }

    /// In an object, where a key or the end stands.
    fn members(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Step {
        self.skip_separators(data, sink);
        match data.get(self.at) {
            None => Step::Wait,
            Some(b'}') => {
                self.at += 1;
                self.level_ends(data, sink);
                Step::On
            }
            Some(b'"') => {
                let text = &data[self.at + 1..];
                let Some(end) = memchr3(b'"', b'\\', b'\n', text) else {
                    if text.len() < KEY_BYTES {
                        return Step::Wait;
                    }
                    self.at += 1;
                    self.state = State::Text { key: true };
                    return Step::On;
                };
                if text[end] == b'"' {
                    self.key_ends(&text[..end]);
                    self.at += end + 2;
                } else {
                    // Escapes are not undone: a pointer's key has none.
                    self.at += 1;
                    self.state = State::Text { key: true };
                }
                Step::On
            }
            // A bracket at the beginning of a line: the next value, this one was not closed.
            Some(b'{' | b'[') if self.line_begins => {
                let why = "an object is not closed where the next value begins";
                if !matches!(self.hold, Hold::Nothing) {
                    return self.breaks(self.at - 1, why, sink);
                }
                let offset = self.offset + self.at as u64;
                sink.damage(StreamSlot::MAIN, offset, &[], DamageReason::BadJson { detail: why });
                self.give_up(sink);
                Step::On
            }
            Some(_) => self.breaks(self.at, "a key is missing", sink),
        }
    }

    fn key_ends(&mut self, key: &[u8]) {
        let depth = self.keys.len();
        let mut wanted = Wanted::default();
        for pointer in &self.pointers {
            if pointer.get(depth).is_some_and(|wanted| wanted == key) && pointer[..depth] == self.keys[..] {
                wanted.array |= pointer.len() == depth + 1;
                wanted.object |= pointer.len() > depth + 1;
            }
        }
        if wanted.object {
            self.key = key.to_vec();
        }
        self.state = State::Colon { seen: false, wanted };
    }

    /// Behind a key.
    fn member(
        &mut self,
        data: &[u8],
        more: bool,
        mut seen: bool,
        wanted: Wanted,
        sink: &mut Sink<'_>,
    ) -> Step {
        loop {
            match data.get(self.at) {
                None => {
                    self.state = State::Colon { seen, wanted };
                    return Step::Wait;
                }
                Some(byte) if is_space(*byte) => self.at += 1,
                Some(b':') if !seen => {
                    self.at += 1;
                    seen = true;
                }
                Some(_) => break,
            }
        }
        self.state = State::Colon { seen, wanted };
        let line_begins = self.at > self.start && data[self.at - 1] == b'\n';
        match data[self.at] {
            _ if !seen => return self.breaks(self.at - usize::from(line_begins), "a colon is missing", sink),
            // Valid; but where the value began in the line before, that is a line cut behind a colon and the next one.
            b'{' if line_begins && self.is_second_line(data) => {
                return self.breaks(self.at - 1, "an object is not closed where the next value begins", sink);
            }
            b'[' if wanted.array => return self.opening(data, more, sink),
            b'{' if wanted.object => {
                self.at += 1;
                self.path.push(Level::Object);
                self.keys.push(std::mem::take(&mut self.key));
                self.state = State::Ready;
            }
            b'{' | b'[' => self.brackets(),
            b'"' => {
                self.at += 1;
                self.state = State::Text { key: false };
            }
            b',' | b'}' | b']' | b':' => return self.breaks(self.at, "a value is missing", sink),
            _ => self.state = State::Scalar,
        }
        Step::On
    }

    /// Whether the value that is held began in the line before.
    fn is_second_line(&self, data: &[u8]) -> bool {
        matches!(self.hold, Hold::Kept) && memchr(b'\n', &data[self.start..self.at - 1]).is_none()
    }

    /// At the bracket of an array that a pointer leads to.
    fn opening(&mut self, data: &[u8], more: bool, sink: &mut Sink<'_>) -> Step {
        let kept = matches!(self.hold, Hold::Kept);
        let document = if kept { &data[self.start..] } else { &[] };
        let opening = Opening {
            // Not what happens to be at hand: the answer must not depend on how the bytes came in.
            document: &document[..document.len().min(self.frame_bytes)],
            prefix: (self.at + 1 - self.start).min(self.frame_bytes),
            offset: self.document,
            all: !kept || !more || document.len() >= self.frame_bytes,
        };
        if !self.opened && !self.values.opening(opening, sink) && !opening.all {
            return Step::Wait;
        }
        self.at += 1;
        self.open(sink);
        Step::On
    }

    /// Goes into an array: the document up to here is framing.
    fn open(&mut self, sink: &mut Sink<'_>) {
        if let Hold::Lost(loss) = &self.hold {
            sink.framing_gone(loss.length());
        }
        sink.framing(self.at - self.start);
        self.start = self.at;
        self.hold = Hold::Nothing;
        self.opened = true;
        self.separated = true;
        self.line_begins = false;
        self.blanks = None;
        self.indent.clear();
        self.path.push(Level::Elements);
        self.state = State::Ready;
    }

    fn brackets(&mut self) {
        self.scan.reset();
        self.state = State::Brackets;
    }

    fn text(&mut self, data: &[u8], more: bool, key: bool, sink: &mut Sink<'_>) -> Step {
        loop {
            let Some(place) = memchr3(b'"', b'\\', b'\n', &data[self.at..]) else {
                self.at = data.len();
                return Step::Wait;
            };
            let place = self.at + place;
            match data[place] {
                b'\n' => return self.breaks(place, "a string is not closed at the end of its line", sink),
                b'\\' if place + 1 >= data.len() => {
                    // What it escapes is not at hand yet.
                    self.at = if more { place } else { data.len() };
                    return Step::Wait;
                }
                // A line feed cannot be escaped, and ends the string.
                b'\\' if data[place + 1] == b'\n' => self.at = place + 1,
                b'\\' => self.at = place + 2,
                _ => {
                    self.at = place + 1;
                    if key {
                        self.state = State::Colon { seen: false, wanted: Wanted::default() };
                        return Step::On;
                    }
                    return self.value_ends(data, sink);
                }
            }
        }
    }

    fn value_ends(&mut self, data: &[u8], sink: &mut Sink<'_>) -> Step {
        self.state = State::Ready;
        match self.path.last() {
            None => self.give(data, false, sink),
            Some(Level::Elements) => {
                self.give(data, true, sink);
                self.separated = false;
            }
            Some(Level::Object) => {}
        }
        self.line_begins = false;
        Step::On
    }

    /// The innermost level was closed.
    fn level_ends(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        if self.path.pop() == Some(Level::Object) {
            self.keys.pop();
        }
        self.indent.clear();
        self.separated = false;
        self.line_begins = false;
        if matches!(self.hold, Hold::Nothing) {
            sink.framing(self.at - self.start);
            self.start = self.at;
        }
        if self.path.is_empty() {
            if self.opened {
                self.values.closed(sink);
            } else {
                self.give(data, false, sink);
            }
        }
    }

    /// Hands on the value that ends at `at`.
    fn give(&mut self, data: &[u8], element: bool, sink: &mut Sink<'_>) {
        let bytes = &data[self.start..self.at];
        let offset = self.offset + self.start as u64;
        match std::mem::replace(&mut self.hold, Hold::Nothing) {
            Hold::Lost(mut loss) => {
                loss.extend(bytes);
                sink.lose(StreamSlot::MAIN, loss);
            }
            _ if bytes.len() > self.frame_bytes => {
                sink.damage(StreamSlot::MAIN, offset, bytes, self.too_long());
            }
            _ => self.values.value(Value { bytes, carrier: bytes.len(), offset, element }, sink),
        }
        self.start = self.at;
    }

    /// Lets go of what was looked at and is not held, or is too much to hold; but for a line feed at its end, which may
    /// turn out to end a broken value, and blanks behind it, by which the next element may be told.
    fn release(&mut self, data: &[u8], sink: &mut Sink<'_>) {
        let passed = &data[self.start..self.at];
        let blanks = passed.iter().rev().take(self.next_element().len()).take_while(|byte| is_blank(**byte));
        let blanks = blanks.count();
        let passed = passed[..passed.len() - blanks].strip_suffix(b"\n").unwrap_or(passed);
        match &mut self.hold {
            Hold::Nothing => sink.framing(passed.len()),
            Hold::Kept if passed.len() <= self.frame_bytes => return,
            Hold::Kept => {
                let mut loss = Loss::new(self.offset + self.start as u64, self.too_long(), sink.limits());
                loss.extend(passed);
                self.hold = Hold::Lost(loss);
            }
            Hold::Lost(loss) => loss.extend(passed),
        }
        self.start += passed.len();
    }
}

/// What indents a line.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

impl<V: Values> Framer for JsonFramer<V> {
    fn frame(&mut self, shown: Shown<'_>, sink: &mut Sink<'_>) -> usize {
        self.offset = shown.offset;
        while !sink.is_full() {
            if self.step(shown.data, shown.more, sink) == Step::Wait {
                break;
            }
        }
        self.release(shown.data, sink);
        let consumed = std::mem::take(&mut self.start);
        self.at -= consumed;
        consumed
    }

    fn finish(&mut self, rest: &[u8], offset: u64, ending: Ending<'_>, sink: &mut Sink<'_>) {
        self.values.ended(sink);
        let reason = match ending {
            Ending::Broken(broken) => broken.reason.clone(),
            Ending::End => match self.state {
                State::Junk => DamageReason::BadJson { detail: "the line is not JSON" },
                State::Resync(why) => DamageReason::BadJson { detail: why },
                _ => DamageReason::UnexpectedEnd,
            },
        };
        match (std::mem::replace(&mut self.hold, Hold::Nothing), ending) {
            (Hold::Lost(mut loss), _) => {
                loss.extend(rest);
                loss.set_reason(reason);
                sink.lose(StreamSlot::MAIN, loss);
            }
            (_, Ending::Broken(broken)) => sink.broken(StreamSlot::MAIN, offset, rest, broken),
            (Hold::Nothing, Ending::End) if self.path.is_empty() && rest.is_empty() => {}
            (_, Ending::End) => sink.damage(StreamSlot::MAIN, offset, rest, reason),
        }
        self.give_up(sink);
        (self.start, self.at, self.separated, self.line_begins, self.blanks) = (0, 0, true, true, None);
    }
}
