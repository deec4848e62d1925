//! The ledger's file and its transactions.

use super::{Followed, LedgerError, ObjectId, ObjectRecord, StagingError, date_text, is_full};
use jiff::civil::Date;
use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase,
    ReadableTable, StorageError, Table, TableDefinition, WriteTransaction,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fmt, fs};

/// Raised when an older weir would misread the ledger. Fields that it may ignore do not count.
const FORMAT: u32 = 1;
/// Enough for the pages of a group of commits; the default is 1 GiB.
const CACHE_BYTES: usize = 16 << 20;

const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
pub(super) const RECORDS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("records");
/// Day as a number (20260301), object.
pub(super) const BY_DAY: TableDefinition<'_, (i32, u128), ()> = TableDefinition::new("records-by-day");
const INTENTS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("intents");
/// Files that count no more and may still be there, and the object they belonged to.
const GARBAGE: TableDefinition<'_, &str, u128> = TableDefinition::new("garbage");
const FOLLOWED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("followed");

/// What is about to happen to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub object: ObjectId,
    /// The day the object is filed under, whenever it is processed again.
    #[serde(with = "date_text")]
    pub day: Date,
    /// The files about to be put into place, as in [`ObjectRecord::files`].
    pub files: Vec<String>,
}

/// How far an object has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Never seen.
    New,
    /// A group with it was begun and not committed: to be processed again. The record is the one from before, if any;
    /// a followed file goes on from its offset.
    Unfinished { intent: Intent, record: Option<Box<ObjectRecord>> },
    /// Nothing to do, unless [`ObjectRecord::processed_by`] is another one now.
    Done(Box<ObjectRecord>),
}

/// A file that grows, as it was when last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedFile {
    pub object: ObjectId,
    #[serde(flatten)]
    pub state: Followed,
}

enum Handle {
    Writer(Database),
    Reader(ReadOnlyDatabase),
}

/// The ledger of one data folder. One process may have it open for writing; others may read meanwhile.
pub struct Ledger {
    folder: PathBuf,
    path: PathBuf,
    handle: Handle,
    /// Held while garbage is removed, lest a file be put into place again meanwhile.
    sweeping: Mutex<()>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The tables of a write transaction that decide about objects.
struct Tables<'txn> {
    records: Table<'txn, u128, &'static [u8]>,
    by_day: Table<'txn, (i32, u128), ()>,
    intents: Table<'txn, u128, &'static [u8]>,
    garbage: Table<'txn, &'static str, u128>,
    followed: Table<'txn, &'static str, &'static [u8]>,
}

