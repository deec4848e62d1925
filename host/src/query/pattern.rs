//! Tests of one text: wildcards, regular expressions and near spellings. The matcher applies them to the values of an
//! event, the index to the terms of its dictionaries.

use regex::{Regex, RegexBuilder};

use super::ast::Part;
use super::error::QueryError;
use super::text::{is_word_alone, is_word_character};

/// A test of a whole value or word.
#[derive(Debug, Clone)]
pub(crate) enum TextTest {
    Equal(String),
    Glob(Glob),
    Regex(Regex),
    Near { text: String, distance: usize },
}

impl TextTest {
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equal(expected) => text == expected,
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Near { text: expected, distance } => is_near(text, expected, *distance),
        }
    }

    /// What every matching text begins with.
    pub(crate) fn prefix(&self) -> &str {
        match self {
            Self::Equal(text) => text,
            Self::Glob(glob) => glob.prefix(),
            Self::Regex(_) | Self::Near { .. } => "",
        }
    }

    /// A regular expression that has to match from the first to the last character.
    pub(crate) fn regex(pattern: &str) -> Result<Self, QueryError> {
        RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
            .dot_matches_new_line(true)
            .size_limit(1 << 20)
            .dfa_size_limit(1 << 20)
            .nest_limit(50)
            .build()
            .map(Self::Regex)
            .map_err(|error| {
                let reason = error.to_string();
                let reason =
                    reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                QueryError::new(
                    format!("/{pattern}/ is no regular expression: {reason}"),
                    "correct it, or quote the text if the slashes belong to it",
                )
            })
    }

    /// A near spelling; without a distance, OpenSearch's `AUTO`: 0 up to two characters, 1 up to five, else 2.
    pub(crate) fn near(text: String, distance: Option<u8>) -> Self {
        let distance = distance.map_or_else(
            || match text.chars().count() {
                0..=2 => 0,
                3..=5 => 1,
                _ => 2,
            },
            usize::from,
        );
        Self::Near { text, distance }
    }
}

/// At most `distance` characters inserted, deleted, replaced or swapped with their neighbour.
fn is_near(text: &str, expected: &str, distance: usize) -> bool {
    // A character is at most four bytes, so the lengths bound the distance from below, for little work.
    if text.len().abs_diff(expected.len()) > 4 * distance {
        return false;
    }
    strsim::osa_distance(text, expected) <= distance
}

/// A term with `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Vec<Part>,
}

impl Glob {
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// Linear in the text times the parts: only the last `*` is ever tried again.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut part = 0;
        let mut offset = 0;
        // Behind the last `*`: the part that follows it, and where in the text that part was last tried.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let rest = &text[offset..];
            let step = match self.parts.get(part) {
                Some(Part::Any) => {
                    retry = Some((part + 1, offset));
                    Some(0)
                }
                Some(Part::One) => rest.chars().next().map(char::len_utf8),
                Some(Part::Text(expected)) => rest.starts_with(expected.as_str()).then_some(expected.len()),
                None if rest.is_empty() => return true,
                None => None,
            };
            if let Some(length) = step {
                part += 1;
                offset += length;
                continue;
            }
            let Some((after, from)) = retry else { return false };
            let Some(skipped) = text[from..].chars().next() else { return false };
            let from = from + skipped.len_utf8();
            retry = Some((after, from));
            (part, offset) = (after, from);
        }
    }

    /// The words a wildcard term asks for, in order: `www.exam*` is the word `www` and then a word in `exam…`.
    ///
    /// Empty when nothing but wildcards and separators is left.
    pub(crate) fn words(&self) -> Vec<TextTest> {
        let mut words: Vec<Vec<Part>> = vec![Vec::new()];
        for part in &self.parts {
            match part {
                Part::Any | Part::One => push(&mut words, part.clone()),
                Part::Text(text) => {
                    for character in text.chars() {
                        if is_word_alone(character) {
                            words.push(vec![Part::Text(character.to_string())]);
                            words.push(Vec::new());
                        } else if is_word_character(character) {
                            for lower in character.to_lowercase() {
                                push_character(&mut words, lower);
                            }
                        } else {
                            words.push(Vec::new());
                        }
                    }
                }
            }
        }
        // A lone `*` at either end, or beside a separator it may be part of, says nothing about a word.
        let is_nothing = |word: &Vec<Part>| word.iter().all(|part| *part == Part::Any);
        words.retain(|word| !word.is_empty());
        while words.first().is_some_and(is_nothing) {
            words.remove(0);
        }
        while words.last().is_some_and(is_nothing) {
            words.pop();
        }
        words
            .into_iter()
            .map(|mut parts| match parts.as_mut_slice() {
                [Part::Text(text)] => TextTest::Equal(std::mem::take(text)),
                _ => TextTest::Glob(Self::new(parts)),
            })
            .collect()
    }
}

