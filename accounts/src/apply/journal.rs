//! What a run has done and what it waits for, so that another run goes on where this one ended, however it ended.
//!
//! The state of AWS is read again by every run; the journal only knows what AWS does not tell: when versioning was
//! enabled, which canary was written, whether its replica was seen, and what was in the place of a document before we
//! replaced it.

use crate::ids::{AccountId, BucketName, Region};
use crate::inventory::Versioning;
use crate::lines::{self, Lines, LinesError};
use crate::plan::{ActionId, Write, WriteTarget};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    RunBegan {
        time: Timestamp,
        run: String,
        actions: usize,
    },
    RunEnded {
        time: Timestamp,
        run: String,
    },
    /// About to write: the write, and what is there now. The snapshot that a rollback goes by.
    Writing {
        time: Timestamp,
        run: String,
        account: AccountId,
        region: Region,
        action: ActionId,
        write: Box<Write>,
        before: Option<String>,
    },
    /// AWS took the write.
    Wrote {
        time: Timestamp,
        run: String,
        account: AccountId,
        action: ActionId,
    },
    /// About to write a canary under this key.
    CanaryWritten {
        time: Timestamp,
        account: AccountId,
        bucket: BucketName,
        rule_id: String,
        key: String,
    },
    /// The replica was seen: the rule may widen.
    CanaryReplicated {
        time: Timestamp,
        account: AccountId,
        bucket: BucketName,
        rule_id: String,
    },
    /// The canary is of no use any more.
    CanaryDropped {
        time: Timestamp,
        account: AccountId,
        bucket: BucketName,
    },
    /// An account was put back to what it was before a run.
    RolledBack {
        time: Timestamp,
        run: String,
        account: AccountId,
    },
}

/// A canary that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenCanary {
    pub rule_id: String,
    pub key: String,
    pub written: Timestamp,
    pub replicated: bool,
}

/// A write that a rollback would undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    pub run: String,
    pub region: Region,
    pub write: Write,
    pub before: Option<String>,
}

/// What the journal knows.
#[derive(Debug, Default)]
struct Known {
    versioning: BTreeMap<(AccountId, BucketName), Timestamp>,
    canaries: BTreeMap<(AccountId, BucketName), WrittenCanary>,
    roles: BTreeMap<AccountId, Timestamp>,
    open_run: Option<String>,
}

/// The journal of a data folder. Only one process has it.
#[derive(Debug)]
pub struct Journal {
    lines: Lines,
    known: Mutex<Known>,
    interrupted: Option<String>,
    /// Held as long as the journal: the lock ends with it.
    _lock: Lock,
}

/// The lock of a data folder.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    /// Closing the file would leave the lock to a process that is being started at that moment, such as one that gives
    /// credentials: it has the file until it becomes its own program.
    fn drop(&mut self) {
        // What cannot be unlocked ends with the file.
        let _ = self.0.unlock();
    }
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("another weir applies with the data folder {}; wait until it ends", folder.display())]
    InUse { folder: PathBuf },
    #[error("cannot use the data folder {}; check that it is yours to write, or name another with --data", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Lines(#[from] LinesError),
}

const FILE_NAME: &str = "journal.jsonl";
const LOCK_NAME: &str = "lock";

