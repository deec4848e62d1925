//! Walks the values of a JSON document once, straight from its text, without a tree.
//!
//! Nothing an event can hold makes it fail: duplicate keys are several values, a number too large for a float is text,
//! half a surrogate pair is U+FFFD, and nesting uses a list, not the stack. Only what is no JSON object is refused.

use crate::query::{Number, Scalar};

use super::schema::PATH_SEPARATOR;

/// Longer paths are not followed: their values are found by their words. A query's field is never longer.
const PATH_BYTES: usize = 32 * 1024;

/// Receives the values of a document.
pub(super) trait Sink {
    /// A value at `path`, whose keys are separated by [`PATH_SEPARATOR`]; `None` when the path is too long.
    fn value(&mut self, path: Option<&str>, value: Scalar<'_>);
}

/// Where a document stopped being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoJson {
    pub(super) offset: usize,
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
}

#[derive(Clone, Copy)]
struct Container {
    /// Length of the path at which the container stands.
    path: u32,
    is_object: bool,
}

/// Gives every value of the object `text` to `sink`; `null` is no value.
pub(super) fn flatten(text: &str, sink: &mut impl Sink) -> Result<(), NoJson> {
    let mut reader = Reader { text, offset: 0 };
    let mut path = String::new();
    let mut buffer = String::new();
    let mut containers: Vec<Container> = Vec::with_capacity(16);
    reader.skip_blanks();
    if reader.peek() != Some(b'{') {
        return Err(reader.error());
    }
    reader.open(&mut containers, 0);
    // True right behind an opening bracket, where the container may end at once.
    let mut fresh = true;
    while let Some(container) = containers.last().copied() {
        reader.skip_blanks();
        let close = if container.is_object { b'}' } else { b']' };
        let length = container.path as usize;
        if reader.peek() == Some(close) {
            // A comma before the bracket would have asked for another member.
            reader.offset += 1;
            containers.pop();
            fresh = false;
            continue;
        }
        if !fresh {
            reader.expect(b',')?;
            reader.skip_blanks();
        }
        fresh = false;
        path.truncate(length);
        if container.is_object {
            if containers.len() > 1 {
                path.push(PATH_SEPARATOR);
            }
            let key = reader.string(&mut buffer)?;
            push_key(&mut path, key);
            reader.skip_blanks();
            reader.expect(b':')?;
            reader.skip_blanks();
        }
        match reader.peek() {
            Some(b'{' | b'[') => {
                reader.open(&mut containers, path.len());
                fresh = true;
            }
            _ => reader.scalar(&mut buffer, &path, sink)?,
        }
    }
    reader.skip_blanks();
    if reader.offset == text.len() { Ok(()) } else { Err(reader.error()) }
}

/// A dot in a key separates like a level, and characters that the engine keeps for itself are replaced.
fn push_key(path: &mut String, key: &str) {
    if path.len() > PATH_BYTES {
        return;
    }
    if key.bytes().all(|byte| byte > 2 && byte != b'.') {
        path.push_str(key);
        return;
    }
    path.extend(key.chars().map(|character| match character {
        '.' => PATH_SEPARATOR,
        '\0'..='\u{2}' => char::REPLACEMENT_CHARACTER,
        character => character,
    }));
}

