//! Lines of fields separated by blanks, some in double quotes or brackets: load balancers, S3, nginx, Apache.
//!
//! A closing quote is one that a blank or the line's end follows and that no backslash escapes. Writers are careless
//! (S3 escapes nothing), so a quote in the middle of a word belongs to the value, and [`Splitter::quoted_before`]
//! lets a parser that knows what the next field looks like tell a quote before a blank from the closing one.
//!
//! ```
//! use weir_parser_sdk::quoted::Splitter;
//!
//! let mut fields = Splitter::new(r#"192.0.2.7 [15/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" "say \"hi\"" -"#);
//! assert_eq!(fields.token().and_then(|t| t.value()), Some("192.0.2.7"));
//! assert_eq!(fields.bracketed().map(|t| t.raw()), Some("15/Jan/2026:10:00:00 +0000"));
//! assert_eq!(fields.token().map(|t| t.raw()), Some("GET / HTTP/1.1"));
//! assert_eq!(fields.token().map(|t| t.unescape()).as_deref(), Some(r#"say "hi""#));
//! assert!(fields.token().is_some_and(|t| t.value().is_none()));
//! assert!(fields.token().is_none());
//! ```

use crate::text;
use std::borrow::Cow;

/// One field of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    text: &'a str,
    /// [`QUOTED`], [`OPEN`] and [`ESCAPED`]: a word, since tokens are copied as words, and a word just written byte by
    /// byte is slow to read.
    flags: u32,
}

const QUOTED: u32 = 1;
const OPEN: u32 = 2;
const ESCAPED: u32 = 4;

impl<'a> Token<'a> {
    /// A field that is not there.
    pub const ABSENT: Token<'static> = Token { text: "", flags: 0 };

    /// The field as it stands, without its quotes or brackets, escapes untouched.
    #[inline]
    pub fn raw(self) -> &'a str {
        self.text
    }

    /// The field as it stands; `None` for `-` and for an empty field, which stand for no value.
    #[inline]
    pub fn value(self) -> Option<&'a str> {
        some(self.text)
    }

    /// The field with its escapes undone, see [`unescape`]. Costs nothing where there are none.
    #[inline]
    pub fn unescape(self) -> Cow<'a, str> {
        if self.flags & ESCAPED != 0 { unescape(self.text) } else { Cow::Borrowed(self.text) }
    }

    /// Whether the field stood in quotes.
    #[inline]
    pub fn is_quoted(self) -> bool {
        self.flags & QUOTED != 0
    }

    /// Whether the field's closing quote or bracket is there. An unclosed field holds the rest of the line.
    #[inline]
    pub fn is_closed(self) -> bool {
        self.flags & OPEN == 0
    }
}

/// `None` for `-` and for an empty text, which stand for no value in these formats.
#[inline]
pub fn some(text: &str) -> Option<&str> {
    (!text.is_empty() && text != "-").then_some(text)
}

/// Takes fields from a line, one after the other. Several blanks between two fields count as one separator.
#[derive(Debug, Clone)]
pub struct Splitter<'a> {
    rest: &'a str,
    escapes: bool,
}

impl<'a> Splitter<'a> {
    /// Of a line whose writer puts a backslash before a quote inside a field (nginx, Apache, load balancers).
    #[inline]
    pub fn new(line: &'a str) -> Self {
        Splitter { rest: line, escapes: true }
    }

    /// Of a line whose writer escapes nothing, so that a backslash is a character like others (S3).
    #[inline]
    pub fn verbatim(line: &'a str) -> Self {
        Splitter { rest: line, escapes: false }
    }

