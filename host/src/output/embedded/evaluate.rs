//! Answers a query on one segment: a set of documents for each leaf, joined by the query's operators.
//!
//! A leaf looks terms up, or walks the part of a dictionary that its path and prefix leave and applies the same test as
//! the matcher to each term. Sets rather than the engine's own queries: a segment is at most a few hundred thousand
//! documents, so a set is a few kilobytes, and every answer is exact.

use std::io;
use std::ops::{Bound, RangeInclusive};
use std::sync::Arc;

use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::postings::{BlockSegmentPostings, Postings, SegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption, Type};
use tantivy::{DateTime, DocSet, TERMINATED, TantivyError};
use tantivy::{i64_to_u64, u64_to_f64, u64_to_i64};

use super::bits::Bits;
use super::document::halves;
use super::error::IndexError;
use super::postings::drain;
use super::schema::{Fields, PATH_SEPARATOR, schema};
use crate::query::fields::{ADDRESSES, TIMESTAMP};
use crate::query::plan::{Bounds, Predicate, ValueTest, WordsTest};
use crate::query::text::is_phrase;
use crate::query::{Number, Scalar, TextTest};

/// Words that one part of a wildcard phrase may stand for; each holds a list open.
const PHRASE_WORDS: usize = 4096;

/// What can go wrong on a segment; the search adds which index it was.
#[derive(Debug)]
pub(super) enum Failure {
    Engine(TantivyError),
    Refused(IndexError),
}

impl From<TantivyError> for Failure {
    fn from(error: TantivyError) -> Self {
        Self::Engine(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Engine(error.into())
    }
}

/// What a walk over terms does with one of them.
enum Step {
    Take,
    Skip,
    Stop,
}

/// A segment being asked.
pub(super) struct Segment<'a> {
    reader: &'a SegmentReader,
    fields: &'static Fields,
}

impl<'a> Segment<'a> {
    pub(super) fn new(reader: &'a SegmentReader) -> Self {
        Self { reader, fields: &schema().1 }
    }

    /// The documents that pass `predicate`, have their time in `times`, and are not deleted.
    pub(super) fn hits(&self, predicate: &Predicate, times: &RangeInclusive<i64>) -> Result<Bits, Failure> {
        let mut hits = self.times(times)?;
        if !hits.is_empty() {
            hits.intersect(&self.evaluate(predicate)?);
        }
        if let Some(alive) = self.reader.alive_bitset() {
            let mut living = self.none();
            hits.iter()
                .filter(|document| alive.is_alive(*document))
                .for_each(|document| living.insert(document));
            hits = living;
        }
        Ok(hits)
    }

    fn none(&self) -> Bits {
        Bits::none(self.reader.max_doc())
    }

    fn all(&self) -> Bits {
        Bits::all(self.reader.max_doc())
    }

    fn evaluate(&self, predicate: &Predicate) -> Result<Bits, Failure> {
        match predicate {
            Predicate::All => Ok(self.all()),
            Predicate::Nothing => Ok(self.none()),
            Predicate::And(operands) => {
                let mut bits = self.all();
                let mut operands: Vec<&Predicate> = operands.iter().collect();
                operands.sort_by_key(|operand| walks(operand));
                for operand in operands {
                    if bits.is_empty() {
                        break;
                    }
                    bits.intersect(&self.evaluate(operand)?);
                }
                Ok(bits)
            }
            Predicate::Or(operands) => {
                let mut bits = self.none();
                for operand in operands {
                    bits.unite(&self.evaluate(operand)?);
                }
                Ok(bits)
            }
            Predicate::Not(operand) => {
                let mut bits = self.evaluate(operand)?;
                bits.invert();
                Ok(bits)
            }
            Predicate::Id(id) => self.id(*id),
            Predicate::Exists(path) => self.exists(path),
            Predicate::Value(path, test) => self.value(path, test),
            Predicate::Address(path, range) => self.address(path, range),
            Predicate::Time(range) => self.times(range),
            Predicate::Words(None, test) => self.words(self.fields.words, &[], test),
            Predicate::Words(Some(path), test) => {
                self.words(self.fields.texts, &typed(path, Type::Str), test)
            }
        }
    }

    fn id(&self, id: [u8; 16]) -> Result<Bits, Failure> {
        let [high, low] = halves(id);
        let columns = self.reader.fast_fields();
        let lows = columns.column_first_or_default::<u64>("id_low")?;
        let mut found = Vec::new();
        let highs = columns.u64("id_high")?;
        highs.get_docids_for_value_range(high..=high, 0..self.reader.max_doc(), &mut found);
        let mut bits = self.none();
        found
            .into_iter()
            .filter(|document| highs.first(*document) == Some(high) && lows.get_val(*document) == low)
            .for_each(|document| bits.insert(document));
        Ok(bits)
    }

