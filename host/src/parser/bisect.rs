//! Running a batch, whatever the parser does: a breach is narrowed down to the frame at fault, and the others are
//! parsed.
//!
//! A batch that breaks a bound is run again in parts. A single frame that breaks one is a suspect: it runs once more
//! alone, in a fresh instance, counted in fuel instead of time, so that a busy machine condemns nobody; only a second
//! breach condemns it. A parser that condemns too many frames, or cannot even start, trips its breaker: its frames wait,
//! raw, for a fixed version, so that a broken release costs a little time and no data.

use super::answer::{Answer, Verdict, check};
use super::contract::{Batch, Wrapped};
use super::engine::{Breach, CompiledParser, EngineError};
use super::workers::Worker;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The shortest deadline of a part.
const PART_DEADLINE: Duration = Duration::from_millis(100);

/// Opens when a parser condemns more than a tenth of its recent frames.
#[derive(Debug, Default)]
pub(super) struct Breaker {
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
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Opens it for what no frame is to blame for.
    fn trip(&self, parser: &CompiledParser, breach: &Breach) {
        if !self.open.swap(true, Ordering::Relaxed) {
            let parser = &parser.file().manifest.name;
            tracing::error!(parser, %breach, "a parser's breaker opened: its frames wait for a fixed version");
        }
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
    worker: &mut Worker<'_>,
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
    let answer = Answer::default();
    let mut bisection = Bisection { parser, breaker, whole: batch, answer, trusting: true };
    // No frame is at fault for a start. If it does start on fuel, the machine was busy, and the frames run in parts.
    if matches!(breach, Breach::Start(_))
        && let Err(breach @ Breach::Start(_)) =
            parser.run_fuelled(&Part::of(batch, 0, 1.min(batch.ends.len())).batch(batch))?
    {
        breaker.trip(parser, &breach);
        bisection.wait(batch.ends.len());
        return Ok(bisection.answer);
    }
    bisection.run(breach, worker)?;
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
    /// Whether an answer's word for which frame is at fault is taken: until it blamed one that was not.
    trusting: bool,
}

/// Frames of the batch, and what is known of them together.
struct Suspects {
    frames: Range<usize>,
    breach: Option<Breach>,
    /// The only one of them was named by an answer.
    named: bool,
}

impl Bisection<'_> {
    /// Gives every frame a verdict, knowing that all of them together break a bound.
    ///
    /// A list of what is left, not a recursion: a parser decides how often it is cut, and shall not reach the end of
    /// the host's stack.
    fn run(&mut self, breach: Breach, worker: &mut Worker<'_>) -> Result<(), EngineError> {
        let frames = 0..self.whole.ends.len();
        let mut left = vec![Suspects { frames, breach: Some(breach), named: false }];
        while let Some(Suspects { frames, breach, named }) = left.pop() {
            // Each part may run into the deadline: others are not kept waiting for all of them.
            worker.give_way();
            let breach = match breach {
                Some(breach) => breach,
                None => {
                    if let Some(breach) = self.part(&frames)? {
                        breach
                    } else {
                        self.trusting &= !named;
                        continue;
                    }
                }
            };
            if frames.len() == 1 {
                self.decide(frames.start)?;
            } else {
                left.extend(self.cut(&frames, &breach));
            }
        }
        Ok(())
    }

    /// Several frames in smaller parts, the last first.
    fn cut(&self, frames: &Range<usize>, breach: &Breach) -> Vec<Suspects> {
        let Range { start, end } = *frames;
        // An answer that shows the frame at fault saves the search.
        let named = match breach {
            Breach::Contract { frame: Some(frame), .. } if self.trusting => {
                Some(start + *frame as usize).filter(|at| *at < end)
            }
            _ => None,
        };
        let middle = start + frames.len() / 2;
        let cuts = match named {
            Some(at) => vec![at + 1..end, at..at + 1, start..at],
            None => vec![middle..end, start..middle],
        };
        let cuts = cuts.into_iter().filter(|frames| !frames.is_empty());
        cuts.map(|frames| Suspects { named: named == Some(frames.start), frames, breach: None }).collect()
    }

    /// Runs some of the frames; the breach if they break a bound, too.
    fn part(&mut self, frames: &Range<usize>) -> Result<Option<Breach>, EngineError> {
        if self.breaker.is_open() {
            self.wait(frames.len());
            return Ok(None);
        }
        let part = Part::of(self.whole, frames.start, frames.end);
        // A part takes its share of the time, and twice that; a false alarm costs a repetition, never a frame.
        let limit = self.parser.limits().deadline;
        let share = limit.mul_f64(2.0 * frames.len() as f64 / self.whole.ends.len().max(1) as f64);
        let deadline = share.max(PART_DEADLINE).min(limit);
        match attempt(self.parser, &part.batch(self.whole), deadline)? {
            Ok(answer) => {
                self.breaker.count(frames.len() as u64, 0);
                self.answer.append(answer);
                Ok(None)
            }
            Err(breach) => Ok(Some(breach)),
        }
    }

    fn wait(&mut self, frames: usize) {
        self.answer.append(Answer::of_verdicts(vec![Verdict::Waiting; frames]));
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
            Err(breach @ Breach::Start(_)) => {
                self.breaker.trip(self.parser, &breach);
                self.wait(1);
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
