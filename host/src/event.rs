//! Events: what identifies them, and what the host adds to what the parser wrote.
//!
//! A document's id is a function of where its frame stood, so that parsing it again replaces it wherever and whenever
//! that happens. The host adds `event.original` when asked, and under `weir` what leads back to the frame; nothing
//! that depends on the place or the time of processing.

use crate::parser::json_scan::Member;
use memchr::memmem;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::fmt;
use std::hash::Hasher;
use std::sync::LazyLock;

/// Identifies a stream of an object, and keys the hashes of its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamId([u8; 16]);

/// A frame's identity: 128 bits from its object, stream and offset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub [u8; 16]);

/// A document's identity: 128 bits from its frame and its number in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub [u8; 16]);

/// What a frame's id is made from besides the offset: things at the same offset that are not the same frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameClass {
    Frame,
    Damage,
    Unparsed,
}

/// The identity of an object: bucket, key, and the version id, ETag or content hash.
pub fn object_id(bucket: &str, key: &str, version: &str) -> [u8; 16] {
    digest(&[bucket, key, version])
}

/// Parts are separated by their lengths: no two lists of parts look alike.
fn digest(parts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

impl StreamId {
    /// The stream of an object's archive member, if it is in one.
    pub fn new(object: [u8; 16], member: Option<&str>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&object);
        if let Some(member) = member {
            hasher.update(member.as_bytes());
        }
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        StreamId(id)
    }

    /// The frame at `offset` of the stream, or of the envelope at `envelope`.
    #[inline]
    pub fn frame(&self, class: FrameClass, offset: u64, envelope: Option<(u64, u32)>) -> FrameId {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u8(class as u8);
        hasher.write_u64(offset);
        if let Some((envelope, index)) = envelope {
            hasher.write_u64(envelope);
            hasher.write_u32(index);
        }
        FrameId(hasher.finish128().as_bytes())
    }
}

impl FrameId {
    /// The document of the frame's event `number`.
    #[inline]
    pub fn document(&self, number: u32) -> DocumentId {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u32(number);
        DocumentId(hasher.finish128().as_bytes())
    }
}

/// Appends an id in hexadecimal.
#[inline]
pub fn push_hex(out: &mut Vec<u8>, id: &[u8; 16]) {
    let mut text = [0_u8; 32];
    let (quarters, _) = id.as_chunks::<4>();
    let (places, _) = text.as_chunks_mut::<8>();
    for (place, quarter) in places.iter_mut().zip(quarters) {
        *place = hex_of(*quarter);
    }
    out.extend_from_slice(&text);
}

/// The digits of four bytes, all at once: each half byte spread to a byte of its own, then to a letter or digit.
#[inline]
const fn hex_of(bytes: [u8; 4]) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut spread = u32::from_be_bytes(bytes) as u64;
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = ((spread + 6 * EACH) >> 4) & EACH;
    (spread + b'0' as u64 * EACH + letters * (b'a' - b'0' - 10) as u64).to_be_bytes()
}

fn write_hex(id: &[u8; 16], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    id.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
}
impl fmt::Display for FrameId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}
impl fmt::Debug for FrameId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}
impl fmt::Display for DocumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}
impl fmt::Debug for DocumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

/// What the host adds to every document of a batch: the constant part of `weir`, made once.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// `"parser":{…},"object":{…}}` with the closing brace of `weir`.
    constant: Vec<u8>,
}

impl Provenance {
    /// For one stream of an object and the parser that reads it.
    pub fn new(
        bucket: &str,
        key: &str,
        member: Option<&str>,
        log_type: &str,
        parser: (&str, &str, &str),
    ) -> Self {
        let (name, version, digest) = parser;
        let constant = serde_json::json!({
            "log_type": log_type,
            "parser": { "name": name, "version": version, "digest": digest.get(..16).unwrap_or(digest) },
            "object": { "bucket": bucket, "key": key, "member": member },
        });
        let mut text = constant.to_string();
        if member.is_none() {
            text = text.replacen(",\"member\":null", "", 1).replacen("\"member\":null", "", 1);
        }
        Provenance { constant: text.into_bytes().split_off(1) }
    }
}

