//! Unwrapping: frames that lie in the records of another service.
//!
//! A wrapper's records are JSON, so they are walked by the JSON framing; what it finds is opened here. A frame then
//! belongs to the stream that its wrapper names, and the router is asked for that stream. Bytes of the wrapper's record
//! count as the frame's carrier, everything around the records as framing.

pub(crate) mod cloudwatch;
pub(crate) mod firelens;
pub(crate) mod partial;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde_json::value::RawValue;

use super::frame::scan::{BracketScan, Scan, is_space};

/// Bytes of a member that are looked at to tell a wrapper by the keys of its first object.
pub(crate) const DETECTION_BYTES: usize = 64 << 10;
/// Most keys looked at.
const DETECTION_KEYS: usize = 64;

/// The keys of the object that `text` begins with, as they stand, each with the text from its value on; as far as the
/// text goes.
fn members(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut members = Vec::new();
    let Some(mut rest) = trim(text).strip_prefix(b"{") else { return members };
    while members.len() < DETECTION_KEYS {
        rest = trim(rest);
        rest = trim(rest.strip_prefix(b",").unwrap_or(rest));
        let Some(key_and_rest) = rest.strip_prefix(b"\"") else { break };
        let Some(end) = memchr(b'"', key_and_rest) else { break };
        let (key, behind) = (&key_and_rest[..end], trim(&key_and_rest[end + 1..]));
        let Some(value) = behind.strip_prefix(b":") else { break };
        let value = trim(value);
        members.push((key, value));
        let Some(end) = value_end(value) else { break };
        rest = &value[end..];
    }
    members
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    &text[start..]
}

/// Where the value that `text` begins with ends, if it does.
fn value_end(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => {
            let mut at = 1;
            loop {
                at += memchr2(b'"', b'\\', text.get(at..)?)?;
                if text[at] == b'"' {
                    return Some(at + 1);
                }
                at += 2;
            }
        }
        b'{' | b'[' => match BracketScan::new().scan(text, 0, false, b"") {
            Scan::End(end) => Some(end),
            Scan::More(_) | Scan::Broken(..) => None,
        },
        _ => text.iter().position(|byte| is_space(*byte) || matches!(byte, b',' | b'}' | b']')),
    }
}

/// A JSON value as the text of a frame or an attribute: a string without its quotes and escapes, anything else as it
/// stands.
fn text_of(value: &RawValue) -> Cow<'_, str> {
    let json = value.get();
    let Some(quoted) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(json);
    };
    if memchr(b'\\', quoted.as_bytes()).is_none() {
        return Cow::Borrowed(quoted);
    }
    // A raw value was checked as it was read, but for lone surrogates: those stay as they stand.
    serde_json::from_str::<String>(json).map_or(Cow::Borrowed(quoted), Cow::Owned)
}

/// A frame's text without the one line end that agents leave.
fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// The members of a JSON object in their order, values as they stand.
struct Members<'text>(Vec<(Cow<'text, str>, &'text RawValue)>);

impl<'de: 'text, 'text> serde::Deserialize<'de> for Members<'text> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A key, borrowed where it has no escapes (a plain `Cow` would always be owned).
#[derive(serde::Deserialize)]
struct Key<'text>(#[serde(borrow)] Cow<'text, str>);
