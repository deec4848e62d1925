//! Lines that a container runtime split, made whole again.
//!
//! Docker cuts a line of more than 16 KiB and sends the parts as records of their own, which its fluentd driver (and so
//! FireLens) marks: `partial_message`, `partial_id` (the line), `partial_ordinal` (from 1) and `partial_last`. A parser
//! sees frame by frame and keeps nothing between them, so that they are joined here: the record of a whole line is its
//! first part's, with the text of all and without the marks. It is one frame, at the first part's offset, and its
//! carrier is the bytes of all parts, so that each byte and each frame is counted once.
//!
//! Parts that cannot be joined (one is missing, twice there or too far away, or the line exceeds the frame limit) pass
//! on as they came, each a frame of its own with its marks.
//!
//! Source: Moby, `daemon/logger/fluentd` and `daemon/logger/copier.go` (16 KiB).

use memchr::memmem::Finder;
use serde_json::value::RawValue;

use super::{Members, text_of};
use crate::ingest::frame::{Opening, Sink, Value, Values};
use crate::ingest::stream::FrameLimits;

/// Lines of which parts are held at a time.
const OPEN_LINES: usize = 64;
/// Most parts of a line: 16 MiB in parts of 16 KiB.
const PARTS: usize = 1024;
/// The marks of a part begin so.
const MARK: &str = "partial_";
/// What tells one line from another, beside its id: ids are unique for a container only.
const LINE_FIELDS: [&str; 4] = ["partial_id", "container_id", "container_name", "source"];

/// Joins the parts of split lines and hands everything on to `values`.
pub(crate) struct Partials<V> {
    values: V,
    frame_bytes: usize,
    mark: Finder<'static>,
    /// In the order in which their first part came.
    lines: Vec<Line>,
    held_bytes: usize,
}

/// A line of which not all parts came yet.
struct Line {
    id: Vec<String>,
    /// In the order in which they came.
    parts: Vec<Part>,
    /// Bytes of the parts' records.
    bytes: usize,
    /// The ordinal of the last part, once it came.
    last: Option<usize>,
}

struct Part {
    ordinal: usize,
    record: Vec<u8>,
    offset: u64,
    element: bool,
}

/// What the marks of a record say.
struct Marks {
    id: Vec<String>,
    ordinal: usize,
    last: bool,
}

impl<V: Values> Partials<V> {
    pub(crate) fn new(values: V, limits: &FrameLimits) -> Self {
        let mark = Finder::new("\"partial_message\"");
        Self { values, frame_bytes: limits.frame_bytes, mark, lines: Vec::new(), held_bytes: 0 }
    }

    /// Takes a part; false when the record is none that could be joined.
    fn part(&mut self, value: Value<'_>, sink: &mut Sink<'_>) -> bool {
        if self.mark.find(value.bytes).is_none() {
            return false;
        }
        let Some(Marks { id, ordinal, last }) = marks_of(value.bytes) else { return false };
        let part =
            Part { ordinal, record: value.bytes.to_vec(), offset: value.offset, element: value.element };
        let index = self.lines.iter().position(|line| line.id == id).unwrap_or_else(|| {
            self.lines.push(Line { id, parts: Vec::new(), bytes: 0, last: None });
            self.lines.len() - 1
        });
        let Some(line) = self.lines.get_mut(index) else { return false };
        let fits = line.parts.len() < PARTS
            && line.bytes + part.record.len() <= self.frame_bytes
            && line.parts.iter().all(|other| other.ordinal != ordinal);
        line.bytes += part.record.len();
        self.held_bytes += part.record.len();
        line.parts.push(part);
        if last {
            line.last = Some(ordinal);
        }
        if !fits {
            self.pass_on(index, sink);
        } else if line.last == Some(line.parts.len()) {
            self.join(index, sink);
        }
        while self.lines.len() > OPEN_LINES || self.held_bytes > self.frame_bytes {
            self.pass_on(0, sink);
        }
        true
    }

