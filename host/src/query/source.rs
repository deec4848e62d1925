//! The characters of a query and the tokens read from them: words, phrases, ranges, comparisons, regular expressions
//! and suffixes. What the tokens mean together is parse.rs's business.

use super::ast::{Bound, Part, Test};
use super::error::QueryError;
use super::text::MAXIMUM_SLOP;

/// A query's characters and how far they are read.
pub(super) struct Source {
    pub(super) characters: Vec<char>,
    pub(super) position: usize,
}

/// An unquoted word, with its wildcards told from escaped characters.
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
}

impl Word {
    pub(super) fn text(&self) -> Option<String> {
        match self.parts.as_slice() {
            [] => Some(String::new()),
            [Part::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn only_any(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|part| *part == Part::Any)
    }
}

impl Source {
    pub(super) fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    pub(super) fn peek_at(&self, position: usize) -> Option<char> {
        self.characters.get(position).copied()
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.position += 1;
        }
    }

    pub(super) fn eat(&mut self, character: char) -> bool {
        let found = self.peek() == Some(character);
        self.position += usize::from(found);
        found
    }

    pub(super) fn error(
        &self,
        position: usize,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> QueryError {
        QueryError::new(found, hint).at(position.min(self.characters.len()) + 1)
    }

    pub(super) fn unexpected(&self, why: &str, hint: &str) -> QueryError {
        let found = match self.peek() {
            Some(character) => format!("found '{character}' where {why}"),
            None => format!("the query ends where {why}"),
        };
        self.error(self.position, found, hint)
    }

    /// Whether `position` is behind a term: nothing, a blank or a parenthesis.
    pub(super) fn is_delimiter(&self, position: usize) -> bool {
        self.peek_at(position)
            .is_none_or(|character| character.is_whitespace() || matches!(character, '(' | ')'))
    }

    /// The length of the operator word or sign here, if `word` or `sign` stands here.
    pub(super) fn operator(&self, word: &str, sign: &str) -> Option<usize> {
        let starts = |text: &str| {
            text.chars()
                .enumerate()
                .all(|(offset, character)| self.peek_at(self.position + offset) == Some(character))
        };
        if !sign.is_empty() && starts(sign) {
            return Some(sign.len());
        }
        let end = self.position + word.len();
        (starts(word) && (self.is_delimiter(end) || self.peek_at(end) == Some('"'))).then_some(word.len())
    }

    /// An unquoted word, up to a blank, bracket, quote, suffix, or (for a field's name) a colon.
    pub(super) fn word(&mut self, stop_at_colon: bool) -> Result<Word, QueryError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(character) = self.peek() {
            match character {
                '(' | ')' | '[' | ']' | '{' | '}' | '"' => break,
                ':' if stop_at_colon => break,
                '~' | '^' if self.is_suffix(self.position) => break,
                _ if character.is_whitespace() => break,
                '\\' => {
                    text.push(self.escaped()?);
                    continue;
                }
                '*' | '?' => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(if character == '*' { Part::Any } else { Part::One });
                }
                _ => text.push(character),
            }
            self.position += 1;
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Word { parts })
    }

    /// The character a backslash stands before: itself, or `\uXXXX`.
    pub(super) fn escaped(&mut self) -> Result<char, QueryError> {
        self.position += 1;
        let Some(character) = self.peek() else {
            return Err(self.error(
                self.position - 1,
                "a backslash at the end",
                "write \\\\ to search for one",
            ));
        };
        let digits: String = self.characters.iter().skip(self.position + 1).take(4).collect();
        if character == 'u'
            && digits.len() == 4
            && let Some(unicode) = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
        {
            self.position += 5;
            return Ok(unicode);
        }
        self.position += 1;
        Ok(character)
    }

