//! The sink of one object: index, archive and quarantine at once.

use super::{Claim, Prepared, Store, StoreError, context, record_of};
use crate::ledger::ObjectRecord;
use crate::output::archive::{FoundFields, ObjectArchive, Partition, Row, RowDecision, RowObject, RowParser};
use crate::output::embedded::DocumentRef;
use crate::pipeline::{Counts, Delivered, Finished, ObjectRef, ObjectSink, SetAside, SinkError};
use crate::quarantine::ObjectQuarantine;
use crate::volume::Decision;
use jiff::civil::Date;

/// Writes one object's events and rejected frames.
pub struct ObjectWriter<'a> {
    store: &'a Store,
    object: ObjectRef,
    day: Date,
    generation: u32,
    archive: Option<ObjectArchive>,
    quarantine: ObjectQuarantine,
    /// Rows handed to the archive.
    handed: u64,
    /// Of a whole object. A piece of one has none, and its documents are replaced frame by frame.
    claim: Option<Claim>,
}

impl<'a> ObjectWriter<'a> {
    pub(super) fn new(
        store: &'a Store,
        object: &ObjectRef,
        day: Date,
        generation: u32,
        claim: Option<Claim>,
    ) -> Result<Self, StoreError> {
        let row_object =
            RowObject { id: object.id, bucket: &object.bucket, key: &object.key, version: &object.version };
        let archive = store.archives.then(|| store.archive.begin(&row_object, generation)).transpose()?;
        let quarantine = store.quarantine.begin(crate::ledger::ObjectId(object.id), day, generation);
        Ok(ObjectWriter {
            store,
            object: object.clone(),
            day,
            generation,
            archive,
            quarantine,
            handed: 0,
            claim,
        })
    }

    /// Ends the object: its files are whole, its counts known. `before` is the record of an earlier processing.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn finish(
        self,
        counts: &Counts,
        processed_by: String,
        before: Option<&ObjectRecord>,
    ) -> Result<Prepared, StoreError> {
        let mut record = record_of(&self.object, self.day, counts);
        record.processed_by = processed_by;
        record.generation = self.generation;
        if let Some(before) = before {
            record.events.duplicates = before.events.indexed.min(record.events.indexed);
        }
        let mut files = Vec::new();
        record.archive.handed = self.handed;
        if let Some(archive) = self.archive {
            let archived = archive.finish()?;
            record.archive.rows = archived.rows;
            files.extend(archived.files);
        }
        // Counted where they are kept, against the framer's count.
        let (file, set_aside) = self.quarantine.finish()?;
        record.frames.quarantined = set_aside.quarantined();
        record.frames.waiting = set_aside.waiting;
        files.extend(file);
        record.files = files.iter().map(|file| file.file().to_owned()).collect();
        let sent = counts.delivered.indexed;
        Ok(Prepared { record, files, sent, claim: self.claim })
    }

    /// The object, and the day that it is filed under.
    pub(super) fn place(&self) -> ([u8; 16], Date) {
        (self.object.id, self.day)
    }

    fn archive(&mut self, batch: &Finished<'_>) -> Result<(), StoreError> {
        let Some(archive) = &mut self.archive else { return Ok(()) };
        let manifest = batch.route.parser.manifest();
        let mut last_frame = None;
        for event in batch.events.iter().filter(|event| event.decision != Decision::Reduce) {
            let document = batch.document(event);
            let found = FoundFields::of(document);
            let first = last_frame != Some(event.frame);
            last_frame = Some(event.frame);
            let context = first.then(|| {
                context::of_batch(batch.frames, event.frame as usize, batch.origin, batch.route).to_json()
            });
            let partition = Partition {
                log_type: &batch.route.log_type,
                account: found.account().or(batch.origin.account.as_deref()),
                region: found.region().or(batch.origin.region.as_deref()),
                day: self.day,
            };
            let position = batch.frames.positions.get(event.frame as usize);
            archive.add(
                &partition,
                &Row {
                    document_id: event.id.0,
                    frame_id: event.frame_id.0,
                    event_number: event.number,
                    timestamp: event.timestamp,
                    fields: found.fields(),
                    decision: match event.decision {
                        Decision::Index => RowDecision::Indexed,
                        Decision::ArchiveOnly | Decision::Reduce => RowDecision::ArchivedOnly,
                    },
                    member: batch.frames.stream.member.as_deref(),
                    frame_offset: position.map_or(0, |position| position.offset),
                    parser: RowParser {
                        name: &manifest.name,
                        version: &manifest.version,
                        digest: batch.route.parser.digest(),
                    },
                    reference_time: batch.origin.reference_time,
                    context: context.as_deref(),
                    event_original: if first { batch.original(event) } else { None },
                    document,
                },
            )?;
            self.handed += 1;
        }
        Ok(())
    }
}

impl ObjectSink for ObjectWriter<'_> {
    fn wants_original(&self) -> bool {
        true
    }

    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError> {
        self.archive(batch)?;
        let mut delivered = Delivered::default();
        let mut documents = Vec::with_capacity(batch.events.len());
        for event in &batch.events {
            match event.decision {
                Decision::Index if self.store.writer.is_some() => documents.push(DocumentRef {
                    id: event.id.0,
                    object: self.object.id,
                    frame: event.frame_id.0,
                    timestamp_ns: event.timestamp,
                    json: batch.document(event),
                }),
                // With the index switched off, the archive is where events go.
                Decision::Index | Decision::ArchiveOnly if self.archive.is_some() => {
                    delivered.archived_only += 1;
                }
                Decision::Index | Decision::ArchiveOnly | Decision::Reduce => delivered.reduced += 1,
            }
        }
        if let Some(writer) = &self.store.writer {
            if self.claim.is_none() {
                let mut frames: Vec<[u8; 16]> = documents.iter().map(|document| document.frame).collect();
                frames.dedup();
                writer.delete_frames(Some(self.day), &frames).map_err(StoreError::from)?;
            }
            let added = writer.add(self.day, &documents).map_err(StoreError::from)?;
            delivered.indexed += added.documents;
            // Their frames stay in the archive, with the originals.
            delivered.dead_lettered += added.refused.len() as u64;
            for refused in &added.refused {
                tracing::error!(
                    reason = refused.reason,
                    object = self.object.key,
                    "the index refused a document"
                );
            }
        }
        Ok(delivered)
    }

    fn set_aside(&mut self, frame: &SetAside<'_>) -> Result<(), SinkError> {
        Ok(self.quarantine.add(&context::entry_of(frame), frame.raw).map_err(StoreError::from)?)
    }
}
