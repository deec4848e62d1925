//! Words: how free text and full-text fields are cut, in the index, in the matcher and in a query alike.
//!
//! A word is a run of letters and digits in lower case, so that `example` finds `www.example.com` and the phrase
//! `example.com` finds it too. An ideograph or kana is a word of its own, as in Lucene's standard tokenizer, since those
//! scripts put no blanks between words. A run longer than [`WORD_BYTES`] is cut into several, which bounds the index's
//! dictionary against encoded blobs and changes no answer, as queries are cut alike.

/// The longest word; Lucene's standard tokenizer cuts at 255 too.
pub const WORD_BYTES: usize = 255;

/// How far the words of a phrase may stand from their places, at most.
pub const MAXIMUM_SLOP: u32 = 10;

/// Places left free before each value, so that no phrase reaches from one value into the next.
pub const VALUE_GAP: u32 = MAXIMUM_SLOP + 1;

/// Stands between the values of an event in the index's text of all words.
pub const VALUE_SEPARATOR: char = '\u{1f}';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Separator,
    /// [`VALUE_SEPARATOR`].
    Value,
    /// Part of a character beyond ASCII.
    Beyond,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Separator; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte > 127 {
            classes[byte] = Class::Beyond;
        } else if (byte as u8).is_ascii_alphanumeric() {
            classes[byte] = Class::Letter;
        }
        byte += 1;
    }
    classes[VALUE_SEPARATOR as usize] = Class::Value;
    classes
};

/// Cuts text into words. Create one per text; [`Words::next_into`] reuses the caller's buffer.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    text: &'a str,
    offset: usize,
    position: u32,
}

impl<'a> Words<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, offset: 0, position: VALUE_GAP }
    }

    /// Puts the next word, in lower case, into `word` and gives its place; `None` behind the last one.
    ///
    /// The first word's place is [`VALUE_GAP`], the next one's one more; a [`VALUE_SEPARATOR`] leaves a gap.
    pub fn next_into(&mut self, word: &mut String) -> Option<u32> {
        word.clear();
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.offset) {
            match CLASSES[usize::from(byte)] {
                Class::Letter => {
                    // A run of ASCII is copied at once: it is nearly all of every log.
                    let start = self.offset;
                    let limit = bytes.len().min(start + WORD_BYTES - word.len());
                    let mut end = start;
                    while end < limit && CLASSES[usize::from(bytes[end])] == Class::Letter {
                        end += 1;
                    }
                    self.offset = end;
                    let copied = word.len();
                    word.push_str(&self.text[start..end]);
                    word[copied..].make_ascii_lowercase();
                    if word.len() == WORD_BYTES {
                        return Some(self.place());
                    }
                }
                Class::Beyond => {
                    if let Some(place) = self.beyond_ascii(word) {
                        return Some(place);
                    }
                }
                Class::Separator | Class::Value if !word.is_empty() => return Some(self.place()),
                class => {
                    self.offset += 1;
                    if class == Class::Value {
                        self.position = self.position.saturating_add(VALUE_GAP);
                    }
                }
            }
        }
        if word.is_empty() { None } else { Some(self.place()) }
    }

    /// Takes the character here into the word, or ends the word before or behind it.
    fn beyond_ascii(&mut self, word: &mut String) -> Option<u32> {
        let character = self.text[self.offset..].chars().next()?;
        let is_letter = is_word_character(character);
        let alone = is_word_alone(character);
        // A letter in lower case may be up to three characters.
        let is_full = word.len() + 3 * 4 > WORD_BYTES;
        if !word.is_empty() && (alone || !is_letter || is_full) {
            return Some(self.place());
        }
        self.offset += character.len_utf8();
        if alone {
            word.push(character);
            return Some(self.place());
        }
        if is_letter {
            word.extend(character.to_lowercase());
        }
        None
    }

    fn place(&mut self) -> u32 {
        let place = self.position;
        self.position = self.position.saturating_add(1);
        place
    }
}

/// Whether a character can be part of a word.
pub(crate) fn is_word_character(character: char) -> bool {
    character.is_alphanumeric()
}

/// Ideographs and hiragana, which are words by themselves.
pub(crate) const fn is_word_alone(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{309f}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// All words of `text` with their places.
pub(crate) fn words(text: &str) -> Vec<(u32, String)> {
    let mut words = Vec::new();
    let mut cutter = Words::new(text);
    let mut word = String::new();
    while let Some(position) = cutter.next_into(&mut word) {
        words.push((position, word.clone()));
    }
    words
}

/// Whether words stand as a phrase asks: `places` holds, for each word of the phrase in order, the ascending places it
/// was found at. As in Lucene, a word's displacement is its place minus its place in the phrase, and the displacements
/// may differ by `slop` at most.
pub(crate) fn is_phrase(places: &[Vec<u32>], slop: u32) -> bool {
    let displaced = |word: usize, place: u32| i64::from(place) - word as i64;
    let within = |word: usize, from: i64| {
        let Some(list) = places.get(word) else { return false };
        let first = list.partition_point(|place| displaced(word, *place) < from);
        list.get(first).is_some_and(|place| displaced(word, *place) <= from + i64::from(slop))
    };
    places.iter().enumerate().any(|(word, list)| {
        list.iter().any(|place| {
            let from = displaced(word, *place);
            (0..places.len()).all(|other| within(other, from))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        words(text).into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(
            cut("GET /Admin-Panel/login.php?id=10&x=ÄÖ HTTP/1.1"),
            ["get", "admin", "panel", "login", "php", "id", "10", "x", "äö", "http", "1", "1"]
        );
        assert_eq!(cut("東京タワー abc"), ["東", "京", "タワー", "abc"]);
        assert_eq!(cut("--- \u{1f} ---"), [""; 0]);
    }

    #[test]
    fn a_long_run_is_cut_and_every_word_is_bounded() {
        for run in ["a".repeat(1000), "é".repeat(1000), "İ".repeat(400), "a".repeat(254) + &"é".repeat(9)]
        {
            let words = cut(&run);
            assert!(words.len() > 1);
            assert!(words.iter().all(|word| word.len() <= WORD_BYTES), "{words:?}");
        }
        assert_eq!(cut(&"a".repeat(600)).iter().map(String::len).collect::<Vec<_>>(), [255, 255, 90]);
    }

    #[test]
    fn values_stand_apart() {
        let places: Vec<u32> = words("a b\u{1f}c").into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [VALUE_GAP, VALUE_GAP + 1, 2 * VALUE_GAP + 2]);
    }

    #[test]
    fn a_phrase_allows_its_slop_and_no_more() {
        assert!(is_phrase(&[vec![3], vec![4]], 0));
        assert!(!is_phrase(&[vec![3], vec![5]], 0));
        assert!(is_phrase(&[vec![3], vec![5]], 1));
        assert!(!is_phrase(&[vec![4], vec![3]], 1), "swapping two words costs two");
        assert!(is_phrase(&[vec![4], vec![3]], 2));
        assert!(is_phrase(&[vec![1, 9], vec![2, 30], vec![3, 11]], 0));
        assert!(!is_phrase(&[vec![1], vec![]], 5));
    }
}
