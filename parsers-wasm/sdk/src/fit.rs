//! Making a JSON record fit what a document may hold.
//!
//! An event has at most 1,000 fields and 20 levels, and indices hold integers of 64 bits. Records seldom need more;
//! those that do keep everything as text instead of being refused. What these functions return is parsed in place of
//! the record, so they are off the hot path.

use crate::reader::{Raw, Reader, is_large, is_number_byte};
use crate::{ParseError, json};

/// The member under which [`fit_object`] keeps a tree as text.
pub const TEXT_MEMBER: &str = "value";

/// The member in which [`fit_object`] keeps members that are too many.
pub const OVERFLOW_MEMBER: &str = "overflow";

/// What an object may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Members and elements at all levels.
    pub fields: u32,
    /// Levels, the object itself included.
    pub depth: u32,
}

/// An object's text within `bounds`: a member too deep, and as many of the largest members as it takes, become
/// `{"value": "…"}` with their JSON text as a string. If the object has too many members of its own, the last ones
/// become one, `"overflow": {"value": "{…}"}`.
///
/// # Errors
/// When `text` is no JSON object.
#[cold]
pub fn fit_object(text: &str, bounds: Bounds) -> Result<String, ParseError> {
    let mut reader = Reader::new(text);
    reader.object();
    let mut members = Vec::new();
    while let Some(key) = reader.key() {
        let value = reader.value();
        members.push(Member { key: key.raw(), value, as_text: value.depth >= bounds.depth });
    }
    reader.end()?;

    let mut total: usize = members.iter().map(|member| 1 + member.fields()).sum();
    let maximum = bounds.fields as usize;
    let mut by_size: Vec<&mut Member<'_>> = members.iter_mut().collect();
    by_size.sort_by_key(|member| std::cmp::Reverse(member.fields()));
    for member in by_size {
        if total <= maximum || member.fields() <= 1 {
            break;
        }
        total -= member.fields();
        member.as_text = true;
        total += member.fields();
    }
    let mut kept = members.len();
    if total > maximum {
        // The overflow is a member with one member of its own.
        total += 2;
        for member in members.iter().rev() {
            if total <= maximum {
                break;
            }
            total -= 1 + member.fields();
            kept -= 1;
        }
    }

    let (kept, overflow) = members.split_at_checked(kept).unwrap_or((&members, &[]));
    let mut out = vec![b'{'];
    for member in kept {
        member.write(&mut out);
    }
    if !overflow.is_empty() {
        let mut rest = vec![b'{'];
        for member in overflow {
            Member { as_text: false, ..*member }.write(&mut rest);
        }
        rest.push(b'}');
        let rest = String::from_utf8(rest).map_err(|error| ParseError::other(error.to_string()))?;
        separate(&mut out);
        out.extend_from_slice(format!("\"{OVERFLOW_MEMBER}\":").as_bytes());
        write_as_text(&mut out, &rest);
    }
    out.push(b'}');
    String::from_utf8(out).map_err(|error| ParseError::other(error.to_string()))
}

struct Member<'a> {
    key: &'a str,
    value: Raw<'a>,
    as_text: bool,
}

impl Member<'_> {
    /// The fields inside the value, as it will be written.
    fn fields(&self) -> usize {
        if self.as_text { 1 } else { self.value.fields as usize }
    }

    fn write(&self, out: &mut Vec<u8>) {
        separate(out);
        out.push(b'"');
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(b"\":");
        if self.as_text {
            write_as_text(out, self.value.text);
        } else {
            out.extend_from_slice(self.value.text.as_bytes());
        }
    }
}

fn separate(out: &mut Vec<u8>) {
    if out.last().is_some_and(|last| *last != b'{') {
        out.push(b',');
    }
}

fn write_as_text(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(format!("{{\"{TEXT_MEMBER}\":").as_bytes());
    json::push_string(out, json);
    out.push(b'}');
}

/// The text with every number that a 64-bit integer or a double cannot hold as a string of its digits: indices would
/// round or refuse them. `text` must be JSON.
#[cold]
pub fn quote_large_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => rest.bytes().position(|byte| !is_number_byte(byte)).unwrap_or(rest.len()),
            _ => {
                rest.bytes().position(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9')).unwrap_or(rest.len())
            }
        };
        let Some((token, tail)) = rest.split_at_checked(length) else { break };
        if matches!(first, b'-' | b'0'..=b'9') && is_large(token.as_bytes()) {
            out.push('"');
            out.push_str(token);
            out.push('"');
        } else {
            out.push_str(token);
        }
        rest = tail;
    }
    out
}

/// The length of the string that `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = true;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return index + 1,
            b'\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_become_strings_and_nothing_else_does() {
        let text = "{\"a\":9223372036854775807,\"b\":9223372036854775808,\"c\":[-9223372036854775809,1e999,1.5],\"1e999\":\"\\\"18446744073709551616\"}";
        let mut reader = Reader::new(text);
        reader.value();
        assert!(reader.has_large_numbers());
        assert_eq!(
            quote_large_numbers(text),
            "{\"a\":9223372036854775807,\"b\":\"9223372036854775808\",\"c\":[\"-9223372036854775809\",\"1e999\",1.5],\"1e999\":\"\\\"18446744073709551616\"}"
        );
        let mut reader = Reader::new("[9223372036854775807,-9223372036854775808,1e308]");
        reader.value();
        assert!(!reader.has_large_numbers());
    }

    const SMALL: Bounds = Bounds { fields: 10, depth: 3 };

    #[test]
    fn what_fits_stays() {
        let text = "{\"a\":{\"b\":[1]},\"c\":null}";
        assert_eq!(fit_object(text, SMALL).unwrap(), text);
    }

    #[test]
    fn deep_and_large_members_become_text() {
        let text = "{\"a\":{\"b\":[{}]},\"c\":1,\"d\":[1,2,3],\"e\":[1,2,3,4,5,6], \"f\\n\":\"x\"}";
        assert_eq!(
            fit_object(text, SMALL).unwrap(),
            "{\"a\":{\"value\":\"{\\\"b\\\":[{}]}\"},\"c\":1,\"d\":[1,2,3],\"e\":{\"value\":\"[1,2,3,4,5,6]\"},\"f\\n\":\"x\"}"
        );
    }

    #[test]
    fn members_that_are_too_many_overflow() {
        let text = format!("{{{}}}", (0..11).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(","));
        assert_eq!(
            fit_object(&text, SMALL).unwrap(),
            "{\"0\":0,\"1\":1,\"2\":2,\"3\":3,\"4\":4,\"5\":5,\"6\":6,\"7\":7,\"overflow\":{\"value\":\"{\\\"8\\\":8,\\\"9\\\":9,\\\"10\\\":10}\"}}"
        );
        assert!(fit_object("[]", SMALL).is_err() && fit_object("{} x", SMALL).is_err());
    }
}
