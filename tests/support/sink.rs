//! A sink that keeps what it is given, and checks what every sink may rely on.

use std::collections::HashSet;
use weir::event::{DocumentId, FrameId};
use weir::pipeline::{Counts, Delivered, Finished, ObjectSink, SetAside, SetAsideKind, SinkError};
use weir::volume::Decision;

/// An event as delivered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Taken {
    pub id: DocumentId,
    pub frame_id: FrameId,
    pub number: u32,
    pub timestamp: i64,
    pub log_type: String,
    /// Path in the archive.
    pub member: Option<String>,
    pub document: serde_json::Value,
    /// The frame's bytes.
    pub original: Vec<u8>,
}

impl Taken {
    /// A field by its dotted name.
    pub(crate) fn field(&self, name: &str) -> &serde_json::Value {
        let pointer = format!("/{}", name.replace('.', "/"));
        self.document.pointer(&pointer).unwrap_or(&serde_json::Value::Null)
    }
}

/// A frame as set aside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub frame_id: FrameId,
    pub offset: u64,
    pub length: u64,
    pub raw: Vec<u8>,
    pub complete: bool,
    pub kind: SetAsideKind,
    pub reason: String,
}

/// What came of one object.
#[derive(Debug, Default)]
pub(crate) struct MemorySink {
    /// Left empty by a sink that [`MemorySink::counting`] made.
    pub taken: Vec<Taken>,
    pub kept: Vec<Kept>,
    /// Events delivered.
    pub count: u64,
    counts_only: bool,
}

impl MemorySink {
    /// Keeps no events, for objects of a million of them.
    pub(crate) fn counting() -> Self {
        MemorySink { counts_only: true, ..MemorySink::default() }
    }
}

impl ObjectSink for MemorySink {
    fn wants_original(&self) -> bool {
        false
    }

    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError> {
        let mut delivered = Delivered::default();
        for event in &batch.events {
            match event.decision {
                Decision::Index => delivered.indexed += 1,
                Decision::ArchiveOnly => delivered.archived_only += 1,
                Decision::Reduce => delivered.reduced += 1,
            }
            self.count += 1;
            if !self.counts_only {
                self.taken.push(Taken {
                    id: event.id,
                    frame_id: event.frame_id,
                    number: event.number,
                    timestamp: event.timestamp,
                    log_type: batch.route.log_type.clone(),
                    member: batch.origin.stream.member.clone(),
                    document: serde_json::from_slice(batch.document(event))?,
                    original: batch.original(event).unwrap_or_default().to_vec(),
                });
            }
        }
        Ok(delivered)
    }

    fn set_aside(&mut self, frame: &SetAside<'_>) -> Result<(), SinkError> {
        self.kept.push(Kept {
            frame_id: frame.frame_id,
            offset: frame.offset,
            length: frame.length,
            raw: frame.raw.to_vec(),
            complete: frame.complete,
            kind: frame.kind,
            reason: frame.reason.clone(),
        });
        Ok(())
    }
}

/// One object's way through the pipeline.
#[derive(Debug)]
pub(crate) struct Passed {
    pub counts: Counts,
    pub sink: MemorySink,
}

impl Passed {
    /// Checks both equations of the ledger and the bytes, each side as it was counted where it happened, and that no
    /// two documents or frames share an identity.
    pub(crate) fn check(counts: Counts, sink: MemorySink) -> Self {
        let frames = counts.parsed + counts.skipped + counts.quarantined + counts.waiting + counts.unrouted;
        assert_eq!(frames, counts.bytes.frame_count, "every frame has one outcome: {counts:?}");
        assert_eq!(counts.bytes.unexplained(), 0, "every byte is accounted for: {counts:?}");
        let Delivered { indexed, archived_only, reduced, dead_lettered } = counts.delivered;
        assert_eq!(
            indexed + archived_only + reduced + dead_lettered,
            counts.events,
            "every event has one end"
        );
        assert_eq!(sink.count, counts.events, "every event told is delivered");
        assert_eq!(
            sink.kept.len() as u64,
            counts.quarantined + counts.waiting,
            "every rejected frame is kept"
        );
        let documents: HashSet<DocumentId> = sink.taken.iter().map(|event| event.id).collect();
        assert_eq!(documents.len(), sink.taken.len(), "document ids are unique");
        let frames: HashSet<FrameId> = sink.kept.iter().map(|frame| frame.frame_id).collect();
        assert_eq!(frames.len(), sink.kept.len(), "frame ids are unique");
        assert!(
            sink.taken.iter().all(|event| !frames.contains(&event.frame_id)),
            "a frame is parsed or set aside"
        );
        Passed { counts, sink }
    }

    /// A field of every event, as text.
    pub(crate) fn texts(&self, field: &str) -> Vec<String> {
        let shown =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.sink.taken.iter().map(|event| shown(event.field(field))).collect()
    }
}
