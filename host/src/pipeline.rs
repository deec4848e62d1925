//! The heart: one object's whole way, from its bytes to counted, delivered events.
//!
//! `ObjectRef → Routed → RawObject → Stream → Frame → (parser) → Event → Decision → Delivered`. Everything streams: one
//! batch of frames is in memory at a time, and the sink's pace is the reader's. Every frame gets one counted outcome
//! and every event one counted end; the two sides are counted where they happen, never derived from one another.

mod contract_batch;
mod finish;
mod sink;

pub use contract_batch::with_contract_batch;
pub use sink::{Delivered, Finished, FinishedEvent, ObjectSink, SetAside, SetAsideKind, SinkError};

use crate::enrich::Enricher;
use crate::event::{FrameClass, FrameId, StreamId};
use crate::ingest::stream::{
    ByteLedger, Damage, FrameBatch, FrameKind, FrameLimits, IngestError, Input, Item, ObjectReader,
    SourceOptions, StreamKey, Unparsed, UnparsedReason,
};
use crate::ledger::FrameState;
use crate::parser::{Answer, EngineError, Verdict};
use crate::redact::Redactor;
use crate::route::{Location, ObjectRouter, Route, Router, locate};
use crate::volume::VolumeControl;
use finish::finish;
use std::collections::BTreeSet;
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

fn frame_id(stream: &StreamId, batch: &FrameBatch, index: usize) -> FrameId {
    let offset = batch.positions.get(index).map_or(0, |position| position.offset);
    let envelope = batch.wrapped.get(index).and_then(|wrapped| wrapped.envelope);
    stream.frame(FrameClass::Frame, offset, envelope.map(|envelope| (envelope.offset, envelope.index)))
}
