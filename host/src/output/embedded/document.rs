//! A document as the engine takes it, made from JSON text in one pass.
//!
//! It implements the engine's own document trait, so that nothing is copied into the engine's general document type:
//! all text lies in one buffer (the words of all values, which the values' own terms are slices of), all paths in
//! another.

use std::iter;
use std::net::Ipv6Addr;
use std::ops::Range;

use tantivy::DateTime;
use tantivy::schema::Field;
use tantivy::schema::document::{Document, ReferenceValue, ReferenceValueLeaf, Value};

use super::flatten::{self, NoJson, Sink};
use super::schema::{PATH_SEPARATOR, schema};
use crate::query::fields::{self, Kind, TIMESTAMP};
use crate::query::text::VALUE_SEPARATOR;
use crate::query::{Number, Scalar, Typed};

/// Paths may take this much more room than the document before further values are found by their words alone: a
/// hostile document could otherwise name one long path a million times.
const PATH_GROWTH: usize = 16;

/// The largest document; far above what a parser may put out, and low enough for 32-bit offsets.
const DOCUMENT_BYTES: usize = 128 << 20;

/// A document to be indexed, as the pipeline has it.
#[derive(Debug, Clone, Copy)]
pub struct DocumentRef<'a> {
    /// Of the document: a function of frame and event number.
    pub id: [u8; 16],
    /// Of the object it came from.
    pub object: [u8; 16],
    /// Of the frame it came from.
    pub frame: [u8; 16],
    /// The event's time, nanoseconds since 1970; the same as its `@timestamp`.
    pub timestamp_ns: i64,
    /// The event, one JSON object in UTF-8; given back byte for byte.
    pub json: &'a [u8],
}

/// A document ready for the engine.
#[derive(Debug, Clone)]
pub struct PreparedDocument {
    timestamp: DateTime,
    id: [u64; 2],
    frame: [u64; 2],
    object: [u8; 16],
    json: String,
    /// Words of all values, each behind a separator.
    text: String,
    paths: String,
    values: Vec<(Range<u32>, Held)>,
    /// Path and text of the full-text fields.
    texts: Vec<(Range<u32>, Range<u32>)>,
    addresses: Vec<(Field, Ipv6Addr)>,
}

/// A value of the `fields` field.
#[derive(Debug, Clone)]
enum Held {
    Text(Range<u32>),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
}

/// Splits an id into the two columns that hold it.
pub(super) fn halves(id: [u8; 16]) -> [u64; 2] {
    let number = u128::from_be_bytes(id);
    [(number >> 64) as u64, number as u64]
}

/// The inverse of [`halves`].
pub(super) fn whole([high, low]: [u64; 2]) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// Prepares a document.
///
/// # Errors
/// When `json` is no JSON object in UTF-8; the reason says where.
pub fn prepare(document: &DocumentRef<'_>) -> Result<PreparedDocument, String> {
    let text = std::str::from_utf8(document.json)
        .map_err(|error| format!("no UTF-8 at byte {}", error.valid_up_to()))?;
    if text.len() > DOCUMENT_BYTES {
        return Err(format!("a document of {} bytes; the index takes up to {DOCUMENT_BYTES}", text.len()));
    }
    let mut prepared = PreparedDocument {
        timestamp: DateTime::from_timestamp_nanos(document.timestamp_ns),
        id: halves(document.id),
        frame: halves(document.frame),
        object: document.object,
        json: text.to_owned(),
        text: String::with_capacity(text.len()),
        paths: String::with_capacity(2 * text.len()),
        values: Vec::with_capacity(64),
        texts: Vec::new(),
        addresses: Vec::new(),
    };
    flatten::flatten(text, &mut prepared)
        .map_err(|NoJson { offset }| format!("no JSON object from byte {offset} on"))?;
    Ok(prepared)
}

impl Sink for PreparedDocument {
    fn value(&mut self, path: Option<&str>, value: Scalar<'_>) {
        let Some(path) =
            path.filter(|path| self.paths.len() + path.len() <= PATH_GROWTH * self.json.len() + 4096)
        else {
            self.push_words(value);
            return;
        };
        let kind = kind(path);
        let typed = value.typed(kind);
        if let Typed::Value(Scalar::Instant(instant)) = typed {
            if path != TIMESTAMP {
                let path = self.push_path(path);
                self.values.push((path, Held::Integer(instant)));
            }
            return;
        }
        let words = self.push_words(value);
        match typed {
            Typed::Address(address) => {
                let dotted = path.replace(PATH_SEPARATOR, ".");
                if let Some(field) = schema().1.address(&dotted) {
                    self.addresses.push((field, address));
                }
            }
            Typed::Words => {
                let path = self.push_path(path);
                self.texts.push((path.clone(), words));
                // One term for all events that have the field, so that asking for it costs one look-up.
                self.values.push((path, Held::Boolean(true)));
            }
            Typed::Value(value) => {
                let path = self.push_path(path);
                if kind == Kind::KeywordText {
                    self.texts.push((path.clone(), words.clone()));
                }
                let held = match value {
                    // A number that is no date. As an integer it would pass for an instant, which is stored as one;
                    // the engine makes integers of whole floats, too.
                    Scalar::Number(_) if kind == Kind::Date => Held::Text(words.clone()),
                    Scalar::Text(text) => Held::Text(words.start..words.start + text.len() as u32),
                    Scalar::Number(Number::Signed(number)) | Scalar::Instant(number) => Held::Integer(number),
                    Scalar::Number(Number::Unsigned(number)) => Held::Unsigned(number),
                    Scalar::Number(Number::Float(number)) => Held::Float(number),
                    Scalar::Boolean(boolean) => Held::Boolean(boolean),
                };
                self.values.push((path, held));
            }
        }
    }
}

