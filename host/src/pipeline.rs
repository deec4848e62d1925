//! The heart: one object's whole way, from its bytes to counted, delivered events.
//!
//! `ObjectRef → Routed → RawObject → Stream → Frame → (parser) → Event → Decision → Delivered`. Everything streams: one
//! batch of frames is in memory at a time, and the sink's pace is the reader's. Every frame gets one counted outcome
//! and every event one counted end; the two sides are counted where they happen, never derived from one another.

use crate::enrich::Enricher;
use crate::event::{DocumentId, FrameClass, FrameId, Provenance, StreamId, push_finished};
use crate::ingest::stream::{
    ByteLedger, Damage, FrameBatch, FrameKind, FrameLimits, IngestError, Input, Item, ObjectReader,
    SourceOptions, StreamKey, Unparsed, UnparsedReason,
};
use crate::ledger::FrameState;
use crate::parser::contract::{self, FramingKind, TimeZone, ZoneTransition};
use crate::parser::json_scan::{DocumentLimits, Member, scan};
use crate::parser::{Answer, EngineError, Verdict};
use crate::redact::Redactor;
use crate::route::{Location, ObjectRouter, Route, Router, locate};
use crate::volume::{Decision, VolumeControl};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Which object, and which version of it.
#[derive(Debug, Clone)]
pub struct ObjectRef {
    pub bucket: String,
    pub key: String,
    /// The version id, ETag, or for local files the hash of the content (of followed files a fingerprint).
    pub version: String,
    /// See [`crate::event::object_id`].
    pub id: [u8; 16],
    /// LastModified, nanoseconds since 1970; for local files as first seen.
    pub modified: i64,
    /// Where the bytes to read begin in the object: 0, but for the pieces of a file that grows.
    pub base: u64,
}

impl ObjectRef {
    /// The time that the object speaks of: the date in its key, else LastModified.
    pub fn reference_time(&self) -> i64 {
        locate(&self.key).time.unwrap_or(self.modified)
    }
}

/// What is done to events between parser and sink.
#[derive(Debug, Default)]
pub struct Stages {
    pub enricher: Enricher,
    pub redactor: Redactor,
    pub volume: VolumeControl,
}

/// Where an object's events and rejected frames go.
pub trait ObjectSink {
    /// Whether documents shall carry `event.original`.
    fn wants_original(&self) -> bool;
    /// Takes a batch's events; says what became of each.
    ///
    /// # Errors
    /// When the sink cannot take them: the object is then not acknowledged.
    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError>;
    /// Keeps a frame that gave no event and must not be lost.
    ///
    /// # Errors
    /// As [`ObjectSink::deliver`].
    fn set_aside(&mut self, frame: &SetAside<'_>) -> Result<(), SinkError>;
}

/// Why a sink cannot go on. Carries the sink's own error.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// The events of one batch of frames, ready for delivery.
#[derive(Debug)]
pub struct Finished<'a> {
    pub object: &'a ObjectRef,
    pub route: &'a Route,
    pub frames: &'a FrameBatch,
    pub origin: &'a Origin,
    /// Documents laid end to end.
    pub text: Vec<u8>,
    pub events: Vec<FinishedEvent>,
}

/// One event of a [`Finished`] batch.
#[derive(Debug)]
pub struct FinishedEvent {
    pub id: DocumentId,
    pub frame_id: FrameId,
    /// Index of the frame in the batch.
    pub frame: u32,
    /// Number of the event in its frame.
    pub number: u32,
    /// `@timestamp`, nanoseconds since 1970.
    pub timestamp: i64,
    /// Where the document stands in [`Finished::text`].
    pub document: Range<usize>,
    pub decision: Decision,
    /// The original after redaction, where that changed it; the inner `None`: withheld.
    pub redacted_original: Option<Option<Vec<u8>>>,
}

impl Finished<'_> {
    /// An event's document.
    pub fn document(&self, event: &FinishedEvent) -> &[u8] {
        self.text.get(event.document.clone()).unwrap_or_default()
    }

    /// The raw bytes that an event came from, unless a redaction withholds them.
    pub fn original<'s>(&'s self, event: &'s FinishedEvent) -> Option<&'s [u8]> {
        match &event.redacted_original {
            Some(redacted) => redacted.as_deref(),
            None => Some(self.frames.frame(event.frame as usize)),
        }
    }
}

/// What became of a batch's events, as the sinks acknowledge it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    pub indexed: u64,
    pub archived_only: u64,
    pub reduced: u64,
    pub dead_lettered: u64,
}

