//! Documents of one shape, filled in: how delimited records are written where every nanosecond counts.
//!
//! The records of a flow log differ in addresses and numbers, not in the shape of their documents. So the parser's own
//! code writes the document of each shape once a batch, for a probe: a record of the same class whose values are
//! markers. Where the markers stand in that document, the values of later records are put, and everything between them
//! is copied. What a document looks like is thereby said in one place, the parser; this is only its faster copy. A
//! second probe with other markers must give the same shape: so no text of a log can pass for a marker.
//!
//! Contract with the parser: its document depends on the texts of the class columns, on which values are absent (`-`)
//! and on which addresses are equal; every other value is copied as it stands, or as a time. Anything unusual (IPv6,
//! characters that JSON escapes, long lines) takes the parser's own code, and so does the first record of each shape.

#![allow(clippy::inline_always, reason = "a call would cost more than what it does; measured in the sandbox")]

use crate::block::{self, Block};
use crate::{Event, Outcome, ParseError, time};
use std::cell::RefCell;
use std::ops::Range;

/// Columns a line may have.
const COLUMNS: usize = 64;
/// Columns that a class may consist of.
const CLASSES: usize = 16;
/// Addresses and times a line may have.
const ADDRESSES: usize = 4;
const TIMES: usize = 2;
/// Bytes of the longest line; longer ones are rare.
const LINE: usize = 1024;
/// Bytes of the longest document.
const DOCUMENT: usize = 8192;
/// Shapes kept for a batch: with more, learning them would cost more than it saves.
const SHAPES: usize = 32;

/// What a column is to the shape of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its text decides about the document's shape.
    Class,
    /// An IP address; whether it equals another one decides, too.
    Address,
    /// Seconds since 1970, copied as they stand and as a time.
    Time,
    /// An integer, copied as it stands.
    Number,
    /// Copied as it stands.
    Text,
}

/// The shapes of a batch's documents.
#[derive(Debug)]
pub struct Templates {
    roles: Vec<Role>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    /// The line, and behind it its times as text.
    line: Vec<u8>,
    /// Where the values stand in `line`; those of times as text behind those of the columns.
    spans: [(u16, u16); COLUMNS + TIMES],
    class: Class,
    seconds: [i64; TIMES],
    day: Day,
    shapes: Vec<(Class, Option<Shape>)>,
    document: Vec<u8>,
}

/// What decides about the shape of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    /// One bit for each column without a value.
    absent: u64,
    /// For each address, four bits: the first address that it equals.
    equal: u32,
    count: usize,
    /// The texts of the class columns, padded with zeros, which no text contains.
    texts: [(u64, u64); CLASSES],
}

impl Class {
    #[inline]
    fn is(&self, other: &Class) -> bool {
        let texts = self.texts.iter().zip(&other.texts).take(self.count);
        self.absent == other.absent
            && self.equal == other.equal
            && texts.fold(true, |same, (one, two)| same && (one == two))
    }
}

/// A document with gaps.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    /// The texts before each gap and behind the last one, laid end to end, padded to whole blocks.
    text: Vec<u8>,
    gaps: Vec<Gap>,
    /// Where the text behind the last gap stands.
    rest: (u16, u16),
    /// Which time is the event's.
    timestamp: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Gap {
    /// Where the text before it stands in the shape's text.
    start: u16,
    length: u16,
    /// Index of a span.
    value: u8,
}

/// The text of the last day seen.
#[derive(Debug)]
struct Day {
    start: i64,
    /// `2026-01-15T`
    text: [u8; 11],
}

/// Whether a line can be filled into a shape.
enum Filled {
    Yes(usize, i64),
    /// Its class is new.
    Unknown,
    /// It takes the parser's own code.
    No,
}

impl Templates {
    /// For lines of columns with these roles; without any, every record takes the parser's own code.
    pub fn new(roles: Vec<Role>) -> Self {
        let count = |role| roles.iter().filter(|other| **other == role).count();
        let fits = roles.len() <= COLUMNS
            && count(Role::Class) <= CLASSES
            && count(Role::Address) <= ADDRESSES
            && (1..=TIMES).contains(&count(Role::Time));
        let roles = if fits { roles } else { Vec::new() };
        let (line, document) = if fits { (LINE + 256, DOCUMENT) } else { (0, 0) };
        Templates {
            roles,
            state: RefCell::new(State {
                line: vec![b' '; line],
                spans: [(0, 0); COLUMNS + TIMES],
                class: Class { absent: 0, equal: 0, count: 0, texts: [(0, 0); CLASSES] },
                seconds: [0; TIMES],
                day: Day { start: i64::MIN, text: [0; 11] },
                shapes: Vec::new(),
                document: vec![0; document],
            }),
        }
    }