/// Appends the finished document: what the parser wrote, `event.original` if given, and `weir`.
///
/// A member named `weir`, or an `event.original`, that the parser wrote itself is left out: both are the host's. Where
/// originals are not wanted, or withheld by a redaction, none is left.
pub fn push_finished(
    out: &mut Vec<u8>,
    document: &[u8],
    members: &[Member],
    frame: &FrameId,
    offset: u64,
    provenance: &Provenance,
    original: Option<&[u8]>,
) {
    let text = |range: std::ops::Range<usize>| document.get(range).unwrap_or_default();
    let reserved = |member: &Member| {
        let key = text(member.key());
        spells(key, "weir") || spells(key, "event.original")
    };
    let is_event = |member: &Member| spells(text(member.key()), "event");
    let has_original = |member: &Member| is_event(member) && may_name_original(text(member.value()));
    let plain = original.is_none() && !members.iter().any(|member| reserved(member) || has_original(member));
    out.reserve(document.len() + provenance.constant.len() + 96);
    out.push(b'{');
    if plain && let (Some(first), Some(last)) = (members.first(), members.last()) {
        // From the first key's quote to the last value's end: one copy.
        out.extend_from_slice(text(first.key().start - 1..last.value().end));
        out.push(b',');
    } else {
        let mut placed = false;
        for member in members.iter().filter(|member| !reserved(member)) {
            out.push(b'"');
            out.extend_from_slice(text(member.key()));
            out.extend_from_slice(b"\":");
            let value = text(member.value());
            let event = is_event(member) && value.starts_with(b"{");
            match original.filter(|_| event) {
                // A parser may write `event` twice; whichever a reader takes, the original is the host's.
                Some(raw) => {
                    push_with_original(out, value, raw);
                    placed = true;
                }
                None if event => push_without_original(out, value),
                None => out.extend_from_slice(value),
            }
            out.push(b',');
        }
        if let Some(raw) = original.filter(|_| !placed) {
            out.extend_from_slice(b"\"event\":{\"original\":");
            push_string(out, raw);
            out.extend_from_slice(b"},");
        }
    }
    out.extend_from_slice(b"\"weir\":{\"frame\":{\"id\":\"");
    push_hex(out, &frame.0);
    out.extend_from_slice(b"\",\"offset\":");
    out.extend_from_slice(itoa::Buffer::new().format(offset).as_bytes());
    out.extend_from_slice(b"},");
    out.extend_from_slice(&provenance.constant);
    out.push(b'}');
}

/// Whether a member's key, as it stands between its quotes, is `name`, with escapes or without.
fn spells(key: &[u8], name: &str) -> bool {
    let same = key == name.as_bytes();
    // Most keys are told apart by their first byte.
    let first = key.first();
    if same || first != name.as_bytes().first() && first != Some(&b'\\') || !key.contains(&b'\\') {
        return same;
    }
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).is_ok_and(|key| key == name)
}

/// The `event` object with `original` set, whatever the parser put there.
fn push_with_original(out: &mut Vec<u8>, event: &[u8], raw: &[u8]) {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(event) {
        Ok(mut members) if members.contains_key("original") => {
            members.insert("original".to_owned(), String::from_utf8_lossy(raw).into());
            out.extend_from_slice(serde_json::Value::Object(members).to_string().as_bytes());
        }
        _ => {
            out.extend_from_slice(b"{\"original\":");
            push_string(out, raw);
            let rest = event.get(1..).unwrap_or(b"}");
            if rest.trim_ascii_start() != b"}" {
                out.push(b',');
            }
            out.extend_from_slice(rest);
        }
    }
}

/// Whether an `event` object may have a member `original`: a cheap question, which many values answer with yes.
fn may_name_original(event: &[u8]) -> bool {
    // The name may be written with escapes.
    // Made once: the object is so short that preparing the search would take longer than searching.
    static ORIGINAL: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"original\""));
    ORIGINAL.find(event).is_some()
        || (memchr::memchr(b'\\', event).is_some() && memmem::find(event, b"\\u00").is_some())
}

/// The `event` object without the `original` that the parser put there.
fn push_without_original(out: &mut Vec<u8>, event: &[u8]) {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(event) {
        Ok(mut members) if members.contains_key("original") => {
            members.remove("original");
            out.extend_from_slice(serde_json::Value::Object(members).to_string().as_bytes());
        }
        _ => out.extend_from_slice(event),
    }
}

