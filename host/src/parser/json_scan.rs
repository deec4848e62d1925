//! One pass over a document that a guest wrote: is it a JSON object within the limits, and where are its members?
//!
//! Every document passes here once on its way out of the sandbox, so it has to cost little next to parsing: nothing is
//! built, and where strings end is looked up for 64 bytes at once, as simdjson does (Langdale and Lemire, "Parsing
//! Gigabytes of JSON per Second", 2019), so that the search for one string's end does not wait for the last one's. What
//! it accepts, and counts, is compared with `serde_json` in a property test and a fuzz target. Nesting is followed with
//! a bit per level, never by recursion.
#![allow(
    clippy::inline_always,
    reason = "the loop over members pays for each call; measured over VPC flow's documents"
)]

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

/// A bit for each of 64 bytes that ends or interrupts a string; bytes past the end have none.
#[inline]
fn interrupts_of_block(rest: &[u8]) -> u64 {
    let whole = |block: &[u8; BLOCK]| {
        let (chunks, _) = block.as_chunks::<16>();
        chunks.iter().rev().fold(0, |mask, chunk| mask << 16 | u64::from(interrupts(chunk)))
    };
    if let Some(block) = rest.first_chunk::<BLOCK>() {
        return whole(block);
    }
    let mut block = [b' '; BLOCK];
    if let Some(begin) = block.get_mut(..rest.len()) {
        begin.copy_from_slice(rest);
    }
    whole(&block)
}

const BLOCK: usize = 64;

/// Where strings end or are interrupted, one place after the other.
struct Interrupts<'a> {
    bytes: &'a [u8],
    /// Where the next block of bytes to look at begins.
    next_block: usize,
    /// The bits of [`interrupts_of_block`] that are left of the block before it.
    left: u64,
}

impl Interrupts<'_> {
    /// The next place from `at` on; past the end if there is none.
    #[inline(always)]
    fn next(&mut self, at: usize) -> usize {
        loop {
            while self.left == 0 {
                match self.bytes.get(self.next_block..) {
                    Some(rest) if !rest.is_empty() => self.left = interrupts_of_block(rest),
                    _ => return usize::MAX,
                }
                self.next_block += BLOCK;
            }
            let place = self.next_block - BLOCK + self.left.trailing_zeros() as usize;
            self.left &= self.left - 1;
            // Opening quotes, escaped characters and line breaks between members have been passed otherwise.
            if place >= at {
                return place;
            }
        }
    }
}

/// What is not JSON, in the words of [`Flaw::NotJson`]. Positions go in and out of the functions below by value, so that
/// they stay in registers.
#[cold]
const fn flaw(expected: &'static str, at: usize) -> Flaw {
    Flaw::NotJson { expected, at }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    interrupts: Interrupts<'a>,
    found: Scan,
}

impl Scanner<'_> {
    /// The byte at a place; 0, which stands nowhere in JSON, past the end.
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// Where the blanks end that begin here, if any do.
    #[inline(always)]
    fn behind_blanks(&self, mut at: usize) -> usize {
        // Blanks are all below what may follow them: one comparison where there are none.
        while self.byte(at) <= b' ' && matches!(self.bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            at += 1;
        }
        at
    }

    /// The place behind the string's closing quote; `at` is the one behind its opening quote.
    #[inline(always)]
    fn behind_string(&mut self, at: usize) -> Result<usize, Flaw> {
        let place = self.interrupts.next(at);
        if self.byte(place) == b'"' { Ok(place + 1) } else { self.behind_escapes(place) }
    }

    #[inline(never)]
    fn behind_escapes(&mut self, mut place: usize) -> Result<usize, Flaw> {
        loop {
            match self.bytes.get(place) {
                Some(b'"') => return Ok(place + 1),
                Some(b'\\') => place = self.behind_escape(place)?,
                Some(_) => return Err(flaw("an escaped control character", place)),
                None => return Err(flaw("the end of a string", self.bytes.len())),
            }
            place = self.interrupts.next(place);
        }
    }

    fn behind_escape(&mut self, at: usize) -> Result<usize, Flaw> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                let digits = self.bytes.get(at + 2..at + 6).unwrap_or_default();
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(flaw("four hexadecimal digits", at));
                }
                self.found.surrogates |=
                    matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                Ok(at + 6)
            }
            _ => Err(flaw("an escape sequence", at)),
        }
    }

    fn behind_digits(&self, mut at: usize) -> Result<usize, Flaw> {
        if !self.byte(at).is_ascii_digit() {
            return Err(flaw("a digit", at));
        }
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        Ok(at)
    }

    #[inline(always)]
    fn behind_number(&mut self, at: usize) -> Result<usize, Flaw> {
        // Most numbers are short integers.
        if let Some(chunk) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<16>())
            && matches!(chunk[0], b'1'..=b'9')
        {
            let length = leading_digits(chunk);
            if matches!(chunk.get(length), Some(b',' | b'}' | b']')) {
                return Ok(at + length);
            }
        }
        self.behind_any_number(at)
    }

    #[inline(never)]
    fn behind_any_number(&mut self, start: usize) -> Result<usize, Flaw> {
        let mut at = start + usize::from(self.byte(start) == b'-');
        at = if self.byte(at) == b'0' { at + 1 } else { self.behind_digits(at)? };
        if self.byte(at) == b'.' {
            at = self.behind_digits(at + 1)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            at += 1 + usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            at = self.behind_digits(at)?;
            self.found.odd_numbers = true;
        }
        self.found.odd_numbers |= at - start > 300;
        Ok(at)
    }

    fn behind_word(&self, at: usize, word: &'static str) -> Result<usize, Flaw> {
        if self.bytes.get(at..at + word.len()) == Some(word.as_bytes()) {
            Ok(at + word.len())
        } else {
            Err(flaw("a JSON value", at))
        }
    }
}

