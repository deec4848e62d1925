//! The data folder: index, archive, quarantine and ledger, committed together.
//!
//! Objects are processed one by one and committed in groups, in the ledger's four steps. Only the record that the last
//! step stores makes an object done, so a process killed anywhere repeats some objects and changes nothing by it: their
//! files carry the same names, and their documents are deleted from the index before they are added again.

mod claim;
mod context;
mod error;
mod object;
mod replay;

pub use claim::Claim;
pub use error::{StoreError, is_disk_full, is_store_failure};
pub use object::ObjectWriter;
pub use replay::{ReplayError, Replayed};

use crate::config::Config;
use crate::ingest::stream::StreamKey;
use crate::ledger::{Intent, Ledger, ObjectId, ObjectRecord, RecordFilter, StagedFile, Status};
use crate::output::archive::{Archive, ArchiveLimits, JoinOptions, Joined};
use crate::output::documents::{date_of, today};
use crate::output::embedded::{EmbeddedIndex, Settings, Writer};
use crate::pipeline::{Counts, ObjectRef};
use crate::quarantine::Quarantine;
use crate::route::Router;
use claim::Claims;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Events that make a group.
const GROUP_EVENTS: u64 = 250_000;
/// Objects that make a group.
const GROUP_OBJECTS: usize = 2_000;
/// Days that make a group: each is an index of its own, and open until the commit.
const GROUP_DAYS: usize = 200;
/// A group is committed when its first object has waited this long.
const GROUP_AGE: Duration = Duration::from_secs(10);

/// An object processed to its end and not yet committed.
#[derive(Debug)]
#[must_use = "an object counts only when it is committed"]
pub struct Prepared {
    pub record: ObjectRecord,
    files: Vec<StagedFile>,
    /// Documents sent to the index in this processing.
    sent: u64,
    claim: Option<Claim>,
}

#[derive(Debug, Default)]
struct Group {
    objects: Vec<Prepared>,
    days: BTreeSet<Date>,
    events: u64,
    since: Option<Instant>,
}

/// The open data folder. One process at a time may write to it.
pub struct Store {
    folder: PathBuf,
    ledger: Ledger,
    index: Option<Arc<EmbeddedIndex>>,
    writer: Option<Writer>,
    /// Days that the index had when it was opened.
    days: BTreeSet<Date>,
    /// The first day that retention keeps.
    first_kept: Option<Date>,
    /// Documents that the index acknowledged, by object, of objects whose group is not committed yet.
    acknowledged: Mutex<HashMap<[u8; 16], u64>>,
    archive: Archive,
    archives: bool,
    quarantine: Quarantine,
    group: Mutex<Group>,
    claims: Claims,
    /// What changes documents besides the parsers, hashed.
    rules: String,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What an object's earlier processing left.
#[derive(Debug)]
pub enum Earlier {
    /// Done, with the same parsers and rules: nothing to do.
    Done(Box<ObjectRecord>),
    /// The same object, at another path, is being processed or waits for the commit of its group.
    UnderWay,
    /// To be processed, under this day; the record of the processing before, if there was one.
    Again { day: Date, record: Option<Box<ObjectRecord>>, claim: Claim },
}

/// The folders that Weir writes in a data folder.
pub fn folders(data: &Path) -> Vec<PathBuf> {
    ["archive", "index", "ledger", "quarantine"].iter().map(|name| data.join(name)).collect()
}

impl Store {
    /// Opens the data folder for writing, and clears away what a killed process left.
    ///
    /// # Errors
    /// When another process writes to it, or the disk is full or unreadable.
    pub fn open(config: &Config, folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Folder { folder: folder.to_owned(), source })?;
        let ledger = Ledger::open(folder)?;
        let reserve = config.index.min_free_bytes;
        let archive =
            Archive::open(folder, ArchiveLimits { reserve_bytes: reserve, ..ArchiveLimits::default() })?;
        let quarantine = Quarantine::open(folder, reserve)?;
        let settings = Settings {
            writer_memory: config.index.writer_bytes,
            min_free_bytes: reserve,
            retention_days: config.index.retention_days,
            ..Settings::default()
        };
        let fresh = !folder.join("index").is_dir();
        let index =
            config.index.enabled.then(|| EmbeddedIndex::open(folder.join("index"), settings)).transpose()?;
        let writer = index.as_ref().map(EmbeddedIndex::writer).transpose()?;
        let days = index.as_ref().map(EmbeddedIndex::days).transpose()?.unwrap_or_default();
        let keep = config.index.retention_days.map(i64::from);
        let first_kept =
            keep.and_then(|keep| today().checked_sub(jiff::Span::new().try_days(keep).ok()?).ok());
        let store = Store {
            folder: folder.to_owned(),
            ledger,
            index: index.map(Arc::new),
            writer,
            days: days.into_iter().collect(),
            first_kept,
            acknowledged: Mutex::default(),
            archive,
            archives: config.archive.enabled,
            quarantine,
            group: Mutex::default(),
            claims: Claims::default(),
            rules: rules_digest(config),
        };
        store.sweep()?;
        if fresh && store.index.is_some() && store.has_indexed()? {
            tracing::warn!(
                folder = %store.folder.display(),
                "the index is gone, and objects that are done are not read again: `weir ingest --again PATH…` on the source objects fills it"
            );
        }
        Ok(store)
    }

