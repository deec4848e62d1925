//! `weir ingest`: files and folders into index and archive, every frame accounted for.

use super::view;
use crate::config::Config;
use crate::host::{Host, HostError};
use crate::ingest::source::{Listing, LocalObject, list};
use crate::ledger::{ObjectId, ObjectRecord, Totals};
use crate::local::{self, Taken};
use crate::pipeline::Pipeline;
use crate::store::{Store, folders, is_store_failure};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use std::collections::{BTreeSet, HashSet};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Read files and folders into the index and the archive.
///
/// A file's path under its source (or under the folder given) is its key and decides its parser. What cannot be parsed
/// goes to quarantine, counted and named; the exit code is still 0. Reading the same files again adds nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir ingest demo-data/logs\n  weir ingest logs/AWSLogs --data /var/lib/weir --json | tail -1 | jq .unexplained\n  weir ingest --again logs/AWSLogs/111122223333"
)]
pub(super) struct Arguments {
    /// Files and folders
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The data folder, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The log type of all files, instead of what their keys are routed to
    #[arg(long, value_name = "TYPE")]
    log_type: Option<String>,
    /// Read objects that are done once more and replace what they left, for example when a file of the data folder was
    /// lost or damaged
    #[arg(long)]
    again: bool,
    /// Print the totals as one JSON object, the last line of standard output
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    open: impl FnOnce() -> Result<Host, HostError>,
) -> anyhow::Result<()> {
    let host = open()?;
    if let Some(log_type) = &arguments.log_type {
        super::dump::check_log_type(&host, log_type)?;
    }
    let data = data_folder(&host.config, arguments.data.as_deref());
    let Listing { objects, unreadable } = list(&host.config, &arguments.paths, &folders(&data))?;
    let store = Store::open(&host.config, &data)?;
    let bytes =
        objects.iter().filter_map(|object| std::fs::metadata(&object.path).ok()).map(|m| m.len()).sum();
    let bar = progress(bytes);
    let run = Run {
        pipeline: host.pipeline(),
        store: &store,
        forced: arguments.log_type.as_deref(),
        again: arguments.again,
        bar: &bar,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        records: Mutex::default(),
        twins: Mutex::default(),
        lost: Mutex::default(),
        followed: followed(&store)?,
        failures: Mutex::default(),
    };
    run.failures
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(unreadable.into_iter().map(|error| (error.path.display().to_string(), error.into())));
    let threads = host.objects_at_once().min(objects.len()).max(1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run.work(&objects));
        }
    });
    let mut failures = run.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut records = run.records.into_inner().unwrap_or_else(PoisonError::into_inner);
    match store.commit() {
        Ok(committed) => records.extend(committed),
        Err(error) => failures.push((String::new(), error.into())),
    }
    for (name, object) in run.twins.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match store.ledger().record(object)? {
            Some(record) => records.push(seen_before(record)),
            None => failures.push((name, anyhow::anyhow!("the same object at another path failed"))),
        }
    }
    bar.finish_and_clear();
    let removed = store.apply_retention()?;
    records.sort_by(|a, b| (&a.bucket, &a.key).cmp(&(&b.bucket, &b.key)));
    let mut totals = Totals::default();
    records.iter().for_each(|record| totals.add(record));
    let reported = report(&records, &totals, &removed, arguments.json);
    tell_lost(&run.lost.into_inner().unwrap_or_else(PoisonError::into_inner));
    // That nobody reads the report (`| head`) must not hide what failed.
    finish(failures)?;
    reported
}

/// Where the files lie that `weir run` has read as they grew.
fn followed(store: &Store) -> anyhow::Result<HashSet<PathBuf>> {
    let files = store.ledger().followed_files()?;
    Ok(files.iter().filter_map(|file| std::fs::canonicalize(&file.state.path).ok()).collect())
}

/// Says that days of the index are gone, and how they come back.
fn tell_lost(days: &BTreeSet<Date>) {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return };
    view::say(&format!(
        "the index has lost {} of the days of these objects ({first} to {last}), and objects that are done are not \
         read again: run the same command with `--again` to fill it",
        days.len()
    ));
}

/// The data folder: the command line's, else the configuration's.
pub(super) fn data_folder(config: &Config, given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| config.resolve(&config.data), Path::to_path_buf)
}

/// The record of an object that this run adds nothing to.
fn seen_before(mut record: ObjectRecord) -> ObjectRecord {
    record.events.duplicates = record.events.indexed;
    record
}

