//! Writing JSON text straight into a buffer.
//!
//! Log values are short, mostly ASCII strings. Inside WebAssembly a call to `memcpy` for each of them costs more than
//! the copy, so short strings are copied a block at a time while they are searched for bytes that JSON escapes, see
//! `short`.

use crate::reader::JsonText;
use crate::short::{self, Piece};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Has a high bit set in some byte if that byte of `word` is below 0x20, a quote or a backslash. Bytes behind the
/// first such byte may be flagged wrongly, bytes before it never are.
pub(crate) const fn needs_escape(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (control | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGH
}

/// Appends `text` as it is; made for short texts.
#[inline]
pub fn push(out: &mut Vec<u8>, text: &[u8]) {
    short::append(out, text);
}

/// Appends `text` as a JSON string with its quotes.
#[inline]
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    if !short::append_plain::<true>(out, text.as_bytes()) {
        out.push(b'"');
        push_escaped_slowly(out, text.as_bytes());
        out.push(b'"');
    }
}

/// Appends the inside of a JSON string. `text` must be UTF-8.
#[inline]
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if !short::append_plain::<false>(out, text) {
        push_escaped_slowly(out, text);
    }
}

/// Appends a text in which there is something to escape.
fn push_escaped_slowly(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 8);
    let mut rest = text;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        if needs_escape(u64::from_le_bytes(*chunk)) != 0 {
            for &byte in chunk {
                push_byte(out, byte);
            }
        } else {
            out.extend_from_slice(chunk);
        }
        rest = tail;
    }
    for &byte in rest {
        push_byte(out, byte);
    }
}

#[inline]
fn push_byte(out: &mut Vec<u8>, byte: u8) {
    if byte >= 0x20 && byte != b'"' && byte != b'\\' {
        out.push(byte);
    } else {
        push_escape(out, byte);
    }
}

#[cold]
fn push_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        other => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX.get(usize::from(other >> 4)).copied().unwrap_or(b'0'));
            out.push(HEX.get(usize::from(other & 15)).copied().unwrap_or(b'0'));
        }
    }
}

/// How many bytes `text` begins with that may stand in a JSON string as they are: up to the first quote, backslash or
/// control character.
#[inline]
pub(crate) fn plain_length(text: &[u8]) -> usize {
    let mut rest = text;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        // Exact up to and including the first byte found.
        let found = needs_escape(u64::from_le_bytes(*chunk));
        if found != 0 {
            return text.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = tail;
    }
    let tail =
        rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
    text.len() - rest.len() + tail
}

/// Appends an integer.
#[inline]
pub fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    push(out, itoa::Buffer::new().format(value).as_bytes());
}

/// Whether `text` can stand in JSON as an integer that fits 64 bits, as it is.
#[inline]
pub fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 18 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Whether `text` is a JSON number, as it is (RFC 8259, section 6).
pub fn is_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> Option<&[u8]> {
        let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
        if end == 0 { None } else { text.get(end..) }
    }
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    rest = match rest {
        [b'0', tail @ ..] => tail,
        _ => match digits(rest) {
            Some(tail) => tail,
            None => return false,
        },
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        match digits(fraction) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent =
            exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        match digits(exponent) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Appends an array of strings.
#[inline]
pub(crate) fn push_strings<'s>(out: &mut Vec<u8>, values: impl IntoIterator<Item = &'s str>) {
    out.push(b'[');
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, value);
    }
    out.push(b']');
}

/// Appends a number that has a fraction even where `value` leaves it out, so that no reader takes it for an integer.
/// `value` must be a number, see [`is_number`].
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, value: &str) {
    push(out, value.as_bytes());
    if value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        out.extend_from_slice(b".0");
    }
}

