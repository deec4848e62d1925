//! Behind a broken value: where the next one begins.

use super::super::values::Values;
use super::super::{Sink, StreamSlot};
use super::{Hold, JsonFramer, State, Step};
use crate::ingest::stream::DamageReason;
use memchr::memchr;

impl<V: Values> JsonFramer<V> {
    /// The value cannot be followed from `at` on.
    pub(super) fn breaks(&mut self, at: usize, why: &'static str, sink: &mut Sink<'_>) -> Step {
        if matches!(self.hold, Hold::Nothing) {
            // In the rest of a document that was opened: what went before was framing.
            sink.framing(at - self.start);
            self.start = at;
            self.hold = Hold::Kept;
        }
        self.at = at;
        self.state = State::Resync(why);
        Step::On
    }

    /// Looks for a line that begins with a bracket, or with the next element or the end of the array.
    pub(super) fn resync(&mut self, data: &[u8], more: bool, why: &'static str, sink: &mut Sink<'_>) -> Step {
        while let Some(place) = memchr(b'\n', &data[self.at..]) {
            let place = self.at + place;
            match data.get(place + 1) {
                None => {
                    self.at = place;
                    return Step::Wait;
                }
                Some(b'{' | b'[') => {
                    self.at = place;
                    self.lose(data, why, sink);
                    self.give_up(sink);
                    return Step::On;
                }
                Some(_) => {}
            }
            match self.continues(&data[place + 1..]) {
                None if more => {
                    self.at = place;
                    return Step::Wait;
                }
                Some(true) => {
                    self.at = place;
                    self.lose(data, why, sink);
                    self.separated = true;
                    return Step::On;
                }
                _ => self.at = place + 1,
            }
        }
        self.at = data.len();
        Step::Wait
    }

    /// Whether a line begins with the next element or the end of the array; `None` when more of it must be seen.
    pub(super) fn continues(&self, line: &[u8]) -> Option<bool> {
        let indent = self.next_element();
        if indent.is_empty() {
            return Some(false);
        }
        let blanks = line.iter().zip(indent).take_while(|(byte, blank)| byte == blank).count();
        Some(match line.get(blanks)? {
            b'{' | b'[' => blanks == indent.len(),
            b']' => blanks < indent.len(),
            _ => false,
        })
    }

    /// Takes what is held, up to the line feed at `at`, as damage.
    pub(super) fn lose(&mut self, data: &[u8], why: &'static str, sink: &mut Sink<'_>) {
        let range = &data[self.start..self.at];
        let reason = DamageReason::BadJson { detail: why };
        match std::mem::replace(&mut self.hold, Hold::Nothing) {
            Hold::Lost(mut loss) => {
                loss.extend(range);
                loss.set_reason(reason);
                sink.lose(StreamSlot::MAIN, loss);
            }
            _ => sink.damage(StreamSlot::MAIN, self.offset + self.start as u64, range, reason),
        }
        sink.framing(1);
        self.at += 1;
        self.start = self.at;
        self.line_begins = true;
        self.blanks.get_or_insert_default().clear();
        self.state = State::Ready;
    }

    /// Leaves the document.
    pub(super) fn give_up(&mut self, sink: &mut Sink<'_>) {
        if self.opened && !self.path.is_empty() {
            self.values.closed(sink);
        }
        self.path.clear();
        self.keys.clear();
        self.indent.clear();
        self.state = State::Ready;
    }
}
