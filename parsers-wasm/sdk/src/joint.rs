//! What stands in a document between the value of one ECS field and the next field's value: the braces that lead from
//! one object to the other, and the key.
//!
//! That depends on the two fields alone, and events of one log type need the same few dozen of these texts. So each is
//! remembered and copied in one piece of a fixed size, which takes neither a loop nor a call: both are dear in the
//! sandbox.

use crate::short::{self, Piece};
use crate::{ecs, json};

/// Places for texts. A power of two; parsers need 20 to 60.
const PLACES: usize = 512;

/// Leaves as many bits of a hash as there are places.
const SHIFT: u32 = u32::BITS - PLACES.ilog2();

#[derive(Debug, Clone, Copy)]
struct Joint {
    /// The two fields, see [`key`]; [`FREE`] where there is no text yet.
    key: u32,
    /// The text; none where it is too long for a piece.
    text: Option<Piece>,
}

const FREE: u32 = u32::MAX;

#[inline]
fn key(next: u16, field: u16) -> u32 {
    u32::from(next) << 16 | u32::from(field)
}

impl Joint {
    fn learn(&mut self, key: u32) {
        let mut text = Vec::with_capacity(Piece::ROOM);
        write(&mut text, (key >> 16) as u16, key as u16);
        *self = Joint { key, text: Piece::new(&text) };
    }
}

/// The joints that a batch has needed so far.
#[derive(Debug)]
pub(crate) struct Joints(Box<[Joint; PLACES]>);

impl Joints {
    pub(crate) fn new() -> Self {
        Joints(Box::new([Joint { key: FREE, text: None }; PLACES]))
    }

    /// The text from the last field written to `field`. `next` is one past the last field, 0 at the document's
    /// beginning. `None` where the text has no room, see [`write`].
    #[inline]
    pub(crate) fn between(&mut self, next: u16, field: u16) -> Option<&Piece> {
        let key = key(next, field);
        let place = (key.wrapping_mul(0x9e37_79b1) >> SHIFT) as usize;
        // Either of two places, so that two texts that fall on the same one do not drive each other out.
        let place = if self.0.get(place).is_some_and(|joint| joint.key == key) {
            place
        } else {
            self.second(place, key)
        };
        self.0.get(place)?.text.as_ref()
    }

    /// Appends the text from the last field written to `field`, and `json` behind it.
    #[inline]
    pub(crate) fn append(&mut self, out: &mut Vec<u8>, next: u16, field: u16, json: &[u8]) {
        if let Some(piece) = self.between(next, field) {
            short::append_with_json(out, piece, false, json);
        } else {
            write(out, next, field);
            json::push(out, json);
        }
    }

    #[inline(never)]
    fn second(&mut self, first: usize, key: u32) -> usize {
        let second = first ^ 1;
        let at = |place: usize| self.0.get(place).map_or(FREE, |joint| joint.key);
        if at(second) == key {
            return second;
        }
        let place = if at(first) == FREE { first } else { second };
        if let Some(joint) = self.0.get_mut(place) {
            joint.learn(key);
        }
        place
    }
}

/// Writes the text from the last field written to `field`; see [`Joints::between`].
fn write(out: &mut Vec<u8>, next: u16, field: u16) {
    let Some(entry) = ecs::FIELDS.get(usize::from(field)) else { return };
    let mut comma = next > 0;
    for step in way(object_before(next), entry.object) {
        match step {
            Step::Close => out.push(b'}'),
            Step::Open(open) => {
                push_key(out, open, comma);
                comma = false;
            }
        }
    }
    push_key(out, entry.key, comma);
}

/// Closes every object behind the last field but the document itself.
#[inline]
pub(crate) fn write_end(out: &mut Vec<u8>, next: u16) {
    let object = ecs::OBJECTS.get(usize::from(object_before(next)));
    for _ in 0..object.map_or(0, |object| object.depth) {
        out.push(b'}');
    }
}

#[inline]
fn push_key(out: &mut Vec<u8>, key: &str, comma: bool) {
    if comma {
        out.push(b',');
    }
    json::push(out, key.as_bytes());
}

/// The ECS object in which the last field stands.
#[inline]
fn object_before(next: u16) -> u16 {
    next.checked_sub(1).and_then(|last| ecs::FIELDS.get(usize::from(last))).map_or(0, |entry| entry.object)
}

enum Step {
    Close,
    Open(&'static str),
}

/// The objects to close and to open from one to another.
fn way(from: u16, to: u16) -> Vec<Step> {
    let (mut left, mut entered) = (from, to);
    let (mut steps, mut opens) = (Vec::new(), Vec::new());
    while left != entered {
        let object = |index: u16| ecs::OBJECTS.get(usize::from(index));
        let (Some(left_object), Some(entered_object)) = (object(left), object(entered)) else { break };
        if left_object.depth >= entered_object.depth {
            steps.push(Step::Close);
            left = left_object.parent;
        } else {
            opens.push(Step::Open(entered_object.open));
            entered = entered_object.parent;
        }
    }
    steps.extend(opens.into_iter().rev());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joint_is_the_same_learnt_and_written() {
        let mut joints = Joints::new();
        let fields = ecs::FIELD_COUNT as u16;
        let mut longest = 0;
        for next in 0..fields {
            // Each twice: learnt, and as it was learnt; and back again.
            for field in [next, next, fields - 1, next + (fields - next) / 2, next] {
                let mut text = Vec::new();
                write(&mut text, next, field);
                match joints.between(next, field) {
                    Some(piece) => assert_eq!(piece.text(), text),
                    None => assert!(text.len() > Piece::ROOM),
                }
                longest = longest.max(text.len());
            }
        }
        assert!(
            longest <= Piece::ROOM,
            "fields with {longest} bytes between them are slow: give a piece more room"
        );
    }

    #[test]
    fn braces_and_commas_stand_where_they_belong() {
        let between = |next: Option<ecs::AnyField>, field: ecs::AnyField| {
            let mut text = Vec::new();
            write(&mut text, next.map_or(0, |field| field.index + 1), field.index);
            String::from_utf8(text).unwrap()
        };
        let any = |name| match ecs::find(name) {
            Some(ecs::Found::Field(field)) => field,
            _ => panic!("{name} is no field"),
        };
        let (port, ip) = (any("source.port"), any("destination.ip"));
        assert_eq!(between(None, any("ecs.version")), r#""ecs":{"version":"#);
        assert_eq!(between(Some(any("ecs.version")), any("event.kind")), r#"},"event":{"kind":"#);
        assert_eq!(between(Some(port), ip), r#"},"destination":{"ip":"#);
        assert_eq!(between(Some(any("source.ip")), port), r#","port":"#);
        assert_eq!(
            between(Some(any("http.request.body.bytes")), any("http.response.status_code")),
            r#"}},"response":{"status_code":"#
        );
        assert_eq!(between(Some(any("event.kind")), any("@timestamp")), r#"},"@timestamp":"#);
        assert_eq!(between(Some(any("@timestamp")), any("source.ip")), r#","source":{"ip":"#);
    }
}
