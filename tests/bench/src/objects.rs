//! Whole objects on one core: compressed bytes, frames, the sandbox, the check, the finished document, a bulk body.

use crate::measure::{median, rate, time};
use crate::samples::{self, Sample};
use crate::table::Row;
use anyhow::{Result, ensure};
use flate2::{Compression, write::GzEncoder};
use std::io::{Cursor, Write};
use weir::event::object_id;
use weir::host::Host;
use weir::ingest::stream::Input;
use weir::output::documents::{DocumentWriter, Format, IndexNames};
use weir::pipeline::{Counts, ObjectRef, ObjectSink, Pipeline};

/// The log types that go the whole way.
pub(crate) const LOG_TYPES: [&str; 4] = ["cloudtrail", "vpcflow", "alb", "waf"];

/// What a log type's row is called.
pub(crate) fn row_name(log_type: &str) -> String {
    format!("gzip to bulk body: {log_type}")
}

/// Takes what it is given, and counts it.
struct Counting(u64);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An object of made up records, compressed.
pub(crate) struct Object {
    log_type: String,
    compressed: Vec<u8>,
    bytes: usize,
    records: usize,
}

impl Object {
    pub(crate) fn new(log_type: &str) -> Result<Self> {
        let sample = samples::generate(log_type)?;
        let content = as_object(log_type, &sample);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(&content)?;
        let compressed = encoder.finish()?;
        Ok(Object {
            log_type: log_type.to_owned(),
            compressed,
            bytes: content.len(),
            records: sample.count(),
        })
    }

    /// Bytes before compression.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn id(&self) -> [u8; 16] {
        object_id("bench", &self.log_type, "1")
    }

    /// Takes the object through the pipeline; every record must give one event.
    pub(crate) fn process(&self, pipeline: &Pipeline, sink: &mut dyn ObjectSink) -> Result<Counts> {
        let object = ObjectRef {
            bucket: "bench".to_owned(),
            key: format!("{}/object.gz", self.log_type),
            version: "1".to_owned(),
            id: self.id(),
            modified: samples::REFERENCE,
            base: 0,
        };
        let length = Some(self.compressed.len() as u64);
        let input = Input::Reader { reader: Box::new(Cursor::new(self.compressed.clone())), length };
        let counts = pipeline.process(&object, input, Some(&self.log_type), sink)?;
        ensure!(counts.events == self.records as u64, "{} events of {} records", counts.events, self.records);
        Ok(counts)
    }
}

/// The row of a log type; bytes are those of the uncompressed object.
pub(crate) fn measure(log_type: &str, host: &Host, rounds: u32) -> Result<Row> {
    let object = Object::new(log_type)?;
    let pipeline = host.pipeline();
    let names = IndexNames::new(&host.config.index);
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let took = time(|| {
            let mut counting = Counting(0);
            let mut writer = DocumentWriter::new(&mut counting, Format::Bulk, false, names.clone());
            object.process(&pipeline, &mut writer)?;
            writer.finish()?;
            ensure!(counting.0 > object.bytes as u64, "a bulk body of {} bytes", counting.0);
            Ok(())
        })?;
        seconds.push(took.as_secs_f64());
    }
    let seconds = median(seconds);
    Ok(Row {
        name: row_name(log_type),
        events_per_s: object.records as f64 / seconds,
        mb_per_s: rate(object.bytes, seconds),
        native: None,
    })
}

/// The sample as AWS delivers it: lines with their header, or one array of records.
fn as_object(log_type: &str, sample: &Sample) -> Vec<u8> {
    let mut content = Vec::with_capacity(sample.bytes() + sample.count() + 64);
    if log_type == "cloudtrail" {
        content.extend_from_slice(b"{\"Records\":[");
        for (index, frame) in sample.frames().enumerate() {
            if index > 0 {
                content.push(b',');
            }
            content.extend_from_slice(frame);
        }
        content.extend_from_slice(b"]}");
        return content;
    }
    if let Some(header) = &sample.header {
        content.extend_from_slice(header.as_bytes());
        content.push(b'\n');
    }
    for frame in sample.frames() {
        content.extend_from_slice(frame);
        content.push(b'\n');
    }
    content
}
