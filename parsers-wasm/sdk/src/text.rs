//! Short needles in short texts.
//!
//! The standard library prepares each search for a string of several bytes, which pays in long texts. A log line has a
//! hundred bytes and a parser looks for a few short strings in it, so here the needle's first byte is searched and the
//! rest compared.

use crate::block;

/// Where a byte first stands. Most fields end within one step.
#[inline]
pub fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    if let Some(block) = text.first_chunk() {
        let found = block::equal(block, byte);
        if found != 0 {
            return Some(found.trailing_zeros() as usize);
        }
    }
    memchr::memchr(byte, text)
}

/// Whether a character, which must be ASCII, stands in the text.
#[inline]
pub fn has(text: &str, byte: u8) -> bool {
    find_byte(text.as_bytes(), byte).is_some()
}

/// Where `needle` first stands.
#[inline]
pub fn find(text: &str, needle: &str) -> Option<usize> {
    let (first, rest) = needle.as_bytes().split_first()?;
    let bytes = text.as_bytes();
    if rest.is_empty() {
        return find_byte(bytes, *first);
    }
    memchr::memchr_iter(*first, bytes)
        .find(|at| bytes.get(at + 1..).is_some_and(|behind| behind.starts_with(rest)))
}

/// What stands before the first `needle` and behind it, like [`str::split_once`].
#[inline]
pub fn cut<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let at = find(text, needle)?;
    Some((text.get(..at)?, text.get(at + needle.len()..)?))
}

/// What stands before the last `needle` and behind it, like [`str::rsplit_once`].
#[inline]
pub fn cut_last<'a>(text: &'a str, needle: &str) -> Option<(&'a str, &'a str)> {
    let (first, rest) = needle.as_bytes().split_first()?;
    let bytes = text.as_bytes();
    let at = memchr::memrchr_iter(*first, bytes)
        .find(|at| bytes.get(at + 1..).is_some_and(|behind| behind.starts_with(rest)))?;
    Some((text.get(..at)?, text.get(at + needle.len()..)?))
}

/// Where `needle` stands, one place after the other; places may overlap.
#[inline]
pub fn find_all<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    let (first, rest) = needle.as_bytes().split_first().unwrap_or((&0, &[]));
    memchr::memchr_iter(*first, bytes).filter(move |at| {
        !needle.is_empty() && bytes.get(at + 1..).is_some_and(|behind| behind.starts_with(rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_standard_library_finds() {
        let texts =
            ["", "a", "ab", "aab", "abab: x", "é: ü", ": ", "a : b : c", "::: ", "\u{1F600}: \u{1F600}"];
        for text in texts {
            for needle in ["a", "ab", ": ", " : ", "é", "\u{1F600}", "bab", "zz"] {
                assert_eq!(find(text, needle), text.find(needle), "{text} {needle}");
                assert_eq!(cut(text, needle), text.split_once(needle), "{text} {needle}");
                assert_eq!(cut_last(text, needle), text.rsplit_once(needle), "{text} {needle}");
                let all: Vec<usize> = (0..text.len())
                    .filter(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(needle)))
                    .collect();
                assert_eq!(find_all(text, needle).collect::<Vec<_>>(), all, "{text} {needle}");
            }
            assert_eq!((find(text, ""), find_all(text, "").count()), (None, 0));
            for padding in ["", "0123456789", "0123456789abcde", "0123456789abcdef0123456789"] {
                let text = format!("{padding}{text}");
                for byte in [b':', b' ', b'x'] {
                    let character = char::from(byte);
                    assert_eq!(find_byte(text.as_bytes(), byte), text.find(character), "{text}");
                    assert_eq!(has(&text, byte), text.contains(character), "{text}");
                    let needle = character.to_string();
                    assert_eq!(cut(&text, &needle), text.split_once(character), "{text}");
                    assert_eq!(cut_last(&text, &needle), text.rsplit_once(character), "{text}");
                }
            }
        }
    }
}
