//! Running a batch, whatever the parser does: a breach is narrowed down to the frame at fault, and the others are
//! parsed.
//!
//! A batch that breaks a bound is run again in parts. A single frame that breaks one is a suspect: it runs once more
//! alone, in a fresh instance, counted in fuel instead of time, so that a busy machine condemns nobody; only a second
//! breach condemns it. A parser that condemns too many frames trips its breaker: its frames wait, raw, for a fixed
//! version, so that a broken release costs a little time and no data.

use super::answer::{Answer, Verdict, check};
use super::contract::{Batch, Wrapped};
use super::engine::{Breach, CompiledParser, EngineError};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The shortest deadline of a part.
const PART_DEADLINE: Duration = Duration::from_millis(100);

/// Opens when a parser condemns more than a tenth of its recent frames.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Frames in the upper half, condemned frames in the lower: one word, so that both move together.
    recent: AtomicU64,
    open: std::sync::atomic::AtomicBool,
}

impl Breaker {
    /// Frames that are looked back on.
    const WINDOW: u64 = 1000;
    /// Condemned frames among them that open it.
    const BAR: u64 = 100;

    /// Whether frames wait instead of being parsed.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    fn count(&self, frames: u64, condemned: u64) {
        let updated = self.recent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            let (mut seen, mut bad) = ((word >> 32) + frames, (word & 0xffff_ffff) + condemned);
            // Older frames fade: beyond the window both counts shrink in proportion.
            if seen > Self::WINDOW && bad < Self::BAR {
                bad = bad * Self::WINDOW / seen;
                seen = Self::WINDOW;
            }
            Some((seen.min(0xffff_ffff) << 32) | bad)
        });
        let bad = updated.unwrap_or(0) & 0xffff_ffff;
        if bad + condemned >= Self::BAR && !self.open.swap(true, Ordering::Relaxed) {
            tracing::error!(
                condemned = bad + condemned,
                "a parser's breaker opened: its frames wait for a fixed version"
            );
        }
    }
}

/// Parses a batch and gives every frame a verdict.
///
/// # Errors
/// Only for what is not the parser's fault: no instance can be made.
pub(crate) fn run(
    parser: &CompiledParser,
    breaker: &Breaker,
    batch: &Batch<'_>,
) -> Result<Answer, EngineError> {
    if breaker.is_open() {
        return Ok(Answer::of_verdicts(vec![Verdict::Waiting; batch.ends.len()]));
    }
    let limits = parser.limits();
    let breach = match attempt(parser, batch, limits.deadline)? {
        Ok(answer) => {
            breaker.count(batch.ends.len() as u64, 0);
            return Ok(answer);
        }
        Err(breach) => breach,
    };
    tracing::debug!(parser = parser.file().manifest.name, %breach, frames = batch.ends.len(), "a batch is bisected");
    let mut bisection = Bisection { parser, breaker, whole: batch, answer: Answer::default() };
    bisection.split(0, batch.ends.len(), &breach)?;
    Ok(bisection.answer)
}

fn attempt(
    parser: &CompiledParser,
    batch: &Batch<'_>,
    deadline: Duration,
) -> Result<Result<Answer, Breach>, EngineError> {
    let answer = parser.run_timed(batch, deadline)?;
    Ok(answer.and_then(|parsed| check(parsed, batch.ends.len(), &parser.limits())))
}

struct Bisection<'a> {
    parser: &'a CompiledParser,
    breaker: &'a Breaker,
    whole: &'a Batch<'a>,
    /// The answer so far: parts are appended in the order of the frames.
    answer: Answer,
}

impl Bisection<'_> {
    /// Frames `from..to` are known to break a bound together.
    fn split(&mut self, from: usize, to: usize, breach: &Breach) -> Result<(), EngineError> {
        if to - from == 1 {
            return self.decide(from);
        }
        // An answer that shows the frame at fault saves the search.
        let named = match breach {
            Breach::Contract { frame: Some(frame), .. } => Some(from + *frame as usize).filter(|at| *at < to),
            _ => None,
        };
        let cuts = match named {
            Some(at) => vec![from..at, at..at + 1, at + 1..to],
            None => {
                let middle = from + (to - from) / 2;
                vec![from..middle, middle..to]
            }
        };
        for part in cuts.into_iter().filter(|part| !part.is_empty()) {
            self.part(part.start, part.end)?;
        }
        Ok(())
    }

    fn part(&mut self, from: usize, to: usize) -> Result<(), EngineError> {
        if self.breaker.is_open() {
            self.answer.append(Answer::of_verdicts(vec![Verdict::Waiting; to - from]));
            return Ok(());
        }
        let part = Part::of(self.whole, from, to);
        // A part takes its share of the time, and twice that; a false alarm costs a repetition, never a frame.
        let share = self
            .parser
            .limits()
            .deadline
            .mul_f64(2.0 * (to - from) as f64 / self.whole.ends.len().max(1) as f64);
        let deadline = share.max(PART_DEADLINE).min(self.parser.limits().deadline);
        match attempt(self.parser, &part.batch(self.whole), deadline)? {
            Ok(answer) => {
                self.breaker.count((to - from) as u64, 0);
                self.answer.append(answer);
                Ok(())
            }
            Err(breach) => self.split(from, to, &breach),
        }
    }

    /// One frame alone, on fuel.
    fn decide(&mut self, at: usize) -> Result<(), EngineError> {
        let part = Part::of(self.whole, at, at + 1);
        let answer = self.parser.run_fuelled(&part.batch(self.whole))?;
        match answer.and_then(|parsed| check(parsed, 1, &self.parser.limits())) {
            Ok(answer) => {
                self.breaker.count(1, 0);
                self.answer.append(answer);
            }
            Err(breach) => {
                tracing::debug!(parser = self.parser.file().manifest.name, %breach, "a frame is condemned");
                self.breaker.count(1, 1);
                self.answer.append(Answer::of_verdicts(vec![Verdict::Condemned(breach)]));
            }
        }
        Ok(())
    }
}

/// Some of a batch's frames, with ends of their own.
struct Part<'a> {
    frames: &'a [u8],
    ends: Vec<u32>,
    wrapped: &'a [Wrapped<'a>],
}

impl<'a> Part<'a> {
    fn of(whole: &'a Batch<'a>, from: usize, to: usize) -> Self {
        let end_of =
            |index: usize| index.checked_sub(1).and_then(|i| whole.ends.get(i)).copied().unwrap_or(0);
        let base = end_of(from);
        let ends = whole.ends.get(from..to).unwrap_or_default().iter().map(|end| end - base).collect();
        let frames = whole.frames.get(base as usize..end_of(to) as usize).unwrap_or_default();
        Part { frames, ends, wrapped: whole.wrapped.get(from..to).unwrap_or_default() }
    }

    fn batch<'p>(&'p self, whole: &'p Batch<'p>) -> Batch<'p> {
        Batch { frames: self.frames, ends: &self.ends, wrapped: self.wrapped, ..whole.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_opens_at_a_tenth_and_not_for_rare_faults() {
        let rare = Breaker::default();
        for _ in 0..10_000 {
            rare.count(1000, 0);
            rare.count(1, 1);
        }
        assert!(!rare.is_open(), "one in a thousand for ever");
        let bad = Breaker::default();
        for _ in 0..99 {
            bad.count(1, 1);
        }
        assert!(!bad.is_open());
        bad.count(1, 1);
        assert!(bad.is_open());
    }
}
