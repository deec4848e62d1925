//! One pass over a document that a guest wrote: is it a JSON object within the limits, and where are its members?
//!
//! Every document passes here once on its way out of the sandbox, so it has to cost little next to parsing: strings are
//! skipped sixteen bytes at a time and nothing is built. What it accepts, and counts, is compared with `serde_json` in a
//! property test and a fuzz target. Nesting is followed with a bit per level, never by recursion.

use std::ops::Range;

/// The limits of one document.
#[derive(Debug, Clone, Copy)]
pub struct DocumentLimits {
    /// Members of all objects and elements of all arrays, together.
    pub fields: u32,
    /// Nested objects and arrays; the document itself is level 1. At most 64.
    pub depth: u32,
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not a JSON object.
    #[error("not a JSON object: {expected} expected at byte {at}")]
    NotJson {
        /// What should stand there.
        expected: &'static str,
        /// Offset in the document.
        at: usize,
    },
    /// Too many fields.
    #[error("more than {0} fields in one event")]
    TooManyFields(u32),
    /// Too deep.
    #[error("nested deeper than {0} levels")]
    TooDeep(u32),
}

/// A member of the document itself: where its key stands (without quotes) and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    key_start: u32,
    key_end: u32,
    value_start: u32,
    value_end: u32,
}

impl Member {
    /// The key's bytes in the document.
    pub fn key(&self) -> Range<usize> {
        self.key_start as usize..self.key_end as usize
    }

    /// The value's bytes in the document.
    pub fn value(&self) -> Range<usize> {
        self.value_start as usize..self.value_end as usize
    }
}

/// What a scan found besides validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    /// Members and elements, all levels.
    pub fields: u32,
    /// Some string holds an escaped surrogate (`\ud800` to `\udfff`), perhaps a lone one, which JSON's grammar allows
    /// and most readers refuse.
    pub surrogates: bool,
    /// Some number has an exponent or hundreds of digits, and may be past what readers hold (IEEE 754 double).
    pub odd_numbers: bool,
}

/// A bit for each byte that ends or interrupts a string: a quote, a backslash, a control character.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the instructions are SSE2, which every x86-64 has; they touch no memory")]
#[inline]
fn interrupts(chunk: &[u8; 16]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let both = u128::from_le_bytes(*chunk);
    // SAFETY: every x86-64 has SSE2.
    unsafe {
        let bytes = _mm_set_epi64x((both >> 64) as i64, both as i64);
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash))) as u32
    }
}

/// How many digits a chunk begins with.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the instructions are SSE2, which every x86-64 has; they touch no memory")]
#[inline]
fn leading_digits(chunk: &[u8; 16]) -> usize {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8, _mm_sub_epi8,
    };
    let both = u128::from_le_bytes(*chunk);
    // SAFETY: every x86-64 has SSE2.
    let digits = unsafe {
        let values =
            _mm_sub_epi8(_mm_set_epi64x((both >> 64) as i64, both as i64), _mm_set1_epi8(b'0' as i8));
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values))
    };
    digits.trailing_ones() as usize
}
#[cfg(not(target_arch = "x86_64"))]
fn leading_digits(chunk: &[u8; 16]) -> usize {
    chunk.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// [`interrupts`] for other processors.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain_interrupts(chunk: &[u8; 16]) -> u32 {
    let interrupts = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    chunk.iter().enumerate().fold(0, |mask, (index, byte)| mask | u32::from(interrupts(*byte)) << index)
}
#[cfg(not(target_arch = "x86_64"))]
use plain_interrupts as interrupts;

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    surrogates: bool,
    odd_numbers: bool,
}

