//! Making a JSON record fit what a document may hold.
//!
//! An event has at most 1,000 fields and 20 levels, and indices hold integers of 64 bits. Records seldom need more;
//! those that do keep everything as text instead of being refused. What these functions return is parsed in place of
//! the record, so they are off the hot path.

use crate::reader::{Reader, Shape, is_large, is_number_byte};
use crate::{ParseError, json};

/// The member under which [`fit_object`] keeps a tree as text.
pub const TEXT_MEMBER: &str = "value";

/// What an object may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Members and elements at all levels.
    pub fields: u32,
    /// Levels, the object itself included.
    pub depth: u32,
}

/// An object's text within `bounds`: a member too deep, and as many of the largest members as it takes, become
/// `{"value": "…"}` with their JSON text as a string.
///
/// # Errors
/// When `text` is no JSON object, or has more members of its own than `bounds.fields`.
#[cold]
pub fn fit_object(text: &str, bounds: Bounds) -> Result<String, ParseError> {
    let mut reader = Reader::new(text);
    reader.object();
    let mut members = Vec::new();
    let mut total: u32 = 0;
    while let Some(key) = reader.key() {
        let value = reader.value();
        let too_deep = value.depth >= bounds.depth;
        total = total.saturating_add(1).saturating_add(if too_deep { 1 } else { value.fields });
        members.push((key, value, too_deep));
    }
    reader.end()?;
    let mut by_size: Vec<usize> = (0..members.len()).collect();
    by_size
        .sort_by_key(|index| std::cmp::Reverse(members.get(*index).map_or(0, |(_, value, _)| value.fields)));
    for index in by_size {
        let Some((_, value, as_text)) = members.get_mut(index) else { continue };
        if total <= bounds.fields || value.fields <= 1 {
            break;
        }
        if !*as_text {
            total -= value.fields - 1;
            *as_text = true;
        }
    }
    if total > bounds.fields {
        return Err(ParseError::too_large(format!("{total} fields, of which at most {} fit", bounds.fields)));
    }
    let mut out = Vec::with_capacity(text.len() * 2);
    out.push(b'{');
    for (index, (key, value, as_text)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(key.raw().as_bytes());
        out.extend_from_slice(b"\":");
        if as_text && matches!(value.shape, Shape::Object | Shape::Array) {
            out.extend_from_slice(format!("{{\"{TEXT_MEMBER}\":").as_bytes());
            json::push_string(&mut out, value.text);
            out.push(b'}');
        } else {
            out.extend_from_slice(value.text.as_bytes());
        }
    }
    out.push(b'}');
    String::from_utf8(out).map_err(|error| ParseError::other(error.to_string()))
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
    fn too_many_members_are_refused() {
        let text = format!("{{{}}}", (0..11).map(|n| format!("\"{n}\":{n}")).collect::<Vec<_>>().join(","));
        assert!(fit_object(&text, SMALL).is_err());
        assert!(fit_object("[]", SMALL).is_err() && fit_object("{} x", SMALL).is_err());
    }
}