/// Writes one JSON object, key by key, in the order of the calls. For the vendor's own tree of an event.
///
/// A key must not be written twice; nothing checks that.
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ObjectWriter<'a> {
    /// Continues an object whose opening brace, or last member, `out` ends with.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        ObjectWriter { out }
    }

    #[inline]
    fn key(&mut self, key: &str) {
        self.comma();
        push_string(self.out, key);
        self.out.push(b':');
    }

    #[inline]
    fn is_first(&self) -> bool {
        self.out.last().is_none_or(|last| *last == b'{')
    }

    #[inline]
    fn comma(&mut self) {
        if !self.is_first() {
            self.out.push(b',');
        }
    }

    /// Begins a member whose key is at hand with the comma before it; its value must follow at once.
    #[inline]
    pub(crate) fn begin_member(&mut self, key: &Piece) -> &mut Vec<u8> {
        self.plain_member(key, "");
        self.out
    }

    /// A string member, like [`ObjectWriter::begin_member`].
    #[inline]
    pub(crate) fn text_member(&mut self, key: &Piece, value: &str) {
        let first = self.is_first();
        if !short::append_with_text(self.out, key, first, value.as_bytes()) {
            push_string(self.begin_member(key), value);
        }
    }

    /// A member whose value stands in JSON as it is, like [`ObjectWriter::begin_member`].
    #[inline]
    pub(crate) fn plain_member(&mut self, key: &Piece, json: &str) {
        let first = self.is_first();
        short::append_with_json(self.out, key, first, json.as_bytes());
    }

    /// A string member.
    #[inline(never)]
    pub fn string(&mut self, key: &str, value: &str) -> &mut Self {
        let first = self.is_first();
        if !short::append_member(self.out, first, key.as_bytes(), value.as_bytes()) {
            self.key(key);
            push_string(self.out, value);
        }
        self
    }

    /// A string member, left out when there is no value.
    #[inline]
    pub fn optional(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.string(key, value);
        }
        self
    }

    /// An integer member.
    #[inline]
    pub fn integer(&mut self, key: &str, value: impl itoa::Integer) -> &mut Self {
        self.key(key);
        push_integer(self.out, value);
        self
    }

    /// A number if `value` is one as it stands, else a string.
    #[inline]
    pub fn number_or_string(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        if is_integer(value.as_bytes()) || (value.len() < 18 && is_number(value.as_bytes())) {
            push(self.out, value.as_bytes());
        } else {
            push_string(self.out, value);
        }
        self
    }

    /// A boolean member.
    pub fn boolean(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key);
        push(self.out, if value { b"true" } else { b"false" });
        self
    }

    /// A member whose value is JSON text already, such as the text of a `serde_json::value::RawValue`.
    #[inline]
    pub fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key);
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    /// A member whose key and value are JSON text already.
    #[inline]
    pub fn raw_member(&mut self, key: JsonText<'_>, json: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        push(self.out, key.raw().as_bytes());
        self.out.extend_from_slice(b"\":");
        push(self.out, json.as_bytes());
        self
    }

    /// Members that are JSON text already, keys and all: `"a":1,"b":[2]`. Nothing for an empty text.
    #[inline]
    pub fn members(&mut self, json: &str) -> &mut Self {
        if !json.is_empty() {
            self.comma();
            self.out.extend_from_slice(json.as_bytes());
        }
        self
    }

    /// An array of strings.
    pub fn strings<'s>(&mut self, key: &str, values: impl IntoIterator<Item = &'s str>) -> &mut Self {
        self.key(key);
        push_strings(self.out, values);
        self
    }

    /// An object member, filled by `fill`.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) -> &mut Self {
        self.key(key);
        self.out.push(b'{');
        fill(&mut ObjectWriter { out: self.out });
        self.out.push(b'}');
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_serde_json_does() {
        let mut samples: Vec<String> =
            (0..=0x7f_u8).map(|b| format!("abcdefg{}hijklmnop", char::from(b))).collect();
        samples.extend((0..20).flat_map(|length| {
            (0..=length).map(move |at| {
                format!("{}\"{}", &"abcdefghijklmnopqrst"[..at], &"abcdefghijklmnopqrst"[at..length])
            })
        }));
        samples.extend((0..=70).map(|length| "x".repeat(length)));
        samples.extend([
            String::new(),
            "ünïcödé \u{1F600}\u{7f}\u{80}".into(),
            "\\\\\\\"".into(),
            "a".repeat(100),
        ]);
        for sample in samples {
            let mut out = Vec::new();
            push_string(&mut out, &sample);
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&sample).unwrap());
            let mut plain = b"before".to_vec();
            push(&mut plain, sample.as_bytes());
            assert_eq!(plain, [b"before", sample.as_bytes()].concat());
        }
    }

    #[test]
    fn numbers_are_what_json_takes() {
        for text in [
            "0", "-0", "1", "-1", "10", "1.5", "1e5", "0.5E-3", "00", "01", "-", "", "1.", ".5", "1e", "+1",
            "0x1", "1 ",
        ] {
            let valid = serde_json::from_str::<f64>(text).is_ok() && text.trim() == text;
            assert_eq!(is_number(text.as_bytes()), valid, "{text}");
        }
        assert!(
            is_integer(b"999999999999999999") && !is_integer(b"9999999999999999999") && !is_integer(b"007")
        );
    }

    #[test]
    fn objects_have_commas_where_they_belong() {
        let mut out = b"{".to_vec();
        ObjectWriter::new(&mut out)
            .string("a", "x\"y")
            .number_or_string("b", "12")
            .number_or_string("c", "1-2")
            .object("d", |d| {
                d.boolean("e", true).strings("f", ["g", "h"]);
            })
            .raw("i", "[1, 2]")
            .members("")
            .members("\"j\":1,\"k\":{}")
            .object("l", |l| {
                l.members("\"m\":1").boolean("n", false);
            });
        out.push(b'}');
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            r#"{"a":"x\"y","b":12,"c":"1-2","d":{"e":true,"f":["g","h"]},"i":[1, 2],"j":1,"k":{},"l":{"m":1,"n":false}}"#
        );
    }
}