    pub(super) fn quoted(&mut self) -> Result<String, QueryError> {
        let open = self.position;
        self.position += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    return Err(self.error(
                        open,
                        "this '\"' is never closed",
                        "add '\"', or write \\\" for the sign",
                    ));
                }
                Some('"') => {
                    self.position += 1;
                    return Ok(text);
                }
                Some('\\') => text.push(self.escaped()?),
                Some(character) => {
                    text.push(character);
                    self.position += 1;
                }
            }
        }
    }

    /// `[a TO b]` and its half-open kin.
    pub(super) fn range(&mut self) -> Result<Test, QueryError> {
        const HINT: &str =
            "write [a TO b] or {a TO b}, with * for an open end; quote a bound that holds blanks";
        let including_lower = self.peek() == Some('[');
        self.position += 1;
        let lower = self.bound(including_lower)?;
        self.skip_blanks();
        match self.operator("TO", "") {
            Some(length) => self.position += length,
            None => return Err(self.unexpected("TO was expected", HINT)),
        }
        let upper_at = self.position;
        let upper = self.bound(true)?;
        self.skip_blanks();
        let upper = match (self.peek(), upper) {
            (Some('}'), Bound::Including(text)) => Bound::Excluding(text),
            (Some(']' | '}'), upper) => upper,
            _ => return Err(self.error(upper_at, "this range is never closed", HINT)),
        };
        self.position += 1;
        Ok(Test::Range { lower, upper })
    }

    pub(super) fn bound(&mut self, including: bool) -> Result<Bound, QueryError> {
        self.skip_blanks();
        let text = if self.peek() == Some('"') {
            self.quoted()?
        } else {
            let start = self.position;
            let mut text = String::new();
            while let Some(character) = self.peek() {
                match character {
                    ']' | '}' => break,
                    '\\' => text.push(self.escaped()?),
                    _ if character.is_whitespace() => break,
                    _ => {
                        text.push(character);
                        self.position += 1;
                    }
                }
            }
            if text == "*" && self.position == start + 1 {
                return Ok(Bound::Open);
            }
            if text.is_empty() {
                return Err(self.unexpected("a bound was expected", "write [a TO b], with * for an open end"));
            }
            text
        };
        Ok(if including { Bound::Including(text) } else { Bound::Excluding(text) })
    }

    /// `>a`, `>=a`, `<a`, `<=a`.
    pub(super) fn comparison(&mut self) -> Result<Test, QueryError> {
        let greater = self.eat('>');
        if !greater {
            self.position += 1;
        }
        let including = self.eat('=');
        self.skip_blanks();
        let text = if self.peek() == Some('"') { Some(self.quoted()?) } else { self.word(false)?.text() };
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Err(self.unexpected("a value to compare with was expected", "write field:>5"));
        };
        self.boost()?;
        let bound = if including { Bound::Including(text) } else { Bound::Excluding(text) };
        Ok(if greater {
            Test::Range { lower: bound, upper: Bound::Open }
        } else {
            Test::Range { lower: Bound::Open, upper: bound }
        })
    }

    /// Where the regular expression that starts here closes; `None` when the slash begins a plain term such as a path.
    pub(super) fn regex_end(&self) -> Option<usize> {
        let mut position = self.position + 1;
        loop {
            match self.peek_at(position)? {
                '\\' => position += 2,
                '/' => {
                    let closes = self.is_delimiter(position + 1) || self.peek_at(position + 1) == Some('^');
                    return (closes && position > self.position + 1).then_some(position);
                }
                _ => position += 1,
            }
        }
    }

    pub(super) fn regex(&mut self) -> Test {
        let end = self.regex_end().unwrap_or(self.position);
        let mut pattern = String::new();
        let mut position = self.position + 1;
        while position < end {
            let character = self.characters[position];
            let next = self.peek_at(position + 1);
            if character == '\\' {
                if next != Some('/') {
                    pattern.push(character);
                }
                pattern.extend(next);
                position += 2;
            } else {
                pattern.push(character);
                position += 1;
            }
        }
        self.position = end + 1;
        Test::Regex(pattern)
    }

    /// Whether `~` or `^` here is an operator: nothing or a number, then the end of the term.
    pub(super) fn is_suffix(&self, position: usize) -> bool {
        let mut end = position + 1;
        while self.peek_at(end).is_some_and(|character| character.is_ascii_digit() || character == '.') {
            end += 1;
        }
        self.is_delimiter(end) || matches!(self.peek_at(end), Some('^' | '~'))
    }

    pub(super) fn number(&mut self) -> String {
        let start = self.position;
        while self.peek().is_some_and(|character| character.is_ascii_digit() || character == '.') {
            self.position += 1;
        }
        self.characters[start..self.position].iter().collect()
    }

    pub(super) fn boost(&mut self) -> Result<(), QueryError> {
        let start = self.position;
        if self.eat('^') && self.number().parse::<f32>().is_err() {
            return Err(self.error(
                start,
                "'^' without a number",
                "write ^2, or \\^ for the character itself",
            ));
        }
        Ok(())
    }

    pub(super) fn fuzzy(&mut self, text: String) -> Result<Test, QueryError> {
        let start = self.position;
        self.position += 1;
        match self.number().as_str() {
            "" => Ok(Test::Fuzzy { text, distance: None }),
            "0" => Ok(Test::Text { text, slop: 0 }),
            "1" => Ok(Test::Fuzzy { text, distance: Some(1) }),
            "2" => Ok(Test::Fuzzy { text, distance: Some(2) }),
            other => Err(self.error(
                start,
                format!("a distance of {other}"),
                "write ~1 or ~2: that many letters may differ; or \\~ for the character itself",
            )),
        }
    }

    pub(super) fn slop(&mut self) -> Result<u32, QueryError> {
        let start = self.position;
        if !self.eat('~') {
            return Ok(0);
        }
        let number = self.number();
        number.parse().ok().filter(|slop| *slop <= MAXIMUM_SLOP).ok_or_else(|| {
            self.error(
                start,
                format!("a phrase's distance of {number:?}"),
                format!("write \"a b\"~3, at most ~{MAXIMUM_SLOP}"),
            )
        })
    }
}
