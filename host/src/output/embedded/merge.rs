//! Merges small segments in the background, one merge at a time over all days.
//!
//! The engine would merge in every open day at once, and without bound: a merge maps its inputs into memory, and what is
//! mapped counts as the process's memory. So merges run one after the other and only up to [`MERGED_BYTES`].

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use jiff::civil::Date;
use tantivy::index::{Segment, SegmentId};

use super::day::Day;
use super::{lock, space};

/// Inputs of a merge, on disk.
const MERGED_BYTES: u64 = 128 << 20;
/// As many segments of one size class are merged into one of the next.
const FACTOR: usize = 8;
/// Size classes are a factor of eight apart, from this size on.
const SMALLEST_CLASS: u64 = 1 << 20;

/// Chooses what to merge among a day's committed segments: as many as [`FACTOR`] of the smallest class that has them,
/// else one of which more than half is deleted. Empty if nothing is worth it.
pub(super) fn choose(dir: &Path, segments: &[Segment]) -> Vec<SegmentId> {
    let sizes = sizes(dir);
    let mut classes: Vec<Vec<(u64, SegmentId)>> = Vec::new();
    for segment in segments {
        let size = sizes.get(&segment.id().uuid_string()).copied().unwrap_or(0);
        if size >= MERGED_BYTES / 2 {
            continue;
        }
        let class = (size / SMALLEST_CLASS).checked_ilog(8).map_or(0, |class| class as usize + 1);
        if classes.len() <= class {
            classes.resize(class + 1, Vec::new());
        }
        classes[class].push((size, segment.id()));
    }
    for mut class in classes {
        if class.len() < FACTOR {
            continue;
        }
        class.sort_unstable_by_key(|(size, _)| *size);
        let mut total = 0;
        let chosen: Vec<SegmentId> = class
            .into_iter()
            .take(2 * FACTOR)
            .take_while(|(size, _)| {
                total += size;
                total <= MERGED_BYTES
            })
            .map(|(_, id)| id)
            .collect();
        if chosen.len() >= 2 {
            return chosen;
        }
    }
    let half_deleted = |segment: &&Segment| segment.meta().num_deleted_docs() > segment.meta().max_doc() / 2;
    segments.iter().find(half_deleted).map(|segment| vec![segment.id()]).unwrap_or_default()
}

/// Bytes on disk by segment; a file that vanishes meanwhile counts nothing.
fn sizes(dir: &Path) -> HashMap<String, u64> {
    let mut sizes = HashMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some((segment, _)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        let size = entry.metadata().map_or(0, |metadata| metadata.len());
        *sizes.entry(segment.to_owned()).or_default() += size;
    }
    sizes
}

/// The thread that merges.
pub(super) struct Merger {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    days: Vec<Arc<Day>>,
    queued: BTreeSet<Date>,
    stopping: bool,
    busy: bool,
}

impl Merger {
    /// `reserve`: bytes to leave free on the disk besides what a merge needs.
    pub(super) fn start(reserve: u64) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("index-merge".to_owned()).spawn(move || run(&shared, reserve))?
        };
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Looks at the day's segments soon.
    pub(super) fn consider(&self, day: &Arc<Day>) {
        let mut queue = lock(&self.shared.queue);
        if queue.queued.insert(day.date) {
            queue.days.push(Arc::clone(day));
            self.shared.changed.notify_all();
        }
    }

    /// Waits until nothing is left to merge.
    pub(super) fn wait(&self) {
        let mut queue = lock(&self.shared.queue);
        while queue.busy || !queue.days.is_empty() {
            queue = self.shared.changed.wait(queue).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

/// Ends the thread; a merge under way is finished first.
impl Drop for Merger {
    fn drop(&mut self) {
        lock(&self.shared.queue).stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic inside the engine has been printed by its own thread; the committed segments are untouched.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, reserve: u64) {
    let mut queue = lock(&shared.queue);
    loop {
        if queue.stopping {
            return;
        }
        if queue.days.is_empty() {
            queue = shared.changed.wait(queue).unwrap_or_else(std::sync::PoisonError::into_inner);
            continue;
        }
        let day = queue.days.remove(0);
        queue.queued.remove(&day.date);
        queue.busy = true;
        drop(queue);
        // A merge that fails loses nothing: its inputs stay, and the next commit tries again.
        let merged = space::require(&day.dir, 2 * MERGED_BYTES, reserve).and_then(|()| day.merge(choose));
        let again = merged.unwrap_or_else(|error| {
            tracing::warn!(day = %day.date, error = %error, "segments could not be merged");
            false
        });
        queue = lock(&shared.queue);
        queue.busy = false;
        if again && queue.queued.insert(day.date) {
            queue.days.push(day);
        }
        shared.changed.notify_all();
    }
}
