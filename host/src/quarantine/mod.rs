//! The quarantine: frames that gave no event and must not be lost, raw, with all that parsing them again needs.
//!
//! `quarantine/DAY/OBJECT.ndjson.zst`: at most one file for each object, one line for each frame, in the order in which
//! they were set aside; the same frames give the same bytes. Files come into place with the group that the ledger
//! commits (see [`crate::ledger`]). Frames that wait for a fixed parser lie in the same file as malformed ones.
//!
//! Contract: a frame is kept byte for byte with its context, so that replay needs neither the source object nor the
//! parser that refused it. Writing and reading hold one frame at a time. A replay writes what is left under the next
//! generation's name, and the ledger swaps the files in the transaction that moves the counts.

mod entry;
mod error;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use self::entry::{Entry, EntryKind, EntryParser, FrameContext, Framing, WrappedContext};
pub use self::error::QuarantineError;
pub use self::reader::{EntryFilter, Fate, Raw, files_of, find, visit};
pub use self::writer::{ObjectQuarantine, Quarantine, SetAsideCounts};