impl Ledger {
    /// Opens or makes the ledger of the data folder `folder` for writing. Call [`Ledger::sweep`] next.
    ///
    /// # Errors
    /// [`LedgerError::InUse`] when another process writes to it.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        let path = file_of(folder);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .map_err(|source| StagingError::Write { path: parent.to_owned(), source })?;
        }
        let database = builder().create(&path).map_err(|error| opening(folder, &path, error))?;
        let ledger = Self {
            folder: folder.to_owned(),
            path,
            handle: Handle::Writer(database),
            sweeping: Mutex::new(()),
        };
        ledger.recover()?;
        Ok(ledger)
    }

    /// Opens the ledger for reading, also while another process writes to it.
    pub fn open_read_only(folder: &Path) -> Result<Self, LedgerError> {
        let path = file_of(folder);
        if !path.exists() {
            return Err(LedgerError::Missing { path });
        }
        let database = match builder().open_read_only(&path) {
            // After a crash nobody but a writer may repair it.
            Err(DatabaseError::RepairAborted) => {
                drop(Self::open(folder)?);
                builder().open_read_only(&path)
            }
            opened => opened,
        };
        let database = database.map_err(|error| opening(folder, &path, error))?;
        let ledger = Self {
            folder: folder.to_owned(),
            path,
            handle: Handle::Reader(database),
            sweeping: Mutex::new(()),
        };
        ledger.check_format()?;
        Ok(ledger)
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Step 1 of a commit: notes what is about to happen. Durable when it returns.
    pub fn begin(&self, intents: &[Intent]) -> Result<(), LedgerError> {
        let _sweeping = self.lock();
        self.write(|tables| {
            for intent in intents {
                let key = key_of(intent.object);
                if let Some(earlier) = tables.intent(self, intent.object)? {
                    let left = earlier.files.iter().filter(|file| !intent.files.contains(file));
                    for file in left {
                        tables.garbage.insert(file.as_str(), key).map_err(|error| self.storage(error))?;
                    }
                }
                for file in &intent.files {
                    tables.garbage.remove(file.as_str()).map_err(|error| self.storage(error))?;
                }
                let text = encode(intent.object, intent)?;
                tables.intents.insert(key, text.as_slice()).map_err(|error| self.storage(error))?;
            }
            Ok(())
        })
    }

    /// Step 4 of a commit: the objects are done. Durable when it returns. Call [`Ledger::sweep`] next.
    pub fn commit(&self, records: &[ObjectRecord]) -> Result<(), LedgerError> {
        let _sweeping = self.lock();
        self.write(|tables| records.iter().try_for_each(|record| tables.store(self, record)))
    }

    /// Gives an unfinished object up, for example because its source is gone. What a record holds of it stays.
    pub fn abandon(&self, object: ObjectId) -> Result<(), LedgerError> {
        let _sweeping = self.lock();
        self.write(|tables| {
            if let Some(intent) = tables.intent(self, object)? {
                tables.discard_files(self, &intent)?;
                tables.intents.remove(key_of(object)).map_err(|error| self.storage(error))?;
            }
            Ok(())
        })
    }

    /// Removes the files that count no more, through `remove` (which must not mind files that are not there), and
    /// gives their number. After an error they are tried again the next time.
    pub fn sweep<E: From<LedgerError>>(
        &self,
        remove: impl FnOnce(&[String]) -> Result<(), E>,
    ) -> Result<usize, E> {
        let _sweeping = self.lock();
        let files = self.garbage()?;
        if files.is_empty() {
            return Ok(0);
        }
        remove(&files)?;
        self.write(|tables| {
            for file in &files {
                tables.garbage.remove(file.as_str()).map_err(|error| self.storage(error))?;
            }
            Ok(())
        })?;
        Ok(files.len())
    }

    /// How far an object has come.
    pub fn status(&self, object: ObjectId) -> Result<Status, LedgerError> {
        let transaction = self.read()?;
        let record = self.entry(&transaction, RECORDS, object)?.map(Box::new);
        if let Some(intent) = self.entry(&transaction, INTENTS, object)? {
            return Ok(Status::Unfinished { intent, record });
        }
        Ok(record.map_or(Status::New, Status::Done))
    }

    /// The last committed record of an object, also when it is being processed again.
    pub fn record(&self, object: ObjectId) -> Result<Option<ObjectRecord>, LedgerError> {
        self.entry(&self.read()?, RECORDS, object)
    }

    /// Whether `file` is one that the record of its object names, and the object is not being processed.
    pub fn holds(&self, object: ObjectId, file: &str) -> Result<bool, LedgerError> {
        let done = matches!(self.status(object)?, Status::Done(record) if record.files.iter().any(|held| held == file));
        Ok(done)
    }

    /// The day an object is filed under, if it was ever seen.
    pub fn remembered_day(&self, object: ObjectId) -> Result<Option<Date>, LedgerError> {
        Ok(match self.status(object)? {
            Status::New => None,
            Status::Unfinished { intent, record } => Some(record.map_or(intent.day, |record| record.day)),
            Status::Done(record) => Some(record.day),
        })
    }

    /// The generation that the next processing of an object has: the same one again until it is committed.
    pub fn generation(&self, object: ObjectId) -> Result<u32, LedgerError> {
        Ok(self.record(object)?.map_or(0, |record| record.generation.saturating_add(1)))
    }

    /// The objects that were begun and not committed.
    pub fn unfinished(&self) -> Result<Vec<Intent>, LedgerError> {
        let transaction = self.read()?;
        let table = transaction.open_table(INTENTS).map_err(|error| self.storage(error))?;
        let mut intents = Vec::new();
        for entry in table.iter().map_err(|error| self.storage(error))? {
            let (key, value) = entry.map_err(|error| self.storage(error))?;
            intents.push(decode(id_of(key.value()), value.value())?);
        }
        Ok(intents)
    }

    /// The followed file at `path`.
    pub fn followed(&self, path: &str) -> Result<Option<FollowedFile>, LedgerError> {
        let transaction = self.read()?;
        let table = transaction.open_table(FOLLOWED).map_err(|error| self.storage(error))?;
        let entry = table.get_owned(path).map_err(|error| self.storage(error))?;
        entry.map(|value| decode(ObjectId::default(), value.value())).transpose()
    }

    /// All followed files.
    pub fn followed_files(&self) -> Result<Vec<FollowedFile>, LedgerError> {
        let transaction = self.read()?;
        let table = transaction.open_table(FOLLOWED).map_err(|error| self.storage(error))?;
        let mut files = Vec::new();
        for entry in table.iter().map_err(|error| self.storage(error))? {
            let (_, value) = entry.map_err(|error| self.storage(error))?;
            files.push(decode(ObjectId::default(), value.value())?);
        }
        Ok(files)
    }

    /// Notes in one transaction where followed files are now: those at `forgotten` paths are removed first, so that a
    /// rotation (`app.log` to `app.log.1`, a new `app.log`) is one step.
    pub fn follow(&self, files: &[FollowedFile], forgotten: &[&str]) -> Result<(), LedgerError> {
        self.write(|tables| {
            for path in forgotten {
                tables.followed.remove(*path).map_err(|error| self.storage(error))?;
            }
            files.iter().try_for_each(|file| tables.follow(self, file))
        })
    }

    /// Changes an object's record in one transaction.
    pub(super) fn update(
        &self,
        object: ObjectId,
        change: impl FnOnce(&mut ObjectRecord) -> Result<(), LedgerError>,
    ) -> Result<ObjectRecord, LedgerError> {
        let _sweeping = self.lock();
        self.write(|tables| {
            let mut record = tables.record(self, object)?.ok_or(LedgerError::NoRecord { object })?;
            change(&mut record)?;
            tables.store(self, &record)?;
            Ok(record)
        })
    }

    pub(super) fn read(&self) -> Result<ReadTransaction, LedgerError> {
        match &self.handle {
            Handle::Writer(database) => database.begin_read(),
            Handle::Reader(database) => database.begin_read(),
        }
        .map_err(|error| self.storage(error))
    }

    pub(super) fn storage(&self, error: impl Into<redb::Error>) -> LedgerError {
        storage_error(&self.folder, &self.path, error.into())
    }

    /// After a kill: what was put into place without being committed is garbage; the days stay remembered.
    fn recover(&self) -> Result<(), LedgerError> {
        self.transaction().and_then(|transaction| {
            let mut meta = transaction.open_table(META).map_err(|error| self.storage(error))?;
            let found = meta.get("format").map_err(|error| self.storage(error))?.map(|entry| entry.value());
            self.compare_format(found.unwrap_or(FORMAT))?;
            meta.insert("format", FORMAT).map_err(|error| self.storage(error))?;
            drop(meta);
            let mut tables = Tables::open(self, &transaction)?;
            let mut intents: Vec<Intent> = Vec::new();
            for entry in tables.intents.iter().map_err(|error| self.storage(error))? {
                let (key, value) = entry.map_err(|error| self.storage(error))?;
                intents.push(decode(id_of(key.value()), value.value())?);
            }
            for mut intent in intents.into_iter().filter(|intent| !intent.files.is_empty()) {
                tables.discard_files(self, &intent)?;
                intent.files.clear();
                let text = encode(intent.object, &intent)?;
                let key = key_of(intent.object);
                tables.intents.insert(key, text.as_slice()).map_err(|error| self.storage(error))?;
            }
            drop(tables);
            transaction.commit().map_err(|error| self.storage(error))
        })
    }

    fn check_format(&self) -> Result<(), LedgerError> {
        let transaction = self.read()?;
        let table = transaction.open_table(META).map_err(|error| self.storage(error))?;
        let entry = table.get_owned("format").map_err(|error| self.storage(error))?;
        self.compare_format(entry.map_or(FORMAT, |entry| entry.value()))
    }

    fn compare_format(&self, found: u32) -> Result<(), LedgerError> {
        if found > FORMAT {
            return Err(LedgerError::Newer { path: self.path.clone(), found, known: FORMAT });
        }
        Ok(())
    }

    fn garbage(&self) -> Result<Vec<String>, LedgerError> {
        let transaction = self.read()?;
        let table = transaction.open_table(GARBAGE).map_err(|error| self.storage(error))?;
        let mut files = Vec::new();
        for entry in table.iter().map_err(|error| self.storage(error))? {
            files.push(entry.map_err(|error| self.storage(error))?.0.value().to_owned());
        }
        Ok(files)
    }

    fn entry<T: DeserializeOwned>(
        &self,
        transaction: &ReadTransaction,
        table: TableDefinition<'_, u128, &'static [u8]>,
        object: ObjectId,
    ) -> Result<Option<T>, LedgerError> {
        let table = transaction.open_table(table).map_err(|error| self.storage(error))?;
        let entry = table.get_owned(key_of(object)).map_err(|error| self.storage(error))?;
        entry.map(|value| decode(object, value.value())).transpose()
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.sweeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transaction(&self) -> Result<WriteTransaction, LedgerError> {
        let Handle::Writer(database) = &self.handle else { return Err(LedgerError::ReadOnly) };
        let mut transaction = database.begin_write().map_err(|error| self.storage(error))?;
        // Without it the next start walks the whole file after each kill.
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// All of `change` becomes durable, or after an error none of it.
    fn write<T>(
        &self,
        change: impl FnOnce(&mut Tables<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let transaction = self.transaction()?;
        let mut tables = Tables::open(self, &transaction)?;
        let result = change(&mut tables)?;
        drop(tables);
        transaction.commit().map_err(|error| self.storage(error))?;
        Ok(result)
    }
}

impl<'txn> Tables<'txn> {
    fn open(ledger: &Ledger, transaction: &'txn WriteTransaction) -> Result<Self, LedgerError> {
        let open = || {
            Ok::<_, redb::TableError>(Self {
                records: transaction.open_table(RECORDS)?,
                by_day: transaction.open_table(BY_DAY)?,
                intents: transaction.open_table(INTENTS)?,
                garbage: transaction.open_table(GARBAGE)?,
                followed: transaction.open_table(FOLLOWED)?,
            })
        };
        open().map_err(|error| ledger.storage(error))
    }

    fn intent(&self, ledger: &Ledger, object: ObjectId) -> Result<Option<Intent>, LedgerError> {
        let entry = self.intents.get(key_of(object)).map_err(|error| ledger.storage(error))?;
        entry.map(|value| decode(object, value.value())).transpose()
    }

    fn record(&self, ledger: &Ledger, object: ObjectId) -> Result<Option<ObjectRecord>, LedgerError> {
        let entry = self.records.get(key_of(object)).map_err(|error| ledger.storage(error))?;
        entry.map(|value| decode(object, value.value())).transpose()
    }

    /// Stores a record in place of the one before, takes the intent away, and condemns the files of both that the
    /// record does not name.
    fn store(&mut self, ledger: &Ledger, record: &ObjectRecord) -> Result<(), LedgerError> {
        let (object, key) = (record.id, key_of(record.id));
        let mut left = self.intent(ledger, object)?.map(|intent| intent.files).unwrap_or_default();
        let before = self.record(ledger, object)?;
        let fail = |error: StorageError| ledger.storage(error);
        if let Some(before) = before {
            self.by_day.remove((day_number(before.day), key)).map_err(fail)?;
            let moved = before.followed.map(|followed| followed.path);
            if let Some(path) =
                moved.filter(|path| record.followed.as_ref().is_some_and(|now| now.path != *path))
            {
                self.unfollow(ledger, &path, object)?;
            }
            left.extend(before.files);
        }
        for file in left.iter().filter(|file| !record.files.contains(file)) {
            self.garbage.insert(file.as_str(), key).map_err(fail)?;
        }
        for file in &record.files {
            self.garbage.remove(file.as_str()).map_err(fail)?;
        }
        self.intents.remove(key).map_err(fail)?;
        self.by_day.insert((day_number(record.day), key), ()).map_err(fail)?;
        self.records.insert(key, encode(object, record)?.as_slice()).map_err(fail)?;
        match &record.followed {
            Some(state) => self.follow(ledger, &FollowedFile { object, state: state.clone() }),
            None => Ok(()),
        }
    }

    /// Condemns the files of an intent that no record holds.
    fn discard_files(&mut self, ledger: &Ledger, intent: &Intent) -> Result<(), LedgerError> {
        let kept = self.record(ledger, intent.object)?.map(|record| record.files).unwrap_or_default();
        for file in intent.files.iter().filter(|file| !kept.contains(file)) {
            let key = key_of(intent.object);
            self.garbage.insert(file.as_str(), key).map_err(|error| ledger.storage(error))?;
        }
        Ok(())
    }

    fn follow(&mut self, ledger: &Ledger, file: &FollowedFile) -> Result<(), LedgerError> {
        let text = encode(file.object, file)?;
        let path = file.state.path.as_str();
        self.followed.insert(path, text.as_slice()).map_err(|error| ledger.storage(error))?;
        Ok(())
    }

    /// Forgets a path, unless another file took it meanwhile.
    fn unfollow(&mut self, ledger: &Ledger, path: &str, object: ObjectId) -> Result<(), LedgerError> {
        let entry = self.followed.get(path).map_err(|error| ledger.storage(error))?;
        let there: Option<FollowedFile> = entry.map(|value| decode(object, value.value())).transpose()?;
        if there.is_some_and(|file| file.object == object) {
            self.followed.remove(path).map_err(|error| ledger.storage(error))?;
        }
        Ok(())
    }
}

pub(super) fn decode<T: DeserializeOwned>(object: ObjectId, text: &[u8]) -> Result<T, LedgerError> {
    serde_json::from_slice(text).map_err(|source| LedgerError::Entry { object, source })
}

fn encode<T: Serialize>(object: ObjectId, value: &T) -> Result<Vec<u8>, LedgerError> {
    serde_json::to_vec(value).map_err(|source| LedgerError::Entry { object, source })
}

fn key_of(object: ObjectId) -> u128 {
    u128::from_be_bytes(object.0)
}

pub(super) fn id_of(key: u128) -> ObjectId {
    ObjectId(key.to_be_bytes())
}

/// Days as numbers in their order.
pub(super) fn day_number(day: Date) -> i32 {
    i32::from(day.year()) * 10_000 + i32::from(day.month()) * 100 + i32::from(day.day())
}

fn file_of(folder: &Path) -> PathBuf {
    folder.join("ledger").join("ledger.redb")
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

fn opening(folder: &Path, path: &Path, error: DatabaseError) -> LedgerError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            LedgerError::InUse { folder: folder.to_owned() }
        }
        other => storage_error(folder, path, other.into()),
    }
}

/// Cut short, overwritten, or no ledger at all.
fn is_damage(error: &redb::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(source) => matches!(source.kind(), InvalidData | UnexpectedEof),
        _ => false,
    }
}

fn storage_error(folder: &Path, path: &Path, error: redb::Error) -> LedgerError {
    match error {
        redb::Error::Io(source) if is_full(&source) => {
            StagingError::DiskFull { folder: folder.to_owned(), available: 0, reserve: 0 }.into()
        }
        source if is_damage(&source) => {
            LedgerError::Damaged { path: path.to_owned(), source: Box::new(source) }
        }
        source => LedgerError::Storage { path: path.to_owned(), source: Box::new(source) },
    }
}
