//! Reading JSON in one pass, without building anything.
//!
//! A JSON record mostly goes into the document as it stands, and only a few of its members become ECS fields. So the
//! reader walks the text once, checks that it is JSON, and hands out slices: keys, strings without their quotes, whole
//! values. What it accepts is what RFC 8259 calls JSON text, the same as `serde_json` but for lone surrogates (which
//! the host repairs) and numbers that overflow (see [`Reader::has_large_numbers`]). Nesting costs a bit per level,
//! never recursion.
//!
//! A flaw ends the walk like the end of the text would: [`Reader::key`] and [`Reader::element`] say that there is
//! nothing more. [`Reader::end`] tells the two apart, so **nothing read counts before `end` has returned `Ok`**. That
//! keeps the hot path free of results to be passed on.
//!
//! ```
//! use weir_parser_sdk::reader::Reader;
//!
//! let mut reader = Reader::new(r#"{"name": "a\u0062c", "tree": {"x": [1, 2]}}"#);
//! reader.object();
//! while let Some(key) = reader.key() {
//!     match key.raw() {
//!         "name" => assert_eq!(reader.value().string().unwrap().unescape(), "abc"),
//!         _ => assert_eq!(reader.value().text, r#"{"x": [1, 2]}"#),
//!     }
//! }
//! reader.end()?;
//! # Ok::<(), weir_parser_sdk::ParseError>(())
//! ```

use crate::ecs::{Keyword, Text};
use crate::text;
use crate::{ObjectWriter, ParseError, Value, block, json};
use std::borrow::Cow;

/// What one bit per level can follow. Documents may have 20 levels.
const DEEPEST: u32 = 64;

/// The inside of a JSON string as it stands, escapes and all. As the value of a field it is copied, not escaped again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonText<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> JsonText<'a> {
    /// A text of the parser's own, as it stands inside a JSON string.
    #[inline]
    pub fn from_raw(raw: &'a str) -> Self {
        JsonText { raw, escaped: text::has(raw, b'\\') }
    }

    /// The text between the quotes.
    #[inline]
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// Whether there is nothing between the quotes, or only the `-` that stands for nothing in most formats.
    #[inline]
    pub fn is_absent(self) -> bool {
        self.raw.is_empty() || self.raw == "-"
    }

    /// The text that the string means. An escaped surrogate without its partner reads as U+FFFD.
    #[inline]
    pub fn unescape(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// A part of the text, for example behind a prefix. `part` must not begin within an escape sequence. It may end
    /// before a slash or quote that is escaped; the backslash is not part of it then.
    #[inline]
    #[must_use]
    pub fn part(self, part: &'a str) -> Self {
        let raw = if self.escaped { without_dangling_backslash(part) } else { part };
        JsonText { raw, escaped: self.escaped }
    }
}

#[cold]
fn without_dangling_backslash(text: &str) -> &str {
    let backslashes = text.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 { text.get(..text.len() - 1).unwrap_or_default() } else { text }
}

impl Value<Keyword> for JsonText<'_> {
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        json::push(out, self.raw.as_bytes());
        out.push(b'"');
    }
}

impl Value<Text> for JsonText<'_> {
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>) {
        Value::<Keyword>::push_json(self, out);
    }
}

/// What kind of value a JSON text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

/// One JSON value as it stands.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    /// The value's text, without white space around it.
    pub text: &'a str,
    /// What it is.
    pub shape: Shape,
    /// Members and elements inside it, at all levels, as the host counts an event's fields.
    pub fields: u32,
    /// Levels of objects and arrays: 0 for a scalar, 1 for an object of scalars.
    pub depth: u32,
    escaped: bool,
}

impl<'a> Raw<'a> {
    /// The string, if it is one.
    #[inline]
    pub fn string(self) -> Option<JsonText<'a>> {
        if self.shape != Shape::String {
            return None;
        }
        let inside = self.text.get(1..self.text.len() - 1)?;
        Some(JsonText { raw: inside, escaped: self.escaped })
    }

    /// The string, or a number or boolean as text.
    #[inline]
    pub fn scalar(self) -> Option<JsonText<'a>> {
        match self.shape {
            Shape::Number | Shape::Boolean => Some(JsonText { raw: self.text, escaped: false }),
            _ => self.string(),
        }
    }

    /// The integer, if it is one of 64 bits.
    #[inline]
    pub fn integer(self) -> Option<i64> {
        if self.shape == Shape::Number { self.text.parse().ok() } else { None }
    }

    /// Whether it is `null`.
    #[inline]
    pub fn is_null(self) -> bool {
        self.shape == Shape::Null
    }
}

