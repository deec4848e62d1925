//! What a deletion concerns: the documents of an object or of frames, in the segments that were there before it.
//!
//! The engine knows the order of deletions and documents only for documents that go through its own threads. A segment
//! that we built is subject to every deletion of the same commit, so a deletion names the segments that came after it.

use std::collections::HashSet;
use std::sync::Arc;

use tantivy::index::{SegmentId, SegmentReader};
use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{BitSet, DocId, Score, TantivyError};

use super::postings;

/// The documents to delete.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Object([u8; 16]),
    /// Frame ids as their columns hold them.
    Frames(Arc<HashSet<[u64; 2]>>),
}

/// A query of the engine, as its deletions want one.
#[derive(Debug, Clone)]
pub(super) struct Deletion {
    pub(super) target: Target,
    /// Segments added after the deletion.
    pub(super) spared: Arc<HashSet<SegmentId>>,
}

impl Query for Deletion {
    fn weight(&self, _: EnableScoring<'_>) -> Result<Box<dyn Weight>, TantivyError> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Deletion {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> Result<Box<dyn Scorer>, TantivyError> {
        let mut documents = BitSet::with_max_value(reader.max_doc());
        if !self.spared.contains(&reader.segment_id()) {
            match &self.target {
                Target::Object(object) => {
                    postings::for_each_of_object(reader, *object, |document| {
                        documents.insert(document);
                    })?;
                }
                Target::Frames(frames) => {
                    let columns = reader.fast_fields();
                    let high = columns.column_first_or_default::<u64>("frame_high")?;
                    let low = columns.column_first_or_default::<u64>("frame_low")?;
                    (0..reader.max_doc())
                        .filter(|document| {
                            frames.contains(&[high.get_val(*document), low.get_val(*document)])
                        })
                        .for_each(|document| {
                            documents.insert(document);
                        });
                }
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(documents), boost)))
    }

    fn explain(&self, _: &SegmentReader, document: DocId) -> Result<Explanation, TantivyError> {
        Err(TantivyError::InvalidArgument(format!("document {document}: deletions are not explained")))
    }
}