/// A JSON string of bytes that may not be UTF-8: those that are not become U+FFFD; the archive keeps them as they are.
fn push_string(out: &mut Vec<u8>, raw: &[u8]) {
    // Writing a string to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut *out, &String::from_utf8_lossy(raw));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::json_scan::{DocumentLimits, scan};
    use serde_json::{Value, json};

    fn finish(document: &str, original: Option<&[u8]>) -> Value {
        let mut members = Vec::new();
        scan(document.as_bytes(), DocumentLimits { fields: 100, depth: 20 }, &mut members).unwrap();
        let provenance = Provenance::new("b", "k\"x", None, "alb", ("alb", "1", "0123456789abcdef99"));
        let mut out = Vec::new();
        let frame = StreamId::new([7; 16], None).frame(FrameClass::Frame, 12, None);
        push_finished(&mut out, document.as_bytes(), &members, &frame, 12, &provenance, original);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_parsers_fields_stay_and_the_hosts_are_added() {
        for document in [
            "{\"event\":{\"kind\":\"event\"},\"a\":1}",
            " { \"event\" : {} , \"a\" : 1 } ",
            "{\"a\":1}",
            "{}",
        ] {
            let event = finish(document, Some(b"raw \xff line"));
            assert_eq!(event["event"]["original"], "raw \u{fffd} line", "{document}");
            assert_eq!(event["weir"]["object"], json!({"bucket": "b", "key": "k\"x"}));
            assert_eq!(event["weir"]["frame"]["offset"], 12);
            assert_eq!(finish(document, None)["weir"]["parser"]["digest"], "0123456789abcdef");
        }
    }

    #[test]
    fn a_parser_cannot_write_what_is_the_hosts() {
        let event = finish(
            "{\"weir\":1,\"event\":{\"original\":\"lie\"},\"event.original\":\"lie\"}",
            Some(b"truth"),
        );
        assert_eq!(event["event"], json!({"original": "truth"}));
        assert!(event.get("event.original").is_none() && event["weir"].is_object());

        let twice = "{\"event\":{\"original\":\"lie\"},\"\\u0065vent\":{\"original\":\"lie\"}}";
        assert_eq!(finish(twice, Some(b"truth"))["event"], json!({"original": "truth"}));
        let escaped = "{\"we\\u0069r\":1,\"\\u0065vent.original\":2,\"we\\\\ir\":3}";
        let names = |event: Value| event.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(finish(escaped, None)), ["we\\ir", "weir"]);
    }

    #[test]
    fn without_originals_a_parser_cannot_write_one() {
        for document in [
            r#"{"event":{"kind":"event","original":"raw"},"a":1}"#,
            r#"{"event":{"kind":"event","ori\u0067inal":{"a":1}},"a":1}"#,
            r#"{"\u0065vent":{"kind":"event","original":"raw"},"a":1}"#,
            r#"{"event":{"kind":"event"},"event.original":"raw","a":1}"#,
        ] {
            let event = finish(document, None);
            assert_eq!(event["event"], json!({"kind": "event"}), "{document}");
            assert!(event.get("event.original").is_none() && event["a"] == 1, "{document}");
        }
        // What only looks like it stays as it stands.
        let event = finish(r#"{"event":{"reason":"\u0041 \"original\""},"url":{"original":"/"}}"#, None);
        assert_eq!(event["event"], json!({"reason": "A \"original\""}));
        assert_eq!(event["url"]["original"], "/");
    }

    #[test]
    fn ids_are_written_in_hexadecimal() {
        for byte in 0..=255_u8 {
            let id: [u8; 16] = std::array::from_fn(|index| byte.wrapping_add(index as u8 * 17));
            let mut out = Vec::new();
            push_hex(&mut out, &id);
            assert_eq!(String::from_utf8(out).unwrap(), FrameId(id).to_string());
        }
    }

    #[test]
    fn ids_differ_where_frames_do() {
        let object = object_id("b", "k", "v");
        assert_ne!(object, object_id("bk", "", "v"));
        let stream = StreamId::new(object, None);
        let mut ids = vec![
            stream.frame(FrameClass::Frame, 0, None),
            stream.frame(FrameClass::Frame, 1, None),
            stream.frame(FrameClass::Damage, 0, None),
            stream.frame(FrameClass::Frame, 0, Some((0, 0))),
            stream.frame(FrameClass::Frame, 0, Some((0, 1))),
            StreamId::new(object, Some("m")).frame(FrameClass::Frame, 0, None),
        ];
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 6);
        assert_ne!(ids[0].document(0), ids[0].document(1));
    }
}
