//! The ledger: what became of every object, frame, event and byte, and which files hold it.
//!
//! Contract. Objects are committed in groups, in four steps, each durable before the next begins:
//! 1. [`Ledger::begin`] notes for each object an [`Intent`]: its day and the files it will have.
//! 2. [`publish`] puts its staged files (archive, quarantine) into place.
//! 3. The index commits.
//! 4. [`Ledger::commit`] stores the [`ObjectRecord`]s and takes the intents away.
//!
//! Only a record makes an object done. A process that is killed anywhere leaves records that hold, and intents: an
//! object with an intent is processed again, under the day it had. A file that neither a record nor a live intent
//! names counts for nothing and is removed by [`Ledger::sweep`], after each commit and at the start. Files of a later
//! processing never overwrite those of a record: they carry the generation in their name ([`Ledger::generation`]), so
//! that the one transaction of step 4 swaps old files for new ones, whatever happens before or after.
//!
//! Why: the index, the files and the ledger cannot commit together. One of them must decide, and the smallest does.

mod error;
mod id;
#[cfg(test)]
mod kill_tests;
mod query;
mod record;
mod replay;
mod staging;
mod store;
#[cfg(test)]
mod tests;

pub use self::error::{LedgerError, StagingError};
pub use self::id::{NotAnId, ObjectId};
pub(crate) use self::id::{from_hex, to_hex};
pub use self::query::{RecordFilter, Records};
pub(crate) use self::record::date_text;
pub use self::record::{
    ArchiveCounts, ByteCounts, EventCounts, Followed, FrameCounts, ObjectRecord, RowCounts, Totals,
};
pub use self::replay::{EventMove, FrameMove, FrameState, Replay};
pub use self::staging::{StagedFile, Staging, publish, remove_files};
pub(crate) use self::staging::{is_full, place, replace};
pub use self::store::{FollowedFile, Intent, Ledger, Status};

/// The name of a file of `object` in its `generation`: deterministic, and never that of another generation.
pub fn file_stem(object: ObjectId, generation: u32) -> String {
    if generation == 0 { object.to_string() } else { format!("{object}.{generation}") }
}