impl<'a> Reader<'a> {
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.offset).copied()
    }

    fn error(&self) -> NoJson {
        NoJson { offset: self.offset }
    }

    fn expect(&mut self, byte: u8) -> Result<(), NoJson> {
        if self.peek() != Some(byte) {
            return Err(self.error());
        }
        self.offset += 1;
        Ok(())
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.offset += 1;
        }
    }

    fn open(&mut self, containers: &mut Vec<Container>, path: usize) {
        containers.push(Container { path: path as u32, is_object: self.peek() == Some(b'{') });
        self.offset += 1;
    }

    fn scalar(&mut self, buffer: &mut String, path: &str, sink: &mut impl Sink) -> Result<(), NoJson> {
        let path = (path.len() <= PATH_BYTES).then_some(path);
        let start = self.offset;
        if self.peek() == Some(b'"') {
            let text = self.string(buffer)?;
            sink.value(path, Scalar::Text(text));
            return Ok(());
        }
        let length = self.bytes()[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            .count();
        let word = &self.text[start..start + length];
        let value = match word {
            "null" => None,
            "true" => Some(Scalar::Boolean(true)),
            "false" => Some(Scalar::Boolean(false)),
            _ => match Number::from_text(word) {
                Some(number) => Some(Scalar::Number(number)),
                None if is_too_large(word) => Some(Scalar::Text(word)),
                None => return Err(self.error()),
            },
        };
        self.offset += length;
        if let Some(value) = value {
            sink.value(path, value);
        }
        Ok(())
    }

    /// A string's content, borrowed from the document if it holds no escape.
    fn string<'b>(&mut self, buffer: &'b mut String) -> Result<&'b str, NoJson>
    where
        'a: 'b,
    {
        self.expect(b'"')?;
        let start = self.offset;
        let length = memchr::memchr2(b'"', b'\\', &self.bytes()[start..]).ok_or(self.error())?;
        self.offset += length;
        if self.peek() == Some(b'"') {
            self.offset += 1;
            return Ok(&self.text[start..start + length]);
        }
        buffer.clear();
        buffer.push_str(&self.text[start..start + length]);
        loop {
            let start = self.offset;
            let length = memchr::memchr2(b'"', b'\\', &self.bytes()[start..]).ok_or(self.error())?;
            buffer.push_str(&self.text[start..start + length]);
            self.offset += length + 1;
            if self.bytes()[start + length] == b'"' {
                return Ok(buffer);
            }
            let escaped = self.escape()?;
            buffer.push(escaped);
        }
    }

    fn escape(&mut self) -> Result<char, NoJson> {
        let escape = self.peek().ok_or(self.error())?;
        let character = match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.offset += 1;
                return self.unicode();
            }
            _ => return Err(self.error()),
        };
        self.offset += 1;
        Ok(character)
    }

    /// The four digits behind `\u`, and those of the second half of a pair.
    fn unicode(&mut self) -> Result<char, NoJson> {
        let first = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if !self.bytes()[self.offset..].starts_with(b"\\u") {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let between = self.offset;
        self.offset += 2;
        let second = self.hexadecimal()?;
        if !(0xdc00..0xe000).contains(&second) {
            // Not its other half: read it again by itself.
            self.offset = between;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hexadecimal(&mut self) -> Result<u32, NoJson> {
        let digits = self.bytes().get(self.offset..self.offset + 4).ok_or(self.error())?;
        let mut code = 0;
        for digit in digits {
            code = code * 16 + char::from(*digit).to_digit(16).ok_or(self.error())?;
        }
        self.offset += 4;
        Ok(code)
    }
}

/// A JSON number that no float can hold.
fn is_too_large(word: &str) -> bool {
    word.starts_with(|character: char| character == '-' || character.is_ascii_digit())
        && word.parse::<f64>().is_ok_and(f64::is_infinite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Collected(Vec<(String, String)>);

    impl Sink for Collected {
        fn value(&mut self, path: Option<&str>, value: Scalar<'_>) {
            let path = path.map_or_else(|| "…".to_owned(), |path| path.replace(PATH_SEPARATOR, "."));
            let value = match value {
                Scalar::Text(text) => format!("{text:?}"),
                value => value.words().unwrap().into_owned(),
            };
            self.0.push((path, value));
        }
    }

    fn values(text: &str) -> Result<String, NoJson> {
        let mut collected = Collected::default();
        flatten(text, &mut collected)?;
        let values: Vec<String> =
            collected.0.into_iter().map(|(path, value)| format!("{path}={value}")).collect();
        Ok(values.join(" "))
    }

    #[test]
    fn every_value_with_its_path() {
        for (text, expected) in [
            ("{}", ""),
            (r#" { "a" : 1 , "b" : [ ] } "#, "a=1"),
            (r#"{"a":{"b":[1,{"c":true},[2,[]],{}],"d":null},"e":-2.50}"#, "a.b=1 a.b.c=true a.b=2 e=-2.5"),
            (r#"{"a.b":{"c.d":"x"},"":{"":"y"},".":"z"}"#, r#"a.b.c.d="x" .="y" .="z""#),
            (r#"{"a":1,"a":"2"}"#, r#"a=1 a="2""#),
            (r#"{"\u0061\n":"\u00e9\ud83d\ude00\ud83dx\udc00\"\/"}"#, "a\n=\"é😀\u{fffd}x\u{fffd}\\\"/\""),
            (r#"{"a\u0000b\u0001":1e999,"n":1e300}"#, "a\u{fffd}b\u{fffd}=\"1e999\" n=1e300"),
        ] {
            assert_eq!(values(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1 \"b\":2}",
            "{\"a\":01}",
            "{} x",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"",
            "{\"a\":[1}",
            "{,}",
            "{\"a\":NaN}",
        ] {
            assert!(values(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let depth = 200_000;
        let text = format!(
            "{}{}1{}{}",
            "{\"a\":".repeat(depth),
            "[".repeat(depth),
            "]".repeat(depth),
            "}".repeat(depth)
        );
        assert_eq!(values(&text).as_deref(), Ok("…=1"));
    }
}