/// Scans one document and appends its own members to `members`.
///
/// # Errors
/// A [`Flaw`] when the bytes are not one JSON object within the limits. They must be UTF-8.
pub fn scan(bytes: &[u8], limits: DocumentLimits, members: &mut Vec<Member>) -> Result<Scan, Flaw> {
    let interrupts = Interrupts { bytes, next_block: 0, left: 0 };
    let mut scanner = Scanner { bytes, interrupts, found: Scan::default() };
    let mut fields: u32 = 0;
    // The lowest bit: whether the innermost level is an object; further bits: the levels around it.
    let mut objects: u64 = 0;
    let mut depth: u32 = 0;
    let mut key = (0_u32, 0_u32);
    let mut value_start = 0_u32;
    let mut at = scanner.behind_blanks(0);
    if scanner.byte(at) != b'{' {
        return Err(flaw("{", at));
    }
    loop {
        // A value begins here.
        if depth == 1 {
            value_start = at as u32;
        }
        let mut opened = false;
        match scanner.byte(at) {
            b'"' => at = scanner.behind_string(at + 1)?,
            open @ (b'{' | b'[') => {
                if depth >= limits.depth.min(64) {
                    return Err(Flaw::TooDeep(limits.depth));
                }
                objects = objects << 1 | u64::from(open == b'{');
                depth += 1;
                at += 1;
                opened = true;
            }
            b'-' | b'0'..=b'9' => at = scanner.behind_number(at)?,
            b't' => at = scanner.behind_word(at, "true")?,
            b'f' => at = scanner.behind_word(at, "false")?,
            b'n' => at = scanner.behind_word(at, "null")?,
            _ => return Err(flaw("a JSON value", at)),
        }
        // Behind a value, or just inside a container.
        loop {
            let value_end = at as u32;
            at = scanner.behind_blanks(at);
            if !opened && depth == 1 {
                members.push(Member { key_start: key.0, key_end: key.1, value_start, value_end });
            }
            if depth == 0 {
                return if at == bytes.len() {
                    Ok(Scan { fields, ..scanner.found })
                } else {
                    Err(flaw("the end of the document", at))
                };
            }
            let in_object = objects & 1 != 0;
            let next = scanner.byte(at);
            if next == if in_object { b'}' } else { b']' } {
                at += 1;
                objects >>= 1;
                depth -= 1;
                opened = false;
                continue;
            }
            if !opened {
                if next != b',' {
                    return Err(flaw("a comma or the end of an object or array", at));
                }
                at = scanner.behind_blanks(at + 1);
            }
            fields += 1;
            if fields > limits.fields {
                return Err(Flaw::TooManyFields(limits.fields));
            }
            if in_object {
                if scanner.byte(at) != b'"' {
                    return Err(flaw("a member's name", at));
                }
                let start = at + 1;
                at = scanner.behind_string(start)?;
                if depth == 1 {
                    key = (start as u32, (at - 1) as u32);
                }
                at = scanner.behind_blanks(at);
                if scanner.byte(at) != b':' {
                    return Err(flaw(":", at));
                }
                at = scanner.behind_blanks(at + 1);
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
    fn strings_end_where_they_end_across_blocks() {
        // Every length up to past two blocks, and an escape at every place of it.
        for length in 0..150 {
            let plain = format!("{{\"a\":\"{}\",\"b\":7}}", "x".repeat(length));
            assert_eq!(check(&plain).unwrap().len(), 2, "{plain}");
            for at in 0..length {
                for escape in ["\\\"", "\\\\", "\\u0041"] {
                    let (before, behind) = ("x".repeat(at), "x".repeat(length - at));
                    let text = format!("{{\"a\":\"{before}{escape}{behind}\",\n\t\"b\":\"y\"}}");
                    let members = check(&text).unwrap();
                    assert_eq!(members[1], ("b".to_owned(), "\"y\"".to_owned()), "{text}");
                }
                let control = format!("{{\"a\":\"{}\u{1}{}\"}}", "x".repeat(at), "x".repeat(length - at));
                assert!(matches!(check(&control), Err(Flaw::NotJson { at: found, .. }) if found == at + 6));
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
