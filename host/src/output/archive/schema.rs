//! The columns of an archive file, in one table that writer and reader share.
//!
//! Timestamps are in microseconds: Athena reads milli- and microseconds everywhere, nanoseconds only in newer engines,
//! and Spark refuses them. The document column keeps the exact text of `@timestamp`. The partition's parts
//! (`log_type`, `account`, `region`, `date`) are no columns: Athena refuses a table that has a name twice.

use super::row::{Row, RowObject};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};
use std::fmt::Write;
use std::sync::Arc;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
    Integer,
    /// Microseconds since 1970, UTC.
    Time,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    /// Whether values come again often enough for a dictionary.
    dictionary: bool,
    /// Whether smallest and largest value of a row group help a query to leave it out.
    statistics: bool,
}

const fn text(name: &'static str, required: bool, dictionary: bool, statistics: bool) -> Column {
    Column { name, kind: Kind::Text, required, dictionary, statistics }
}

const fn number(name: &'static str, kind: Kind, statistics: bool) -> Column {
    Column { name, kind, required: true, dictionary: false, statistics }
}

/// The columns in the order of [`cells`].
pub(super) const COLUMNS: [Column; 24] = [
    text("document_id", true, false, false),
    text("frame_id", true, false, false),
    text("object_id", true, true, true),
    number("event_number", Kind::Integer, false),
    number("timestamp", Kind::Time, true),
    text("source_ip", false, true, true),
    text("destination_ip", false, true, true),
    text("user_name", false, true, true),
    text("event_action", false, true, true),
    text("event_outcome", false, true, true),
    text("event_dataset", false, true, true),
    text("decision", true, true, true),
    text("object_bucket", true, true, false),
    text("object_key", true, true, true),
    text("object_version", true, true, false),
    text("object_member", false, true, false),
    number("frame_offset", Kind::Integer, false),
    text("parser_name", true, true, false),
    text("parser_version", true, true, false),
    text("parser_digest", true, true, false),
    number("reference_time", Kind::Time, false),
    text("context", false, true, false),
    Column {
        name: "event_original",
        kind: Kind::Binary,
        required: false,
        dictionary: false,
        statistics: false,
    },
    text("document", true, false, false),
];

/// In the footer: names the meaning of the columns above, raised when that changes.
const VERSION: (&str, &str) = ("weir.schema", "1");

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Bytes(Option<&'a [u8]>),
    Integer(i64),
}

/// The ids of a row in hexadecimal.
pub(super) struct RowIds {
    document: [u8; 32],
    frame: [u8; 32],
    object: [u8; 32],
}

impl RowIds {
    pub(super) fn of(object: &RowObject<'_>, row: &Row<'_>) -> Self {
        Self { document: hex(row.document_id), frame: hex(row.frame_id), object: hex(object.id) }
    }
}

fn hex(id: [u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut text = [b'0'; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

/// A row's values, one for each of [`COLUMNS`].
pub(super) fn cells<'a>(object: &RowObject<'a>, row: &Row<'a>, ids: &'a RowIds) -> [Cell<'a>; COLUMNS.len()] {
    let bytes = |bytes: &'a [u8]| Cell::Bytes(Some(bytes));
    let text = |text: &'a str| Cell::Bytes(Some(text.as_bytes()));
    let optional = |text: Option<&'a str>| Cell::Bytes(text.map(str::as_bytes));
    let fields = row.fields;
    [
        bytes(&ids.document),
        bytes(&ids.frame),
        bytes(&ids.object),
        Cell::Integer(i64::from(row.event_number)),
        Cell::Integer(row.timestamp.div_euclid(1000)),
        optional(fields.source_ip),
        optional(fields.destination_ip),
        optional(fields.user_name),
        optional(fields.event_action),
        optional(fields.event_outcome),
        optional(fields.event_dataset),
        text(row.decision.name()),
        text(object.bucket),
        text(object.key),
        text(object.version),
        optional(row.member),
        Cell::Integer(row.frame_offset as i64),
        text(row.parser.name),
        text(row.parser.version),
        text(row.parser.digest),
        Cell::Integer(row.reference_time.div_euclid(1000)),
        optional(row.context),
        Cell::Bytes(row.event_original),
        bytes(row.document),
    ]
}

/// The schema of every file.
pub(super) fn schema() -> Result<TypePtr, ParquetError> {
    let mut message = String::from("message weir_event {\n");
    for Column { name, kind, required, .. } in &COLUMNS {
        let repetition = if *required { "required" } else { "optional" };
        // Writing to a String does not fail.
        let _ = match kind {
            Kind::Text => writeln!(message, "{repetition} binary {name} (STRING);"),
            Kind::Binary => writeln!(message, "{repetition} binary {name};"),
            Kind::Integer => writeln!(message, "{repetition} int64 {name};"),
            Kind::Time => writeln!(message, "{repetition} int64 {name} (TIMESTAMP(MICROS,true));"),
        };
    }
    message.push('}');
    parse_message_type(&message).map(Arc::new)
}

/// How files are written. Nothing here depends on time or machine: the same rows give the same bytes.
pub(super) fn properties() -> WriterPropertiesPtr {
    let mut properties = WriterProperties::builder()
        .set_created_by("weir".to_owned())
        // The fastest level: the higher ones save a tenth of the room for twice the time.
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(vec![KeyValue::new(VERSION.0.to_owned(), VERSION.1.to_owned())]));
    for column in &COLUMNS {
        let path = ColumnPath::from(column.name);
        properties = properties.set_column_dictionary_enabled(path.clone(), column.dictionary);
        if column.statistics {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::Chunk);
        }
    }
    Arc::new(properties.build())
}