    fn take(&mut self, index: usize) -> Line {
        let line = self.lines.remove(index);
        self.held_bytes -= line.bytes;
        line
    }

    /// Hands on a line of which every part is there.
    fn join(&mut self, index: usize, sink: &mut Sink<'_>) {
        let mut line = self.take(index);
        line.parts.sort_by_key(|part| part.ordinal);
        let in_order = line.parts.iter().zip(1..).all(|(part, ordinal)| part.ordinal == ordinal);
        let record = if in_order { joined(&line.parts) } else { None };
        match (record, line.parts.first()) {
            (Some(record), Some(first)) => {
                let Part { offset, element, .. } = *first;
                self.values.value(Value { bytes: &record, carrier: line.bytes, offset, element }, sink);
            }
            _ => self.each(&line, sink),
        }
    }

    /// Hands the parts of a line on as they came.
    fn pass_on(&mut self, index: usize, sink: &mut Sink<'_>) {
        let line = self.take(index);
        self.each(&line, sink);
    }

    fn each(&mut self, line: &Line, sink: &mut Sink<'_>) {
        for Part { record, offset, element, .. } in &line.parts {
            let value = Value { bytes: record, carrier: record.len(), offset: *offset, element: *element };
            self.values.value(value, sink);
        }
    }
}

/// The marks of a record, if it is part of a line and its text a string.
fn marks_of(record: &[u8]) -> Option<Marks> {
    let Members(members) = serde_json::from_slice::<Members<'_>>(record).ok()?;
    let raw = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| *value);
    let text = |name: &str| raw(name).map(text_of);
    if text("partial_message")? != "true" || !raw("log")?.get().starts_with('"') {
        return None;
    }
    text("partial_id").filter(|id| !id.is_empty())?;
    Some(Marks {
        id: LINE_FIELDS.iter().map(|name| text(name).unwrap_or_default().into_owned()).collect(),
        ordinal: text("partial_ordinal")?.parse().ok().filter(|ordinal| *ordinal > 0)?,
        last: text("partial_last")? == "true",
    })
}

/// The first part's record with the text of all. The parts are strings in JSON already; end to end between one pair of
/// quotes they are one string, and a character of which each part had one half is whole again.
fn joined(parts: &[Part]) -> Option<Vec<u8>> {
    let mut log = Vec::new();
    for part in parts {
        let Members(members) = serde_json::from_slice::<Members<'_>>(&part.record).ok()?;
        let text: &RawValue = members.into_iter().find(|(name, _)| name == "log")?.1;
        log.extend_from_slice(text.get().strip_prefix('"')?.strip_suffix('"')?.as_bytes());
    }
    let Members(members) = serde_json::from_slice::<Members<'_>>(&parts.first()?.record).ok()?;
    let mut record = vec![b'{'];
    for (name, value) in members.iter().filter(|(name, _)| !name.starts_with(MARK)) {
        if record.len() > 1 {
            record.push(b',');
        }
        serde_json::to_writer(&mut record, name).ok()?;
        record.push(b':');
        if name == "log" {
            record.push(b'"');
            record.extend_from_slice(&log);
            record.push(b'"');
        } else {
            record.extend_from_slice(value.get().as_bytes());
        }
    }
    record.push(b'}');
    Some(record)
}

impl<V: Values> Values for Partials<V> {
    fn opening(&mut self, opening: Opening<'_>, sink: &mut Sink<'_>) -> bool {
        self.values.opening(opening, sink)
    }

    fn value(&mut self, value: Value<'_>, sink: &mut Sink<'_>) {
        if !self.part(value, sink) {
            self.values.value(value, sink);
        }
    }

    fn closed(&mut self, sink: &mut Sink<'_>) {
        self.values.closed(sink);
    }

    fn ended(&mut self, sink: &mut Sink<'_>) {
        while !self.lines.is_empty() {
            self.pass_on(0, sink);
        }
        self.values.ended(sink);
    }
}
