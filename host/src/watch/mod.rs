//! `weir run`'s watch over its sources: complete files once, growing files piece by piece.
//!
//! A look at a source lists its files. A file of an ordinary source is taken when two looks in a row found it the same
//! (it is then complete, as far as anyone can tell), a file of a source with `follow` as far as its last line end. The
//! ledger remembers both, so that a restart repeats nothing. Polling rather than file events: those are lost on network
//! file systems and overflow when a thousand files rotate at once.

mod compressed;
mod follow;

use crate::config::SourceSettings;
use crate::host::Host;
use crate::ingest::source::{Listing, LocalObject, SourceError, Stamp, list};
use crate::ledger::ObjectRecord;
use crate::local::{self, Taken};
use crate::pipeline::Pipeline;
use crate::serve::Metrics;
use crate::store::{Store, folders, is_store_failure};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often days past their retention are looked for.
const RETENTION_PERIOD: Duration = Duration::from_hours(1);
/// How often sources and parsers are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// After a failure a file is tried again after this long, then twice as long, up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_LAST: Duration = Duration::from_mins(5);

#[derive(Debug, Clone, Copy)]
enum Seen {
    /// Found once; complete if it is found the same again.
    Once(Stamp),
    /// Taken as it was then.
    Taken(Stamp),
    /// Could not be processed; not before this moment again.
    Failed(Stamp, Instant, Duration),
}

/// The watch. One thread runs it.
pub struct Watch<'a> {
    host: &'a Host,
    store: &'a Store,
    metrics: Arc<Metrics>,
    pipeline: Pipeline,
    seen: HashMap<PathBuf, Seen>,
    /// Followed files that may be copies under way, and since when.
    copies: HashMap<PathBuf, Instant>,
    /// Which followed files are compressed, as they were when that was looked at.
    packed: HashMap<PathBuf, (Stamp, bool)>,
    /// Files and folders that were found unreadable, and told.
    unreadable: HashSet<PathBuf>,
}

impl<'a> Watch<'a> {
    /// Watches the configured sources.
    pub fn new(host: &'a Host, store: &'a Store, metrics: Arc<Metrics>) -> Self {
        Watch {
            pipeline: host.pipeline(),
            host,
            store,
            metrics,
            seen: HashMap::new(),
            copies: HashMap::new(),
            packed: HashMap::new(),
            unreadable: HashSet::new(),
        }
    }

    /// Looks again and again until `stop` is set; `ready` is set once every source was read.
    ///
    /// # Errors
    /// When the data folder cannot be written any more (a full disk, a lost folder): a restart goes on.
    pub fn run(&mut self, stop: &AtomicBool, ready: &AtomicBool) -> anyhow::Result<()> {
        let mut retained: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            self.reload_parsers();
            if retained.is_none_or(|at| at.elapsed() >= RETENTION_PERIOD) {
                self.store.apply_retention()?;
                retained = Some(started);
            }
            let quiet = self.look(stop)?;
            for record in self.store.commit()? {
                self.metrics.grew(&record, None);
            }
            if quiet && !ready.swap(true, Ordering::Relaxed) {
                tracing::info!("every source was read");
            }
            while started.elapsed() < PERIOD && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        for record in self.store.commit()? {
            self.metrics.grew(&record, None);
        }
        Ok(())
    }

    fn reload_parsers(&mut self) {
        match self.host.registry.reload() {
            Ok(changes) => {
                self.metrics.reloaded("loaded", changes.loaded.len());
                self.metrics.reloaded("removed", changes.removed.len());
                self.metrics.reloaded("refused", changes.refused.len());
                for error in &changes.refused {
                    tracing::error!(error = %view_chain(error), "a component file is refused, and what was in force stays");
                }
                if !changes.loaded.is_empty() || !changes.removed.is_empty() {
                    tracing::info!(loaded = ?changes.loaded, removed = ?changes.removed, "parsers changed");
                    self.pipeline = self.host.pipeline();
                }
            }
            Err(error) => {
                tracing::error!(error = %view_chain(&error), "the parsers' folder cannot be read, and the parsers in force stay");
            }
        }
    }