    /// Parses a line: by its shape, if that is known, else with `general`, the parser's own code.
    ///
    /// # Errors
    /// Those of `general`.
    #[inline]
    pub fn parse(
        &self,
        line: &str,
        event: &mut Event<'_>,
        general: impl Fn(&str, &mut Event<'_>) -> Result<Outcome, ParseError>,
    ) -> Result<Outcome, ParseError> {
        let Ok(mut state) = self.state.try_borrow_mut() else { return general(line, event) };
        if self.roles.is_empty() {
            return general(line, event);
        }
        match state.fill(&self.roles, line.as_bytes()) {
            Filled::Yes(length, timestamp) => {
                event.complete(state.document.get(..length).unwrap_or_default(), timestamp);
                Ok(Outcome::Emitted)
            }
            Filled::No => general(line, event),
            Filled::Unknown => {
                let outcome = general(line, event)?;
                if outcome == Outcome::Event && state.shapes.len() < SHAPES {
                    let shape = state.learn(&self.roles, event, &general, &MARKERS[0]);
                    let other = state.learn(&self.roles, event, &general, &MARKERS[1]);
                    let shape = if shape == other { shape } else { None };
                    let class = state.class.clone();
                    state.shapes.push((class, shape));
                }
                Ok(outcome)
            }
        }
    }
}

impl State {
    #[inline]
    fn fill(&mut self, roles: &[Role], line: &[u8]) -> Filled {
        if self.split(roles.len(), line).is_none() || self.read(roles, line.len()).is_none() {
            return Filled::No;
        }
        let class = &self.class;
        let Some((_, shape)) = self.shapes.iter().find(|(known, _)| class.is(known)) else {
            return Filled::Unknown;
        };
        let Some(shape) = shape else { return Filled::No };
        match shape.write(&self.line, &self.spans, &mut self.document) {
            Some(length) => {
                Filled::Yes(length, self.seconds.get(shape.timestamp).copied().unwrap_or(0) * 1_000_000_000)
            }
            None => Filled::No,
        }
    }

    /// Copies the line and finds its values; none if there are more or fewer than columns, or one would be escaped.
    #[inline]
    fn split(&mut self, columns: usize, line: &[u8]) -> Option<()> {
        if line.len() > LINE {
            return None;
        }
        let (blocks, rest) = line.as_chunks::<16>();
        let last = line.last_chunk::<16>()?;
        let (mut count, mut start) = (0_usize, 0_usize);
        let mut escapes = 0;
        let mut take = |blanks: u32, base: usize, spans: &mut [(u16, u16)]| {
            let mut blanks = blanks;
            while blanks != 0 {
                let end = base + blanks.trailing_zeros() as usize;
                if let Some(span) = spans.get_mut(count) {
                    *span = (start as u16, end as u16);
                }
                count += 1;
                start = end + 1;
                blanks &= blanks - 1;
            }
        };
        let mut base = 0;
        for block in blocks {
            escapes |= block::escapes(block);
            *self.line.get_mut(base..)?.first_chunk_mut::<16>()? = *block;
            take(block::equal(block, b' '), base, &mut self.spans);
            base += 16;
        }
        if !rest.is_empty() {
            escapes |= block::escapes(last);
            *self.line.get_mut(line.len() - 16..)?.first_chunk_mut::<16>()? = *last;
            take(block::equal(last, b' ') >> (16 - rest.len()), base, &mut self.spans);
        }
        *self.spans.get_mut(count)? = (start as u16, line.len() as u16);
        (escapes == 0 && count + 1 == columns).then_some(())
    }