    /// What has not been taken yet, without the blanks before the next field.
    #[inline]
    pub fn rest(&mut self) -> &'a str {
        self.skip_blanks();
        self.rest
    }

    /// The next field, in quotes or bare; `None` at the end of the line.
    #[inline]
    pub fn token(&mut self) -> Option<Token<'a>> {
        self.token_before(|_| true)
    }

    /// Like [`Splitter::token`]; a quote closes a quoted field only if `follows` takes what comes behind the quote
    /// and one blank (the empty text at the line's end). Where none does, the first quote before a blank closes.
    #[inline]
    pub fn token_before(&mut self, follows: impl Fn(&str) -> bool) -> Option<Token<'a>> {
        self.skip_blanks();
        if self.rest.as_bytes().first() == Some(&b'"') { self.quoted_before(follows) } else { self.bare() }
    }

    /// The next field up to the next blank, whatever it begins with; `None` at the end of the line.
    #[inline]
    pub fn bare(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        if self.rest.is_empty() {
            return None;
        }
        let end = text::find_byte(self.rest.as_bytes(), b' ').unwrap_or(self.rest.len());
        let text = self.take(end, end + 1);
        Some(Token { text, flags: 0 })
    }

    /// Like [`Splitter::bare`] for a field that may hold blanks: it ends at the first blank behind which `follows`
    /// takes the rest, or where none does, at the first blank.
    pub fn bare_before(&mut self, follows: impl Fn(&str) -> bool) -> Option<Token<'a>> {
        self.skip_blanks();
        let line = self.rest;
        let end = memchr::memchr_iter(b' ', line.as_bytes())
            .find(|at| line.get(at + 1..).is_some_and(|rest| !rest.starts_with(' ') && follows(rest)));
        let Some(end) = end else { return self.bare() };
        let text = self.take(end, end + 1);
        Some(Token { text: text.trim_end_matches(' '), flags: 0 })
    }

    /// The next field if it stands in quotes; see [`Splitter::token_before`]. `None` if it does not.
    pub fn quoted_before(&mut self, follows: impl Fn(&str) -> bool) -> Option<Token<'a>> {
        self.skip_blanks();
        let inside = self.rest.strip_prefix('"')?;
        let bytes = inside.as_bytes();
        let mut first = None;
        for at in memchr::memchr_iter(b'"', bytes) {
            let ends = matches!(bytes.get(at + 1), None | Some(b' '));
            if !ends || (self.escapes && is_escaped(bytes, at)) {
                continue;
            }
            if follows(inside.get(at + 2..).unwrap_or_default()) {
                return Some(self.close(inside, at));
            }
            first = first.or(Some(at));
        }
        Some(if let Some(at) = first {
            self.close(inside, at)
        } else {
            self.rest = "";
            Token { text: inside, flags: QUOTED | OPEN | self.escaped(inside) }
        })
    }

    /// The next field if it stands in brackets, up to the first `]` before a blank or the line's end. `None` if it
    /// does not.
    pub fn bracketed(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let inside = self.rest.strip_prefix('[')?;
        let bytes = inside.as_bytes();
        let end = memchr::memchr_iter(b']', bytes).find(|at| matches!(bytes.get(at + 1), None | Some(b' ')));
        let flags = if end.is_some() { 0 } else { OPEN };
        let end = end.unwrap_or(inside.len());
        self.rest = inside;
        let text = self.take(end, end + 1);
        Some(Token { text, flags })
    }

    #[inline]
    fn close(&mut self, inside: &'a str, at: usize) -> Token<'a> {
        self.rest = inside;
        let text = self.take(at, at + 1);
        Token { text, flags: QUOTED | self.escaped(text) }
    }

    #[inline]
    fn escaped(&self, text: &str) -> u32 {
        if self.escapes && text::has(text, b'\\') { ESCAPED } else { 0 }
    }

    /// The rest up to `end`; goes on at `next`.
    #[inline]
    fn take(&mut self, end: usize, next: usize) -> &'a str {
        let text = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(next..).unwrap_or_default();
        text
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while let Some(rest) = self.rest.strip_prefix(' ') {
            self.rest = rest;
        }
    }
}

