//! The documents of a set of frames, found by one pass over the columns of frame ids.

use std::collections::HashSet;
use std::sync::Arc;

use tantivy::index::SegmentReader;
use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{BitSet, DocId, Score, TantivyError};

/// A query of the engine, as its deletions want one.
#[derive(Debug, Clone)]
pub(super) struct FrameQuery {
    pub(super) frames: Arc<HashSet<[u64; 2]>>,
}

impl Query for FrameQuery {
    fn weight(&self, _: EnableScoring<'_>) -> Result<Box<dyn Weight>, TantivyError> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for FrameQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> Result<Box<dyn Scorer>, TantivyError> {
        let columns = reader.fast_fields();
        let high = columns.column_first_or_default::<u64>("frame_high")?;
        let low = columns.column_first_or_default::<u64>("frame_low")?;
        let mut documents = BitSet::with_max_value(reader.max_doc());
        for document in 0..reader.max_doc() {
            if self.frames.contains(&[high.get_val(document), low.get_val(document)]) {
                documents.insert(document);
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(documents), boost)))
    }

    fn explain(&self, _: &SegmentReader, document: DocId) -> Result<Explanation, TantivyError> {
        Err(TantivyError::InvalidArgument(format!("document {document}: deletions are not explained")))
    }
}