    fn times(&self, range: &RangeInclusive<i64>) -> Result<Bits, Failure> {
        if range.is_empty() {
            return Ok(self.none());
        }
        let column = self.reader.fast_fields().date(TIMESTAMP)?;
        let (first, last) =
            (column.min_value().into_timestamp_nanos(), column.max_value().into_timestamp_nanos());
        if *range.start() <= first && last <= *range.end() {
            return Ok(self.all());
        }
        // The engine takes a range that lies below all values for one of the least value.
        if *range.end() < first || last < *range.start() {
            return Ok(self.none());
        }
        let instant = DateTime::from_timestamp_nanos;
        let mut found = Vec::new();
        let range = instant(*range.start())..=instant(*range.end());
        column.get_docids_for_value_range(range, 0..self.reader.max_doc(), &mut found);
        let mut bits = self.none();
        found.into_iter().for_each(|document| bits.insert(document));
        Ok(bits)
    }

    fn exists(&self, path: &str) -> Result<Bits, Failure> {
        if path == TIMESTAMP {
            return Ok(self.all());
        }
        let key = engine_path(path);
        let mut from = key.clone();
        from.push(0);
        // Behind the path comes its end or a separator: the value itself, or one below.
        let mut bits = self.walk(self.fields.fields, &from, |term| {
            let is_below = term.starts_with(&key) && term.get(key.len()).is_some_and(|byte| *byte <= 1);
            if is_below { Step::Take } else { Step::Stop }
        })?;
        for address in ADDRESSES {
            let is_below =
                address.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if let Some(field) = self.fields.address(address).filter(|_| is_below) {
                bits.unite(&self.walk(field, &[], |_| Step::Take)?);
            }
        }
        Ok(bits)
    }

    fn address(&self, path: &str, range: &RangeInclusive<u128>) -> Result<Bits, Failure> {
        let Some(field) = self.fields.address(path) else { return Ok(self.none()) };
        let last = range.end().to_be_bytes();
        self.walk(field, &range.start().to_be_bytes(), |term| {
            if term <= last.as_slice() { Step::Take } else { Step::Stop }
        })
    }

    fn value(&self, path: &str, test: &ValueTest) -> Result<Bits, Failure> {
        match test {
            ValueTest::Equal { text, number, boolean } => {
                let mut keys = vec![text_key(path, text)];
                keys.extend(number.map(|number| number_key(path, number)));
                keys.extend(boolean.map(|boolean| boolean_key(path, boolean)));
                let mut bits = self.none();
                for key in keys {
                    self.add_term(self.fields.fields, &key, &mut bits)?;
                }
                Ok(bits)
            }
            ValueTest::Text(text) => self.text_terms(self.fields.fields, &typed(path, Type::Str), text),
            ValueTest::Texts(bounds) => {
                let from = match &bounds.lower {
                    Bound::Included(text) | Bound::Excluded(text) => text_key(path, text),
                    Bound::Unbounded => typed(path, Type::Str),
                };
                self.typed_terms(path, Type::Str, &from, test)
            }
            ValueTest::Dates(_) => self.typed_terms(path, Type::Str, &typed(path, Type::Str), test),
            ValueTest::Instants(range) => {
                let prefix = typed(path, Type::I64);
                let from = [prefix.as_slice(), &i64_to_u64(*range.start()).to_be_bytes()].concat();
                let to = [prefix.as_slice(), &i64_to_u64(*range.end()).to_be_bytes()].concat();
                self.walk(
                    self.fields.fields,
                    &from,
                    |term| if *term <= *to { Step::Take } else { Step::Stop },
                )
            }
            ValueTest::Numbers(bounds) => {
                let mut bits = self.typed_terms(path, Type::Str, &typed(path, Type::Str), test)?;
                bits.unite(&self.typed_terms(path, Type::I64, &signed_from(path, bounds), test)?);
                for kind in [Type::U64, Type::F64] {
                    bits.unite(&self.typed_terms(path, kind, &typed(path, kind), test)?);
                }
                Ok(bits)
            }
        }
    }