/// A cursor over one JSON text.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where the key of the member that is being read begins, with its quote.
    member: usize,
    /// Directly behind an opening brace or bracket.
    fresh: bool,
    large: bool,
    flaw: Option<ParseError>,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `text`.
    #[inline]
    pub fn new(text: &'a str) -> Self {
        Reader { text, at: 0, member: 0, fresh: false, large: false, flaw: None }
    }

    /// Whether a number was passed that 64 bits or a double cannot hold; [`crate::fit::quote_large_numbers`] makes
    /// strings of such numbers.
    pub fn has_large_numbers(&self) -> bool {
        self.large
    }

    /// The offset of the next byte to be read.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The offset at which the member begins whose key was read last: the key's opening quote.
    #[inline]
    pub fn member_start(&self) -> usize {
        self.member
    }

    /// The next byte that is not white space; 0 at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        loop {
            let byte = self.byte();
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.at += 1;
        }
    }

    /// Enters an object.
    #[inline]
    pub fn object(&mut self) {
        self.expect(b'{', "{");
        self.fresh = true;
    }

    /// Enters an array.
    #[inline]
    pub fn array(&mut self) {
        self.expect(b'[', "[");
        self.fresh = true;
    }

    /// The key of the object's next member, whose value must be read next; `None` at the object's end.
    #[inline]
    pub fn key(&mut self) -> Option<JsonText<'a>> {
        let mut next = self.peek();
        if next == b'}' {
            self.at += 1;
            self.fresh = false;
            return None;
        }
        if !self.fresh {
            if next != b',' {
                self.fail("a comma or the end of the object");
                return None;
            }
            self.at += 1;
            next = self.peek();
        }
        if next != b'"' {
            self.fail("a member's name");
            return None;
        }
        self.fresh = false;
        self.member = self.at;
        let key = self.quoted();
        self.expect(b':', ":");
        Some(key)
    }

    /// Whether the array has another element, which must be read next.
    #[inline]
    pub fn element(&mut self) -> bool {
        let next = self.peek();
        let fresh = std::mem::replace(&mut self.fresh, false);
        if next == b']' {
            self.at += 1;
            return false;
        }
        if !fresh {
            if next != b',' {
                self.fail("a comma or the end of the array");
                return false;
            }
            self.at += 1;
        }
        self.flaw.is_none()
    }

    /// Reads one value of any kind, to its end.
    #[inline]
    pub fn value(&mut self) -> Raw<'a> {
        let first = self.peek();
        let start = self.at;
        self.fresh = false;
        let (mut fields, mut depth, mut escaped) = (0, 0, false);
        let shape = match first {
            b'"' => {
                escaped = self.quoted().escaped;
                Shape::String
            }
            b'{' | b'[' => {
                (fields, depth) = self.container();
                if first == b'{' { Shape::Object } else { Shape::Array }
            }
            _ => self.scalar(first),
        };
        let text = self.text.get(start..self.at).unwrap_or_default();
        Raw { text, shape, fields, depth, escaped }
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// When something else follows, or the text was no JSON somewhere before: says what was expected, and where.
    #[inline]
    pub fn end(&mut self) -> Result<(), ParseError> {
        self.peek();
        if self.at != self.text.len() {
            self.fail("the end of the text");
        }
        self.flaw.take().map_or(Ok(()), Err)
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn expect(&mut self, byte: u8, name: &str) {
        if self.peek() == byte {
            self.at += 1;
        } else {
            self.fail(name);
        }
    }

    /// Notes the first flaw, and goes to the end of the text.
    #[cold]
    fn fail(&mut self, expected: &str) {
        if self.flaw.is_none() {
            self.flaw = Some(ParseError::bad_json(format!("expected {expected} at byte {}", self.at)));
        }
        self.at = self.text.len();
        self.fresh = false;
    }

    /// Reads a string, the reader being at its opening quote. Most strings have no escapes and do not end the text,
    /// and this is made for them.
    #[inline]
    fn quoted(&mut self) -> JsonText<'a> {
        let start = self.at + 1;
        let mut at = start;
        while let Some(block) = self.text.as_bytes().get(at..).and_then(|rest| rest.first_chunk::<16>()) {
            let found = block::escapes(block);
            if found == 0 {
                at += 16;
                continue;
            }
            at += found.trailing_zeros() as usize;
            if self.text.as_bytes().get(at) == Some(&b'"') {
                self.at = at + 1;
                return JsonText { raw: self.text.get(start..at).unwrap_or_default(), escaped: false };
            }
            break;
        }
        self.at = at;
        self.quoted_rest(start)
    }

    /// Reads the rest of a string that began at `start`: with escapes, or near the text's end.
    fn quoted_rest(&mut self, start: usize) -> JsonText<'a> {
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += json::plain_length(rest);
            match self.byte() {
                b'"' => {
                    let raw = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return JsonText { raw, escaped };
                }
                b'\\' => {
                    escaped = true;
                    self.escape();
                }
                _ => {
                    let missing = self.at >= self.text.len();
                    self.fail(if missing { "the end of a string" } else { "an escaped control character" });
                    return JsonText { raw: "", escaped: false };
                }
            }
        }
    }

    fn escape(&mut self) {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit) {
                    self.at += 6;
                } else {
                    self.fail("four hexadecimal digits");
                }
            }
            _ => self.fail("an escape sequence"),
        }
    }

    #[inline]
    fn scalar(&mut self, first: u8) -> Shape {
        match first {
            b'-' | b'0'..=b'9' => {
                let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                let length = rest.iter().position(|byte| !is_number_byte(*byte)).unwrap_or(rest.len());
                let number = rest.get(..length).unwrap_or_default();
                if !json::is_integer(number) {
                    if !json::is_number(number) {
                        self.fail("a number");
                        return Shape::Null;
                    }
                    self.large |= is_large(number);
                }
                self.at += length;
                Shape::Number
            }
            b't' => self.word("true", Shape::Boolean),
            b'f' => self.word("false", Shape::Boolean),
            _ => self.word("null", Shape::Null),
        }
    }

    #[inline]
    fn word(&mut self, word: &str, shape: Shape) -> Shape {
        if self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            shape
        } else {
            self.fail("a JSON value");
            Shape::Null
        }
    }

    /// Passes an object or array, the reader being at its opening; the number of fields inside and its levels.
    fn container(&mut self) -> (u32, u32) {
        // Bit n: level n + 1 is an object.
        let mut objects: u64 = 0;
        let (mut depth, mut deepest, mut fields) = (0_u32, 0_u32, 0_u32);
        loop {
            // A value begins here.
            let first = self.peek();
            let mut opened = false;
            match first {
                b'"' => {
                    self.quoted();
                }
                b'{' | b'[' => {
                    if depth >= DEEPEST {
                        self.flaw =
                            Some(ParseError::too_large(format!("nested deeper than {DEEPEST} levels")));
                        self.at = self.text.len();
                        return (fields, deepest);
                    }
                    let bit = 1 << depth;
                    objects = if first == b'{' { objects | bit } else { objects & !bit };
                    depth += 1;
                    deepest = deepest.max(depth);
                    self.at += 1;
                    opened = true;
                }
                _ => {
                    self.scalar(first);
                }
            }
            // Behind a value, or just inside a container.
            loop {
                let in_object = objects & (1 << (depth - 1)) != 0;
                let mut next = self.peek();
                if next == if in_object { b'}' } else { b']' } {
                    self.at += 1;
                    depth -= 1;
                    if depth == 0 {
                        return (fields, deepest);
                    }
                    opened = false;
                    continue;
                }
                if !opened {
                    if next != b',' {
                        self.fail("a comma or the end of an object or array");
                        return (fields, deepest);
                    }
                    self.at += 1;
                    next = self.peek();
                }
                fields += 1;
                if in_object {
                    if next != b'"' {
                        self.fail("a member's name");
                        return (fields, deepest);
                    }
                    self.quoted();
                    self.expect(b':', ":");
                }
                break;
            }
        }
    }
}

