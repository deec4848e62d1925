//! Adding and deleting documents.
//!
//! Any number of threads add at once; each indexes into a segment of its own. All segments in the making share
//! [`Settings::writer_memory`], and the largest is written to disk when it is spent. Nothing is visible or durable before
//! [`Writer::commit`]. After an error of the engine everything uncommitted is dropped and the writer refuses to go on;
//! what was committed stays, and a new writer starts from there.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::civil::Date;

use super::day::{Day, Idle};
use super::document::{DocumentRef, prepare};
use super::error::IndexError;
use super::merge::Merger;
use super::{Settings, days_in, lock, space};

/// Documents between two looks at the memory in use.
const CHUNK: usize = 64;
/// Segments in the making at once, since each keeps some files open.
const MAXIMUM_BUILDERS: usize = 24;

/// What happened to a batch of documents.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Added {
    /// Documents taken; they are durable after the next commit.
    pub documents: u64,
    /// Documents that are no JSON object in UTF-8.
    pub refused: Vec<Refused>,
}

/// A document that the index cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its position in the batch.
    pub position: usize,
    pub id: [u8; 16],
    pub reason: String,
}

/// What a commit made durable.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CommitReport {
    /// Documents that this commit added and left undeleted, by object; counted in the committed index.
    pub acknowledged: BTreeMap<[u8; 16], u64>,
}