    /// One look at every source; says whether nothing was left to wait for.
    fn look(&mut self, stop: &AtomicBool) -> anyhow::Result<bool> {
        let mut quiet = true;
        for source in self.host.config.sources.clone() {
            let root = self.host.config.resolve(&source.path);
            if !root.exists() {
                continue;
            }
            let own = folders(self.store.folder());
            let Listing { objects, unreadable } = list(&self.host.config, &[root], &own)
                .unwrap_or_else(|error| Listing { objects: Vec::new(), unreadable: vec![error] });
            self.tell_unreadable(&source, unreadable);
            self.forget_gone(&source, &objects);
            if source.follow {
                quiet &= self.follow(&objects, stop)?;
            } else {
                for object in &objects {
                    if stop.load(Ordering::Relaxed) {
                        return Ok(false);
                    }
                    quiet &= self.complete(object)?;
                }
            }
        }
        Ok(quiet)
    }

    /// Logs what cannot be read, once until it can be.
    fn tell_unreadable(&mut self, source: &SourceSettings, unreadable: Vec<SourceError>) {
        for error in &unreadable {
            if self.unreadable.insert(error.path.clone()) {
                tracing::warn!(error = %view_chain(error), source = source.name, "a part of a source cannot be read");
            }
        }
        let root = self.host.config.resolve(&source.path);
        let still: HashSet<PathBuf> = unreadable.into_iter().map(|error| error.path).collect();
        self.unreadable.retain(|path| !path.starts_with(&root) || still.contains(path));
    }

    fn forget_gone(&mut self, source: &SourceSettings, objects: &[LocalObject]) {
        let root = self.host.config.resolve(&source.path);
        if self.seen.len() > objects.len() || self.packed.len() > objects.len() {
            let there: HashSet<&PathBuf> = objects.iter().map(|object| &object.path).collect();
            self.seen.retain(|path, _| !path.starts_with(&root) || there.contains(path));
            self.packed.retain(|path, _| !path.starts_with(&root) || there.contains(path));
        }
    }

    /// Takes a file that did not change since the last look; says whether it is settled.
    fn complete(&mut self, object: &LocalObject) -> anyhow::Result<bool> {
        let Ok(metadata) = std::fs::metadata(&object.path) else { return Ok(true) };
        let stamp = Stamp::of(&metadata);
        let (take, wait) = match self.seen.get(&object.path) {
            Some(Seen::Taken(taken)) if *taken == stamp => return Ok(true),
            Some(Seen::Once(once)) => (*once == stamp, RETRY_FIRST),
            Some(Seen::Failed(failed, until, wait)) => (*failed == stamp && Instant::now() >= *until, *wait),
            None | Some(Seen::Taken(_)) => (false, RETRY_FIRST),
        };
        if !take {
            if !matches!(self.seen.get(&object.path), Some(Seen::Failed(failed, ..)) if *failed == stamp) {
                self.seen.insert(object.path.clone(), Seen::Once(stamp));
            }
            return Ok(false);
        }
        let seen = match self.process(object) {
            Ok(()) => Seen::Taken(stamp),
            Err(error) if is_store_failure(&error) => return Err(error),
            Err(error) => {
                self.metrics.failed();
                tracing::error!(error = %format!("{error:#}"), object = object.key, "an object was not processed and will be tried again");
                Seen::Failed(stamp, Instant::now() + wait, (wait * 2).min(RETRY_LAST))
            }
        };
        self.seen.insert(object.path.clone(), seen);
        Ok(true)
    }

    fn process(&self, local: &LocalObject) -> anyhow::Result<()> {
        if let Taken::Processed(committed) = local::take(local, &self.pipeline, self.store, None, false)? {
            self.count(&committed);
        }
        Ok(())
    }

    fn count(&self, records: &[ObjectRecord]) {
        records.iter().for_each(|record| self.metrics.grew(record, None));
    }
}

/// An error with its causes, on one line.
fn view_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
