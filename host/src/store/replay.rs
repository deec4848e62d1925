//! Replay: quarantined and waiting frames parsed again, by the parsers in force now, from what was kept of them.
//!
//! Counts move and never add. What is parsed leaves the quarantine and enters index and archive under the ids it would
//! have had at first; what is refused again stays, under its new reason.

use super::{Store, StoreError, context};
use crate::event::FrameId;
use crate::ingest::stream::{FrameBatch, FrameKind, Position, StreamKey, Wrapped};
use crate::ledger::{
    ArchiveCounts, EventCounts, FrameMove, FrameState, Intent, ObjectId, ObjectRecord, Replay,
};
use crate::pipeline::{
    Delivered, Finished, ObjectRef, ObjectSink, Origin, Pipeline, PipelineError, SetAside, SinkError,
};
use crate::quarantine::{Entry, EntryFilter, EntryKind, Fate, Framing, QuarantineError, files_of, visit};
use crate::route::{Route, Zone};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Frames of one object that are replayed at a time; what is left is replayed next.
const FRAMES: usize = 20_000;
/// Bytes of such frames.
const BYTES: usize = 64 << 20;

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    pub objects: u64,
    /// Frames tried.
    pub frames: u64,
    pub parsed: u64,
    pub skipped: u64,
    /// Frames that stay where they were.
    pub refused: u64,
    pub events: u64,
}

/// Why a replay stops. Objects replayed before stay replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl From<QuarantineError> for ReplayError {
    fn from(error: QuarantineError) -> Self {
        ReplayError::Store(error.into())
    }
}

type Kept = (Entry, Vec<u8>);

impl Store {
    /// Replays the frames that `filter` wants and that are whole. `log_type` overrules the one they were routed to. A
    /// quarantine file that cannot be read keeps none of the others back; the first of them is the error in the end.
    ///
    /// # Errors
    /// When something cannot be read or written, or no instance of a parser can be made.
    pub fn replay(
        &self,
        pipeline: &Pipeline,
        filter: &EntryFilter,
        log_type: Option<&str>,
    ) -> Result<Replayed, ReplayError> {
        let mut total = Replayed::default();
        let mut damaged = None;
        for file in files_of(&self.ledger, filter)? {
            let mut tried = HashSet::new();
            let mut next = Some(file);
            let before = total.frames;
            while let Some(file) = next.take() {
                let kept = match self.kept(&file, filter, log_type, &tried) {
                    Ok(kept) => kept,
                    Err(error) => {
                        damaged.get_or_insert(error);
                        break;
                    }
                };
                tried.extend(kept.iter().map(|(entry, _)| entry.frame_id));
                if let Some((first, _)) = kept.first()
                    && let Some(record) = self.ledger.record(first.object).map_err(StoreError::from)?
                {
                    next = self.replay_object(pipeline, &record, file, &kept, log_type, &mut total)?;
                }
            }
            total.objects += u64::from(total.frames > before);
        }
        damaged.map_or(Ok(total), |error| Err(error.into()))
    }

