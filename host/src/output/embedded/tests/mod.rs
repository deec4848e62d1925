//! The index as a whole: what it answers, what it survives.

mod agreement;
mod crash;
mod searching;
mod writing;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::civil::{Date, date};
use serde_json::{Value, json};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, TerminatingWrite, WatchCallback, WatchHandle, WritePtr,
};

use super::*;
use crate::query::{Plan, instant_from_text, parse};

pub(super) const DAY: Date = date(2026, 11, 23);

pub(super) fn settings() -> Settings {
    Settings { writer_memory: 16 << 20, min_free_bytes: 0, ..Settings::default() }
}

pub(super) fn id(number: u64) -> [u8; 16] {
    // Spread like a hash, so that order by id is not order of adding.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (u128::from(mixed) << 64 | u128::from(number)).to_be_bytes()
}

/// An event with its number as its ids; its time is its `@timestamp`.
pub(super) struct Event {
    pub(super) number: u64,
    pub(super) object: u64,
    pub(super) json: String,
}

impl Event {
    pub(super) fn new(number: u64, object: u64, json: &Value) -> Self {
        Self { number, object, json: json.to_string() }
    }

    pub(super) fn reference(&self) -> DocumentRef<'_> {
        let value: Value = serde_json::from_str(&self.json).unwrap_or_default();
        let timestamp_ns = value["@timestamp"].as_str().and_then(instant_from_text).unwrap_or(0);
        DocumentRef {
            id: id(self.number),
            object: id(self.object),
            frame: id(1_000_000 + self.number),
            timestamp_ns,
            json: self.json.as_bytes(),
        }
    }
}

/// Events of one object, one second apart.
pub(super) fn events(object: u64, numbers: std::ops::Range<u64>) -> Vec<Event> {
    numbers
        .map(|number| {
            let (minute, second) = (number / 60 % 60, number % 60);
            let json = json!({
                "@timestamp": format!("2026-11-23T10:{minute:02}:{second:02}Z"),
                "message": format!("event number {number}"),
                "source": {"ip": format!("10.0.{}.{}", number / 256 % 256, number % 256), "port": number % 7},
                "app": {"user": format!("user-{}", number % 5)},
            });
            Event::new(number, object, &json)
        })
        .collect()
}

pub(super) fn add(writer: &Writer, day: Date, events: &[Event]) -> Added {
    let references: Vec<DocumentRef<'_>> = events.iter().map(Event::reference).collect();
    writer.add(day, &references).unwrap()
}

pub(super) fn request(query: &str) -> SearchRequest {
    SearchRequest::new(Plan::new(&parse(query).unwrap(), None).unwrap())
}

pub(super) fn total(index: &EmbeddedIndex, query: &str) -> u64 {
    index.search(&request(query)).unwrap().total
}

/// Lets a number of bytes be written and then answers as a full disk does.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(super) left: Arc<AtomicI64>,
}

impl Fault {
    pub(super) fn new(bytes: i64) -> Self {
        Self { left: Arc::new(AtomicI64::new(bytes)) }
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        if self.left.fetch_sub(bytes as i64, Ordering::SeqCst) < bytes as i64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Settings {
    pub(in crate::output::embedded) fn wrap(&self, directory: MmapDirectory) -> Box<dyn Directory> {
        match &self.fault {
            Some(fault) => Box::new(FaultyDirectory { directory, fault: fault.clone() }),
            None => Box::new(directory),
        }
    }
}

#[derive(Debug, Clone)]
struct FaultyDirectory {
    directory: MmapDirectory,
    fault: Fault,
}

struct FaultyFile {
    file: WritePtr,
    fault: Fault,
}

impl io::Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.fault.spend(bytes.len())?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl TerminatingWrite for FaultyFile {
    fn terminate_ref(&mut self, token: AntiCallToken) -> io::Result<()> {
        self.file.terminate_ref(token)
    }
}

impl Directory for FaultyDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.directory.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.directory.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.directory.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = self.directory.open_write(path)?;
        Ok(io::BufWriter::new(Box::new(FaultyFile { file, fault: self.fault.clone() })))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.directory.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.fault.spend(bytes.len())?;
        self.directory.atomic_write(path, bytes)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.directory.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.directory.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.directory.watch(callback)
    }
}