impl Scanner<'_> {
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn blanks(&mut self) {
        // Blanks are all below what may follow them: one comparison where there are none.
        while self.peek() <= b' ' && matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    const fn flaw(&self, expected: &'static str) -> Flaw {
        Flaw::NotJson { expected, at: self.at }
    }

    /// Moves behind the string's closing quote; `at` stands behind the opening one.
    #[inline]
    fn string(&mut self) -> Result<(), Flaw> {
        // Most keys and values end within one step.
        if let Some(chunk) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<16>()) {
            let found = interrupts(chunk);
            let length = found.trailing_zeros() as usize;
            if found != 0 && chunk.get(length) == Some(&b'"') {
                self.at += length + 1;
                return Ok(());
            }
        }
        self.long_string()
    }

    fn long_string(&mut self) -> Result<(), Flaw> {
        loop {
            let Some(rest) = self.bytes.get(self.at..) else { return Err(self.flaw("the end of a string")) };
            if let Some(chunk) = rest.first_chunk::<16>() {
                let found = interrupts(chunk);
                if found == 0 {
                    self.at += 16;
                    continue;
                }
                self.at += found.trailing_zeros() as usize;
            } else {
                match rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
                    Some(position) => self.at += position,
                    None => return Err(self.flaw("the end of a string")),
                }
            }
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return Err(self.flaw("an escaped control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.flaw("four hexadecimal digits"));
                }
                self.surrogates |=
                    matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                self.at += 6;
            }
            _ => return Err(self.flaw("an escape sequence")),
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        if !self.peek().is_ascii_digit() {
            return Err(self.flaw("a digit"));
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<(), Flaw> {
        // Most numbers are short integers.
        if let Some(chunk) = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<16>())
            && matches!(chunk[0], b'1'..=b'9')
        {
            let length = leading_digits(chunk);
            if matches!(chunk.get(length), Some(b',' | b'}' | b']')) {
                self.at += length;
                return Ok(());
            }
        }
        self.any_number()
    }

    fn any_number(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
            self.odd_numbers = true;
        }
        self.odd_numbers |= self.at - start > 300;
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Result<(), Flaw> {
        if self.bytes.get(self.at..self.at + word.len()) == Some(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.flaw("a JSON value"))
        }
    }
}