    /// Checks the values and notes what decides about the shape.
    #[inline]
    fn read(&mut self, roles: &[Role], length: usize) -> Option<()> {
        let (mut absent, mut equal) = (0_u64, 0_u32);
        let (mut classes, mut times, mut addresses) = (0_usize, 0_usize, 0_usize);
        let mut known_addresses = [(0_u64, 0_u64); ADDRESSES];
        for (index, role) in roles.iter().enumerate() {
            let &(start, end) = self.spans.get(index)?;
            let size = usize::from(end - start);
            let block = self.line.get(usize::from(start)..)?.first_chunk::<16>()?;
            let first = block[0];
            if size == 0 {
                return None;
            }
            if *role != Role::Class && size == 1 && first == b'-' {
                absent |= 1 << index;
                times += usize::from(*role == Role::Time);
                continue;
            }
            let are_digits = || size <= 16 && block::digits(block) | u32::MAX << size == u32::MAX;
            match role {
                Role::Text => {}
                Role::Number => {
                    if !are_digits() || (first == b'0' && size > 1) {
                        return None;
                    }
                }
                Role::Class => {
                    *self.class.texts.get_mut(classes)? = text_of(block, size)?;
                    classes += 1;
                }
                Role::Address => {
                    if !block::is_ipv4(block, size) {
                        return None;
                    }
                    let text = text_of(block, size)?;
                    let same = known_addresses
                        .iter()
                        .take(addresses)
                        .position(|known| *known == text)
                        .unwrap_or(addresses);
                    equal |= (same as u32 + 1) << (4 * addresses);
                    *known_addresses.get_mut(addresses)? = text;
                    addresses += 1;
                }
                Role::Time => {
                    // Ten digits below 9,000,000,000 are all times from 2001 to 2255.
                    if size != 10 || !are_digits() || !(b'1'..=b'8').contains(&first) {
                        return None;
                    }
                    let seconds = block
                        .iter()
                        .take(10)
                        .fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
                    *self.seconds.get_mut(times)? = seconds;
                    let at = (length + 32) & !15;
                    let at = at + times * 32;
                    self.day.write(seconds, self.line.get_mut(at..)?.first_chunk_mut::<24>()?);
                    *self.spans.get_mut(COLUMNS + times)? = (at as u16, at as u16 + 24);
                    times += 1;
                }
            }
        }
        self.class.absent = absent;
        self.class.equal = equal;
        self.class.count = classes;
        Some(())
    }

