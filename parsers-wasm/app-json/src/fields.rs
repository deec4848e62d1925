//! The values found for ECS fields: one for each field, in the table's order.

use crate::content::Content;
use weir_parser_sdk::ecs::{AnyField, FIELD_COUNT};

/// The rank of what nobody said: a default gives way to anything that the record says.
pub(crate) const DEFAULT: u8 = 9;

const WORDS: usize = FIELD_COUNT.div_ceil(64);

struct Entry<'a> {
    rank: u8,
    member: Option<u16>,
    content: Content<'a>,
}

/// A value for each field that has one. Of several the lowest rank counts, then the earlier.
pub(crate) struct Fields<'a> {
    entries: Vec<Entry<'a>>,
    /// Which fields have a value, and where in `entries` it is.
    present: [u64; WORDS],
    places: [u8; FIELD_COUNT],
}

impl<'a> Fields<'a> {
    pub(crate) fn new() -> Self {
        Fields { entries: Vec::with_capacity(24), present: [0; WORDS], places: [0; FIELD_COUNT] }
    }

    fn entry(&mut self, field: AnyField) -> Option<&mut Entry<'a>> {
        let place = field.place();
        if self.present.get(place / 64)? & (1 << (place % 64)) == 0 {
            return None;
        }
        self.entries.get_mut(usize::from(*self.places.get(place)?))
    }

    /// The rank of the value that a field has.
    pub(crate) fn rank(&mut self, field: AnyField) -> Option<u8> {
        self.entry(field).map(|entry| entry.rank)
    }

    /// The text of the value that a field has, and its rank.
    pub(crate) fn text(&mut self, field: AnyField) -> Option<(u8, String)> {
        let entry = self.entry(field)?;
        let text = match &entry.content {
            Content::Text(text) => text.unescape().into_owned(),
            Content::Made(text) => text.clone(),
            Content::Json(_) | Content::Instant(_) => return None,
        };
        Some((entry.rank, text))
    }

    /// Offers a value that came from a member. Whether it is taken; the member of the value that it takes the place
    /// of goes to `displaced`.
    pub(crate) fn offer(
        &mut self,
        field: AnyField,
        rank: u8,
        member: Option<u16>,
        content: Content<'a>,
        displaced: &mut Option<u16>,
    ) -> bool {
        if let Some(entry) = self.entry(field) {
            if entry.rank <= rank {
                return false;
            }
            *displaced = entry.member;
            *entry = Entry { rank, member, content };
            return true;
        }
        let place = field.place();
        let Ok(index) = u8::try_from(self.entries.len()) else { return false };
        if let (Some(word), Some(slot)) = (self.present.get_mut(place / 64), self.places.get_mut(place)) {
            *word |= 1 << (place % 64);
            *slot = index;
            self.entries.push(Entry { rank, member, content });
        }
        true
    }

    /// Forgets the values that came from a member.
    pub(crate) fn forget(&mut self, member: u16) {
        for place in 0..FIELD_COUNT {
            let Some(field) = AnyField::at(place) else { continue };
            if self.entry(field).is_some_and(|entry| entry.member == Some(member))
                && let Some(word) = self.present.get_mut(place / 64)
            {
                *word &= !(1 << (place % 64));
            }
        }
    }

    /// Gives every value to `take`, in the order in which documents carry the fields.
    pub(crate) fn each(&self, mut take: impl FnMut(AnyField, &Content<'a>)) {
        for (index, word) in self.present.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let place = index * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let entry = self.places.get(place).and_then(|slot| self.entries.get(usize::from(*slot)));
                if let (Some(field), Some(entry)) = (AnyField::at(place), entry) {
                    take(field, &entry.content);
                }
            }
        }
    }
}
