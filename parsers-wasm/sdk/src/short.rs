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
use crate::joint::{Joint, ROOM};
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

/// Copies a joint with what pads it, in words: a copy in one piece would be a call.
///
/// # Safety
/// [`ROOM`] bytes must be writable at `to`.
#[inline(always)]
unsafe fn copy_joint(joint: &Joint, to: *mut u8) {
    let from = joint.bytes().as_ptr();
    // SAFETY: the caller's promise; a joint has as many bytes.
    unsafe {
        for at in (0..ROOM).step_by(16) {
            copy::<16>(from.add(at), to.add(at));
        }
    }
}

/// Appends the joint that leads to a field and, between quotes, `text` if all of it may stand in a JSON string as it is;
/// else leaves `out` as it was and says so.
#[inline]
pub(crate) fn append_field(out: &mut Vec<u8>, joint: &Joint, text: &[u8]) -> bool {
    out.reserve(ROOM + text.len() + 2);
    let start = out.len();
    // SAFETY: there is room for a whole joint, the text and both quotes behind what the buffer holds, a joint is not
    // longer than its room, and neither is a part of that room.
    unsafe {
        let to = out.as_mut_ptr().add(start);
        copy_joint(joint, to);
        let length = joint.length().min(ROOM);
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

/// Appends the joint that leads to a field, and `text` as it is.
#[inline]
pub(crate) fn append_joint(out: &mut Vec<u8>, joint: &Joint, text: &[u8]) {
    out.reserve(ROOM + text.len());
    let start = out.len();
    // SAFETY: as above.
    unsafe {
        let to = out.as_mut_ptr().add(start);
        copy_joint(joint, to);
        let length = joint.length().min(ROOM);
        copy_text::<false>(text.as_ptr(), to.add(length), text.len());
        out.set_len(start + length + text.len());
    }
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