impl Journal {
    /// Opens the journal of a data folder and reads what it knows.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Folder { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::create(folder.join(LOCK_NAME)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(JournalError::InUse { folder: folder.to_owned() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let path = folder.join(FILE_NAME);
        let mut known = Known::default();
        lines::read(&path, |event| known.take(&event))?;
        let interrupted = known.open_run.take();
        Ok(Self { lines: Lines::open(&path)?, known: Mutex::new(known), interrupted, _lock: Lock(lock) })
    }

    /// The run that did not end, if the last one did not.
    pub fn interrupted(&self) -> Option<&str> {
        self.interrupted.as_deref()
    }

    /// Adds a fact; returns when it is on the disk.
    pub async fn add(&self, event: Event) -> Result<(), LinesError> {
        self.lines.append(&event).await?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
        Ok(())
    }

    /// Makes the journal shorter, once a run came to its end: what a later run or a rollback asks for is kept, in its
    /// order; whoever is killed meanwhile leaves the one or the other.
    ///
    /// # Errors
    /// When the shorter one cannot be written; the journal is then as it was.
    pub fn compact(self, folder: &Path, now: Timestamp) -> Result<(), JournalError> {
        let Self { lines, _lock, .. } = self;
        drop(lines);
        let path = folder.join(FILE_NAME);
        let mut events = Vec::new();
        lines::read(&path, |event: Event| events.push(event))?;
        let kept = kept(events, now.saturating_sub(RECENT).unwrap_or(now));
        lines::replace(&path, &kept)?;
        Ok(())
    }

    /// When we enabled versioning of the bucket.
    pub fn versioning_enabled(&self, account: &AccountId, bucket: &BucketName) -> Option<Timestamp> {
        let key = (account.clone(), bucket.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).versioning.get(&key).copied()
    }

    /// When we last changed a role in the account.
    pub fn role_changed(&self, account: &AccountId) -> Option<Timestamp> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).roles.get(account).copied()
    }

    /// The bucket's canary for this rule.
    pub fn canary(&self, account: &AccountId, bucket: &BucketName, rule_id: &str) -> Option<WrittenCanary> {
        let key = (account.clone(), bucket.clone());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.canaries.get(&key).filter(|canary| canary.rule_id == rule_id).cloned()
    }

    /// What the last run that wrote in the account replaced there, oldest first.
    pub fn undo(folder: &Path, account: &AccountId) -> Result<Vec<Undo>, LinesError> {
        let mut writes: Vec<(ActionId, Undo)> = Vec::new();
        let mut last_run = None;
        lines::read(&folder.join(FILE_NAME), |event| match event {
            Event::Writing { run, account: at, region, action, write, before, .. } if at == *account => {
                if last_run.as_ref() != Some(&run) {
                    last_run = Some(run.clone());
                    writes.clear();
                }
                writes.push((action, Undo { run, region, write: *write, before }));
            }
            Event::RolledBack { account: at, .. } if at == *account => writes.clear(),
            _ => {}
        })?;
        Ok(writes.into_iter().map(|(_, undo)| undo).collect())
    }
}

/// Longer than any wait that the journal is asked about.
const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// The events that still say something: what the last run replaced in each account, the last canary of each bucket, and
/// everything that is younger than `recent`.
fn kept(events: Vec<Event>, recent: Timestamp) -> Vec<Event> {
    let mut last_runs: BTreeMap<AccountId, String> = BTreeMap::new();
    let mut known = Known::default();
    for event in &events {
        known.take(event);
        match event {
            Event::Writing { account, run, .. } => {
                last_runs.insert(account.clone(), run.clone());
            }
            Event::RolledBack { account, .. } => {
                last_runs.remove(account);
            }
            _ => {}
        }
    }
    let is_kept = |event: &Event| match event {
        Event::RunBegan { .. }
        | Event::RunEnded { .. }
        | Event::Wrote { .. }
        | Event::CanaryDropped { .. } => false,
        Event::Writing { time, run, account, .. } => *time >= recent || last_runs.get(account) == Some(run),
        Event::CanaryWritten { account, bucket, key, .. } => {
            known.canaries.get(&(account.clone(), bucket.clone())).is_some_and(|last| last.key == *key)
        }
        Event::CanaryReplicated { account, bucket, rule_id, .. } => known
            .canaries
            .get(&(account.clone(), bucket.clone()))
            .is_some_and(|last| last.replicated && last.rule_id == *rule_id),
        // It has to follow the writes that it undid, where those are kept for their time.
        Event::RolledBack { time, .. } => *time >= recent,
    };
    let mut seen: BTreeSet<(AccountId, BucketName)> = BTreeSet::new();
    let mut kept: Vec<Event> = events.into_iter().filter(is_kept).collect();
    // Of several proofs only one that follows the canary counts: from the end, the first.
    kept.reverse();
    kept.retain(|event| match event {
        Event::CanaryReplicated { account, bucket, .. } => seen.insert((account.clone(), bucket.clone())),
        _ => true,
    });
    kept.reverse();
    kept
}

