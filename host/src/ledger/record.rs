//! What the ledger knows of one object, and the equations that its counts must fulfil.

use super::ObjectId;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Decompressed bytes, by what they were found to be. `read` is counted at the decompressor, the others by the framer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ByteCounts {
    pub read: u64,
    /// Frames in their carrier.
    pub frames: u64,
    /// Separators, headers, envelopes.
    pub framing: u64,
    pub damaged: u64,
}

/// Rows of Parquet members. `expected` is what the footers promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowCounts {
    pub expected: u64,
    pub read: u64,
    pub damaged: u64,
}

/// Frames. `total` is counted by the framer, the others by what became of each frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrameCounts {
    pub total: u64,
    /// Gave at least one event.
    pub parsed: u64,
    /// Gave none, for a reason that is no fault.
    pub skipped: u64,
    /// Malformed, condemned, or a range that cannot be framed.
    pub quarantined: u64,
    /// Kept raw until a parser's fixed version comes.
    pub waiting: u64,
    /// Wanted by no parser.
    pub unrouted: u64,
}

/// Events. `total` is counted at the parsers' answers, the others by what the sinks acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventCounts {
    pub total: u64,
    /// In the index.
    pub indexed: u64,
    /// In the archive and, by rule, not in the index.
    pub archived_only: u64,
    /// Sampled out, aggregated or dropped, by rule.
    pub reduced: u64,
    /// Refused by a sink, and kept for redrive.
    pub dead_lettered: u64,
    /// Those of `indexed` that were in the index before.
    pub duplicates: u64,
}

/// Rows of the archive. `handed` is counted where events are handed over, `rows` where files are closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArchiveCounts {
    pub handed: u64,
    pub rows: u64,
}

/// How far a file that grows was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// The file's path now. It changes when the file is renamed; the object stays the same.
    pub path: String,
    /// What tells the file from another one that takes its path, fixed at first sight.
    pub fingerprint: String,
    /// Bytes read, up to the end of the last whole frame.
    pub offset: u64,
    /// The file's size when it was last looked at.
    pub size: u64,
}

/// One object that was processed to its end, or a followed file up to its offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    pub id: ObjectId,
    pub bucket: String,
    /// The object's key; for local files the path under the source's root.
    pub key: String,
    /// Version id, ETag, or the content's hash.
    pub version: String,
    /// Where a local file was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Bytes stored, before decompression.
    #[serde(default)]
    pub size: u64,
    /// The log types of its streams.
    #[serde(default)]
    pub log_types: Vec<String>,
    /// The day (UTC) that index and archive file the object under, remembered from its first sight.
    #[serde(with = "date_text")]
    pub day: Date,
    /// A hash of the parsers and the rules that processed it: another one means that processing again may give other
    /// documents.
    #[serde(default)]
    pub processed_by: String,
    /// How often the object was processed before: files of one generation never overwrite those of another, so that
    /// the record decides which of them count.
    #[serde(default)]
    pub generation: u32,
    #[serde(default)]
    pub bytes: ByteCounts,
    #[serde(default)]
    pub rows: RowCounts,
    #[serde(default)]
    pub frames: FrameCounts,
    #[serde(default)]
    pub events: EventCounts,
    #[serde(default)]
    pub archive: ArchiveCounts,
    /// Its files in archive and quarantine, as paths under the data folder with `/` as separator.
    #[serde(default)]
    pub files: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
}

impl ObjectRecord {
    /// A record without counts.
    pub fn new(id: ObjectId, bucket: &str, key: &str, version: &str, day: Date) -> Self {
        Self {
            id,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: version.to_owned(),
            path: None,
            size: 0,
            log_types: Vec::new(),
            day,
            processed_by: String::new(),
            generation: 0,
            bytes: ByteCounts::default(),
            rows: RowCounts::default(),
            frames: FrameCounts::default(),
            events: EventCounts::default(),
            archive: ArchiveCounts::default(),
            files: Vec::new(),
            followed: None,
        }
    }

