//! Moving counts when quarantined or waiting frames are parsed at last, or dead letters are delivered.
//!
//! A replay moves and never adds: an object has as many frames after it as before. Events are new only where their
//! frame had none, and enter on both sides of their equation.

use super::{ArchiveCounts, EventCounts, FrameCounts, Ledger, LedgerError, ObjectId, ObjectRecord};

/// Where a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameState {
    Parsed,
    Skipped,
    Quarantined,
    Waiting,
    Unrouted,
}

/// Moves `frames` frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMove {
    pub from: FrameState,
    pub to: FrameState,
    pub frames: u64,
}

/// Moves dead-lettered events to where they were delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventMove {
    pub indexed: u64,
    pub archived_only: u64,
    pub reduced: u64,
}

/// All that one replay changes about one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    pub frames: Vec<FrameMove>,
    /// Events of frames that had none: `total` counted at the parser's answers, the others at the sinks.
    pub events: EventCounts,
    /// Rows of those events in the archive.
    pub archive: ArchiveCounts,
    pub redriven: EventMove,
    /// Files that the object has now instead of `files_removed`.
    pub files_added: Vec<String>,
    pub files_removed: Vec<String>,
    /// The generation of `files_added`, from [`Ledger::generation`].
    pub generation: u32,
}

impl Ledger {
    /// Step 4 of a replay's commit, as [`Ledger::commit`] is that of processing: counts move and files change hands
    /// in one transaction. Gives the record as it is now.
    ///
    /// # Errors
    /// [`LedgerError::NotSoMany`] when there are fewer frames or dead letters than are to be moved; nothing changes.
    pub fn replayed(&self, object: ObjectId, replay: &Replay) -> Result<ObjectRecord, LedgerError> {
        self.update(object, |record| {
            for frames in &replay.frames {
                move_frames(object, &mut record.frames, *frames)?;
            }
            redrive(object, &mut record.events, replay.redriven)?;
            record.events += replay.events;
            record.archive += replay.archive;
            record.generation = record.generation.max(replay.generation);
            record.files.retain(|file| !replay.files_removed.contains(file));
            for file in &replay.files_added {
                if !record.files.contains(file) {
                    record.files.push(file.clone());
                }
            }
            Ok(())
        })
    }
}

fn move_frames(object: ObjectId, counts: &mut FrameCounts, frames: FrameMove) -> Result<(), LedgerError> {
    let (source, count) = slot(counts, frames.from);
    take(object, source, count, frames.frames)?;
    let (target, _) = slot(counts, frames.to);
    *target = target.saturating_add(frames.frames);
    Ok(())
}

fn slot(counts: &mut FrameCounts, state: FrameState) -> (&mut u64, &'static str) {
    match state {
        FrameState::Parsed => (&mut counts.parsed, "parsed frames"),
        FrameState::Skipped => (&mut counts.skipped, "skipped frames"),
        FrameState::Quarantined => (&mut counts.quarantined, "quarantined frames"),
        FrameState::Waiting => (&mut counts.waiting, "waiting frames"),
        FrameState::Unrouted => (&mut counts.unrouted, "unrouted frames"),
    }
}

fn redrive(object: ObjectId, counts: &mut EventCounts, moved: EventMove) -> Result<(), LedgerError> {
    let all = moved.indexed.saturating_add(moved.archived_only).saturating_add(moved.reduced);
    take(object, &mut counts.dead_lettered, "dead letters", all)?;
    *counts += EventCounts {
        indexed: moved.indexed,
        archived_only: moved.archived_only,
        reduced: moved.reduced,
        ..EventCounts::default()
    };
    Ok(())
}

fn take(object: ObjectId, from: &mut u64, count: &'static str, asked: u64) -> Result<(), LedgerError> {
    let have = *from;
    *from = have.checked_sub(asked).ok_or(LedgerError::NotSoMany { object, count, have, asked })?;
    Ok(())
}
