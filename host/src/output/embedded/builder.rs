//! A segment in the making: documents of one day, indexed in memory by the thread that adds them.
//!
//! The engine's own writer keeps a fixed share of memory per thread and index, which sixty days at once would multiply.
//! Building segments ourselves lets all days share one budget, counted exactly, and the largest is written out when it
//! is spent.

use std::collections::BTreeSet;

use tantivy::index::{Segment, SegmentMeta};
use tantivy::indexer::{AddOperation, SegmentWriter};
use tantivy::{Index, TantivyError};

use super::document::PreparedDocument;

/// Decides the first size of the engine's table of terms, which grows by itself.
const TABLE_BUDGET: usize = 4 << 20;

pub(super) struct Builder {
    segment: Segment,
    writer: SegmentWriter,
    /// What the writer reports as used while empty: first pages that are not touched yet.
    empty: usize,
    /// The upper halves of the frames in it, without immediate repetition.
    frames: Vec<u64>,
    objects: BTreeSet<[u8; 16]>,
    first: i64,
    last: i64,
    /// When it was last added to, by the writer's own count.
    pub(super) used: u64,
}

/// A segment written to disk, which no commit has named yet.
pub(super) struct Written {
    pub(super) meta: SegmentMeta,
    pub(super) objects: BTreeSet<[u8; 16]>,
}

impl Builder {
    pub(super) fn new(index: &Index) -> Result<Self, TantivyError> {
        let segment = index.new_segment();
        let writer = SegmentWriter::for_segment(TABLE_BUDGET, segment.clone())?;
        Ok(Self {
            segment,
            empty: writer.mem_usage(),
            writer,
            frames: Vec::new(),
            objects: BTreeSet::new(),
            first: i64::MAX,
            last: i64::MIN,
            used: 0,
        })
    }

    pub(super) fn add(&mut self, document: PreparedDocument) -> Result<(), TantivyError> {
        let (frame, object, timestamp) = (document.frame_prefix(), document.object(), document.timestamp());
        // The order of operations is kept by the day (see `day`), so the engine's own stamps stay unused.
        self.writer.add_document(AddOperation { opstamp: 0, document })?;
        if self.frames.last() != Some(&frame) {
            self.frames.push(frame);
        }
        self.objects.insert(object);
        self.first = self.first.min(timestamp);
        self.last = self.last.max(timestamp);
        Ok(())
    }

    /// Bytes in use; 0 for a new one.
    pub(super) fn memory(&self) -> usize {
        let documents = 8 * self.frames.capacity() + 8 * self.writer.max_doc() as usize;
        self.writer.mem_usage().saturating_sub(self.empty) + documents
    }

    /// First and last time of its events.
    pub(super) fn span(&self) -> (i64, i64) {
        (self.first, self.last)
    }

    pub(super) fn holds_object(&self, object: &[u8; 16]) -> bool {
        self.objects.contains(object)
    }

    /// Whether a document of one of the frames may be in it.
    pub(super) fn may_hold_frame(&self, prefixes: &BTreeSet<u64>) -> bool {
        self.frames.iter().any(|frame| prefixes.contains(frame))
    }

    /// Writes the segment to disk, synced.
    pub(super) fn write(self) -> Result<Written, TantivyError> {
        let documents = self.writer.max_doc();
        self.writer.finalize()?;
        let meta = self.segment.with_max_doc(documents).meta().clone();
        meta.untrack_temp_docstore();
        Ok(Written { meta, objects: self.objects })
    }
}
