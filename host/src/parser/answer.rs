//! A guest's answer, checked: nothing that a parser says is believed unseen.

use super::contract::{Outcome, Parsed};
use super::engine::{Breach, Limits};
use super::json_scan::{DocumentLimits, Flaw, Member, scan};
use std::ops::Range;

/// The checked answer to a batch, or to several parts of one, in the order of the frames.
#[derive(Debug, Default)]
pub struct Answer {
    /// Documents laid end to end, each one JSON object.
    pub documents: Vec<u8>,
    /// One for each document.
    pub entries: Vec<Entry>,
    /// The documents' own members, see [`Entry::members`].
    pub members: Vec<Member>,
    /// One for each frame.
    pub verdicts: Vec<Verdict>,
}

/// One document of an [`Answer`].
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where the document stands in [`Answer::documents`].
    pub bytes: Range<usize>,
    /// Where its members stand in [`Answer::members`].
    pub members: Range<usize>,
    /// The frame it came from: an index in [`Answer::verdicts`].
    pub frame: u32,
    /// The number of the event within its frame.
    pub number: u32,
    /// `@timestamp`, nanoseconds since 1970.
    pub timestamp: i64,
}

/// What became of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This many events, at least one.
    Events(u32),
    /// No event, for a reason that is no fault.
    Skipped(String),
    /// The parser could not parse it: to quarantine.
    Malformed(String),
    /// The parser broke its bounds on this frame alone, twice: to quarantine.
    Condemned(Breach),
    /// The parser's breaker is open: kept raw for a fixed version.
    Waiting,
}

impl Answer {
    /// A document's bytes.
    pub fn document(&self, entry: &Entry) -> &[u8] {
        self.documents.get(entry.bytes.clone()).unwrap_or_default()
    }

    /// A document's members.
    pub fn members_of(&self, entry: &Entry) -> &[Member] {
        self.members.get(entry.members.clone()).unwrap_or_default()
    }

    /// Appends the answer to the frames that follow this answer's.
    pub(crate) fn append(&mut self, other: Answer) {
        if self.verdicts.is_empty() {
            *self = other;
            return;
        }
        let (bytes, members, frames) = (self.documents.len(), self.members.len(), self.verdicts.len() as u32);
        self.documents.extend_from_slice(&other.documents);
        self.members.extend_from_slice(&other.members);
        self.verdicts.extend(other.verdicts);
        self.entries.extend(other.entries.into_iter().map(|entry| Entry {
            bytes: entry.bytes.start + bytes..entry.bytes.end + bytes,
            members: entry.members.start + members..entry.members.end + members,
            frame: entry.frame + frames,
            ..entry
        }));
    }

    /// The answer for frames that were not given to a parser at all.
    pub(crate) fn of_verdicts(verdicts: Vec<Verdict>) -> Self {
        Answer { verdicts, ..Answer::default() }
    }
}

fn violation(what: impl Into<String>, frame: Option<u32>) -> Breach {
    Breach::Contract { what: what.into(), frame }
}