/// The kind of the field at an engine path.
fn kind(path: &str) -> Kind {
    // Every field of a special kind lies at most six levels deep under a short name; most paths are looked up as they
    // are, without a copy, and paths of one key need none.
    let mut dotted = [0_u8; 64];
    let Some(target) = dotted.get_mut(..path.len()) else { return Kind::Keyword };
    for (to, from) in target.iter_mut().zip(path.bytes()) {
        *to = if from == PATH_SEPARATOR as u8 { b'.' } else { from };
    }
    std::str::from_utf8(target).map_or(Kind::Keyword, fields::kind)
}

impl PreparedDocument {
    fn push_words(&mut self, value: Scalar<'_>) -> Range<u32> {
        self.text.push(VALUE_SEPARATOR);
        let start = self.text.len() as u32;
        if let Some(words) = value.words() {
            self.text.push_str(&words);
        }
        start..self.text.len() as u32
    }

    /// An array's values share their path.
    fn push_path(&mut self, path: &str) -> Range<u32> {
        if let Some((last, _)) = self.values.last()
            && slice(&self.paths, last) == path
        {
            return last.clone();
        }
        let start = self.paths.len() as u32;
        self.paths.push_str(path);
        start..self.paths.len() as u32
    }

    pub(super) fn frame_prefix(&self) -> u64 {
        self.frame[0]
    }

    pub(super) fn object(&self) -> [u8; 16] {
        self.object
    }

    pub(super) fn timestamp(&self) -> i64 {
        self.timestamp.into_timestamp_nanos()
    }
}

fn slice<'a>(text: &'a str, range: &Range<u32>) -> &'a str {
    text.get(range.start as usize..range.end as usize).unwrap_or_default()
}

/// A field's value: a leaf, or one of the two objects of paths.
#[derive(Debug, Clone)]
pub enum PreparedValue<'a> {
    Leaf(ReferenceValueLeaf<'a>),
    Values(&'a PreparedDocument),
    Texts(&'a PreparedDocument),
}

/// Walks the paths of one of the two objects.
pub struct Paths<'a> {
    document: &'a PreparedDocument,
    next: usize,
    texts: bool,
}

impl<'a> Iterator for Paths<'a> {
    type Item = (&'a str, PreparedValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.document;
        let position = self.next;
        self.next += 1;
        let (path, leaf) = if self.texts {
            let (path, text) = document.texts.get(position)?;
            (path, ReferenceValueLeaf::Str(slice(&document.text, text)))
        } else {
            let (path, held) = document.values.get(position)?;
            let leaf = match held {
                Held::Text(text) => ReferenceValueLeaf::Str(slice(&document.text, text)),
                Held::Integer(number) => ReferenceValueLeaf::I64(*number),
                Held::Unsigned(number) => ReferenceValueLeaf::U64(*number),
                Held::Float(number) => ReferenceValueLeaf::F64(*number),
                Held::Boolean(boolean) => ReferenceValueLeaf::Bool(*boolean),
            };
            (path, leaf)
        };
        Some((slice(&document.paths, path), PreparedValue::Leaf(leaf)))
    }
}

impl<'a> Value<'a> for PreparedValue<'a> {
    type ArrayIter = iter::Empty<Self>;
    type ObjectIter = Paths<'a>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        match self {
            Self::Leaf(leaf) => ReferenceValue::Leaf(leaf.clone()),
            Self::Values(document) => ReferenceValue::Object(Paths { document, next: 0, texts: false }),
            Self::Texts(document) => ReferenceValue::Object(Paths { document, next: 0, texts: true }),
        }
    }
}

/// Walks the fields of a document.
pub struct FieldsAndValues<'a> {
    document: &'a PreparedDocument,
    next: usize,
}

impl<'a> Iterator for FieldsAndValues<'a> {
    type Item = (Field, PreparedValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.document;
        let fields = &schema().1;
        let position = self.next;
        self.next += 1;
        let leaf = |field, leaf: ReferenceValueLeaf<'a>| Some((field, PreparedValue::Leaf(leaf)));
        match position {
            0 => leaf(fields.timestamp, document.timestamp.into()),
            1 => leaf(fields.id[0], document.id[0].into()),
            2 => leaf(fields.id[1], document.id[1].into()),
            3 => leaf(fields.frame[0], document.frame[0].into()),
            4 => leaf(fields.frame[1], document.frame[1].into()),
            5 => leaf(fields.object, document.object.as_slice().into()),
            6 => Some((fields.fields, PreparedValue::Values(document))),
            7 => Some((fields.texts, PreparedValue::Texts(document))),
            8 => leaf(fields.words, document.text.as_str().into()),
            9 => leaf(fields.json, document.json.as_str().into()),
            _ => {
                let (field, address) = document.addresses.get(position - 10)?;
                leaf(*field, (*address).into())
            }
        }
    }
}

impl Document for PreparedDocument {
    type Value<'a> = PreparedValue<'a>;
    type FieldsValuesIter<'a> = FieldsAndValues<'a>;

    fn iter_fields_and_values(&self) -> FieldsAndValues<'_> {
        FieldsAndValues { document: self, next: 0 }
    }
}