impl Known {
    fn take(&mut self, event: &Event) {
        match event {
            Event::RunBegan { run, .. } => self.open_run = Some(run.clone()),
            Event::RunEnded { .. } => self.open_run = None,
            // A write counts from its beginning: whether it was carried out before a kill, nobody knows.
            Event::Writing { time, account, write, .. } => match &**write {
                Write::PutBucketVersioning { bucket, change }
                    if change.before != Some(Versioning::Enabled) =>
                {
                    self.versioning.insert((account.clone(), bucket.clone()), *time);
                }
                write if matches!(write.target(), WriteTarget::Role(_)) => {
                    self.roles.insert(account.clone(), *time);
                }
                _ => {}
            },
            Event::CanaryWritten { time, account, bucket, rule_id, key } => {
                let canary = WrittenCanary {
                    rule_id: rule_id.clone(),
                    key: key.clone(),
                    written: *time,
                    replicated: false,
                };
                self.canaries.insert((account.clone(), bucket.clone()), canary);
            }
            Event::CanaryReplicated { account, bucket, .. } => {
                if let Some(canary) = self.canaries.get_mut(&(account.clone(), bucket.clone())) {
                    canary.replicated = true;
                }
            }
            Event::CanaryDropped { account, bucket, .. } => {
                self.canaries.remove(&(account.clone(), bucket.clone()));
            }
            Event::RolledBack { account, .. } => {
                self.canaries.retain(|(at, _), _| at != account);
            }
            Event::Wrote { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Change, Step};

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn another_run_knows_what_this_one_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let account: AccountId = "111111111111".parse().unwrap();
        let bucket: BucketName = "logs".parse().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        assert!(matches!(Journal::open(folder.path()), Err(JournalError::InUse { .. })));
        let (at, of) = (|| account.clone(), || bucket.clone());
        journal.add(Event::RunBegan { time: time(0), run: "first".into(), actions: 3 }).await.unwrap();
        let change = Change { before: Some(Versioning::Unversioned), after: Versioning::Enabled };
        let region: Region = "eu-west-1".parse().unwrap();
        let write = Write::PutBucketVersioning { bucket: of(), change };
        let action = Action::new(Step::SourceVersioning, at(), region.clone(), write.clone());
        journal
            .add(Event::Writing {
                time: time(1),
                run: "first".into(),
                account: at(),
                region,
                action: action.id,
                write: Box::new(write.clone()),
                before: Some("\"Unversioned\"".into()),
            })
            .await
            .unwrap();
        let (rule_id, key) = ("weir/1".to_owned(), "AWSLogs/1".to_owned());
        journal
            .add(Event::CanaryWritten { time: time(2), account: at(), bucket: of(), rule_id, key })
            .await
            .unwrap();
        drop(journal);
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.interrupted(), Some("first"));
        assert_eq!(journal.versioning_enabled(&account, &bucket), Some(time(1)));
        let canary = journal.canary(&account, &bucket, "weir/1").unwrap();
        assert_eq!((canary.written, canary.replicated), (time(2), false));
        // A canary of another rule proves nothing about this one.
        assert_eq!(journal.canary(&account, &bucket, "weir/2"), None);
        let undo = Journal::undo(folder.path(), &account).unwrap();
        assert_eq!(undo.iter().map(|undo| &undo.write).collect::<Vec<_>>(), [&write]);
    }

    #[tokio::test]
    async fn a_shorter_journal_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let account: AccountId = "111111111111".parse().unwrap();
        let bucket: BucketName = "logs".parse().unwrap();
        let region: Region = "eu-west-1".parse().unwrap();
        let writing = |second: i64, run: &str| {
            let change = Change { before: Some(Versioning::Unversioned), after: Versioning::Enabled };
            let write = Write::PutBucketVersioning { bucket: bucket.clone(), change };
            let action = Action::new(Step::SourceVersioning, account.clone(), region.clone(), write.clone());
            Event::Writing {
                time: time(second),
                run: run.into(),
                account: account.clone(),
                region: region.clone(),
                action: action.id,
                write: Box::new(write),
                before: Some(run.into()),
            }
        };
        let written = |second: i64, key: &str| Event::CanaryWritten {
            time: time(second),
            account: account.clone(),
            bucket: bucket.clone(),
            rule_id: "weir/1".into(),
            key: key.into(),
        };
        let replicated = |second: i64| Event::CanaryReplicated {
            time: time(second),
            account: account.clone(),
            bucket: bucket.clone(),
            rule_id: "weir/1".into(),
        };
        let journal = Journal::open(folder.path()).unwrap();
        for number in 0..20 {
            let run = format!("run-{number}");
            let at = number * 10;
            journal.add(Event::RunBegan { time: time(at), run: run.clone(), actions: 1 }).await.unwrap();
            journal.add(writing(at + 1, &run)).await.unwrap();
            journal.add(written(at + 2, &format!("canary-{number}"))).await.unwrap();
            journal.add(replicated(at + 3)).await.unwrap();
            journal.add(Event::RunEnded { time: time(at + 4), run }).await.unwrap();
        }
        let canary = journal.canary(&account, &bucket, "weir/1");
        let undo = Journal::undo(folder.path(), &account).unwrap();
        assert_eq!(undo.len(), 1);
        journal.compact(folder.path(), time(1_000_000)).unwrap();
        let lines = std::fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(lines.lines().count(), 3, "{lines}");
        assert_eq!(Journal::undo(folder.path(), &account).unwrap(), undo);
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.canary(&account, &bucket, "weir/1"), canary);
        assert_eq!(journal.interrupted(), None);
        // What is young stays, since waits are counted from it.
        journal.add(writing(999_999, "young")).await.unwrap();
        journal.compact(folder.path(), time(1_000_000)).unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.versioning_enabled(&account, &bucket), Some(time(999_999)));
    }
}
