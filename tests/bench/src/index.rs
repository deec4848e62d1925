//! The embedded index: whole objects into it, and the index alone against the bare engine on the same documents.

use crate::measure::{median, rate, time};
use crate::objects::Object;
use crate::table::Row;
use anyhow::{Context, Result, anyhow, ensure};
use std::path::Path;
use tantivy::merge_policy::NoMergePolicy;
use weir::event::FrameId;
use weir::host::Host;
use weir::output::documents::date_of;
use weir::output::embedded::{DocumentRef, EmbeddedIndex, PreparedDocument, Settings, Writer, bare, prepare};
use weir::pipeline::{Delivered, Finished, ObjectSink, SetAside, SinkError};

/// The log types whose documents go into the index.
pub(crate) const LOG_TYPES: [&str; 2] = ["cloudtrail", "vpcflow"];

/// What a log type's rows are called.
pub(crate) fn row_name(log_type: &str) -> String {
    format!("gzip to embedded index: {log_type}")
}

/// Adds what it is given to the index.
struct Adding<'a> {
    writer: &'a Writer,
    object: [u8; 16],
}

impl ObjectSink for Adding<'_> {
    fn wants_original(&self) -> bool {
        true
    }

    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError> {
        let documents: Vec<DocumentRef<'_>> = batch
            .events
            .iter()
            .map(|event| DocumentRef {
                id: event.id.0,
                object: self.object,
                frame: event.frame_id.0,
                timestamp_ns: event.timestamp,
                json: batch.document(event),
            })
            .collect();
        let added = self.writer.add(date_of(batch.origin.reference_time), &documents)?;
        Ok(Delivered { indexed: added.documents, ..Delivered::default() })
    }

    fn set_aside(&mut self, _: &SetAside<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A document as it is delivered.
struct Kept {
    id: [u8; 16],
    frame: FrameId,
    timestamp: i64,
    json: Vec<u8>,
}

/// Keeps what it is given.
#[derive(Default)]
struct Keeping(Vec<Kept>);

impl ObjectSink for Keeping {
    fn wants_original(&self) -> bool {
        true
    }

    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError> {
        self.0.extend(batch.events.iter().map(|event| Kept {
            id: event.id.0,
            frame: event.frame_id,
            timestamp: event.timestamp,
            json: batch.document(event).to_vec(),
        }));
        Ok(Delivered { indexed: batch.events.len() as u64, ..Delivered::default() })
    }

    fn set_aside(&mut self, _: &SetAside<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Three rows: the object into the index (bytes of the uncompressed object), and its documents into the index and into
/// the bare engine (bytes of the documents). Each ends with a commit; rounds in turn, in a new folder each.
pub(crate) fn measure(log_type: &str, host: &Host, rounds: u32) -> Result<Vec<Row>> {
    let object = Object::new(log_type)?;
    let pipeline = host.pipeline();
    let mut kept = Keeping::default();
    object.process(&pipeline, &mut kept)?;
    let documents = kept.0;
    let bytes: usize = documents.iter().map(|document| document.json.len()).sum();
    let references: Vec<DocumentRef<'_>> = documents
        .iter()
        .map(|document| DocumentRef {
            id: document.id,
            object: object.id(),
            frame: document.frame.0,
            timestamp_ns: document.timestamp,
            json: &document.json,
        })
        .collect();
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let (mut whole, mut ours, mut engine) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let place = |what: &str| folder.path().join(format!("{what}-{round}"));
        let index = EmbeddedIndex::open(place("whole"), settings())?;
        let writer = index.writer()?;
        let took = time(|| {
            let counts = object.process(&pipeline, &mut Adding { writer: &writer, object: object.id() })?;
            writer.commit()?;
            ensure!(
                counts.delivered.indexed == documents.len() as u64,
                "{} documents indexed",
                counts.delivered.indexed
            );
            Ok(())
        })?;
        whole.push(took.as_secs_f64());
        drop(writer);

        let index = EmbeddedIndex::open(place("ours"), settings())?;
        let writer = index.writer()?;
        let took = time(|| {
            for batch in references.chunks(1000) {
                writer.add(date_of(crate::samples::REFERENCE), batch)?;
            }
            Ok(writer.commit()?)
        })?;
        ours.push(took.as_secs_f64());
        drop(writer);

        let prepared: Vec<PreparedDocument> = references
            .iter()
            .map(|document| prepare(document).map_err(|error| anyhow!(error)))
            .collect::<Result<_>>()?;
        engine.push(bare_engine(&place("bare"), prepared)?);
        for what in ["whole", "ours", "bare"] {
            std::fs::remove_dir_all(place(what))?;
        }
    }
    let row = |name: String, bytes: usize, times: Vec<f64>| {
        let seconds = median(times);
        Row {
            name,
            events_per_s: documents.len() as f64 / seconds,
            mb_per_s: rate(bytes, seconds),
            native: None,
        }
    };
    Ok(vec![
        row(row_name(log_type), object.bytes(), whole),
        row(format!("documents to embedded index: {log_type}"), bytes, ours),
        row(format!("documents to bare tantivy: {log_type}"), bytes, engine),
    ])
}

fn settings() -> Settings {
    Settings { min_free_bytes: 0, ..Settings::default() }
}

/// Seconds that the engine takes for documents that are prepared already, with one thread and the same memory.
fn bare_engine(folder: &Path, documents: Vec<PreparedDocument>) -> Result<f64> {
    std::fs::create_dir_all(folder)?;
    let (schema, tokenizers) = bare();
    let directory = tantivy::directory::MmapDirectory::open(folder)?;
    let index = tantivy::Index::builder().schema(schema).tokenizers(tokenizers).open_or_create(directory)?;
    let mut writer: tantivy::IndexWriter<PreparedDocument> =
        index.writer_with_num_threads(1, Settings::default().writer_memory)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let took = time(|| {
        for document in documents {
            writer.add_document(document)?;
        }
        Ok(writer.commit()?)
    })?;
    writer.wait_merging_threads()?;
    Ok(took.as_secs_f64())
}