/// A frame that goes to quarantine, or waits.
#[derive(Debug)]
pub struct SetAside<'a> {
    pub object: &'a ObjectRef,
    pub route: Option<&'a Route>,
    pub origin: &'a Origin,
    pub frame_id: FrameId,
    /// Byte offset in the decompressed stream.
    pub offset: u64,
    /// Decompressed bytes that the frame took.
    pub length: u64,
    pub raw: &'a [u8],
    /// Whether `raw` is all of it.
    pub complete: bool,
    pub kind: SetAsideKind,
    pub reason: String,
    pub header: Option<&'a str>,
    pub framing: FrameKind,
    pub wrapped: Option<&'a crate::ingest::stream::Wrapped>,
}

/// Why a frame was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAsideKind {
    /// The parser could not parse it.
    Malformed,
    /// The parser broke its bounds on it.
    Condemned,
    /// It could not be framed.
    Damaged,
    /// Its parser's breaker is open.
    Waiting,
}

/// Where a stream comes from, as key, wrapper and configuration say.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub account: Option<String>,
    pub region: Option<String>,
    pub host: Option<String>,
    pub team: Option<String>,
    pub stream: Arc<StreamKey>,
    /// Nanoseconds since 1970.
    pub reference_time: i64,
}

/// The counts of one object: frames by outcome, events by end, bytes by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Counted by the reader.
    pub bytes: ByteLedger,
    pub parsed: u64,
    pub skipped: u64,
    pub quarantined: u64,
    pub waiting: u64,
    pub unrouted: u64,
    /// Counted at the parsers' answers.
    pub events: u64,
    /// Counted at the sinks' acknowledgements.
    pub delivered: Delivered,
    pub log_types: BTreeSet<String>,
    /// Digests of the parsers that read it.
    pub parsers: BTreeSet<String>,
}

/// Why an object could not be processed to its end; it is not acknowledged, and may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error("cannot read {bucket}/{key}")]
    Read {
        bucket: String,
        key: String,
        #[source]
        source: IngestError,
    },
    #[error("cannot parse {bucket}/{key}")]
    Engine {
        bucket: String,
        key: String,
        #[source]
        source: EngineError,
    },
    #[error("cannot deliver the events of {bucket}/{key}")]
    Deliver {
        bucket: String,
        key: String,
        #[source]
        source: SinkError,
    },
}

/// Everything that stays the same from object to object.
#[derive(Debug)]
pub struct Pipeline {
    pub router: Arc<Router>,
    pub stages: Arc<Stages>,
    pub limits: FrameLimits,
}

impl Pipeline {
    /// Takes one object from its bytes to the sink. `forced` is a log type that overrules routing.
    ///
    /// # Errors
    /// Only for what is not wrong with the object's content: that becomes counted outcomes.
    pub fn process(
        &self,
        object: &ObjectRef,
        input: Input,
        forced: Option<&str>,
        sink: &mut dyn ObjectSink,
    ) -> Result<Counts, PipelineError> {
        self.process_from(object, input, None, forced, sink)
    }

    /// As [`Pipeline::process`], for a piece of an object that began earlier: `header` is the one in force.
    ///
    /// # Errors
    /// As [`Pipeline::process`].
    pub fn process_from(
        &self,
        object: &ObjectRef,
        input: Input,
        header: Option<Arc<str>>,
        forced: Option<&str>,
        sink: &mut dyn ObjectSink,
    ) -> Result<Counts, PipelineError> {
        let read_failed =
            |source| PipelineError::Read { bucket: object.bucket.clone(), key: object.key.clone(), source };
        let routes = ObjectRouter::new(&self.router, &object.bucket, &object.key, forced);
        let whole =
            self.router.route(&object.bucket, &object.key, &StreamKey::default(), header.as_deref(), forced);
        let options = SourceOptions { charset: whole.as_ref().and_then(|route| route.charset), header };
        let mut passage =
            Passage { pipeline: self, object, located: locate(&object.key), sink, counts: Counts::default() };
        let mut reader = ObjectReader::open(input, &routes, options, self.limits).map_err(read_failed)?;
        while let Some(item) = reader.next_item().map_err(read_failed)? {
            match item {
                Item::Batch(mut batch) => {
                    batch.positions.iter_mut().for_each(|position| position.offset += object.base);
                    match batch.route.and_then(|index| routes.get(index)) {
                        Some(route) => passage.parse(&batch, &route)?,
                        None => passage.counts.unrouted += batch.len() as u64,
                    }
                    reader.reuse(batch);
                }
                Item::Damage(mut damage) => {
                    damage.offset += object.base;
                    passage.damaged(&damage, whole.as_ref())?;
                }
                Item::Unparsed(unparsed) => passage.unparsed(&unparsed),
            }
        }
        passage.counts.bytes = reader.ledger();
        Ok(passage.counts)
    }
}

