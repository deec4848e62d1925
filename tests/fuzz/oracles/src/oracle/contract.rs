//! The check of a guest's answer: what is accepted keeps every promise of the contract, and what keeps them is accepted.

use weir_parser_sdk::{FrameOutcome, MalformedReason, Parsed, SkipReason};

use super::choices;
use super::tree::Tree;
use crate::event::{FrameClass, Provenance, StreamId, push_finished};
use crate::parser::{Answer, Breach, Limits, Verdict, check};

/// Choices: the limits of fields and depth, without which they are those of an event; three lies of three bytes each.
/// Then the answer, a line each: a document of the next frame, a further one of the same (`+`), a frame that was
/// skipped (`-`) or malformed (`!`).
pub fn contract(data: &[u8]) {
    let ([fields, depth], rest) = choices::<2>(data);
    let (lies, text) = choices::<9>(rest);
    let defaults = Limits::default();
    let limits = Limits {
        fields: if fields == 0 { defaults.fields } else { u32::from(fields) },
        depth: if depth == 0 { defaults.depth } else { u32::from(depth) },
        ..defaults
    };
    let mut parsed = honest(text);
    let frames = parsed.outcomes.len();
    for lie in lies.as_chunks::<3>().0 {
        tell(&mut parsed, *lie);
    }
    let broken = what_is_broken(&parsed, frames, &limits);
    match check(parsed.clone(), frames, &limits) {
        Ok(answer) => {
            assert_eq!(broken, None, "accepted");
            check_answer(&parsed, &answer);
        }
        Err(Breach::Contract { what, frame }) => {
            assert!(broken.is_some(), "refused without need: {what}");
            assert!(
                frame.is_none_or(|frame| (frame as usize) < frames),
                "frame {frame:?} of {frames}: {what}"
            );
        }
    }
}

fn honest(text: &[u8]) -> Parsed {
    let mut parsed = Parsed {
        documents: Vec::new(),
        ends: Vec::new(),
        frames: Vec::new(),
        timestamps: Vec::new(),
        outcomes: Vec::new(),
    };
    for line in text.split(|byte| *byte == b'\n') {
        let reason = || String::from_utf8_lossy(line).into_owned();
        let document = match line.first() {
            None => continue,
            Some(b'-') => {
                let skipped = if line.len() == 1 { SkipReason::Empty } else { SkipReason::Other(reason()) };
                parsed.outcomes.push(FrameOutcome::Skipped(skipped));
                continue;
            }
            Some(b'!') => {
                parsed.outcomes.push(FrameOutcome::Malformed(MalformedReason::BadJson(reason())));
                continue;
            }
            Some(b'+') => {
                match parsed.outcomes.last_mut() {
                    Some(FrameOutcome::Events(count)) => *count += 1,
                    _ => parsed.outcomes.push(FrameOutcome::Events(1)),
                }
                &line[1..]
            }
            Some(_) => {
                parsed.outcomes.push(FrameOutcome::Events(1));
                line
            }
        };
        parsed.documents.extend_from_slice(document);
        parsed.ends.push(parsed.documents.len() as u32);
        parsed.frames.push(parsed.outcomes.len() as u32 - 1);
        parsed.timestamps.push(i64::from(document.len() as u32) - 40);
    }
    parsed
}

/// Changes one thing in the answer; 0 changes nothing.
fn tell(parsed: &mut Parsed, [lie, place, value]: [u8; 3]) {
    let wide = match value {
        0xff => u32::MAX,
        0xfe => 1 << 31,
        value => u32::from(value),
    };
    let place = usize::from(place);
    let signed =
        |old: u32| if value & 1 == 0 { old.wrapping_add(wide >> 1) } else { old.wrapping_sub(wide >> 1) };
    match lie {
        1 => parsed.ends.iter_mut().skip(place).take(1).for_each(|end| *end = signed(*end)),
        2 => parsed.frames.iter_mut().skip(place).take(1).for_each(|frame| *frame = signed(*frame)),
        3 => {
            parsed
                .outcomes
                .iter_mut()
                .skip(place)
                .take(1)
                .for_each(|told| *told = FrameOutcome::Events(wide));
        }
        4 => parsed.ends.truncate(place),
        5 => parsed.frames.truncate(place),
        6 => parsed.timestamps.truncate(place),
        7 => parsed.outcomes.truncate(place),
        8 => parsed.documents.truncate(place),
        9 => parsed.ends.push(wide),
        10 => parsed.outcomes.push(FrameOutcome::Events(wide)),
        11 => parsed.documents.iter_mut().skip(place).take(1).for_each(|byte| *byte = value),
        12 => {
            // A document more, of no bytes.
            parsed.ends.push(parsed.documents.len() as u32);
            parsed.frames.push(wide);
            parsed.timestamps.push(i64::MIN);
        }
        13 => parsed.ends.reverse(),
        14 => parsed.frames.reverse(),
        _ => {}
    }
}