    /// Whether the ledger knows of documents in the index.
    fn has_indexed(&self) -> Result<bool, StoreError> {
        for record in self.ledger.records(RecordFilter::default())? {
            if record?.events.indexed > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the index lost what it had of an object that is done: not by its retention, which forgets on purpose.
    pub fn has_lost(&self, record: &ObjectRecord) -> bool {
        self.writer.is_some()
            && record.events.indexed > 0
            && !self.days.contains(&record.day)
            && self.first_kept.is_none_or(|first| record.day >= first)
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The embedded index, unless it is switched off.
    pub fn index(&self) -> Option<&Arc<EmbeddedIndex>> {
        self.index.as_ref()
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The quarantine.
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// Notes that objects are about to be processed, so that each keeps the day it has now, whatever happens, and none
    /// that is half replaced in the index passes for done.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn announce(&self, objects: &[ObjectRef]) -> Result<(), StoreError> {
        let mut intents = Vec::new();
        for object in objects {
            let day = match self.ledger.status(ObjectId(object.id))? {
                Status::New => date_of(object.reference_time()),
                Status::Done(record) => record.day,
                Status::Unfinished { .. } => continue,
            };
            intents.push(Intent { object: ObjectId(object.id), day, files: Vec::new() });
        }
        if !intents.is_empty() {
            self.ledger.begin(&intents)?;
        }
        Ok(())
    }

    /// What is known of an object. `router` tells whether the same parsers would read it today; with `again` it is
    /// processed even so.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn earlier(
        &self,
        object: &ObjectRef,
        router: &Router,
        forced: Option<&str>,
        again: bool,
    ) -> Result<Earlier, StoreError> {
        // Before the ledger is asked: what it says of an unclaimed object stays true.
        let Some(claim) = self.claims.claim(object.id) else { return Ok(Earlier::UnderWay) };
        let (day, record) = match self.ledger.status(ObjectId(object.id))? {
            Status::New => (date_of(object.reference_time()), None),
            Status::Unfinished { intent, record } => {
                (record.as_ref().map_or(intent.day, |record| record.day), record)
            }
            Status::Done(record)
                if !again
                    && record.processed_by
                        == self.processed_by(object, &record.log_types, router, forced) =>
            {
                return Ok(Earlier::Done(record));
            }
            Status::Done(record) => (record.day, Some(record)),
        };
        Ok(Earlier::Again { day, record, claim })
    }

    /// A hash of what decides an object's documents: where its key is routed, the parsers of the log types found in
    /// it, and the rules.
    pub fn processed_by<'t>(
        &self,
        object: &ObjectRef,
        log_types: impl IntoIterator<Item = &'t String>,
        router: &Router,
        forced: Option<&str>,
    ) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.rules.as_bytes());
        let whole = router.route(&object.bucket, &object.key, &StreamKey::default(), None, forced);
        hasher.update(whole.map_or_else(String::new, |route| route.log_type).as_bytes());
        hasher.update(b"\n");
        let parsers: BTreeMap<&String, Option<String>> = log_types
            .into_iter()
            .map(|log_type| {
                (log_type, router.parsers().get(log_type).map(|parser| parser.digest().to_owned()))
            })
            .collect();
        for (log_type, digest) in parsers {
            hasher.update(log_type.as_bytes());
            hasher.update(digest.unwrap_or_default().as_bytes());
        }
        hasher.finalize().to_hex().get(..32).unwrap_or_default().to_owned()
    }

    /// The day that an object is filed under: as remembered, else as it says now.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn day_of(&self, object: &ObjectRef) -> Result<Date, StoreError> {
        Ok(self
            .ledger
            .remembered_day(ObjectId(object.id))?
            .unwrap_or_else(|| date_of(object.reference_time())))
    }

    /// Notes that a piece of a followed file is about to be processed.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn announce_piece(&self, object: &ObjectRef, day: Date) -> Result<(), StoreError> {
        Ok(self.ledger.begin(&[Intent { object: ObjectId(object.id), day, files: Vec::new() }])?)
    }

    /// Begins to write a piece of a followed file. Documents of frames that it holds are replaced one by one: an
    /// earlier process may have been killed when it had indexed some.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn begin_piece(&self, object: &ObjectRef, day: Date) -> Result<ObjectWriter<'_>, StoreError> {
        let generation = self.ledger.generation(ObjectId(object.id))?;
        ObjectWriter::new(self, object, day, generation, None)
    }

    /// Takes a piece into the group; `before` is the record of the pieces up to now.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn add_piece(
        &self,
        piece: Prepared,
        before: Option<ObjectRecord>,
    ) -> Result<Vec<ObjectRecord>, StoreError> {
        let Some(mut whole) = before else { return self.add(piece) };
        whole.add_piece(piece.record);
        self.add(Prepared { record: whole, ..piece })
    }

    /// Begins to write an object that is filed under `day`.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn begin(&self, object: &ObjectRef, day: Date, claim: Claim) -> Result<ObjectWriter<'_>, StoreError> {
        if let Some(writer) = &self.writer {
            // A process killed earlier may have left some of its documents.
            writer.delete_object(Some(day), object.id)?;
        }
        self.forget_acknowledged(object.id);
        let generation = self.ledger.generation(ObjectId(object.id))?;
        ObjectWriter::new(self, object, day, generation, Some(claim))
    }

    /// Takes back what was written of an object that is not what its identity says: it changed while it was read. The
    /// ledger goes on to have it as begun and not done.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn abandon(&self, writer: ObjectWriter<'_>) -> Result<(), StoreError> {
        let (object, day) = writer.place();
        if let Some(index) = &self.writer {
            index.delete_object(Some(day), object)?;
        }
        self.forget_acknowledged(object);
        // Its claim is given up last: only now may another take the object.
        drop(writer);
        Ok(())
    }

    /// What the index acknowledged of documents that were deleted since.
    fn forget_acknowledged(&self, object: [u8; 16]) {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).remove(&object);
    }

    /// Takes a processed object into the group, and commits the group when it is large or old enough.
    ///
    /// # Errors
    /// When the commit fails: none of the group's objects is then done.
    pub fn add(&self, prepared: Prepared) -> Result<Vec<ObjectRecord>, StoreError> {
        let group = {
            let mut group = self.lock();
            group.events += prepared.record.events.total;
            group.days.insert(prepared.record.day);
            group.objects.push(prepared);
            let since = *group.since.get_or_insert_with(Instant::now);
            let full = group.events >= GROUP_EVENTS
                || group.objects.len() >= GROUP_OBJECTS
                || group.days.len() >= GROUP_DAYS
                || since.elapsed() >= GROUP_AGE;
            if !full {
                return Ok(Vec::new());
            }
            std::mem::take(&mut *group)
        };
        self.commit_group(group)
    }

    /// Commits what is waiting.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn commit(&self) -> Result<Vec<ObjectRecord>, StoreError> {
        let group = std::mem::take(&mut *self.lock());
        self.commit_group(group)
    }

    fn lock(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit_group(&self, group: Group) -> Result<Vec<ObjectRecord>, StoreError> {
        if group.objects.is_empty() {
            return Ok(Vec::new());
        }
        let (mut records, mut sent, mut files) = (Vec::new(), Vec::new(), Vec::new());
        // Given up when this returns: by then the ledger knows the objects, or they count for nothing.
        let mut claims = Vec::new();
        for prepared in group.objects {
            sent.push(prepared.sent);
            records.push(prepared.record);
            files.extend(prepared.files);
            claims.extend(prepared.claim);
        }
        let intents: Vec<Intent> = records
            .iter()
            .map(|record| Intent { object: record.id, day: record.day, files: record.files.clone() })
            .collect();
        self.ledger.begin(&intents)?;
        self.archive.publish(files)?;
        if self.writer.is_some() {
            let mut acknowledged = self.commit_index()?;
            for (record, sent) in records.iter_mut().zip(sent) {
                // What the index says it holds, not what was sent to it.
                let held = acknowledged.remove(&record.id.0).unwrap_or(0);
                record.events.indexed = (record.events.indexed - sent.min(record.events.indexed)) + held;
                record.events.duplicates = record.events.duplicates.min(record.events.indexed);
            }
        }
        self.ledger.commit(&records)?;
        self.sweep()?;
        Ok(records)
    }

    /// Commits the index. The documents it acknowledged so far, by object; the caller takes out those of the objects
    /// it commits.
    fn commit_index(&self) -> Result<MutexGuard<'_, HashMap<[u8; 16], u64>>, StoreError> {
        let report = self.writer.as_ref().map(Writer::commit).transpose()?.unwrap_or_default();
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        for (object, count) in report.acknowledged {
            *acknowledged.entry(object).or_default() += count;
        }
        Ok(acknowledged)
    }

    /// Joins the archive's small files. Objects that are being processed meanwhile keep theirs.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn join_archive(&self, options: &JoinOptions) -> Result<Joined, StoreError> {
        self.archive.join(options, |object, file| Ok::<_, StoreError>(self.ledger.holds(object, file)?))
    }

    /// Removes from the index what is older than `index.retention-days` allows; the days removed. The archive keeps
    /// them, and so does the ledger: their objects are not read again.
    ///
    /// # Errors
    /// When a day cannot be removed.
    pub fn apply_retention(&self) -> Result<Vec<Date>, StoreError> {
        let Some(writer) = &self.writer else { return Ok(Vec::new()) };
        let days = writer.apply_retention(today())?;
        if let (Some(first), Some(last)) = (days.first(), days.last()) {
            tracing::info!(%first, %last, days = days.len(), "days past their retention left the index");
        }
        Ok(days)
    }

    fn sweep(&self) -> Result<(), StoreError> {
        self.ledger.sweep(|files| Ok::<(), StoreError>(self.archive.remove(files)?)).map(|_| ())
    }
}