struct Run<'a> {
    pipeline: Pipeline,
    store: &'a Store,
    forced: Option<&'a str>,
    again: bool,
    bar: &'a ProgressBar,
    next: AtomicUsize,
    /// Set when going on would only repeat the same failure.
    stop: AtomicBool,
    records: Mutex<Vec<ObjectRecord>>,
    twins: Mutex<Vec<(String, ObjectId)>>,
    /// Days that the index lost, of objects that are done.
    lost: Mutex<BTreeSet<Date>>,
    /// Where files lie that `weir run` follows.
    followed: HashSet<PathBuf>,
    failures: Mutex<Vec<(String, anyhow::Error)>>,
}

impl Run<'_> {
    fn work(&self, objects: &[LocalObject]) {
        while !self.stop.load(Ordering::Relaxed)
            && let Some(object) = objects.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            match self.one(object) {
                Ok(Taken::Processed(committed)) => {
                    self.records.lock().unwrap_or_else(PoisonError::into_inner).extend(committed);
                }
                Ok(Taken::Unchanged(record)) => {
                    if self.store.has_lost(&record) {
                        self.lost.lock().unwrap_or_else(PoisonError::into_inner).insert(record.day);
                    }
                    let record = seen_before(*record);
                    self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
                }
                Ok(Taken::Twin(id)) => {
                    let twin = (object.path.display().to_string(), id);
                    self.twins.lock().unwrap_or_else(PoisonError::into_inner).push(twin);
                }
                Err(error) => {
                    if is_store_failure(&error) {
                        self.stop.store(true, Ordering::Relaxed);
                    }
                    let name = object.path.display().to_string();
                    self.failures.lock().unwrap_or_else(PoisonError::into_inner).push((name, error));
                }
            }
            self.bar.inc(std::fs::metadata(&object.path).map_or(0, |metadata| metadata.len()));
        }
    }

    fn one(&self, local: &LocalObject) -> anyhow::Result<Taken> {
        // Read whole it would be another object, and each of its events there twice.
        if !self.followed.is_empty()
            && std::fs::canonicalize(&local.path).is_ok_and(|path| self.followed.contains(&path))
        {
            anyhow::bail!(
                "`weir run` follows this file, and has read it as it grew; if what it left is lost, ingest a copy \
                 of the file from another folder"
            );
        }
        self.bar.set_message(local.key.rsplit('/').next().unwrap_or_default().to_owned());
        local::take(local, &self.pipeline, self.store, self.forced, self.again)
    }
}

/// On a terminal only: pipes and logs get none.
fn progress(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn report(records: &[ObjectRecord], totals: &Totals, removed: &[Date], json: bool) -> anyhow::Result<()> {
    if json {
        writeln!(stdout(), "{}", serde_json::to_string(totals)?)?;
        return Ok(());
    }
    let damaged: Vec<&ObjectRecord> = records
        .iter()
        .filter(|record| record.frames.quarantined + record.frames.waiting + record.frames.unrouted > 0)
        .collect();
    if !damaged.is_empty() {
        writeln!(
            stdout(),
            "objects with frames that gave no event (`weir quarantine list` has each with its reason):"
        )?;
        let rows = damaged.iter().take(40).map(|record| {
            let frames = record.frames;
            [
                record.key.clone(),
                frames.total.to_string(),
                frames.quarantined.to_string(),
                frames.waiting.to_string(),
                frames.unrouted.to_string(),
            ]
        });
        writeln!(
            stdout(),
            "{}",
            view::table(["object", "frames", "quarantined", "waiting", "unrouted"], rows)
        )?;
        if damaged.len() > 40 {
            writeln!(stdout(), "… and {} more; `weir ledger show` has all", damaged.len() - 40)?;
        }
        writeln!(stdout())?;
    }
    writeln!(stdout(), "{}", view::totals(totals))?;
    if let (Some(first), Some(last)) = (removed.first(), removed.last()) {
        let days = removed.len();
        writeln!(stdout(), "days past `index.retention-days` left the index: {days} ({first} to {last})")?;
    }
    Ok(())
}

/// Names every object that could not be processed; the first failure decides the exit code.
fn finish(failures: Vec<(String, anyhow::Error)>) -> anyhow::Result<()> {
    let count = failures.len();
    let mut first = None;
    for (name, error) in failures {
        if !name.is_empty() {
            view::say(&format!("not processed: {}", view::printable(&format!("{name}: {error:#}"), false)));
        }
        first.get_or_insert(error);
    }
    match first {
        None => Ok(()),
        Some(error) => Err(error.context(format!(
            "{count} objects were not processed and count for nothing; run the same command again"
        ))),
    }
}
