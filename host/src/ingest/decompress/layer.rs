//! One compressed format over a source: its streams one after the other, joined.
//!
//! Zero bytes between and behind the streams are padding. Where a stream is corrupt, or something else stands where one
//! should begin, the next place is searched at which a stream begins and decodes; what lies between is one break.

use super::codec::{Decoder, MAGIC_LENGTH, Step, StepState, begins};
use super::{Break, Budget, Carrier, Fill, Source};
use crate::ingest::stream::{Codec, DamageReason, IngestError};

const INPUT_BYTES: usize = 64 << 10;
/// Input that must be at hand to try whether a stream begins at a place.
const TRIAL_INPUT: usize = 16 << 10;
/// Places tried in all; hostile bytes can look like the beginning of a stream everywhere.
const TRIALS: u32 = 4096;
/// Output after which a trial is believed.
const TRIAL_OUTPUT: usize = 32 << 10;

/// Where the decoder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between two streams.
    Between,
    /// In a stream.
    Inside,
    /// Looking for the next stream behind a break.
    Lost,
    /// Finished.
    Ended,
}

/// See the module.
pub(crate) struct Layer {
    codec: Codec,
    decoder: Decoder,
    source: Source,
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// What the source gave last, if it was not bytes.
    source_stop: Option<Fill>,
    phase: Phase,
    /// Whether exactly one stream is there (a zip member), so that nothing is looked for behind it.
    single: bool,
    failed: Option<String>,
    /// How many places may still be tried as the beginning of a stream: each costs a decoder.
    trials: u32,
}

impl Layer {
    /// Streams of `codec` over `source`.
    pub(crate) fn new(codec: Codec, source: Source) -> Result<Self, String> {
        Self::with(codec, source, false)
    }

    /// A single stream without a beginning of its own.
    pub(crate) fn single(codec: Codec, source: Source) -> Result<Self, String> {
        Self::with(codec, source, true)
    }

    fn with(codec: Codec, source: Source, single: bool) -> Result<Self, String> {
        Ok(Self {
            codec,
            decoder: Decoder::new(codec)?,
            source,
            input: vec![0; INPUT_BYTES],
            start: 0,
            end: 0,
            source_stop: None,
            phase: if single { Phase::Inside } else { Phase::Between },
            single,
            failed: None,
            trials: TRIALS,
        })
    }

    /// Reads until `wanted` bytes are at hand or the source stops.
    fn want(&mut self, wanted: usize, budget: &mut Budget) -> Result<(), IngestError> {
        if self.end - self.start >= wanted || self.source_stop.is_some() {
            return Ok(());
        }
        self.input.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < self.input.len() {
            match self.source.fill(&mut self.input[self.end..], budget)? {
                Fill::Bytes(read) => self.end += read,
                stop => {
                    self.source_stop = Some(stop);
                    break;
                }
            }
        }
        Ok(())
    }

    /// The stop of the source, if nothing is left before it. A break is taken, an end stays.
    fn take_stop(&mut self) -> Option<Fill> {
        if self.start < self.end {
            return None;
        }
        match self.source_stop.take() {
            Some(Fill::End) => {
                self.source_stop = Some(Fill::End);
                Some(Fill::End)
            }
            stop => stop,
        }
    }

    fn break_here(&mut self, reason: DamageReason) -> Fill {
        self.phase = if self.single { Phase::Ended } else { Phase::Lost };
        let stored_complete = matches!(self.source_stop, Some(Fill::End));
        Fill::Break(Break { reason, stored: self.input[self.start..self.end].to_vec(), stored_complete })
    }