/// The one writer of an index.
pub struct Writer {
    // Dropped first: it may be merging in one of the days.
    merger: Merger,
    dir: PathBuf,
    settings: Settings,
    days: Mutex<BTreeMap<Date, Arc<Day>>>,
    /// Adding shares it; deleting and committing have it alone, and so see every document added before.
    gate: RwLock<()>,
    memory: AtomicUsize,
    clock: AtomicU64,
    stopped: AtomicBool,
    _lock: File,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Writer").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn open(dir: PathBuf, settings: Settings) -> Result<Self, IndexError> {
        let path = dir.join(".writer.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(IndexError::io("open", &path))?;
        // The lock belongs to the open file: it ends with the process, however that ends.
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => IndexError::Busy { dir: dir.clone() },
            TryLockError::Error(source) => IndexError::Io { action: "lock", path: path.clone(), source },
        })?;
        super::retention::remove_abandoned(&dir)?;
        Ok(Self {
            merger: Merger::start(settings.min_free_bytes)
                .map_err(IndexError::io("start merging in", &dir))?,
            dir,
            settings,
            days: Mutex::default(),
            gate: RwLock::default(),
            memory: AtomicUsize::new(0),
            clock: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// Adds documents of one object day. Blocks while segments are written out to stay within memory.
    ///
    /// # Errors
    /// [`IndexError::DiskFull`] before anything is added, when the disk has no room: the same call may succeed later.
    /// Any other error stops the writer.
    pub fn add(&self, date: Date, documents: &[DocumentRef<'_>]) -> Result<Added, IndexError> {
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let size: usize = documents.iter().map(|document| document.json.len()).sum();
        self.require_space(size)?;
        self.running(|| {
            let day = self.day(date)?;
            let mut added = Added::default();
            for (chunk_number, chunk) in documents.chunks(CHUNK).enumerate() {
                self.add_chunk(&day, chunk_number * CHUNK, chunk, &mut added)?;
                self.make_room()?;
            }
            Ok(added)
        })
    }

    fn add_chunk(
        &self,
        day: &Day,
        offset: usize,
        chunk: &[DocumentRef<'_>],
        added: &mut Added,
    ) -> Result<(), IndexError> {
        let mut builder = None;
        for (position, document) in chunk.iter().enumerate() {
            match prepare(document) {
                Ok(prepared) => {
                    if builder.is_none() {
                        let taken = day.take()?;
                        self.free(taken.memory());
                        builder = Some(taken);
                    }
                    if let Some(builder) = &mut builder {
                        builder.add(prepared).map_err(day.engine("add to"))?;
                        added.documents += 1;
                    }
                }
                Err(reason) => {
                    added.refused.push(Refused { position: offset + position, id: document.id, reason });
                }
            }
        }
        if let Some(mut builder) = builder {
            builder.used = self.tick();
            self.memory.fetch_add(builder.memory(), Ordering::Relaxed);
            day.put_back(builder);
        }
        Ok(())
    }

    /// Writes segments out until the rest fits: the largest while memory is short, the one longest unused while there
    /// are too many.
    fn make_room(&self) -> Result<(), IndexError> {
        loop {
            let short = self.memory.load(Ordering::Relaxed) > self.settings.writer_memory;
            let days: Vec<Arc<Day>> = {
                let days = lock(&self.days);
                if !short && days.len() < MAXIMUM_BUILDERS {
                    return Ok(());
                }
                days.values().cloned().collect()
            };
            let idle: Vec<(Arc<Day>, Idle)> = days
                .iter()
                .flat_map(|day| day.idle().into_iter().map(|idle| (Arc::clone(day), idle)))
                .collect();
            let chosen = if short {
                idle.iter().max_by_key(|(_, idle)| idle.memory)
            } else if idle.len() > MAXIMUM_BUILDERS {
                idle.iter().min_by_key(|(_, idle)| idle.used)
            } else {
                None
            };
            let Some((day, idle)) = chosen else { return Ok(()) };
            self.free(day.write_out(*idle)?);
        }
    }

    /// Deletes an object's documents, committed or not, in the given day or in all of them. What is added afterwards
    /// stays. Takes effect with the next commit.
    ///
    /// # Errors
    /// Any error stops the writer.
    pub fn delete_object(&self, date: Option<Date>, object: [u8; 16]) -> Result<(), IndexError> {
        self.delete(date, |day| day.delete_object(object))
    }

    /// As [`Writer::delete_object`], for the documents of frames.
    ///
    /// # Errors
    /// Any error stops the writer.
    pub fn delete_frames(&self, date: Option<Date>, frames: &[[u8; 16]]) -> Result<(), IndexError> {
        self.delete(date, |day| day.delete_frames(frames))
    }

    fn delete(
        &self,
        date: Option<Date>,
        delete: impl Fn(&Day) -> Result<usize, IndexError>,
    ) -> Result<(), IndexError> {
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.running(|| {
            let mut dates = days_in(&self.dir)?;
            dates.retain(|existing| date.is_none_or(|date| date == *existing));
            for date in dates {
                self.free(delete(&*self.day(date)?)?);
            }
            Ok(())
        })
    }

    /// Makes everything added and deleted so far durable and visible to searches, day by day.
    ///
    /// A process that dies in between leaves some days committed and others not, never a part of a day.
    ///
    /// # Errors
    /// [`IndexError::DiskFull`] before anything is done, when the disk has no room: the same call may succeed later.
    /// Any other error stops the writer and drops what was not committed.
    pub fn commit(&self) -> Result<CommitReport, IndexError> {
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.require_space(0)?;
        self.running(|| {
            let days: Vec<Arc<Day>> =
                lock(&self.days).values().filter(|day| day.is_pending()).cloned().collect();
            // Each open writer of the engine costs threads and about a mebibyte: a commit over years of days must not
            // hold them all at once.
            let closes = days.len() > self.settings.max_open_writers;
            let report = Mutex::new(CommitReport::default());
            let next = AtomicUsize::new(0);
            let work = || {
                while let Some(day) = days.get(next.fetch_add(1, Ordering::Relaxed)) {
                    self.free(day.write_all()?);
                    let counts = day.commit(self.tick())?;
                    let mut report = lock(&report);
                    for (object, count) in counts {
                        *report.acknowledged.entry(object).or_default() += count;
                    }
                    drop(report);
                    if closes {
                        day.close();
                    }
                    self.merger.consider(day);
                }
                Ok(())
            };
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(days.len()).min(4);
            std::thread::scope(|scope| {
                let threads: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
                let mut result = work();
                for thread in threads {
                    let other =
                        thread.join().unwrap_or_else(|_| Err(IndexError::Stopped { dir: self.dir.clone() }));
                    result = result.and(other);
                }
                result
            })?;
            drop(days);
            self.close_days();
            Ok(report.into_inner().unwrap_or_else(PoisonError::into_inner))
        })
    }

    /// Waits until the background has no more segments to merge; for the end of a large ingest.
    pub fn wait_for_merges(&self) {
        self.merger.wait();
    }

    /// Deletes the days that lie more than [`Settings::retention_days`] before `today`, and gives them. Without that
    /// setting nothing is ever deleted.
    ///
    /// # Errors
    /// When a folder cannot be removed; what was added to that day and not committed is dropped.
    pub fn apply_retention(&self, today: Date) -> Result<Vec<Date>, IndexError> {
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let Some(keep) = self.settings.retention_days else { return Ok(Vec::new()) };
        let expired = super::retention::expired(&self.dir, today, keep)?;
        if !expired.is_empty() {
            self.merger.wait();
        }
        for date in &expired {
            if let Some(day) = lock(&self.days).remove(date) {
                for idle in day.idle() {
                    self.free(idle.memory);
                }
            }
            super::retention::remove(&self.dir, *date)?;
        }
        Ok(expired)
    }

    fn day(&self, date: Date) -> Result<Arc<Day>, IndexError> {
        let mut days = lock(&self.days);
        if let Some(day) = days.get(&date) {
            return Ok(Arc::clone(day));
        }
        let day = Arc::new(Day::open(date, &self.settings, &self.dir)?);
        days.insert(date, Arc::clone(&day));
        Ok(day)
    }

    /// Closes the engine's writers that were not needed for longest, beyond the number to keep open, and forgets the days
    /// without one.
    fn close_days(&self) {
        let days: Vec<Arc<Day>> = lock(&self.days).values().cloned().collect();
        let mut open: Vec<(u64, Arc<Day>)> =
            days.into_iter().filter_map(|day| day.closable().map(|used| (used, day))).collect();
        open.sort_unstable_by_key(|(used, _)| *used);
        let surplus = open.len().saturating_sub(self.settings.max_open_writers.max(1));
        for (_, day) in open.into_iter().take(surplus) {
            day.close();
        }
        // A day that nothing waits in and nobody else holds (the merger may) is opened again when it is needed.
        lock(&self.days).retain(|_, day| Arc::strong_count(day) > 1 || day.is_open() || day.is_pending());
    }

    fn running<T>(&self, work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(IndexError::Stopped { dir: self.dir.clone() });
        }
        // Stays set if the engine panics.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(IndexError::Stopped { dir: self.dir.clone() }));
        if result.is_err() {
            self.stopped.store(true, Ordering::Release);
        }
        result
    }

    /// Room for what is in memory and `more` bytes of documents.
    fn require_space(&self, more: usize) -> Result<(), IndexError> {
        let needed = self.memory.load(Ordering::Relaxed).saturating_add(more) as u64;
        space::require(&self.dir, needed, self.settings.min_free_bytes)
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Takes the memory of a builder off the account.
    fn free(&self, memory: usize) {
        self.memory.fetch_sub(memory, Ordering::Relaxed);
    }
}