fn push(words: &mut [Vec<Part>], part: Part) {
    if let Some(word) = words.last_mut() {
        word.push(part);
    }
}

fn push_character(words: &mut [Vec<Part>], character: char) {
    if let Some(word) = words.last_mut() {
        if let Some(Part::Text(text)) = word.last_mut() {
            text.push(character);
        } else {
            word.push(Part::Text(character.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str) -> Glob {
        let mut parts: Vec<Part> = Vec::new();
        for character in pattern.chars() {
            match (character, parts.last_mut()) {
                ('*', _) => parts.push(Part::Any),
                ('?', _) => parts.push(Part::One),
                (_, Some(Part::Text(text))) => text.push(character),
                _ => parts.push(Part::Text(character.to_string())),
            }
        }
        Glob::new(parts)
    }

    #[test]
    fn wildcards() {
        for (pattern, yes, no) in [
            ("a*c", &["ac", "abc", "acbc", "a\nc"][..], &["a", "acb", "bac"][..]),
            ("*", &["", "x"], &[]),
            ("?", &["é", "a"], &["", "ab"]),
            ("a?c*", &["abc", "aéc…"], &["ac"]),
            ("*ab*ab", &["abab", "xabyabab"], &["ab", "xabab "]),
            ("**a**", &["a", "bab"], &["b"]),
            ("*é?", &["aéb", "éé"], &["é"]),
        ] {
            for text in yes {
                assert!(glob(pattern).matches(text), "{pattern} {text}");
            }
            for text in no {
                assert!(!glob(pattern).matches(text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_hostile_wildcard_takes_no_time() {
        let pattern = glob(&"*a".repeat(500));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(20_000))));
    }

    #[test]
    fn a_wildcard_term_is_cut_like_text() {
        let words = |pattern: &str| format!("{:?}", glob(pattern).words());
        assert_eq!(words("203.0.113.*"), r#"[Equal("203"), Equal("0"), Equal("113")]"#);
        assert_eq!(words("WWW.exam*"), r#"[Equal("www"), Glob(Glob { parts: [Text("exam"), Any] })]"#);
        assert_eq!(words("*.*"), "[]");
        assert_eq!(
            words("a?-*-b"),
            r#"[Glob(Glob { parts: [Text("a"), One] }), Glob(Glob { parts: [Any] }), Equal("b")]"#
        );
    }

    #[test]
    fn near_spellings() {
        let near = |text: &str, distance| TextTest::near(text.to_owned(), distance);
        assert!(near("roor", Some(1)).matches("root"));
        assert!(near("admni", Some(1)).matches("admin"), "a swap costs one");
        assert!(!near("admni", Some(1)).matches("admon"));
        assert!(near("ab", None).matches("ab") && !near("ab", None).matches("ac"));
        assert!(near("administrator", None).matches("adminstratr"));
    }

    #[test]
    fn a_regular_expression_matches_the_whole() {
        let regex = TextTest::regex("a|b.*").unwrap();
        assert!(regex.matches("a") && regex.matches("b\nc") && !regex.matches("ab"));
        assert!(TextTest::regex("(").is_err());
        assert!(TextTest::regex("(?:a{1000}){1000}").is_err(), "too large");
    }
}