/// Fills a record from what the pipeline and the sinks counted.
fn record_of(object: &ObjectRef, day: Date, counts: &Counts) -> ObjectRecord {
    let mut record =
        ObjectRecord::new(ObjectId(object.id), &object.bucket, &object.key, &object.version, day);
    record.log_types = counts.log_types.iter().cloned().collect();
    record.bytes.read = counts.bytes.read;
    record.bytes.frames = counts.bytes.frames;
    record.bytes.framing = counts.bytes.framing;
    record.bytes.damaged = counts.bytes.damaged;
    record.rows.expected = counts.bytes.rows_expected;
    record.rows.read = counts.bytes.rows;
    record.rows.damaged = counts.bytes.rows_damaged;
    record.frames.total = counts.bytes.frame_count;
    record.frames.parsed = counts.parsed;
    record.frames.skipped = counts.skipped;
    record.frames.quarantined = counts.quarantined;
    record.frames.waiting = counts.waiting;
    record.frames.unrouted = counts.unrouted;
    record.events.total = counts.events;
    record.events.indexed = counts.delivered.indexed;
    record.events.archived_only = counts.delivered.archived_only;
    record.events.reduced = counts.delivered.reduced;
    record.events.dead_lettered = counts.delivered.dead_lettered;
    record
}

/// What the configuration says that changes documents or their fate. Secrets enter as a hash.
fn rules_digest(config: &Config) -> String {
    let rules = serde_json::json!({
        "redact": config.redactions, "volume": config.volume_rules, "enrich": config.enrich,
        "archive": config.archive, "index": config.index.enabled, "routes": config.routes,
        "sources": config.sources, "limits": config.limits,
    });
    let mut hasher = blake3::Hasher::new();
    hasher.update(rules.to_string().as_bytes());
    hasher.update(config.hash_key.as_deref().unwrap_or_default().as_bytes());
    hasher.finalize().to_hex().to_string()
}