/// Checks everything that the contract promises of the answer to `frames` frames.
///
/// # Errors
/// The first violation, with the frame at fault where one document shows it.
pub(crate) fn check(parsed: Parsed, frames: usize, limits: &Limits) -> Result<Answer, Breach> {
    let Parsed { documents, ends, frames: sources, timestamps, outcomes } = parsed;
    if outcomes.len() != frames {
        return Err(violation(format!("{} outcomes for {frames} frames", outcomes.len()), None));
    }
    if ends.len() != sources.len() || ends.len() != timestamps.len() {
        let (ends, sources, times) = (ends.len(), sources.len(), timestamps.len());
        return Err(violation(format!("{ends} document ends, {sources} frames, {times} timestamps"), None));
    }
    if ends.last().copied().unwrap_or(0) as usize != documents.len() {
        return Err(violation("the last document does not end where the documents end", None));
    }
    let text = std::str::from_utf8(&documents).map_err(|error| {
        let document = ends.iter().position(|end| *end as usize > error.valid_up_to());
        let frame = document.and_then(|index| sources.get(index)).copied();
        // Nothing was checked yet: the guest may name a frame that it was not given.
        violation("a document is not UTF-8", frame.filter(|frame| (*frame as usize) < frames))
    })?;
    let bounds = DocumentLimits { fields: limits.fields, depth: limits.depth };

    let mut entries = Vec::with_capacity(ends.len());
    let mut members = Vec::with_capacity(ends.len() * 12);
    let mut counts = vec![0_u32; frames];
    let mut repairs = false;
    let (mut start, mut last) = (0_usize, 0_u32);
    for ((&end, &frame), &timestamp) in ends.iter().zip(&sources).zip(&timestamps) {
        let end = end as usize;
        let Some(count) = counts.get_mut(frame as usize) else {
            return Err(violation(format!("a document names frame {frame} of {frames}"), None));
        };
        if frame < last {
            return Err(violation("documents are not in the order of their frames", None));
        }
        // Ends between characters would also cut a document out of the middle of one.
        let Some(document) = text.get(start..end).filter(|document| !document.is_empty()) else {
            return Err(violation("document ends are not ascending", None));
        };
        let first_member = members.len();
        let found = scan(document.as_bytes(), bounds, &mut members)
            .map_err(|flaw| violation(flaw_text(&flaw), Some(frame)))?;
        repairs |= found.surrogates;
        if found.odd_numbers && out_of_range(document) {
            return Err(violation("a document is refused: a number is out of range", Some(frame)));
        }
        entries.push(Entry {
            bytes: start..end,
            members: first_member..members.len(),
            frame,
            number: *count,
            timestamp,
        });
        *count += 1;
        (start, last) = (end, frame);
    }

    let mut verdicts = Vec::with_capacity(frames);
    for (index, (outcome, count)) in outcomes.into_iter().zip(counts).enumerate() {
        let frame = Some(index as u32);
        verdicts.push(match outcome {
            Outcome::Events(told) if told == count && count > 0 => Verdict::Events(count),
            Outcome::Events(told) => {
                return Err(violation(format!("{told} events told, {count} documents given"), frame));
            }
            _ if count > 0 => {
                return Err(violation("documents of a frame that was skipped or malformed", frame));
            }
            Outcome::Skipped(reason) => Verdict::Skipped(skip_text(reason)),
            Outcome::Malformed(reason) => Verdict::Malformed(malformed_text(reason)),
        });
    }
    let answer = Answer { documents, entries, members, verdicts };
    Ok(if repairs { repair_surrogates(&answer, bounds) } else { answer })
}

/// Whether a number is past what any reader of the document could hold, such as `1e999`.
fn out_of_range(document: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(document)
        .is_err_and(|error| error.to_string().contains("out of range"))
}

fn flaw_text(flaw: &Flaw) -> String {
    format!("a document is refused: {flaw}")
}

/// Replaces escaped surrogates that stand alone by U+FFFD. The grammar of JSON allows them and logs contain them, but
/// most readers of a document would refuse all of it.
fn repair_surrogates(answer: &Answer, bounds: DocumentLimits) -> Answer {
    let mut repaired = Answer { verdicts: answer.verdicts.clone(), ..Answer::default() };
    for entry in &answer.entries {
        let start = repaired.documents.len();
        push_paired(answer.document(entry), &mut repaired.documents);
        let first_member = repaired.members.len();
        let document = repaired.documents.get(start..).unwrap_or_default();
        // The same structure: what was accepted before is accepted again.
        let _ = scan(document, bounds, &mut repaired.members);
        repaired.entries.push(Entry {
            bytes: start..repaired.documents.len(),
            members: first_member..repaired.members.len(),
            ..entry.clone()
        });
    }
    repaired
}

fn push_paired(document: &[u8], out: &mut Vec<u8>) {
    let unit = |at: usize| -> Option<u32> {
        let digits = document.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(&byte) = document.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
            continue;
        }
        let (length, text): (usize, &[u8]) = match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => {
                (12, document.get(at..at + 12).unwrap_or_default())
            }
            (Some(0xd800..=0xdfff), _) => (6, b"\\ufffd"),
            _ => (2, document.get(at..at + 2).unwrap_or_default()),
        };
        out.extend_from_slice(text);
        at += length;
    }
}

use super::contract::{MalformedReason, SkipReason};

fn skip_text(reason: SkipReason) -> String {
    match reason {
        SkipReason::Empty => "empty".to_owned(),
        SkipReason::Comment => "comment".to_owned(),
        SkipReason::Control => "control message".to_owned(),
        SkipReason::Other(text) => shorten(text),
    }
}

