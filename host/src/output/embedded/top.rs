//! The most frequent values of a field among the hits.
//!
//! Counted over the dictionary: for each value of the field, how many of its documents are hits. That is exact for every
//! field, ECS or a vendor's, and for every number of hits; its work grows with the documents that have the field.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::Ipv6Addr;

use serde_json::Value;
use tantivy::schema::Type;

use super::EmbeddedIndex;
use super::bits::Bits;
use super::error::IndexError;
use super::evaluate::{Failure, Segment, engine_path, scalar};
use super::schema::schema;
use super::search::SearchRequest;
use crate::query::fields::{self, Kind, TIMESTAMP};
use crate::query::{Number, Scalar};

/// Different values counted at once; beyond, the rarest are forgotten and the counts become a lower bound.
const VALUES: usize = 1_000_000;

/// The most frequent values of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Top {
    /// Most frequent first, then in the order of their text.
    pub values: Vec<TopValue>,
    /// All hits, those without the field included.
    pub total: u64,
    /// Whether there were so many different values that counts are lower bounds.
    pub approximate: bool,
}

/// A value and how many hits have it. A hit with several values counts for each.
#[derive(Debug, Clone, PartialEq)]
pub struct TopValue {
    /// As in the event; addresses and dates in their usual spelling.
    pub value: Value,
    pub documents: u64,
}

/// A value of whatever type, by which counts of segments are joined.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Text(String),
    Signed(i64),
    Unsigned(u64),
    Float(u64),
    Boolean(bool),
    Address(u128),
}

#[derive(Default)]
struct Counts {
    counts: HashMap<Key, u64>,
    approximate: bool,
}

impl Counts {
    fn add(&mut self, key: Key, documents: u64) {
        *self.counts.entry(key).or_default() += documents;
        if self.counts.len() > VALUES {
            let mut counts: Vec<u64> = self.counts.values().copied().collect();
            let middle = counts.len() / 2;
            let (_, median, _) = counts.select_nth_unstable(middle);
            let median = *median;
            let mut spare = VALUES / 2;
            self.counts.retain(|_, count| {
                let kept = *count > median || (*count == median && spare > 0);
                spare -= usize::from(kept && *count == median);
                kept
            });
            self.approximate = true;
        }
    }
}

impl EmbeddedIndex {
    /// The `count` most frequent values of `field` among all hits; `limit` and `offset` of the request do not matter.
    ///
    /// # Errors
    /// [`IndexError::Field`] for full text, the document's id and its time, which have no values to count; otherwise
    /// when a day cannot be read.
    pub fn top(&self, request: &SearchRequest, field: &str, count: usize) -> Result<Top, IndexError> {
        let kind = fields::kind(field);
        let why = match kind {
            _ if field == TIMESTAMP => Some("every event has its own; ask for a histogram"),
            _ if field == crate::query::plan::ID => Some("every document has its own"),
            Kind::Text => Some("it is full text; choose a keyword field"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(IndexError::Field { field: field.to_owned(), why });
        }
        let partial = self.over_segments(request, |part, hits| {
            let mut counts = Counts::default();
            if !hits.is_empty() {
                count_values(&part.segment(), field, &hits, &mut counts)?;
            }
            Ok((hits.count(), counts))
        })?;
        let mut total = 0;
        let mut all = Counts::default();
        for (_, (hits, counts)) in partial {
            total += hits;
            all.approximate |= counts.approximate;
            for (key, documents) in counts.counts {
                all.add(key, documents);
            }
        }
        let mut values: Vec<(Reverse<u64>, String, Key)> = all
            .counts
            .into_iter()
            .map(|(key, documents)| (Reverse(documents), spelling(&key, kind), key))
            .collect();
        values.sort_unstable_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        let values = values
            .into_iter()
            .take(count)
            .map(|(Reverse(documents), spelling, key)| TopValue {
                value: value(&key, spelling, kind),
                documents,
            })
            .collect();
        Ok(Top { values, total, approximate: all.approximate })
    }
}

fn count_values(segment: &Segment<'_>, field: &str, hits: &Bits, counts: &mut Counts) -> Result<(), Failure> {
    let fields = &schema().1;
    let mut prefix = engine_path(field);
    prefix.push(0);
    segment.for_each_term(fields.fields, &prefix, |term, postings| {
        let Some((code, value)) = term.strip_prefix(prefix.as_slice()).and_then(|rest| rest.split_first())
        else {
            return Ok(false);
        };
        let key = Type::from_code(*code).and_then(|kind| scalar(kind, value)).and_then(key);
        if let Some(key) = key {
            count_hits(hits, postings, |documents| counts.add(key, documents))?;
        }
        Ok(true)
    })?;
    if let Some(address) = fields.address(field) {
        segment.for_each_term(address, &[], |term, postings| {
            let number = term.try_into().map_or(0, u128::from_be_bytes);
            count_hits(hits, postings, |documents| counts.add(Key::Address(number), documents))?;
            Ok(true)
        })?;
    }
    Ok(())
}

/// Calls what it is given with the documents of a term, block by block.
type Postings<'a> = dyn FnMut(&mut dyn FnMut(&[u32])) -> std::io::Result<()> + 'a;

fn count_hits(hits: &Bits, postings: &mut Postings<'_>, add: impl FnOnce(u64)) -> std::io::Result<()> {
    let mut count = 0;
    postings(&mut |documents| {
        count += documents.iter().filter(|document| hits.contains(**document)).count() as u64;
    })?;
    if count > 0 {
        add(count);
    }
    Ok(())
}

fn key(value: Scalar<'_>) -> Option<Key> {
    Some(match value {
        Scalar::Text(text) => Key::Text(text.to_owned()),
        Scalar::Number(Number::Signed(number)) => Key::Signed(number),
        Scalar::Number(Number::Unsigned(number)) => Key::Unsigned(number),
        Scalar::Number(Number::Float(number)) => Key::Float(number.to_bits()),
        Scalar::Boolean(boolean) => Key::Boolean(boolean),
        Scalar::Instant(_) => return None,
    })
}

fn spelling(key: &Key, kind: Kind) -> String {
    match key {
        Key::Text(text) => text.clone(),
        // Dates are held as nanoseconds.
        Key::Signed(number) if kind == Kind::Date => jiff::Timestamp::from_nanosecond((*number).into())
            .map_or_else(|_| number.to_string(), |time| time.to_string()),
        Key::Signed(number) => number.to_string(),
        Key::Unsigned(number) => number.to_string(),
        Key::Float(bits) => f64::from_bits(*bits).to_string(),
        Key::Boolean(boolean) => boolean.to_string(),
        Key::Address(number) => Ipv6Addr::from_bits(*number).to_canonical().to_string(),
    }
}

fn value(key: &Key, spelling: String, kind: Kind) -> Value {
    match key {
        Key::Signed(number) if kind != Kind::Date => (*number).into(),
        Key::Unsigned(number) => (*number).into(),
        Key::Float(bits) => f64::from_bits(*bits).into(),
        Key::Boolean(boolean) => (*boolean).into(),
        Key::Text(_) | Key::Address(_) | Key::Signed(_) => spelling.into(),
    }
}
