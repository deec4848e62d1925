//! Counting documents straight from the lists of a term.

use std::collections::BTreeMap;

use tantivy::index::SegmentReader;
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, TantivyError};

use super::schema::schema;

/// Calls `visit` with the documents of a term, block by block, deleted ones included.
fn for_each_block(
    reader: &SegmentReader,
    field: Field,
    term: &TermInfo,
    mut visit: impl FnMut(&[DocId]),
) -> Result<(), TantivyError> {
    let inverted = reader.inverted_index(field)?;
    let mut postings = inverted.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
    drain(&mut postings, &mut visit);
    Ok(())
}

pub(super) fn drain(postings: &mut BlockSegmentPostings, visit: &mut impl FnMut(&[DocId])) {
    loop {
        let documents = postings.docs();
        if documents.is_empty() {
            return;
        }
        visit(documents);
        postings.advance();
    }
}

fn count_alive(reader: &SegmentReader, field: Field, term: &TermInfo) -> Result<u64, TantivyError> {
    let Some(alive) = reader.alive_bitset() else { return Ok(term.doc_freq.into()) };
    let mut count = 0;
    for_each_block(reader, field, term, |documents| {
        count += documents.iter().filter(|document| alive.is_alive(**document)).count() as u64;
    })?;
    Ok(count)
}

/// Calls `visit` with the documents of one object in a segment, deleted ones included.
pub(super) fn for_each_of_object(
    reader: &SegmentReader,
    object: [u8; 16],
    mut visit: impl FnMut(DocId),
) -> Result<(), TantivyError> {
    let field = schema().1.object;
    let term = reader.inverted_index(field)?.terms().get(object)?;
    term.map_or(Ok(()), |term| {
        for_each_block(reader, field, &term, |documents| documents.iter().copied().for_each(&mut visit))
    })
}

/// Documents of one object in a segment.
pub(super) fn count_object(reader: &SegmentReader, object: [u8; 16]) -> Result<u64, TantivyError> {
    let field = schema().1.object;
    match reader.inverted_index(field)?.terms().get(object)? {
        Some(term) => count_alive(reader, field, &term),
        None => Ok(0),
    }
}

/// Adds the documents of every object in a segment to `counts`.
pub(super) fn count_objects(
    reader: &SegmentReader,
    counts: &mut BTreeMap<[u8; 16], u64>,
) -> Result<(), TantivyError> {
    let field = schema().1.object;
    let inverted = reader.inverted_index(field)?;
    let mut terms = inverted.terms().stream()?;
    while terms.advance() {
        let Ok(object) = <[u8; 16]>::try_from(terms.key()) else { continue };
        let term = terms.value().clone();
        let count = count_alive(reader, field, &term)?;
        if count > 0 {
            *counts.entry(object).or_default() += count;
        }
    }
    Ok(())
}