fn malformed_text(reason: MalformedReason) -> String {
    let (kind, text) = match reason {
        MalformedReason::NoMatch(text) => ("no match", text),
        MalformedReason::BadJson(text) => ("bad JSON", text),
        MalformedReason::MissingField(text) => ("missing field", text),
        MalformedReason::BadField(text) => ("bad field", text),
        MalformedReason::UnknownLayout(text) => ("unknown layout", text),
        MalformedReason::TooLarge(text) => ("too large", text),
        MalformedReason::Other(text) => ("other", text),
    };
    shorten(format!("{kind}: {text}"))
}

/// Reasons are shown and kept; a guest does not decide how much room they take.
fn shorten(mut text: String) -> String {
    if text.len() > 300 {
        let cut = (0..=300).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(documents: &[(&str, u32)], outcomes: Vec<Outcome>) -> Result<Answer, Breach> {
        let frames = outcomes.len();
        let mut parsed =
            Parsed { documents: Vec::new(), ends: vec![], frames: vec![], timestamps: vec![], outcomes };
        for (text, frame) in documents {
            parsed.documents.extend_from_slice(text.as_bytes());
            parsed.ends.push(parsed.documents.len() as u32);
            parsed.frames.push(*frame);
            parsed.timestamps.push(7);
        }
        check(parsed, frames, &Limits::default())
    }

    #[test]
    fn a_good_answer_keeps_its_documents_apart() {
        let skipped = Outcome::Skipped(SkipReason::Empty);
        let good = answer(
            &[("{\"a\":1}", 0), ("{}", 0), ("{\"b\":[]}", 2)],
            vec![Outcome::Events(2), skipped, Outcome::Events(1)],
        )
        .unwrap();
        let numbers: Vec<_> = good
            .entries
            .iter()
            .map(|e| (e.frame, e.number, good.document(e).len(), good.members_of(e).len()))
            .collect();
        assert_eq!(numbers, [(0, 0, 7, 1), (0, 1, 2, 0), (2, 0, 8, 1)]);
        assert_eq!(good.verdicts[1], Verdict::Skipped("empty".to_owned()));
    }

    #[test]
    fn lies_are_violations_and_name_the_frame_where_they_can() {
        let frame_of = |result: Result<Answer, Breach>| match result {
            Err(Breach::Contract { frame, .. }) => frame,
            other => panic!("{other:?}"),
        };
        let one = || Outcome::Events(1);
        assert_eq!(frame_of(answer(&[("{}", 0)], vec![one(), one()])), Some(1));
        assert_eq!(frame_of(answer(&[("{}", 0), ("{}", 0)], vec![one()])), Some(0));
        assert_eq!(frame_of(answer(&[], vec![Outcome::Events(0)])), Some(0));
        assert_eq!(frame_of(answer(&[("{}", 0)], vec![Outcome::Skipped(SkipReason::Empty)])), Some(0));
        assert_eq!(frame_of(answer(&[("{}", 3)], vec![one()])), None);
        assert_eq!(frame_of(answer(&[("{}", 1), ("{}", 0)], vec![one(), one()])), None);
        assert_eq!(frame_of(answer(&[("{}", 0), ("[]", 1)], vec![one(), one()])), Some(1));
        assert_eq!(frame_of(answer(&[("", 0)], vec![one()])), None);
    }

    #[test]
    fn offsets_that_lie_are_violations() {
        let parsed = |ends: Vec<u32>| Parsed {
            documents: b"{}{}".to_vec(),
            frames: vec![0; ends.len()],
            timestamps: vec![0; ends.len()],
            outcomes: vec![Outcome::Events(ends.len() as u32)],
            ends,
        };
        assert!(check(parsed(vec![2, 4]), 1, &Limits::default()).is_ok());
        for ends in [vec![2], vec![4, 4], vec![4, 2], vec![2, 400], vec![u32::MAX], vec![3, 4], vec![]] {
            assert!(check(parsed(ends.clone()), 1, &Limits::default()).is_err(), "{ends:?}");
        }
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        let text = r#"{"a":"\ud83d\ude00 \ud83d \\ud83d \udc00\u00e4","b":1}"#;
        let good = answer(&[(text, 0), ("{}", 1)], vec![Outcome::Events(1), Outcome::Events(1)]).unwrap();
        let value: serde_json::Value = serde_json::from_slice(good.document(&good.entries[0])).unwrap();
        assert_eq!(value["a"], "\u{1F600} \u{fffd} \\ud83d \u{fffd}ä");
        assert_eq!(good.document(&good.entries[1]), b"{}");
    }
}