/// The contract's promises, each looked at by itself.
fn what_is_broken(parsed: &Parsed, frames: usize, limits: &Limits) -> Option<&'static str> {
    let Parsed { documents, ends, frames: sources, timestamps, outcomes } = parsed;
    if outcomes.len() != frames {
        return Some("one outcome for each frame");
    }
    if ends.len() != sources.len() || ends.len() != timestamps.len() {
        return Some("one frame and one time for each document");
    }
    if !sources.is_sorted() || sources.iter().any(|source| *source as usize >= frames) {
        return Some("documents in the order of their frames");
    }
    if ends.last().map_or(0, |end| *end as usize) != documents.len() {
        return Some("documents up to the last end");
    }
    let mut start = 0;
    for end in ends {
        let end = *end as usize;
        let Some(document) = documents.get(start..end) else { return Some("ends that ascend") };
        if let Some(broken) = what_is_wrong(document, limits) {
            return Some(broken);
        }
        start = end;
    }
    for (index, outcome) in outcomes.iter().enumerate() {
        let given = sources.iter().filter(|source| **source as usize == index).count();
        let told = match outcome {
            FrameOutcome::Events(0) => return Some("at least one event"),
            FrameOutcome::Events(told) => *told as usize,
            FrameOutcome::Skipped(_) | FrameOutcome::Malformed(_) => 0,
        };
        if given != told {
            return Some("as many documents as told");
        }
    }
    None
}

fn what_is_wrong(document: &[u8], limits: &Limits) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(document) else { return Some("UTF-8") };
    // Escaped surrogates that stand alone are repaired, not refused.
    let Ok(tree) = Tree::object(without_lone_surrogates(text).as_bytes()) else {
        return Some("a JSON object");
    };
    if tree.fields() > limits.fields as usize {
        return Some("few fields");
    }
    (tree.depth() > limits.depth.min(64) as usize).then_some("shallow nesting")
}

/// The text with U+FFFD, escaped, for every escaped surrogate without its partner.
fn without_lone_surrogates(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let unit = |text: &str| u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let second = rest.get(6..).and_then(unit);
        let taken = match (unit(rest), second) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            // The escaped character may be more than a byte, in what is no JSON.
            _ => rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end),
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out + rest
}

fn check_answer(parsed: &Parsed, answer: &Answer) {
    assert_eq!(answer.entries.len(), parsed.ends.len());
    assert_eq!(answer.verdicts.len(), parsed.outcomes.len());
    let mut counts = vec![0_u32; answer.verdicts.len()];
    let mut given = 0;
    let mut start = 0;
    let stream = StreamId::new([7; 16], None);
    let provenance =
        Provenance::new("bucket", "key", Some("member"), "alb", ("alb", "1", "0123456789abcdef"));
    for (index, entry) in answer.entries.iter().enumerate() {
        assert_eq!(
            (entry.bytes.start, entry.frame, entry.timestamp),
            (given, parsed.frames[index], parsed.timestamps[index])
        );
        given = entry.bytes.end;
        let count = &mut counts[entry.frame as usize];
        assert_eq!(entry.number, *count, "events are numbered");
        *count += 1;

        let end = parsed.ends[index] as usize;
        let told = std::str::from_utf8(&parsed.documents[start..end]).expect("checked");
        start = end;
        let document = answer.document(entry);
        let tree = Tree::object(document).expect("a document that every reader reads");
        assert_eq!(Some(&tree), Tree::object(without_lone_surrogates(told).as_bytes()).ok().as_ref());
        let members = answer.members_of(entry);
        assert_eq!(members.len(), tree.members().len());

        // What the host adds leaves it an object, and is not the guest's to say.
        let frame = stream.frame(FrameClass::Frame, 5, None);
        let mut finished = Vec::new();
        push_finished(&mut finished, document, members, &frame, 5, &provenance, Some(b"raw \xff"));
        let value: serde_json::Value = serde_json::from_slice(&finished).expect("a finished event is JSON");
        assert_eq!(value["weir"]["frame"]["offset"], 5);
        assert_eq!(value["weir"]["object"]["member"], "member");
        let finished = Tree::object(&finished).expect("read before");
        let named = |name: &str| finished.members().iter().filter(|(key, _)| key == name).count();
        assert_eq!((named("weir"), named("event.original")), (1, 0), "{told}");
        let mut events = tree.members().iter().filter(|(key, _)| key == "event");
        if events.all(|(_, event)| matches!(event, Tree::Object(_))) {
            assert_eq!(value["event"]["original"], "raw \u{fffd}", "{told}");
        }
    }
    assert_eq!(given, answer.documents.len());
    for (index, verdict) in answer.verdicts.iter().enumerate() {
        match verdict {
            Verdict::Events(count) => assert!(*count > 0 && *count == counts[index]),
            Verdict::Skipped(reason) | Verdict::Malformed(reason) => {
                assert!(counts[index] == 0 && reason.len() < 400, "{reason}");
            }
            Verdict::Condemned(_) | Verdict::Waiting => panic!("not for the check to say: {verdict:?}"),
        }
    }
}