impl Pipeline {
    /// Parses frames that were kept, whose ids are known, and delivers their events; says what became of each frame.
    ///
    /// # Errors
    /// As [`Pipeline::process`].
    #[expect(clippy::too_many_arguments, reason = "the parts of one batch, each used once")]
    pub fn parse_again(
        &self,
        object: &ObjectRef,
        batch: &FrameBatch,
        route: &Route,
        origin: &Origin,
        ids: &[FrameId],
        sink: &mut dyn ObjectSink,
        counts: &mut Counts,
    ) -> Result<Vec<FrameState>, PipelineError> {
        let located = locate(&object.key);
        let mut passage = Passage { pipeline: self, object, located, sink, counts: std::mem::take(counts) };
        let answer = passage.run(batch, route, origin, Some(ids))?;
        *counts = passage.counts;
        Ok(answer
            .verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Events(_) => FrameState::Parsed,
                Verdict::Skipped(_) => FrameState::Skipped,
                Verdict::Malformed(_) | Verdict::Condemned(_) => FrameState::Quarantined,
                Verdict::Waiting => FrameState::Waiting,
            })
            .collect())
    }
}

/// One object under way.
struct Passage<'a> {
    pipeline: &'a Pipeline,
    object: &'a ObjectRef,
    located: Location,
    sink: &'a mut dyn ObjectSink,
    counts: Counts,
}

impl Passage<'_> {
    fn origin(&self, stream: &Arc<StreamKey>, route: Option<&Route>) -> Origin {
        Origin {
            account: stream.account.clone().or_else(|| self.located.account.clone()),
            region: self.located.region.clone(),
            host: None,
            team: route.and_then(|route| route.team.clone()),
            stream: stream.clone(),
            reference_time: self.object.reference_time(),
        }
    }

    /// Frames → answer → finished events → delivery.
    fn parse(&mut self, batch: &FrameBatch, route: &Route) -> Result<(), PipelineError> {
        let origin = self.origin(&batch.stream, Some(route));
        self.run(batch, route, &origin, None).map(|_| ())
    }

    /// `ids` are the frames' ids where they are known; else they follow from where the frames stand.
    fn run(
        &mut self,
        batch: &FrameBatch,
        route: &Route,
        origin: &Origin,
        ids: Option<&[FrameId]>,
    ) -> Result<Answer, PipelineError> {
        let found: Vec<FrameId>;
        let ids = if let Some(ids) = ids {
            ids
        } else {
            let stream = StreamId::new(self.object.id, batch.stream.member.as_deref());
            found = (0..batch.len()).map(|index| frame_id(&stream, batch, index)).collect();
            &found
        };
        self.counts.log_types.insert(route.log_type.clone());
        self.counts.parsers.insert(route.parser.digest().to_owned());
        let answer =
            with_contract_batch(self.object, origin, route, batch, |batch| route.parser.parse(batch))
                .map_err(|source| PipelineError::Engine {
                    bucket: self.object.bucket.clone(),
                    key: self.object.key.clone(),
                    source,
                })?;
        self.count(&answer);
        self.set_aside(batch, &answer, ids, origin, route)?;
        let stages = &self.pipeline.stages;
        let finished =
            finish(stages, self.sink.wants_original(), self.object, batch, &answer, ids, origin, route);
        let delivered = self.sink.deliver(&finished).map_err(|source| undelivered(self.object, source))?;
        let total = &mut self.counts.delivered;
        total.indexed += delivered.indexed;
        total.archived_only += delivered.archived_only;
        total.reduced += delivered.reduced;
        total.dead_lettered += delivered.dead_lettered;
        Ok(answer)
    }

    fn count(&mut self, answer: &Answer) {
        let counts = &mut self.counts;
        for verdict in &answer.verdicts {
            match verdict {
                Verdict::Events(number) => {
                    counts.parsed += 1;
                    counts.events += u64::from(*number);
                }
                Verdict::Skipped(_) => counts.skipped += 1,
                Verdict::Malformed(_) | Verdict::Condemned(_) => counts.quarantined += 1,
                Verdict::Waiting => counts.waiting += 1,
            }
        }
    }

    fn set_aside(
        &mut self,
        batch: &FrameBatch,
        answer: &Answer,
        ids: &[FrameId],
        origin: &Origin,
        route: &Route,
    ) -> Result<(), PipelineError> {
        for (index, verdict) in answer.verdicts.iter().enumerate() {
            let (kind, reason) = match verdict {
                Verdict::Events(_) | Verdict::Skipped(_) => continue,
                Verdict::Malformed(reason) => (SetAsideKind::Malformed, reason.clone()),
                Verdict::Condemned(breach) => (SetAsideKind::Condemned, breach.to_string()),
                Verdict::Waiting => (SetAsideKind::Waiting, "the parser's breaker is open".to_owned()),
            };
            let (Some(position), Some(id)) = (batch.positions.get(index), ids.get(index)) else { continue };
            let frame = SetAside {
                object: self.object,
                route: Some(route),
                origin,
                frame_id: *id,
                offset: position.offset,
                length: u64::from(position.carrier),
                raw: batch.frame(index),
                complete: true,
                kind,
                reason,
                header: batch.header.as_deref(),
                framing: batch.kind,
                wrapped: batch.wrapped.get(index),
            };
            self.sink.set_aside(&frame).map_err(|source| undelivered(self.object, source))?;
        }
        Ok(())
    }

    /// A range that could not be framed is one quarantined frame.
    fn damaged(&mut self, damage: &Damage, route: Option<&Route>) -> Result<(), PipelineError> {
        self.counts.quarantined += 1;
        let stream = StreamId::new(self.object.id, damage.stream.member.as_deref());
        let origin = self.origin(&damage.stream, route);
        let frame = SetAside {
            object: self.object,
            route,
            origin: &origin,
            frame_id: stream.frame(FrameClass::Damage, damage.offset, None),
            offset: damage.offset,
            length: damage.length,
            raw: &damage.head,
            complete: damage.complete,
            kind: SetAsideKind::Damaged,
            reason: damage.reason.to_string(),
            header: None,
            framing: FrameKind::Text,
            wrapped: None,
        };
        self.sink.set_aside(&frame).map_err(|source| undelivered(self.object, source))
    }

    fn unparsed(&mut self, unparsed: &Unparsed) {
        match unparsed.reason {
            UnparsedReason::Control => self.counts.skipped += 1,
            UnparsedReason::Unrouted => self.counts.unrouted += 1,
        }
    }
}