    /// Bytes, rows, frames and events that one side counted and the other did not; 0 unless something was lost or
    /// came out of nothing.
    ///
    /// Each equation holds two counts of the same things, taken at different places: none is derived from another.
    pub fn unexplained(&self) -> u64 {
        let Self { bytes, rows, frames, events, archive, .. } = self;
        let ends = [frames.parsed, frames.skipped, frames.quarantined, frames.waiting, frames.unrouted];
        let fates = [events.indexed, events.archived_only, events.reduced, events.dead_lettered];
        let differences = [
            difference(bytes.read, &[bytes.frames, bytes.framing, bytes.damaged]),
            difference(rows.expected, &[rows.read, rows.damaged]),
            difference(frames.total, &ends),
            difference(events.total, &fates),
            difference(archive.handed, &[archive.rows]),
            // A sub-count of what is indexed.
            events.duplicates.saturating_sub(events.indexed),
        ];
        differences.into_iter().fold(0, u64::saturating_add)
    }

    /// Adds the counts and files of the next piece of a followed file, and takes over how far it was read.
    pub fn add_piece(&mut self, piece: ObjectRecord) {
        self.bytes += piece.bytes;
        self.rows += piece.rows;
        self.frames += piece.frames;
        self.events += piece.events;
        self.archive += piece.archive;
        self.size = piece.size;
        self.path = piece.path;
        self.processed_by = piece.processed_by;
        self.generation = self.generation.max(piece.generation);
        self.followed = piece.followed;
        for log_type in piece.log_types {
            if !self.log_types.contains(&log_type) {
                self.log_types.push(log_type);
            }
        }
        for file in piece.files {
            if !self.files.contains(&file) {
                self.files.push(file);
            }
        }
    }
}

/// In 128 bits, where sums of 64-bit counts do not overflow and hide a difference.
fn difference(whole: u64, parts: &[u64]) -> u64 {
    let sum: u128 = parts.iter().map(|part| u128::from(*part)).sum();
    u64::try_from(u128::from(whole).abs_diff(sum)).unwrap_or(u64::MAX)
}

/// Counts of many objects; the names are those of `weir ingest --json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    pub objects: u64,
    pub frames: u64,
    pub parsed: u64,
    pub skipped: u64,
    pub quarantined: u64,
    pub waiting: u64,
    pub unrouted: u64,
    pub events: u64,
    pub indexed: u64,
    pub archived_only: u64,
    pub reduced: u64,
    pub dead_lettered: u64,
    pub duplicates: u64,
    /// The sum over the objects: differences of one never make up for those of another.
    pub unexplained: u64,
    /// Decompressed bytes read.
    pub bytes: u64,
    /// Bytes stored, before decompression.
    pub stored_bytes: u64,
    /// Rows in the archive.
    pub archived: u64,
}

impl Totals {
    /// Counts one object more.
    pub fn add(&mut self, record: &ObjectRecord) {
        let ObjectRecord { frames, events, .. } = record;
        *self += Totals {
            objects: 1,
            frames: frames.total,
            parsed: frames.parsed,
            skipped: frames.skipped,
            quarantined: frames.quarantined,
            waiting: frames.waiting,
            unrouted: frames.unrouted,
            events: events.total,
            indexed: events.indexed,
            archived_only: events.archived_only,
            reduced: events.reduced,
            dead_lettered: events.dead_lettered,
            duplicates: events.duplicates,
            unexplained: record.unexplained(),
            bytes: record.bytes.read,
            stored_bytes: record.size,
            archived: record.archive.rows,
        };
    }
}

macro_rules! add_each {
    ($counts:ident: $($field:ident),+) => {
        impl AddAssign for $counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$field = self.$field.saturating_add(other.$field);)+
            }
        }
    };
}

add_each!(ByteCounts: read, frames, framing, damaged);
add_each!(RowCounts: expected, read, damaged);
add_each!(FrameCounts: total, parsed, skipped, quarantined, waiting, unrouted);
add_each!(EventCounts: total, indexed, archived_only, reduced, dead_lettered, duplicates);
add_each!(ArchiveCounts: handed, rows);
add_each!(Totals: objects, frames, parsed, skipped, quarantined, waiting, unrouted, events, indexed, archived_only, reduced,
    dead_lettered, duplicates, unexplained, bytes, stored_bytes, archived);

/// A date as `2026-03-01`.
pub(crate) mod date_text {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(crate) fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(date)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
