//! Appending short texts to a buffer without a call to `memcpy` and with one check of the buffer's room.
//!
//! Texts of 4 bytes and more are copied as whole words that may overlap, so that no text goes byte by byte and up to
//! 32 bytes take no loop: a loop costs a check of the epoch in each turn. Profiles of every parser in the sandbox had
//! this at the top while it went through `Vec`'s own checks, one for each word.
#![expect(
    unsafe_code,
    reason = "one check of the room in place of one for each word is what this module is for; its tests try every length"
)]
#![allow(clippy::inline_always, reason = "a call would cost more than what it does; measured in the sandbox")]

use crate::block::{self, Block};
use crate::json::needs_escape;
use std::ptr;

/// Longer texts are left to `memcpy`, which is faster from about here on.
const SHORT: usize = 256;

/// Copies `SIZE` bytes and returns them.
///
/// # Safety
/// They must be readable at `from` and writable at `to`.
#[inline(always)]
unsafe fn copy<const SIZE: usize>(from: *const u8, to: *mut u8) -> [u8; SIZE] {
    // SAFETY: the caller's promise; arrays of bytes have no alignment.
    unsafe {
        let bytes: [u8; SIZE] = ptr::read(from.cast());
        ptr::write(to.cast(), bytes);
        bytes
    }
}

/// Copies `length` bytes. With `CHECK`, says whether all of them may stand in a JSON string as they are.
///
/// # Safety
/// `length` bytes must be readable at `from` and writable at `to`, and the two must not overlap.
#[inline(always)]
unsafe fn copy_text<const CHECK: bool>(from: *const u8, to: *mut u8, length: usize) -> bool {
    let escapes = |block: &Block| if CHECK { block::escapes(block) } else { 0 };
    // SAFETY: every access below lies within the first `length` bytes.
    unsafe {
        if length >= 16 {
            let last = length - 16;
            let mut found = escapes(&copy::<16>(from, to));
            let mut at = 16;
            while at < last {
                found |= escapes(&copy::<16>(from.add(at), to.add(at)));
                at += 16;
            }
            found |= escapes(&copy::<16>(from.add(last), to.add(last)));
            return found == 0;
        }
        let word = if length >= 8 {
            let first = u64::from_le_bytes(copy::<8>(from, to));
            let last = u64::from_le_bytes(copy::<8>(from.add(length - 8), to.add(length - 8)));
            if CHECK && needs_escape(first) != 0 {
                return false;
            }
            last
        } else if length >= 4 {
            let first = u32::from_le_bytes(copy::<4>(from, to));
            let last = u32::from_le_bytes(copy::<4>(from.add(length - 4), to.add(length - 4)));
            u64::from(first) | u64::from(last) << 32
        } else if length > 0 {
            let [first] = copy::<1>(from, to);
            let [middle] = copy::<1>(from.add(length / 2), to.add(length / 2));
            let [last] = copy::<1>(from.add(length - 1), to.add(length - 1));
            u64::from_le_bytes([first, middle, last, b' ', b' ', b' ', b' ', b' '])
        } else {
            return true;
        };
        !CHECK || needs_escape(word) == 0
    }
}

/// Appends `text`.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() > SHORT {
        out.extend_from_slice(text);
        return;
    }
    out.reserve(text.len());
    let start = out.len();
    // SAFETY: there is room for the text behind what the buffer holds, and the text is no part of that room.
    unsafe {
        copy_text::<false>(text.as_ptr(), out.as_mut_ptr().add(start), text.len());
        out.set_len(start + text.len());
    }
}

/// Appends `text`, between quotes if `QUOTED`, if all of it may stand in a JSON string as it is; else leaves `out` as
/// it was and says so.
#[inline]
pub(crate) fn append_plain<const QUOTED: bool>(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let quote = usize::from(QUOTED);
    let whole = text.len() + 2 * quote;
    out.reserve(whole);
    let start = out.len();
    // SAFETY: there is room for the text and both quotes behind what the buffer holds, and the text is no part of that
    // room.
    unsafe {
        let to = out.as_mut_ptr().add(start);
        if !copy_text::<true>(text.as_ptr(), to.add(quote), text.len()) {
            return false;
        }
        if QUOTED {
            to.write(b'"');
            to.add(quote + text.len()).write(b'"');
        }
        out.set_len(start + whole);
    }
    true
}