fn undelivered(object: &ObjectRef, source: SinkError) -> PipelineError {
    PipelineError::Deliver { bucket: object.bucket.clone(), key: object.key.clone(), source }
}

/// Adds what is the host's, and decides about every event.
#[expect(clippy::too_many_arguments, reason = "the parts of one batch, each used once")]
fn finish<'a>(
    stages: &Stages,
    wants_original: bool,
    object: &'a ObjectRef,
    batch: &'a FrameBatch,
    answer: &Answer,
    ids: &[FrameId],
    origin: &'a Origin,
    route: &'a Route,
) -> Finished<'a> {
    let manifest = route.parser.manifest();
    let member = batch.stream.member.as_deref();
    let parser = (manifest.name.as_str(), manifest.version.as_str(), route.parser.digest());
    let provenance = Provenance::new(&object.bucket, &object.key, member, &route.log_type, parser);
    let plain = stages.enricher.is_idle()
        && stages.redactor.is_idle(&route.log_type)
        && stages.volume.is_idle(&route.log_type);
    let mut text = Vec::with_capacity(answer.documents.len() + answer.entries.len() * 400);
    let mut events = Vec::with_capacity(answer.entries.len());
    for entry in &answer.entries {
        let Some(&frame_id) = ids.get(entry.frame as usize) else { continue };
        let offset = batch.positions.get(entry.frame as usize).map_or(0, |position| position.offset);
        let raw = batch.frame(entry.frame as usize);
        let id = frame_id.document(entry.number);
        let start = text.len();
        let (mut decision, mut redacted_original) = (Decision::Index, None);
        if plain {
            let original = wants_original.then_some(raw);
            let (document, members) = (answer.document(entry), answer.members_of(entry));
            push_finished(&mut text, document, members, &frame_id, offset, &provenance, original);
        } else {
            let changed = change(stages, answer.document(entry), origin, route, id, raw);
            decision = changed.decision;
            let original = changed.original.as_ref().map_or(Some(raw), |redacted| redacted.as_deref());
            let (document, members) = (changed.document.as_slice(), changed.members.as_slice());
            let original = original.filter(|_| wants_original);
            push_finished(&mut text, document, members, &frame_id, offset, &provenance, original);
            redacted_original = changed.original;
        }
        events.push(FinishedEvent {
            id,
            frame_id,
            frame: entry.frame,
            number: entry.number,
            timestamp: entry.timestamp,
            document: start..text.len(),
            decision,
            redacted_original,
        });
    }
    Finished { object, route, frames: batch, origin, text, events }
}