    /// The shape of the line that was just read, from the document of a probe of its class.
    #[cold]
    fn learn(
        &self,
        roles: &[Role],
        event: &Event<'_>,
        general: impl Fn(&str, &mut Event<'_>) -> Result<Outcome, ParseError>,
        set: &Markers,
    ) -> Option<Shape> {
        let (line, markers) = self.probe(roles, set)?;
        let mut probe = event.sibling();
        probe.begin();
        if general(&line, &mut probe) != Ok(Outcome::Event) {
            return None;
        }
        probe.finish();
        let (_, timestamp) = *probe.finished.last()?;
        let document = probe.into_documents();

        let mut found: Vec<(Range<usize>, u8)> = Vec::with_capacity(64);
        for (marker, value) in &markers {
            let places = memchr::memmem::find_iter(&document, marker.as_bytes());
            found.extend(places.map(|at| (at..at + marker.len(), *value)));
        }
        found.sort_by_key(|(range, _)| range.start);
        let (mut text, mut gaps, mut from) =
            (Vec::with_capacity(document.len()), Vec::with_capacity(found.len()), 0);
        for (range, value) in found {
            let literal = document.get(from..range.start)?;
            gaps.push(Gap { start: u16::try_from(text.len()).ok()?, length: literal.len() as u16, value });
            text.extend_from_slice(literal);
            from = range.end;
        }
        let rest = document.get(from..)?;
        let rest_start = u16::try_from(text.len()).ok()?;
        text.extend_from_slice(rest);
        u16::try_from(text.len()).ok()?;
        text.resize(text.len() + 32, 0);
        let timestamp =
            (0..TIMES).find(|number| set.seconds(*number).checked_mul(1_000_000_000) == Some(timestamp))?;
        Some(Shape { text, gaps, rest: (rest_start, rest.len() as u16), timestamp })
    }

    /// A line of the same class whose other values are found nowhere else, and those values with the spans they
    /// stand for.
    fn probe(&self, roles: &[Role], set: &Markers) -> Option<(String, Vec<(String, u8)>)> {
        let mut line = String::with_capacity(256);
        let mut markers: Vec<(String, u8)> = Vec::with_capacity(COLUMNS);
        let (mut times, mut addresses) = (0_usize, 0_u32);
        for (index, role) in roles.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            let absent = self.class.absent & (1 << index) != 0;
            let &(start, end) = self.spans.get(index)?;
            let text = std::str::from_utf8(self.line.get(usize::from(start)..usize::from(end))?).ok()?;
            let marker = match role {
                _ if absent => "-".to_owned(),
                Role::Class => text.to_owned(),
                Role::Text => format!("{}{index:02}{}", set.text, set.text),
                Role::Number => format!("{}", set.number + index as u64),
                Role::Address => {
                    let same = (self.class.equal >> (4 * addresses)) & 15;
                    addresses += 1;
                    format!("{}{}", set.address, 100 + same)
                }
                Role::Time => set.seconds(times).to_string(),
            };
            line.push_str(&marker);
            if *role == Role::Time {
                if !absent {
                    let mut written = Vec::new();
                    time::push_time(&mut written, set.seconds(times) * 1_000_000_000);
                    let written = String::from_utf8(written).ok()?;
                    markers.push((written.trim_matches('"').to_owned(), (COLUMNS + times) as u8));
                }
                times += 1;
            }
            let known = *role == Role::Class || absent || markers.iter().any(|(other, _)| *other == marker);
            if !known {
                markers.push((marker, index as u8));
            }
        }
        Some((line, markers))
    }
}

/// Values that no log is likely to hold.
struct Markers {
    text: &'static str,
    number: u64,
    address: &'static str,
    seconds: i64,
}

impl Markers {
    /// On a day of its own for each of a line's times.
    const fn seconds(&self, number: usize) -> i64 {
        self.seconds + number as i64 * 90_061
    }
}

const MARKERS: [Markers; 2] = [
    Markers { text: "zqx", number: 7_130_917_013_071_000, address: "10.253.251.", seconds: 7_258_118_400 },
    Markers { text: "kvw", number: 6_250_826_926_182_000, address: "172.30.249.", seconds: 7_289_654_400 },
];

#[inline(always)]
fn text_of(block: &Block, size: usize) -> Option<(u64, u64)> {
    let both = u128::from_le_bytes(*block);
    let low = |bytes: usize| if bytes >= 8 { u64::MAX } else { (1 << (8 * bytes)) - 1 };
    (size <= 16).then(|| (both as u64 & low(size), (both >> 64) as u64 & low(size.saturating_sub(8))))
}

impl Shape {
    /// Fills the gaps with the values; gives the document's length, or none if it is too long.
    #[inline]
    fn write(
        &self,
        line: &[u8],
        spans: &[(u16, u16); COLUMNS + TIMES],
        document: &mut [u8],
    ) -> Option<usize> {
        let mut at = 0;
        for gap in &self.gaps {
            at = copy(document, at, &self.text, usize::from(gap.start), usize::from(gap.length))?;
            let &(start, end) = spans.get(usize::from(gap.value))?;
            at = copy(document, at, line, usize::from(start), usize::from(end - start))?;
        }
        copy(document, at, &self.text, usize::from(self.rest.0), usize::from(self.rest.1))
    }
}

/// Copies in whole blocks: what is copied too much is overwritten by what comes next, or cut off.
#[inline(always)]
fn copy(to: &mut [u8], at: usize, from: &[u8], start: usize, length: usize) -> Option<usize> {
    copy_block(to, at, from, start)?;
    // Without a loop for the lengths that are common.
    if length > 16 {
        copy_block(to, at + 16, from, start + 16)?;
        let mut done = 32;
        while done < length {
            copy_block(to, at + done, from, start + done)?;
            done += 16;
        }
    }
    Some(at + length)
}

#[inline(always)]
fn copy_block(to: &mut [u8], at: usize, from: &[u8], start: usize) -> Option<()> {
    *to.get_mut(at..)?.first_chunk_mut::<16>()? = *from.get(start..)?.first_chunk::<16>()?;
    Some(())
}

impl Day {
    /// Writes the time as `json::push_time` does, without quotes.
    #[inline]
    fn write(&mut self, seconds: i64, out: &mut [u8; 24]) {
        let mut clock = seconds.wrapping_sub(self.start);
        if !(0..86_400).contains(&clock) {
            let mut text = Vec::with_capacity(32);
            self.start = seconds.div_euclid(86_400) * 86_400;
            time::push_time(&mut text, self.start * 1_000_000_000);
            if let Some(day) = text.get(1..12).and_then(|day| day.first_chunk::<11>()) {
                self.text = *day;
            }
            clock = seconds - self.start;
        }
        let clock = clock as u32;
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        let [y0, y1, y2, y3, y4, m0, m1, d0, d1, d2, t] = self.text;
        let ten = |value: u32| b'0' + (value / 10) as u8;
        let one = |value: u32| b'0' + (value % 10) as u8;
        *out = [
            y0,
            y1,
            y2,
            y3,
            y4,
            m0,
            m1,
            d0,
            d1,
            d2,
            t,
            ten(hour),
            one(hour),
            b':',
            ten(minute),
            one(minute),
            b':',
            ten(second),
            one(second),
            b'.',
            b'0',
            b'0',
            b'0',
            b'Z',
        ];
    }
}