/// Copies an object's members into another object as they stand, many at a time.
///
/// Call [`Runs::keep`] behind each member that is copied, and [`Runs::flush`] at each member that is not (left out or
/// written in another form) and at the end.
#[derive(Debug)]
pub struct Runs<'a> {
    text: &'a str,
    start: Option<usize>,
    end: usize,
}

impl<'a> Runs<'a> {
    /// For the members of an object that a reader of the same `text` walks.
    #[inline]
    pub fn new(text: &'a str) -> Self {
        Runs { text, start: None, end: 0 }
    }

    /// Keeps the member whose value `reader` has just read in one call.
    #[inline]
    pub fn keep(&mut self, reader: &Reader<'_>) {
        self.keep_from(reader.member_start(), reader);
    }

    /// Keeps the member that began at `start` (see [`Reader::member_start`]) and whose value was walked.
    #[inline]
    pub fn keep_from(&mut self, start: usize, reader: &Reader<'_>) {
        self.keep_span(start, reader.position());
    }

    /// Keeps what stands between two offsets: one member or several, as they stand.
    #[inline]
    pub fn keep_span(&mut self, start: usize, end: usize) {
        if self.start.is_none() {
            self.start = Some(start);
        }
        self.end = end;
    }

    /// Writes what was kept since the last call.
    #[inline]
    pub fn flush(&mut self, out: &mut ObjectWriter<'_>) {
        if let Some(start) = self.start.take() {
            out.members(self.text.get(start..self.end).unwrap_or_default());
        }
    }
}

pub(crate) const fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Whether a JSON number is an integer past 64 bits, or past what a double holds.
pub(crate) fn is_large(number: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(number) else { return false };
    if number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        !text.parse::<f64>().is_ok_and(f64::is_finite)
    } else {
        text.parse::<i64>().is_err()
    }
}

#[cold]
fn unescape(raw: &str) -> String {
    let unit = |text: &str| -> Option<u32> { u32::from_str_radix(text.get(..4)?, 16).ok() };
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = text::cut(rest, "\\") {
        out.push_str(plain);
        let kind = escape.chars().next().unwrap_or('\\');
        rest = escape.get(kind.len_utf8()..).unwrap_or_default();
        out.push(match kind {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = unit(rest).unwrap_or(0xfffd);
                rest = rest.get(4..).unwrap_or_default();
                let second = rest.strip_prefix("\\u").and_then(unit);
                match (first, second) {
                    (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                        rest = rest.get(6..).unwrap_or_default();
                        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00))
                            .unwrap_or('\u{fffd}')
                    }
                    _ => char::from_u32(first).unwrap_or('\u{fffd}'),
                }
            }
            other => other,
        });
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