/// An event that was looked into.
struct Changed {
    document: Vec<u8>,
    members: Vec<Member>,
    decision: Decision,
    /// As [`FinishedEvent::redacted_original`].
    original: Option<Option<Vec<u8>>>,
}

/// Enrichment, the volume decision (on what the event says), and redaction, last, of everything that was added.
fn change(
    stages: &Stages,
    document: &[u8],
    origin: &Origin,
    route: &Route,
    id: DocumentId,
    raw: &[u8],
) -> Changed {
    // The answer was checked: it is an object.
    let mut event: Map<String, Value> = serde_json::from_slice(document).unwrap_or_default();
    stages.enricher.enrich(&mut event);
    let account =
        event.get("cloud").and_then(|cloud| cloud.get("account")?.get("id")?.as_str()).map(str::to_owned);
    let account = account.as_deref().or(origin.account.as_deref());
    let decision = stages.volume.decide(&route.log_type, account, &event, id);
    let original = if stages.redactor.is_idle(&route.log_type) {
        None
    } else {
        let redacted = stages.redactor.redact(&route.log_type, account, &mut event, raw);
        (redacted.as_deref() != Some(raw)).then_some(redacted)
    };
    // Writing to a Vec cannot fail, and what was parsed can be written.
    let document = serde_json::to_vec(&event).unwrap_or_else(|_| b"{}".to_vec());
    let mut members = Vec::new();
    let _ = scan(&document, DocumentLimits { fields: u32::MAX, depth: 64 }, &mut members);
    Changed { document, members, decision, original }
}

fn frame_id(stream: &StreamId, batch: &FrameBatch, index: usize) -> FrameId {
    let offset = batch.positions.get(index).map_or(0, |position| position.offset);
    let envelope = batch.wrapped.get(index).and_then(|wrapped| wrapped.envelope);
    stream.frame(FrameClass::Frame, offset, envelope.map(|envelope| (envelope.offset, envelope.index)))
}

fn pairs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Lends a batch of frames to `run` in the shape of the contract.
pub fn with_contract_batch<T>(
    object: &ObjectRef,
    origin: &Origin,
    route: &Route,
    batch: &FrameBatch,
    run: impl FnOnce(&contract::Batch<'_>) -> T,
) -> T {
    let stream = &origin.stream;
    let attributes = pairs(&stream.attributes);
    let transitions: Vec<ZoneTransition> = route
        .zone
        .transitions
        .iter()
        .map(|(at, offset)| ZoneTransition { at: *at, offset: *offset })
        .collect();
    let wrapped_attributes: Vec<Vec<(&str, &str)>> =
        batch.wrapped.iter().map(|wrapped| pairs(&wrapped.attributes)).collect();
    let wrapped: Vec<contract::Wrapped<'_>> = batch
        .wrapped
        .iter()
        .zip(&wrapped_attributes)
        .map(|(wrapped, attributes)| contract::Wrapped {
            id: wrapped.id.as_deref(),
            time: wrapped.time_ns,
            attributes,
        })
        .collect();
    run(&contract::Batch {
        origin: contract::Origin {
            account: origin.account.as_deref(),
            region: origin.region.as_deref(),
            bucket: &object.bucket,
            key: &object.key,
            version_id: Some(&object.version),
            archive_member: stream.member.as_deref(),
            log_type: &route.log_type,
            team: origin.team.as_deref(),
            log_group: stream.log_group.as_deref(),
            log_stream: stream.log_stream.as_deref(),
            container: stream.container.as_deref(),
            host: origin.host.as_deref(),
            attributes: &attributes,
        },
        reference_time: origin.reference_time,
        time_zone: TimeZone {
            name: &route.zone.name,
            initial_offset: route.zone.initial_offset,
            transitions: &transitions,
        },
        framing: match batch.kind {
            FrameKind::Text => FramingKind::Text,
            FrameKind::Json => FramingKind::Json,
            FrameKind::ParquetRow => FramingKind::ParquetRow,
        },
        header: batch.header.as_deref(),
        frames: &batch.bytes,
        ends: &batch.ends,
        wrapped: &wrapped,
    })
}