    /// The values of one type at a path, from a term on, that pass a test.
    fn typed_terms(&self, path: &str, kind: Type, from: &[u8], test: &ValueTest) -> Result<Bits, Failure> {
        let prefix = typed(path, kind);
        self.walk(self.fields.fields, from, |term| {
            let Some(value) = term.strip_prefix(prefix.as_slice()) else { return Step::Stop };
            match scalar(kind, value) {
                Some(value) if test.matches(value) => Step::Take,
                Some(value) if test.is_above(value) => Step::Stop,
                _ => Step::Skip,
            }
        })
    }

    /// The texts behind `prefix` that pass a test.
    fn text_terms(&self, field: Field, prefix: &[u8], test: &TextTest) -> Result<Bits, Failure> {
        let from = [prefix, test.prefix().as_bytes()].concat();
        if matches!(test, TextTest::Equal(_)) {
            let mut bits = self.none();
            self.add_term(field, &from, &mut bits)?;
            return Ok(bits);
        }
        self.walk(field, &from, |term| text_step(term, prefix, &from, test))
    }

    fn add_term(&self, field: Field, key: &[u8], bits: &mut Bits) -> Result<(), Failure> {
        let inverted = self.reader.inverted_index(field)?;
        if let Some(term) = inverted.terms().get(key)? {
            let mut postings = inverted.read_block_postings_from_terminfo(&term, IndexRecordOption::Basic)?;
            drain(&mut postings, &mut |documents| {
                documents.iter().for_each(|document| bits.insert(*document));
            });
        }
        Ok(())
    }

    /// The documents of the terms taken, going through the dictionary from `from` on.
    fn walk(&self, field: Field, from: &[u8], mut step: impl FnMut(&[u8]) -> Step) -> Result<Bits, Failure> {
        let mut bits = self.none();
        self.for_each_term(field, from, |term, postings| {
            let step = step(term);
            if matches!(step, Step::Take) {
                postings(&mut |documents| documents.iter().for_each(|document| bits.insert(*document)))?;
            }
            Ok(!matches!(step, Step::Stop))
        })?;
        Ok(bits)
    }

    /// Visits the terms from `from` on, each with a way to read its documents, while `visit` says so.
    pub(super) fn for_each_term(
        &self,
        field: Field,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &mut dyn FnMut(&mut dyn FnMut(&[u32])) -> io::Result<()>) -> io::Result<bool>,
    ) -> Result<(), Failure> {
        let inverted = self.reader.inverted_index(field)?;
        let mut terms = inverted.terms().range().ge(from).into_stream()?;
        let mut reused: Option<BlockSegmentPostings> = None;
        while terms.advance() {
            let term = terms.value();
            let go_on = visit(terms.key(), &mut |read| {
                let postings = match &mut reused {
                    Some(postings) => {
                        inverted.reset_block_postings_from_terminfo(term, postings)?;
                        postings
                    }
                    empty => empty
                        .insert(inverted.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?),
                };
                drain(postings, &mut |documents| read(documents));
                Ok(())
            })?;
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    fn words(&self, field: Field, prefix: &[u8], test: &WordsTest) -> Result<Bits, Failure> {
        if let [word] = test.words.as_slice() {
            return self.text_terms(field, prefix, word);
        }
        let inverted = self.reader.inverted_index(field)?;
        let mut candidates = self.all();
        let mut words = Vec::with_capacity(test.words.len());
        for word in &test.words {
            let terms = word_terms(&inverted, prefix, word)?;
            let mut bits = self.none();
            for term in &terms {
                let mut postings =
                    inverted.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
                drain(&mut postings, &mut |documents| {
                    documents.iter().for_each(|document| bits.insert(*document));
                });
            }
            candidates.intersect(&bits);
            if candidates.is_empty() {
                return Ok(candidates);
            }
            words.push(terms);
        }
        let mut words = words
            .iter()
            .map(|terms| {
                let option = IndexRecordOption::WithFreqsAndPositions;
                terms.iter().map(|term| inverted.read_postings_from_terminfo(term, option)).collect()
            })
            .collect::<io::Result<Vec<Vec<SegmentPostings>>>>()?;
        let mut places = vec![Vec::new(); words.len()];
        let mut one = Vec::new();
        let mut bits = self.none();
        for document in candidates.iter() {
            for (lists, places) in words.iter_mut().zip(&mut places) {
                places.clear();
                for list in lists.iter_mut() {
                    if list.doc() < document {
                        list.seek(document);
                    }
                    if list.doc() == document && document != TERMINATED {
                        list.positions(&mut one);
                        places.append(&mut one);
                    }
                }
                places.sort_unstable();
            }
            if is_phrase(&places, test.slop) {
                bits.insert(document);
            }
        }
        Ok(bits)
    }
}

/// Whether a predicate walks over terms; a look-up that finds nothing saves the walk beside it.
fn walks(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::All | Predicate::Nothing | Predicate::Id(_) | Predicate::Time(_) => false,
        Predicate::And(operands) | Predicate::Or(operands) => operands.iter().any(walks),
        Predicate::Not(operand) => walks(operand),
        Predicate::Exists(_) | Predicate::Address(..) => true,
        Predicate::Value(_, test) => !matches!(test, ValueTest::Equal { .. }),
        Predicate::Words(_, test) => !matches!(test.words.as_slice(), [TextTest::Equal(_)]),
    }
}

