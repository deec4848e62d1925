//! The embedded index: search without a server, on tantivy.
//!
//! `DIR/YYYY-MM-DD/` is one index of the engine per *object* day (the date in the object's key, else its LastModified), so
//! that a redelivered object meets its own documents and retention removes whole folders. An event's own time may lie on
//! another day; each day remembers the span of its events, and a search asks every day that its span may concern.
//!
//! - [`Writer`] adds and deletes, from any number of threads, durably with each commit; there is one per index.
//! - [`EmbeddedIndex`] searches what is committed, also while another process writes.
//! - A query means here exactly what [`Matcher`](crate::query::Matcher) says of the event in memory.
//!
//! The parts: `document` and `flatten` turn JSON into the engine's documents, `schema` names its fields, `builder`, `day`
//! and `writer` write, `merge` keeps the number of segments low, `evaluate` answers a query on a segment, `search` over
//! all of them.

mod bits;
mod builder;
mod day;
mod deletion;
mod document;
mod error;
mod evaluate;
mod flatten;
mod merge;
mod postings;
mod retention;
mod schema;
mod search;
mod space;
mod tokenizer;
mod top;
mod writer;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use tantivy::directory::{Directory, MmapDirectory};

pub use document::{DocumentRef, PreparedDocument, prepare};
pub use error::IndexError;
pub use schema::SCHEMA_VERSION;
pub use search::{Bucket, Found, Histogram, Hit, SearchRequest};
pub use top::{Top, TopValue};
pub use writer::{Added, CommitReport, Refused, Writer};

use search::OpenDay;

/// How an index is written and kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes that documents may take in memory before they are written to disk, over all threads and days.
    pub writer_memory: usize,
    /// Days whose engine stays open between commits; each holds three sleeping threads.
    pub max_open_writers: usize,
    /// Bytes to leave free on the disk: with less, nothing more is added.
    pub min_free_bytes: u64,
    /// Days to keep; `None` keeps everything.
    pub retention_days: Option<u32>,
    #[cfg(test)]
    pub(crate) fault: Option<tests::Fault>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            writer_memory: 128 << 20,
            max_open_writers: 8,
            min_free_bytes: 512 << 20,
            retention_days: None,
            #[cfg(test)]
            fault: None,
        }
    }
}

impl Settings {
    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the tests' version injects faults")]
    fn wrap(&self, directory: MmapDirectory) -> Box<dyn Directory> {
        Box::new(directory)
    }
}

/// An index in a folder, for searching; [`EmbeddedIndex::writer`] gives the means to change it.
#[derive(Debug)]
pub struct EmbeddedIndex {
    dir: PathBuf,
    settings: Settings,
    days: Mutex<BTreeMap<Date, Arc<OpenDay>>>,
}

/// Says what made the index: `schema` and a number.
const VERSION_FILE: &str = "schema";

impl EmbeddedIndex {
    /// Opens the index in `dir` (conventionally `DATA/index`). A folder that does not exist is an empty index; nothing is
    /// written before [`EmbeddedIndex::writer`].
    ///
    /// # Errors
    /// [`IndexError::SchemaVersion`] when another version of the program made it.
    pub fn open(dir: impl Into<PathBuf>, settings: Settings) -> Result<Self, IndexError> {
        let dir = dir.into();
        check_version(&dir)?;
        Ok(Self { dir, settings, days: Mutex::default() })
    }

    /// The one writer, in this process or any other. The folder is made if needed.
    ///
    /// # Errors
    /// [`IndexError::Busy`] while there is another.
    pub fn writer(&self) -> Result<Writer, IndexError> {
        fs::create_dir_all(&self.dir).map_err(IndexError::io("make the folder", &self.dir))?;
        check_version(&self.dir)?;
        let path = self.dir.join(VERSION_FILE);
        if !path.exists() {
            write_version(&path).map_err(IndexError::io("write", &path))?;
        }
        Writer::open(self.dir.clone(), self.settings.clone())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The days that hold documents, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn days(&self) -> Result<Vec<Date>, IndexError> {
        days_in(&self.dir)
    }
}

/// The engine's schema and tokenizers, for measuring this index against the bare engine on the same
/// [`PreparedDocument`]s.
pub fn bare() -> (tantivy::schema::Schema, tantivy::tokenizer::TokenizerManager) {
    (schema::schema().0.clone(), schema::tokenizers())
}

fn write_version(path: &Path) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, format!("{SCHEMA_VERSION}\n"))?;
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, path)
}

fn check_version(dir: &Path) -> Result<(), IndexError> {
    let path = dir.join(VERSION_FILE);
    let found = match fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if days_in(dir)?.is_empty() {
                return Ok(());
            }
            "unknown".to_owned()
        }
        Err(error) => return Err(IndexError::io("read", path)(error)),
    };
    if found == SCHEMA_VERSION.to_string() {
        Ok(())
    } else {
        Err(IndexError::SchemaVersion { dir: dir.to_owned(), found })
    }
}

/// The day folders in `dir`, oldest first.
fn days_in(dir: &Path) -> Result<Vec<Date>, IndexError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(IndexError::io("list", dir)(error)),
    };
    let mut dates = Vec::new();
    for entry in entries {
        let entry = entry.map_err(IndexError::io("list", dir))?;
        let name = entry.file_name();
        dates.extend(
            name.to_str().and_then(|name| name.parse::<Date>().ok().filter(|date| date.to_string() == name)),
        );
    }
    dates.sort_unstable();
    Ok(dates)
}

/// A panic of another thread has stopped the writer by its own flag; the data behind the lock is not torn by it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