/// A text known beforehand, such as a key, with what pads it: copied as it is, in words of a fixed number, which takes
/// neither a loop nor a call.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    length: u8,
    bytes: [u8; Piece::ROOM + 1],
}

impl Piece {
    /// The longest text, in bytes.
    pub(crate) const ROOM: usize = 48;

    /// A text of no more than [`Piece::ROOM`] bytes.
    pub(crate) const fn new(text: &[u8]) -> Option<Self> {
        if text.len() > Piece::ROOM {
            return None;
        }
        let mut bytes = [0; Piece::ROOM + 1];
        let (mut at, mut rest) = (0, text);
        while let [first, behind @ ..] = rest {
            bytes[at] = *first;
            rest = behind;
            at += 1;
        }
        Some(Piece { length: at as u8, bytes })
    }

    /// What stands before a member's value where another member stands before it: `,"name":`. For constants: a name
    /// that is too long does not compile.
    #[expect(clippy::panic, reason = "at compile time")]
    pub const fn key(comma_and_key: &str) -> Self {
        match Piece::new(comma_and_key.as_bytes()) {
            Some(piece) => piece,
            None => panic!("the name is too long"),
        }
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// Copies it without its first `skip` bytes, and returns how many that are.
    ///
    /// # Safety
    /// [`Piece::ROOM`] bytes must be writable at `to`, and `skip` must be 0 or 1, and no more than the piece's length.
    #[inline(always)]
    unsafe fn copy(&self, skip: usize, to: *mut u8) -> usize {
        // SAFETY: the caller's promise; there is one byte more than room.
        unsafe {
            let from = self.bytes.as_ptr().add(skip);
            for at in (0..Piece::ROOM).step_by(16) {
                copy::<16>(from.add(at), to.add(at));
            }
        }
        self.len() - skip
    }
}

/// Appends a piece and, between quotes, `text` if all of it may stand in a JSON string as it is; else leaves `out` as
/// it was and says so. The piece goes without its first byte, a comma, if `first`.
#[inline]
pub(crate) fn append_with_text(out: &mut Vec<u8>, piece: &Piece, first: bool, text: &[u8]) -> bool {
    let skip = usize::from(first && piece.len() > 0);
    out.reserve(Piece::ROOM + text.len() + 2);
    let start = out.len();
    // SAFETY: there is room for a whole piece, the text and both quotes behind what the buffer holds, and neither is a
    // part of that room.
    unsafe {
        let to = out.as_mut_ptr().add(start);
        let length = piece.copy(skip, to);
        let to = to.add(length);
        if !copy_text::<true>(text.as_ptr(), to.add(1), text.len()) {
            return false;
        }
        to.write(b'"');
        to.add(1 + text.len()).write(b'"');
        out.set_len(start + length + text.len() + 2);
    }
    true
}

/// The same for a text that stands in JSON as it is.
#[inline]
pub(crate) fn append_with_json(out: &mut Vec<u8>, piece: &Piece, first: bool, json: &[u8]) {
    let skip = usize::from(first && piece.len() > 0);
    out.reserve(Piece::ROOM + json.len());
    let start = out.len();
    // SAFETY: as above.
    unsafe {
        let to = out.as_mut_ptr().add(start);
        let length = piece.copy(skip, to);
        copy_text::<false>(json.as_ptr(), to.add(length), json.len());
        out.set_len(start + length + json.len());
    }
}

/// Appends a member of an object, with a comma before it unless it is the first, if all of its name and value may stand
/// in JSON strings as they are; else leaves `out` as it was and says so.
#[inline]
pub(crate) fn append_member(out: &mut Vec<u8>, first: bool, name: &[u8], value: &[u8]) -> bool {
    let comma = usize::from(!first);
    out.reserve(name.len() + value.len() + 6);
    let start = out.len();
    // SAFETY: there is room for both texts, their quotes, a comma and a colon behind what the buffer holds, and neither
    // is a part of that room.
    unsafe {
        let to = out.as_mut_ptr().add(start);
        to.write(b',');
        let to = to.add(comma);
        to.write(b'"');
        if !copy_text::<true>(name.as_ptr(), to.add(1), name.len()) {
            return false;
        }
        let behind = to.add(1 + name.len());
        behind.write(b'"');
        behind.add(1).write(b':');
        behind.add(2).write(b'"');
        if !copy_text::<true>(value.as_ptr(), behind.add(3), value.len()) {
            return false;
        }
        behind.add(3 + value.len()).write(b'"');
        out.set_len(start + comma + name.len() + value.len() + 5);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(length: usize) -> Vec<u8> {
        (0..length).map(|at| b'a' + (at % 26) as u8).collect()
    }

    #[test]
    fn texts_of_every_length_arrive_whole_and_touch_nothing_else() {
        for length in 0..=300 {
            let text = plain(length);
            for room in [0, 7, 1000] {
                let mut out = Vec::with_capacity(6 + room);
                out.extend_from_slice(b"before");
                append(&mut out, &text);
                assert_eq!(out, [b"before", text.as_slice()].concat());
                assert!(append_plain::<true>(&mut out, &text) && append_plain::<false>(&mut out, &text));
                assert_eq!(out, [b"before", &*text, b"\"", &*text, b"\"", &*text].concat());
            }
        }
    }

    #[test]
    fn members_are_written_whole_or_not_at_all() {
        let whole = |piece: &str, first, text: &str| {
            let mut out = b"before".to_vec();
            let piece = Piece::new(piece.as_bytes()).unwrap();
            let plain = append_with_text(&mut out, &piece, first, text.as_bytes());
            let mut json = b"before".to_vec();
            append_with_json(&mut json, &piece, first, text.as_bytes());
            (plain, String::from_utf8(out).unwrap(), String::from_utf8(json).unwrap())
        };
        for length in 0..=300 {
            let text = String::from_utf8(plain(length)).unwrap();
            let name = &text[..length.min(Piece::ROOM)];
            let (plain, out, json) = whole(name, false, &text);
            assert!(
                plain && out == format!("before{name}\"{text}\"") && json == format!("before{name}{text}")
            );
            let (plain, out, json) = whole(name, true, &text);
            let name = name.get(1..).unwrap_or_default();
            assert!(
                plain && out == format!("before{name}\"{text}\"") && json == format!("before{name}{text}")
            );

            let mut out = b"{".to_vec();
            assert!(
                append_member(&mut out, true, text.as_bytes(), b"v")
                    && append_member(&mut out, false, b"k", text.as_bytes())
            );
            assert_eq!(String::from_utf8(out).unwrap(), format!("{{\"{text}\":\"v\",\"k\":\"{text}\""));
        }
        assert_eq!(whole(",\"a\":", false, "x\"y"), (false, "before".into(), "before,\"a\":x\"y".into()));
        let mut out = b"{".to_vec();
        assert!(
            !append_member(&mut out, true, b"a\n", b"v")
                && !append_member(&mut out, true, b"a", b"\\")
                && out == b"{"
        );
        assert!(Piece::new(&plain(Piece::ROOM + 1)).is_none());
    }

    #[test]
    fn a_byte_to_escape_is_found_at_every_place() {
        for length in 1..=70 {
            for at in 0..length {
                for (byte, is_plain) in
                    [(b'"', false), (b'\\', false), (0, false), (0x1f, false), (0x7f, true), (b' ', true)]
                {
                    let mut text = plain(length);
                    text[at] = byte;
                    let mut out = b"before".to_vec();
                    assert_eq!(append_plain::<true>(&mut out, &text), is_plain, "{byte} at {at} of {length}");
                    assert!(is_plain || out == b"before");
                }
            }
        }
    }
}
