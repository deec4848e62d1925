//! Whole object: the member is one frame, within the frame limit; or one damage, when it should have been Parquet.

use super::{Ending, Framer, Loss, Shown, Sink, StreamSlot};
use crate::ingest::stream::{DamageReason, FrameLimits};

/// Waits for the end of the member.
pub(crate) struct WholeFramer {
    frame_bytes: usize,
    loss: Option<Loss>,
}

impl WholeFramer {
    pub(crate) fn new(limits: &FrameLimits) -> Self {
        Self { frame_bytes: limits.frame_bytes, loss: None }
    }
}

impl Framer for WholeFramer {
    fn frame(&mut self, shown: Shown<'_>, sink: &mut Sink<'_>) -> usize {
        if self.loss.is_none() {
            if shown.data.len() <= self.frame_bytes {
                return 0;
            }
            let reason = DamageReason::FrameTooLong { limit: self.frame_bytes as u64 };
            self.loss = Some(Loss::new(shown.offset, reason, sink.limits()));
        }
        if let Some(loss) = &mut self.loss {
            loss.extend(shown.data);
        }
        shown.data.len()
    }

    fn finish(&mut self, rest: &[u8], offset: u64, ending: Ending<'_>, sink: &mut Sink<'_>) {
        match (self.loss.take(), ending) {
            (Some(mut loss), ending) => {
                loss.extend(rest);
                if let Ending::Broken(broken) = ending {
                    loss.set_reason(broken.reason.clone());
                }
                sink.lose(StreamSlot::MAIN, loss);
            }
            (None, Ending::Broken(broken)) => sink.broken(StreamSlot::MAIN, offset, rest, broken),
            (None, Ending::End) if rest.is_empty() => {}
            (None, Ending::End) => sink.frame(StreamSlot::MAIN, rest, offset, rest.len()),
        }
    }
}

/// A member that was to be Parquet and does not begin so.
#[derive(Default)]
pub(crate) struct NoParquet {
    loss: Option<Loss>,
}

impl Framer for NoParquet {
    fn frame(&mut self, shown: Shown<'_>, sink: &mut Sink<'_>) -> usize {
        let loss = self.loss.get_or_insert_with(|| {
            let detail = "it does not begin with PAR1".to_owned();
            Loss::new(shown.offset, DamageReason::BadParquet { detail }, sink.limits())
        });
        loss.extend(shown.data);
        shown.data.len()
    }

    fn finish(&mut self, rest: &[u8], offset: u64, ending: Ending<'_>, sink: &mut Sink<'_>) {
        match (self.loss.take(), ending) {
            (Some(mut loss), Ending::Broken(broken)) => {
                loss.set_reason(broken.reason.clone());
                sink.lose(StreamSlot::MAIN, loss);
            }
            (Some(loss), Ending::End) => sink.lose(StreamSlot::MAIN, loss),
            (None, Ending::Broken(broken)) => sink.broken(StreamSlot::MAIN, offset, rest, broken),
            (None, Ending::End) => {}
        }
    }
}