/// Scans one document and appends its own members to `members`.
///
/// # Errors
/// A [`Flaw`] when the bytes are not one JSON object within the limits. They must be UTF-8.
pub fn scan(bytes: &[u8], limits: DocumentLimits, members: &mut Vec<Member>) -> Result<Scan, Flaw> {
    let mut scanner = Scanner { bytes, at: 0, surrogates: false, odd_numbers: false };
    let mut fields: u32 = 0;
    // Bit n: level n + 1 is an object.
    let mut objects: u64 = 0;
    let mut depth: u32 = 0;
    let mut key = (0_u32, 0_u32);
    let mut value_start = 0_u32;
    scanner.blanks();
    if scanner.peek() != b'{' {
        return Err(scanner.flaw("{"));
    }
    loop {
        // A value begins here.
        if depth == 1 {
            value_start = scanner.at as u32;
        }
        let mut opened = false;
        match scanner.peek() {
            b'"' => {
                scanner.at += 1;
                scanner.string()?;
            }
            open @ (b'{' | b'[') => {
                if depth >= limits.depth.min(64) {
                    return Err(Flaw::TooDeep(limits.depth));
                }
                objects = if open == b'{' { objects | (1 << depth) } else { objects & !(1 << depth) };
                depth += 1;
                scanner.at += 1;
                opened = true;
            }
            b'-' | b'0'..=b'9' => scanner.number()?,
            b't' => scanner.word("true")?,
            b'f' => scanner.word("false")?,
            b'n' => scanner.word("null")?,
            _ => return Err(scanner.flaw("a JSON value")),
        }
        // Behind a value, or just inside a container.
        loop {
            let value_end = scanner.at as u32;
            scanner.blanks();
            let in_object = depth > 0 && objects & (1 << (depth - 1)) != 0;
            if !opened && depth == 1 {
                members.push(Member { key_start: key.0, key_end: key.1, value_start, value_end });
            }
            if depth == 0 {
                return if scanner.at == bytes.len() {
                    Ok(Scan { fields, surrogates: scanner.surrogates, odd_numbers: scanner.odd_numbers })
                } else {
                    Err(scanner.flaw("the end of the document"))
                };
            }
            let next = scanner.peek();
            if next == if in_object { b'}' } else { b']' } {
                scanner.at += 1;
                depth -= 1;
                opened = false;
                continue;
            }
            if !opened {
                if next != b',' {
                    return Err(scanner.flaw("a comma or the end of an object or array"));
                }
                scanner.at += 1;
                scanner.blanks();
            }
            fields += 1;
            if fields > limits.fields {
                return Err(Flaw::TooManyFields(limits.fields));
            }
            if in_object {
                if scanner.peek() != b'"' {
                    return Err(scanner.flaw("a member's name"));
                }
                scanner.at += 1;
                let start = scanner.at;
                scanner.string()?;
                if depth == 1 {
                    key = (start as u32, (scanner.at - 1) as u32);
                }
                scanner.blanks();
                if scanner.peek() != b':' {
                    return Err(scanner.flaw(":"));
                }
                scanner.at += 1;
                scanner.blanks();
            }
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const WIDE: DocumentLimits = DocumentLimits { fields: 1000, depth: 20 };

    fn check(text: &str) -> Result<Vec<(String, String)>, Flaw> {
        let mut members = Vec::new();
        scan(text.as_bytes(), WIDE, &mut members)?;
        Ok(members.iter().map(|m| (text[m.key()].to_owned(), text[m.value()].to_owned())).collect())
    }

    #[test]
    fn every_byte_that_interrupts_a_string_is_seen() {
        for byte in 0..=255_u8 {
            for at in 0..16 {
                let mut chunk = *b"abcdefgh\x7f\x80\xff!#[]~";
                chunk[at] = byte;
                assert_eq!(interrupts(&chunk), plain_interrupts(&chunk), "{chunk:?}");
                let mut number = [b'7'; 16];
                number[at] = byte;
                let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
                assert_eq!(leading_digits(&number), digits, "{number:?}");
            }
        }
    }

    #[test]
    fn members_are_where_they_stand() {
        let members = check(" {\"a\" : [1, {\"b\":2}] , \"c\\n\":\"x\\\"y\",\"d\":{} }\n").unwrap();
        let expected = [("a", "[1, {\"b\":2}]"), ("c\\n", "\"x\\\"y\""), ("d", "{}")];
        assert_eq!(members, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(check("{}").unwrap(), []);
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "\"a\"",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{}{}",
            "{\"a\":-}",
            "{\"a\":\"abc",
            "{a:1}",
            "{\"a\":+1}",
            "{\"a\":[}]",
        ] {
            assert!(matches!(check(text), Err(Flaw::NotJson { .. })), "{text}");
            assert!(serde_json::from_str::<serde_json::Map<String, Value>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(check(&nested(19)).is_ok());
        assert_eq!(check(&nested(20)), Err(Flaw::TooDeep(20)));
        assert_eq!(check(&nested(1_000_000)), Err(Flaw::TooDeep(20)));
        let wide = |count: usize| format!("{{\"a\":[{}]}}", vec!["0"; count].join(","));
        assert!(check(&wide(999)).is_ok());
        assert_eq!(check(&wide(1000)), Err(Flaw::TooManyFields(1000)));
    }

    #[test]
    fn escaped_surrogates_are_noticed() {
        let surrogates = |text: &str| scan(text.as_bytes(), WIDE, &mut Vec::new()).unwrap().surrogates;
        assert!(surrogates("{\"a\":\"\\ud83d\\ude00\"}") && surrogates("{\"a\":\"\\uDFFF\"}"));
        assert!(!surrogates("{\"a\":\"\\u00d8\\ud7ff\\ue000 \u{1F600}\"}"));
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..6).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_mutated_documents(value in json_value(), pretty: bool, cut in 0..400_usize, byte in any::<u8>(), swap: bool) {
            let value = serde_json::json!({ "k": value, "l": 1 });
            let mut text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            if swap && let Some(slot) = text.get_mut(cut) {
                *slot = byte;
            }
            prop_assume!(std::str::from_utf8(&text).is_ok());
            let mut members = Vec::new();
            let ours = scan(&text, DocumentLimits { fields: 100_000, depth: 64 }, &mut members);
            match serde_json::from_slice::<serde_json::Map<String, Value>>(&text) {
                Ok(map) => {
                    prop_assert!(ours.is_ok(), "{ours:?}");
                    prop_assert!(map.len() <= members.len());
                    for member in &members {
                        prop_assert!(serde_json::from_slice::<Value>(&text[member.value()]).is_ok());
                    }
                }
                // serde_json also refuses what the grammar allows: lone surrogates and numbers past f64.
                Err(error) => prop_assert!(ours.is_err() || error.to_string().contains("surrogate") || error.to_string().contains("out of range") || error.to_string().contains("end of hex escape")),
            }
        }
    }
}
