//! Framing: every kind, however the bytes come and however the frames go out.

use std::sync::LazyLock;

use serde_json::value::RawValue;

use super::choices;
use super::reading::{OneRoute, Outcome, Reading, is_plain, reference_lines};
use crate::ingest::frame::{Framing, PreparedFraming};
use crate::ingest::stream::{FrameKind, FrameLimits, RouteDecision, SourceOptions};

/// The framings, as manifests say them. The first byte of an input chooses.
const FRAMINGS: [&str; 10] = [
    r#"{"kind": "lines"}"#,
    r#"{"kind": "header", "pattern": "^[a-z]+( [a-z-]+)+$"}"#,
    r#"{"kind": "header", "pattern": "^[a-z]+( [a-z-]+)+$", "each": false}"#,
    r#"{"kind": "directives"}"#,
    r#"{"kind": "json"}"#,
    r#"{"kind": "json", "pointers": ["/Records", "/a/b"]}"#,
    r#"{"kind": "multi-line", "start": "^[0-9\\[]"}"#,
    r#"{"kind": "multi-line", "start": "^[0-9\\[]", "max-lines": 3}"#,
    r#"{"kind": "whole-object"}"#,
    r#"{"kind": "parquet-rows"}"#,
];

static PREPARED: LazyLock<Vec<PreparedFraming>> = LazyLock::new(|| {
    let prepare = |text: &&str| serde_json::from_str::<Framing>(text).unwrap().prepare().unwrap();
    FRAMINGS.iter().map(prepare).collect()
});

/// Choices: the framing, or no parser at all; settings; sizes of reads. Then the object.
pub fn framing(data: &[u8]) {
    let ([kind, settings, first, second], object) = choices::<4>(data);
    let kind = usize::from(kind) % (FRAMINGS.len() + 1);
    let router = match PREPARED.get(kind) {
        Some(framing) => OneRoute::new(framing.clone()),
        None => OneRoute(RouteDecision::unrouted()),
    };
    let charset = match settings >> 6 {
        1 => Some(encoding_rs::WINDOWS_1252),
        2 => Some(encoding_rs::UTF_16LE),
        3 => Some(encoding_rs::SHIFT_JIS),
        _ => None,
    };
    let small = settings & 1 == 1;
    let reading = Reading {
        router,
        options: SourceOptions { charset, header: (settings & 2 == 2).then(|| "time text".into()) },
        limits: FrameLimits {
            frame_bytes: if small { 16 + usize::from(settings >> 2 & 15) } else { 1 << 20 },
            damage_head: if small { 24 } else { 1 << 20 },
            object_bytes: 4 << 20,
            ratio_after: 256 << 10,
            frame_lines: 20,
            ..FrameLimits::default()
        },
        memory: 16 << 20,
    };
    let outcome = reading.check(object, [first, second]);
    if charset.is_some() || !is_plain(object) {
        return;
    }
    outcome.check_places(object);
    assert_eq!(outcome.ledger.read, object.len() as u64, "all of it is read");
    let text = object.strip_prefix(b"\xef\xbb\xbf").unwrap_or(object);
    let skipped = (object.len() - text.len()) as u64;
    match kind {
        0 if !small => check_lines(&outcome, text, skipped),
        4 if !small => check_json(&outcome, text),
        6 if !small => check_joined(&outcome, text, skipped),
        8 if !small && !text.is_empty() => assert_eq!(outcome.frames.len(), 1, "the whole object"),
        10 => assert!(outcome.frames.is_empty(), "nobody wants them"),
        _ => {}
    }
}

fn check_lines(outcome: &Outcome, text: &[u8], skipped: u64) {
    let found = outcome.frames.iter().map(|frame| (frame.offset - skipped, &frame.bytes[..]));
    assert!(found.eq(reference_lines(text)), "not the lines of a simple splitter");
}

/// Frames begin at the first line and where a line matches. What stands before the first match may be line ends alone.
fn check_joined(outcome: &Outcome, text: &[u8], skipped: u64) {
    // Empty lines count, too, towards the most lines of a frame.
    if text.split(|byte| *byte == b'\n').count() > 20 {
        return;
    }
    let begins = |line: &[u8]| matches!(line.first(), Some(b'0'..=b'9' | b'['));
    let lines = reference_lines(text);
    let first_match = lines.iter().position(|(_, line)| begins(line)).unwrap_or(lines.len());
    let has_before = lines[..first_match].iter().any(|(_, line)| line.iter().any(|byte| *byte != b'\r'));
    let before = lines.first().filter(|_| has_before);
    let starts = before.into_iter().chain(lines[first_match..].iter().filter(|(_, line)| begins(line)));
    let found = outcome.frames.iter().map(|frame| frame.offset - skipped);
    assert!(found.eq(starts.map(|(offset, _)| *offset)), "not the lines that match");
}

/// Where a strict reader finds nothing but objects and arrays, the frames are the objects and the arrays' elements.
fn check_json(outcome: &Outcome, text: &[u8]) {
    let mut expected: Vec<Box<RawValue>> = Vec::new();
    for value in serde_json::Deserializer::from_slice(text).into_iter::<Box<RawValue>>() {
        let Ok(value) = value else { return };
        match value.get().as_bytes().first() {
            Some(b'{') => expected.push(value),
            Some(b'[') => expected.extend(serde_json::from_str::<Vec<Box<RawValue>>>(value.get()).unwrap()),
            _ => return,
        }
    }
    // A line that ends with a colon was cut there if the next begins with an object: see the framer.
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if lines.windows(2).any(|pair| pair[0].trim_ascii_end().ends_with(b":") && pair[1].starts_with(b"{")) {
        return;
    }
    assert!(outcome.lost.is_empty(), "damage in valid JSON: {:?}", outcome.lost);
    let found = outcome.frames.iter().map(|frame| &frame.bytes[..]);
    assert!(
        found.eq(expected.iter().map(|value| value.get().as_bytes())),
        "not the values of a strict reader"
    );
    assert!(outcome.frames.iter().all(|frame| frame.kind == FrameKind::Json));
}
