//! The fields of the engine's index. Every day has the same ones, whatever the events hold: a new field of an event is
//! a new path inside a JSON field, never a new column, so nothing explodes.
//!
//! | field | holds |
//! |---|---|
//! | `@timestamp` | the event's time, as a column |
//! | `id`, `frame` | 128-bit ids, each as two columns of 64 bits |
//! | `object` | the object's id, as a term, so that an object's documents are counted and deleted at once |
//! | `fields` | path and typed value of every value, text up to `query::keyword` |
//! | `texts` | path and words of the full-text fields |
//! | `words` | the words of all values |
//! | one per address field of ECS | addresses as numbers, so that networks are ranges |
//! | `json` | the document, byte for byte, compressed |
//!
//! There are no columns of values: counts by value, ranges and wildcards all go over the dictionaries of terms, which
//! gives exact answers for any field and keeps indexing cheap.

use std::sync::LazyLock;

use tantivy::schema::{
    BytesOptions, DateOptions, DateTimePrecision, Field, IndexRecordOption, IpAddrOptions, JsonObjectOptions,
    NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{RAW_TOKENIZER_NAME, TokenizerManager};

use super::tokenizer::{WORDS_TOKENIZER, WordsTokenizer};
use crate::query::fields::ADDRESSES;

/// Raised whenever an index written before cannot be read or added to any more.
pub const SCHEMA_VERSION: u32 = 1;

/// Between the keys of a path in the engine's JSON fields.
pub(super) const PATH_SEPARATOR: char = '\u{1}';

/// Handles of the fields.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) timestamp: Field,
    pub(super) id: [Field; 2],
    pub(super) frame: [Field; 2],
    pub(super) object: Field,
    pub(super) fields: Field,
    pub(super) texts: Field,
    pub(super) words: Field,
    pub(super) json: Field,
    /// In the order of [`ADDRESSES`].
    pub(super) addresses: Vec<Field>,
}

impl Fields {
    /// The field of an address path.
    pub(super) fn address(&self, path: &str) -> Option<Field> {
        let position = ADDRESSES.binary_search(&path).ok()?;
        self.addresses.get(position).copied()
    }
}

/// The one schema and its fields.
pub(super) fn schema() -> &'static (Schema, Fields) {
    static SCHEMA: LazyLock<(Schema, Fields)> = LazyLock::new(build);
    &SCHEMA
}

fn build() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let column = NumericOptions::default().set_fast();
    let indexed_text = |tokenizer: &str, positions: IndexRecordOption| {
        TextFieldIndexing::default()
            .set_tokenizer(tokenizer)
            .set_fieldnorms(false)
            .set_index_option(positions)
    };
    let raw = indexed_text(RAW_TOKENIZER_NAME, IndexRecordOption::Basic);
    let words = indexed_text(WORDS_TOKENIZER, IndexRecordOption::WithFreqsAndPositions);
    let fields = Fields {
        timestamp: builder.add_date_field(
            "@timestamp",
            DateOptions::default().set_fast().set_precision(DateTimePrecision::Nanoseconds),
        ),
        id: ["id_high", "id_low"].map(|name| builder.add_u64_field(name, column.clone())),
        frame: ["frame_high", "frame_low"].map(|name| builder.add_u64_field(name, column.clone())),
        object: builder.add_bytes_field("object", BytesOptions::default().set_indexed()),
        fields: builder.add_json_field("fields", JsonObjectOptions::default().set_indexing_options(raw)),
        texts: builder
            .add_json_field("texts", JsonObjectOptions::default().set_indexing_options(words.clone())),
        words: builder.add_text_field("words", TextOptions::default().set_indexing_options(words)),
        json: builder.add_text_field("json", TextOptions::default().set_stored()),
        addresses: ADDRESSES
            .iter()
            .map(|path| builder.add_ip_addr_field(path, IpAddrOptions::default().set_indexed()))
            .collect(),
    };
    (builder.build(), fields)
}

/// The tokenizers that the schema names.
pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(WORDS_TOKENIZER, WordsTokenizer::default());
    manager
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_field() {
        assert!(ADDRESSES.is_sorted());
        let (schema, fields) = schema();
        for path in ADDRESSES {
            assert_eq!(schema.get_field_name(fields.address(path).unwrap()), *path);
        }
        assert_eq!(fields.address("source"), None);
    }
}