    /// The next frames of a file that are to be replayed, as many as are held in memory at a time.
    fn kept(
        &self,
        file: &str,
        filter: &EntryFilter,
        log_type: Option<&str>,
        tried: &HashSet<[u8; 16]>,
    ) -> Result<Vec<Kept>, QuarantineError> {
        let (mut kept, mut bytes): (Vec<Kept>, usize) = (Vec::new(), 0);
        visit(&self.folder, &[file.to_owned()], filter, |entry, raw| {
            let wanted = entry.complete
                && entry.kind != EntryKind::Damaged
                && (entry.log_type.is_some() || log_type.is_some())
                && !tried.contains(&entry.frame_id);
            if wanted {
                let raw = raw.decode()?;
                bytes += raw.len();
                kept.push((entry.clone(), raw));
            }
            let enough = kept.len() >= FRAMES || bytes >= BYTES;
            Ok::<_, QuarantineError>(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(kept)
    }

    /// Says in which file the frames of `file` are now that were not replayed.
    fn replay_object(
        &self,
        pipeline: &Pipeline,
        record: &ObjectRecord,
        file: String,
        kept: &[Kept],
        log_type: Option<&str>,
        total: &mut Replayed,
    ) -> Result<Option<String>, ReplayError> {
        let object = ObjectRef {
            bucket: record.bucket.clone(),
            key: record.key.clone(),
            version: record.version.clone(),
            id: record.id.0,
            modified: kept.first().map_or(0, |(entry, _)| entry.context.reference_time),
            base: 0,
        };
        let mut sink = ReplaySink { writer: self.begin_piece(&object, record.day)?, refused: HashMap::new() };
        let (mut counts, mut fates) = (crate::pipeline::Counts::default(), HashMap::new());
        for (_, group) in groups(kept) {
            let Some(entry) = group.first().map(|(entry, _)| entry) else { continue };
            let wanted = log_type.or(entry.log_type.as_deref()).unwrap_or_default();
            let Some(parser) = pipeline.router.parsers().get(wanted).cloned() else { continue };
            let zone = Zone::named(&entry.context.time_zone).unwrap_or_else(Zone::utc);
            let route = Route {
                log_type: wanted.to_owned(),
                parser,
                team: entry.context.team.clone(),
                zone: Arc::new(zone),
                header: None,
                charset: None,
                reason: "replay".to_owned(),
            };
            let (batch, origin) = batch_of(&group);
            let ids: Vec<FrameId> = group.iter().map(|(entry, _)| FrameId(entry.frame_id)).collect();
            let outcomes =
                pipeline.parse_again(&object, &batch, &route, &origin, &ids, &mut sink, &mut counts)?;
            for ((entry, _), outcome) in group.iter().zip(outcomes) {
                fates.insert(entry.frame_id, outcome);
            }
        }
        if counts.parsed + counts.skipped + counts.quarantined + counts.waiting == 0 {
            return Ok(Some(file));
        }
        total.frames += counts.parsed + counts.skipped + counts.quarantined + counts.waiting;
        total.parsed += counts.parsed;
        total.skipped += counts.skipped;
        total.refused += counts.quarantined + counts.waiting;
        total.events += counts.events;
        Ok(self.commit_replay(record, &file, kept, sink, &counts, &fates)?)
    }

    fn commit_replay(
        &self,
        record: &ObjectRecord,
        file: &str,
        kept: &[Kept],
        sink: ReplaySink<'_>,
        counts: &crate::pipeline::Counts,
        fates: &HashMap<[u8; 16], FrameState>,
    ) -> Result<Option<String>, StoreError> {
        let generation = self.ledger.generation(record.id)?;
        let refused = sink.refused;
        let prepared = sink.writer.finish(counts, record.processed_by.clone(), None)?;
        let left = self.quarantine.rewrite(record, file, generation, |entry| {
            match (fates.get(&entry.frame_id), refused.get(&entry.frame_id)) {
                (Some(FrameState::Parsed | FrameState::Skipped), _) => Fate::Goes,
                (_, Some(reason)) if *reason != entry.reason => {
                    Fate::Changes(Box::new(Entry { reason: reason.clone(), ..entry.clone() }))
                }
                _ => Fate::Stays,
            }
        })?;
        let now = left.as_ref().map(|file| file.file().to_owned());
        let mut files = prepared.files;
        files.extend(left);
        let files_added: Vec<String> = files.iter().map(|file| file.file().to_owned()).collect();
        let mut moves: BTreeMap<(bool, bool), u64> = BTreeMap::new();
        for (entry, _) in kept {
            match fates.get(&entry.frame_id) {
                Some(FrameState::Parsed) => {
                    *moves.entry((entry.kind == EntryKind::Waiting, true)).or_default() += 1;
                }
                Some(FrameState::Skipped) => {
                    *moves.entry((entry.kind == EntryKind::Waiting, false)).or_default() += 1;
                }
                _ => {}
            }
        }
        let frames = moves.into_iter().map(|((waited, parsed), frames)| FrameMove {
            from: if waited { FrameState::Waiting } else { FrameState::Quarantined },
            to: if parsed { FrameState::Parsed } else { FrameState::Skipped },
            frames,
        });
        let frames = frames.collect();
        self.ledger.begin(&[Intent { object: record.id, day: record.day, files: files_added.clone() }])?;
        self.archive.publish(files)?;
        let indexed = self.commit_index()?.remove(&record.id.0).unwrap_or(0);
        let delivered = counts.delivered;
        let replay = Replay {
            frames,
            events: EventCounts {
                total: counts.events,
                indexed: if self.writer.is_some() { indexed } else { delivered.indexed },
                archived_only: delivered.archived_only,
                reduced: delivered.reduced,
                dead_lettered: delivered.dead_lettered,
                duplicates: 0,
            },
            archive: ArchiveCounts {
                handed: prepared.record.archive.handed,
                rows: prepared.record.archive.rows,
            },
            files_added,
            files_removed: vec![file.to_owned()],
            generation,
            ..Replay::default()
        };
        self.ledger.replayed(ObjectId(record.id.0), &replay)?;
        self.sweep()?;
        Ok(now)
    }
}

/// Frames that can share a batch: all but header, wrapper and bytes alike.
fn groups(kept: &[Kept]) -> BTreeMap<String, Vec<&Kept>> {
    let mut groups: BTreeMap<String, Vec<&Kept>> = BTreeMap::new();
    for item in kept {
        let (entry, _) = item;
        let mut context = entry.context.clone();
        context.wrapped = None;
        let wrapped = entry.context.wrapped.is_some();
        let key = format!("{:?} {:?} {wrapped} {}", entry.log_type, entry.member, context.to_json());
        groups.entry(key).or_default().push(item);
    }
    groups
}

fn batch_of(group: &[&Kept]) -> (FrameBatch, Origin) {
    let first = group.first().map(|(entry, _)| entry);
    let context = first.map(|entry| entry.context.clone()).unwrap_or_default();
    let stream = Arc::new(StreamKey {
        member: first.and_then(|entry| entry.member.clone()),
        account: context.account.clone(),
        log_group: context.log_group.clone(),
        log_stream: context.log_stream.clone(),
        container: context.container.clone(),
        attributes: context.attributes.clone(),
    });
    let mut batch = FrameBatch {
        stream: stream.clone(),
        route: None,
        kind: match context.framing {
            Framing::Text => FrameKind::Text,
            Framing::Json => FrameKind::Json,
            Framing::ParquetRow => FrameKind::ParquetRow,
        },
        header: context.header.as_deref().map(Arc::from),
        bytes: Vec::new(),
        ends: Vec::new(),
        positions: Vec::new(),
        wrapped: Vec::new(),
    };
    for (entry, raw) in group {
        batch.bytes.extend_from_slice(raw);
        batch.ends.push(batch.bytes.len() as u32);
        batch.positions.push(Position {
            offset: entry.offset,
            carrier: u32::try_from(entry.length).unwrap_or(u32::MAX),
        });
        if let Some(wrapped) = &entry.context.wrapped {
            batch.wrapped.push(Wrapped {
                id: wrapped.id.clone(),
                time_ns: wrapped.time,
                attributes: wrapped.attributes.clone(),
                envelope: None,
            });
        }
    }
    let origin = Origin {
        account: context.account,
        region: context.region,
        host: context.host,
        team: context.team,
        stream,
        reference_time: context.reference_time,
    };
    (batch, origin)
}

/// Delivers as usual; what is refused again is noted, not set aside twice.
struct ReplaySink<'a> {
    writer: super::ObjectWriter<'a>,
    refused: HashMap<[u8; 16], String>,
}

impl ObjectSink for ReplaySink<'_> {
    fn wants_original(&self) -> bool {
        self.writer.wants_original()
    }

    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError> {
        self.writer.deliver(batch)
    }

    fn set_aside(&mut self, frame: &SetAside<'_>) -> Result<(), SinkError> {
        self.refused.insert(frame.frame_id.0, context::entry_of(frame).reason);
        Ok(())
    }
}