fn text_step(term: &[u8], prefix: &[u8], from: &[u8], test: &TextTest) -> Step {
    if !term.starts_with(from) {
        return Step::Stop;
    }
    match std::str::from_utf8(&term[prefix.len()..]) {
        Ok(text) if test.matches(text) => Step::Take,
        _ => Step::Skip,
    }
}

/// The terms one word of a phrase stands for.
fn word_terms(
    inverted: &Arc<InvertedIndexReader>,
    prefix: &[u8],
    test: &TextTest,
) -> Result<Vec<TermInfo>, Failure> {
    let from = [prefix, test.prefix().as_bytes()].concat();
    if matches!(test, TextTest::Equal(_)) {
        return Ok(inverted.terms().get(&from)?.into_iter().collect());
    }
    let mut found = Vec::new();
    let mut terms = inverted.terms().range().ge(&from).into_stream()?;
    while terms.advance() {
        match text_step(terms.key(), prefix, &from, test) {
            Step::Take if found.len() == PHRASE_WORDS => {
                return Err(Failure::Refused(IndexError::TooManyWords { limit: PHRASE_WORDS }));
            }
            Step::Take => found.push(terms.value().clone()),
            Step::Skip => {}
            Step::Stop => break,
        }
    }
    Ok(found)
}

/// A dotted path as the engine's JSON fields spell it.
pub(super) fn engine_path(path: &str) -> Vec<u8> {
    path.bytes().map(|byte| if byte == b'.' { PATH_SEPARATOR as u8 } else { byte }).collect()
}

/// What the terms of one type at a path begin with.
pub(super) fn typed(path: &str, kind: Type) -> Vec<u8> {
    let mut key = engine_path(path);
    key.extend([0, kind.to_code()]);
    key
}

fn text_key(path: &str, text: &str) -> Vec<u8> {
    let mut key = typed(path, Type::Str);
    key.extend(text.as_bytes());
    key
}

fn number_key(path: &str, number: Number) -> Vec<u8> {
    let (kind, bits) = match number {
        Number::Signed(number) => (Type::I64, i64_to_u64(number)),
        Number::Unsigned(number) => (Type::U64, number),
        Number::Float(number) => (Type::F64, tantivy::f64_to_u64(number)),
    };
    [typed(path, kind).as_slice(), &bits.to_be_bytes()].concat()
}

fn boolean_key(path: &str, boolean: bool) -> Vec<u8> {
    [typed(path, Type::Bool).as_slice(), &u64::from(boolean).to_be_bytes()].concat()
}

/// Where the signed integers that may lie within the bounds begin.
fn signed_from(path: &str, bounds: &Bounds<Number>) -> Vec<u8> {
    let first = match &bounds.lower {
        Bound::Included(Number::Signed(number)) | Bound::Excluded(Number::Signed(number)) => *number,
        Bound::Included(Number::Unsigned(_)) | Bound::Excluded(Number::Unsigned(_)) => i64::MAX,
        // Rounds down, and saturates beyond the integers.
        Bound::Included(Number::Float(number)) | Bound::Excluded(Number::Float(number)) => {
            number.floor() as i64
        }
        Bound::Unbounded => i64::MIN,
    };
    number_key(path, Number::Signed(first))
}

/// The value a term holds behind path and type.
pub(super) fn scalar(kind: Type, value: &[u8]) -> Option<Scalar<'_>> {
    let bits = || value.try_into().ok().map(u64::from_be_bytes);
    Some(match kind {
        Type::Str => Scalar::Text(std::str::from_utf8(value).ok()?),
        Type::I64 => Scalar::Number(Number::Signed(u64_to_i64(bits()?))),
        Type::U64 => Scalar::Number(Number::Unsigned(bits()?)),
        Type::F64 => Scalar::Number(Number::Float(u64_to_f64(bits()?))),
        Type::Bool => Scalar::Boolean(bits()? != 0),
        _ => return None,
    })
}