    /// Between two streams: padding, the next stream, the end, or something that does not belong here.
    fn between(&mut self, budget: &mut Budget) -> Result<Option<Fill>, IngestError> {
        loop {
            self.want(MAGIC_LENGTH, budget)?;
            let zeros = self.input[self.start..self.end].iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                break;
            }
            self.start += zeros;
        }
        if let Some(stop) = self.take_stop() {
            return Ok(Some(stop));
        }
        if !begins(self.codec, &self.input[self.start..self.end]) {
            return Ok(Some(self.break_here(DamageReason::TrailingGarbage { codec: self.codec })));
        }
        if let Err(detail) = self.decoder.reset() {
            return Ok(Some(self.break_here(DamageReason::Corrupt { codec: self.codec, detail })));
        }
        self.phase = Phase::Inside;
        Ok(None)
    }

    /// In a stream: decodes into `out`.
    fn inside(&mut self, out: &mut [u8], budget: &mut Budget) -> Result<Option<Fill>, IngestError> {
        if let Some(detail) = self.failed.take() {
            return Ok(Some(self.break_here(DamageReason::Corrupt { codec: self.codec, detail })));
        }
        self.want(1, budget)?;
        let allowance = usize::try_from(budget.allowance()).unwrap_or(usize::MAX);
        if allowance == 0 {
            self.phase = Phase::Ended;
            let broken = Break { reason: budget.reason(), stored: Vec::new(), stored_complete: false };
            return Ok(Some(Fill::Break(broken)));
        }
        let room = out.len().min(allowance);
        let Step { consumed, produced, state } =
            self.decoder.step(&self.input[self.start..self.end], &mut out[..room]);
        self.start = (self.start + consumed).min(self.end);
        let produced = produced.min(room);
        budget.produced(produced);
        match state {
            StepState::Done if self.single => self.phase = Phase::Ended,
            StepState::Done => self.phase = Phase::Between,
            StepState::Failed(detail) => self.failed = Some(detail),
            StepState::Going if produced == 0 && consumed == 0 && self.start < self.end => {
                self.failed = Some("the decoder makes no progress".to_owned());
            }
            StepState::Going if produced == 0 => match self.take_stop() {
                Some(Fill::End) => {
                    return Ok(Some(self.break_here(DamageReason::Truncated { codec: self.codec })));
                }
                Some(stop) => {
                    self.phase = if self.single { Phase::Ended } else { Phase::Lost };
                    return Ok(Some(stop));
                }
                None => {}
            },
            StepState::Going => {}
        }
        Ok((produced > 0).then_some(Fill::Bytes(produced)))
    }

    /// Behind a break: looks for a place where a stream begins.
    fn search(&mut self, budget: &mut Budget) -> Result<(), IngestError> {
        loop {
            self.want(2 * TRIAL_INPUT, budget)?;
            let stopped = self.source_stop.is_some();
            // A place too near to the end of what is at hand is tried when more is there.
            let tail = if stopped { 0 } else { TRIAL_INPUT };
            let last = self.end.saturating_sub(tail).max(self.start);
            let mut trials = self.trials;
            let found = (self.start..last).find(|place| {
                let head = &self.input[*place..self.end];
                if trials == 0 || head.len() < MAGIC_LENGTH || !begins(self.codec, head) {
                    return false;
                }
                trials -= 1;
                self.decodes(head)
            });
            self.trials = trials;
            match found {
                Some(place) => {
                    self.start = place;
                    self.phase = Phase::Between;
                    return Ok(());
                }
                None => self.start = last,
            }
            // A break behind a break is the same loss; an end ends the search.
            if let Some(Fill::End) = self.take_stop() {
                self.phase = Phase::Ended;
                return Ok(());
            }
        }
    }

    /// Whether a stream that begins here decodes as far as it is at hand.
    fn decodes(&self, input: &[u8]) -> bool {
        let Ok(mut decoder) = Decoder::new(self.codec) else { return false };
        let mut scratch = [0; 4096];
        let (mut start, mut produced_total) = (0, 0);
        while produced_total < TRIAL_OUTPUT {
            let Step { consumed, produced, state } = decoder.step(&input[start..], &mut scratch);
            start = (start + consumed).min(input.len());
            produced_total += produced;
            match state {
                StepState::Done => return true,
                StepState::Failed(_) => return false,
                StepState::Going if consumed == 0 && produced == 0 => return start == input.len(),
                StepState::Going => {}
            }
        }
        true
    }
}

impl Carrier for Layer {
    fn fill(&mut self, out: &mut [u8], budget: &mut Budget) -> Result<Fill, IngestError> {
        loop {
            let fill = match self.phase {
                Phase::Between => self.between(budget)?,
                Phase::Inside => self.inside(out, budget)?,
                Phase::Lost => {
                    self.search(budget)?;
                    None
                }
                Phase::Ended => Some(Fill::End),
            };
            if let Some(fill) = fill {
                return Ok(fill);
            }
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.input.capacity() + self.source.buffered_bytes()
    }
}