/// Whether an odd number of backslashes stands before `at`.
#[inline]
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Undoes the escapes of web servers' and load balancers' logs: `\xHH` (a byte), `\"`, `\\`, `\n`, `\r`, `\t`, `\b`,
/// `\v`, `\f`. Anything else behind a backslash stays as it is, with the backslash.
///
/// A text whose bytes would not be UTF-8 (an attacker's `\xff`, a Latin-1 name) stays as it stands, so that nothing
/// is lost.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text::has(text, b'\\') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| memchr::memchr(b'\\', rest)).map(|at| from + at) {
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let (byte, used) = match bytes.get(at + 1) {
            Some(b'x') => match (hex(bytes.get(at + 2)), hex(bytes.get(at + 3))) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (b'\\', 1),
            },
            Some(byte @ (b'"' | b'\\')) => (*byte, 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(b'b') => (0x08, 2),
            Some(b'v') => (0x0b, 2),
            Some(b'f') => (0x0c, 2),
            _ => (b'\\', 1),
        };
        out.push(byte);
        from = at + used;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut fields: Splitter<'_>) -> Vec<&str> {
        std::iter::from_fn(|| fields.token()).map(Token::raw).collect()
    }

    #[test]
    fn quotes_inside_a_word_belong_to_the_value() {
        assert_eq!(all(Splitter::new(r#"a "b "c"d" "" "e""#)), ["a", r#"b "c"d"#, "", "e"]);
        assert_eq!(all(Splitter::new(r#"x"y z" "#)), [r#"x"y"#, r#"z""#]);
        assert_eq!(all(Splitter::new("  a   b ")), ["a", "b"]);
        assert_eq!(all(Splitter::new("")), [""; 0]);
    }

    #[test]
    fn backslashes_escape_where_the_writer_does() {
        let line = r#""a \" b" "c \\" d"#;
        assert_eq!(all(Splitter::new(line)), [r#"a \" b"#, r"c \\", "d"]);
        assert_eq!(all(Splitter::verbatim(r#""a\" b"#)), [r"a\", "b"]);
    }

    #[test]
    fn an_unclosed_quote_takes_the_rest_and_says_so() {
        let mut fields = Splitter::new(r#"a "b c"#);
        fields.token();
        let token = fields.token().unwrap();
        assert_eq!((token.raw(), token.is_closed(), token.is_quoted()), ("b c", false, true));
        assert_eq!(fields.token(), None);
        let mut open = Splitter::new("[a b] c [d] [e");
        let taken: Vec<_> =
            [open.bracketed(), open.bracketed()].into_iter().flatten().map(Token::raw).collect();
        assert_eq!(taken, ["a b"]);
        open.bare();
        assert_eq!(open.bracketed().map(|t| (t.raw(), t.is_closed())), Some(("d", true)));
        assert_eq!(open.bracketed().map(|t| (t.raw(), t.is_closed())), Some(("e", false)));
    }

    #[test]
    fn what_follows_tells_the_closing_quote() {
        let number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let mut fields = Splitter::verbatim(r#""GET /a" b" 200 x"#);
        assert_eq!(fields.token_before(number).map(Token::raw), Some(r#"GET /a" b"#));
        assert_eq!(fields.rest(), "200 x");
        let mut bare = Splitter::verbatim("user/a b 7 c d");
        assert_eq!(bare.bare_before(number).map(Token::raw), Some("user/a b"));
        assert_eq!(bare.bare_before(number).map(Token::raw), Some("7"));
        assert_eq!(bare.rest(), "c d");
        let mut none = Splitter::verbatim(r#""GET /a" b" c"#);
        assert_eq!(none.token_before(number).map(Token::raw), Some("GET /a"));
    }

    #[test]
    fn escapes_are_undone_or_the_text_stays() {
        assert_eq!(unescape(r#"\x22a\x22 \"b\" \\ \q \x4"#), r#""a" "b" \ \q \x4"#);
        assert_eq!(unescape(r"\xe2\x82\xac\n"), "\u{20ac}\n");
        assert_eq!(unescape(r"\x16\x03\xff"), r"\x16\x03\xff");
        assert_eq!(unescape("plain"), "plain");
        assert_eq!(unescape("\\"), "\\");
        assert_eq!(unescape("\u{e9}\\"), "\u{e9}\\");
    }
}
