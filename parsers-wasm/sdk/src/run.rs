//! From a batch to an answer: the loop that every parser shares.

use crate::{
    Batch, Context, Event, Frame, FrameOutcome, MalformedReason, Outcome, Parsed, Parser, Skip, SkipReason,
};

/// What a document may grow to against its frame, for the first guess at the output's size.
const GROWTH: usize = 9;

/// Parses a batch with `P`, inside the sandbox or natively.
pub fn parse_batch<P: Parser>(batch: &Batch) -> Parsed {
    let context = Context::new(batch);
    let mut event = Event::new(
        &context,
        P::MODULE,
        P::DATASET,
        P::VENDOR,
        batch.frames.len().saturating_mul(GROWTH).min(4 << 20),
    );
    let mut frames = Vec::with_capacity(batch.ends.len());
    let mut outcomes = Vec::with_capacity(batch.ends.len());

    // One validation for the whole batch; a frame is text if it also begins and ends between characters.
    let text = std::str::from_utf8(&batch.frames).ok();
    let parser = P::new(&context);

    let mut start = 0_usize;
    for (index, &end) in batch.ends.iter().enumerate() {
        let end = end as usize;
        let bytes = batch.frames.get(start..end).unwrap_or_default();
        let valid = match text {
            Some(text) => text.get(start..end),
            None => std::str::from_utf8(bytes).ok(),
        };
        start = end;
        let frame = Frame::new(bytes, valid, batch.wrapped.get(index));

        let mark = event.mark();
        event.begin();
        let outcome = match &parser {
            Ok(parser) => parser.parse(&frame, &mut event),
            Err(error) => Err(error.clone()),
        };
        let outcome = match outcome {
            Ok(Outcome::Event) => {
                event.finish();
                None
            }
            Ok(Outcome::Emitted) => {
                event.drop_unfinished();
                (event.finished.len() == mark.1)
                    .then(|| FrameOutcome::Skipped(SkipReason::Other("no events".to_owned())))
            }
            Ok(Outcome::Skipped(skip)) => Some(FrameOutcome::Skipped(skip.into())),
            Err(error) => Some(FrameOutcome::Malformed(MalformedReason::from(error))),
        };
        outcomes.push(if let Some(outcome) = outcome {
            event.roll_back(mark);
            outcome
        } else {
            let count = event.finished.len() - mark.1;
            frames.resize(frames.len() + count, index as u32);
            FrameOutcome::Events(count as u32)
        });
    }

    let (ends, timestamps) = std::mem::take(&mut event.finished).into_iter().unzip();
    Parsed { documents: event.into_documents(), ends, frames, timestamps, outcomes }
}

impl From<Skip> for SkipReason {
    fn from(skip: Skip) -> Self {
        match skip {
            Skip::Empty => SkipReason::Empty,
            Skip::Comment => SkipReason::Comment,
            Skip::Control => SkipReason::Control,
            Skip::Other(why) => SkipReason::Other(why),
        }
    }
}
