//! Records whose fields are known by their position: load balancer and S3 access logs.
//!
//! Such formats grow at their end, so a record may have fewer fields than are known (an older line) or more (a newer
//! one, whose further fields are kept as `extra_fields`). A field in the wrong shape makes the record malformed: its
//! neighbours would be in the wrong place too.

use crate::quoted::{Splitter, Token};
#[doc(hidden)]
pub use crate::short::Piece;
use crate::{ObjectWriter, ParseError, json, time};

/// What a field holds, and so its JSON type in the vendor's tree, which is the same in every event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A number without a fraction.
    Integer,
    /// A number with a fraction, also where the log leaves it out (`-1` becomes `-1.0`).
    Decimal,
    /// An array of strings, from values separated by this character, each perhaps in quotes of its own.
    List(char),
}

/// One known field.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The name in the vendor's tree.
    pub name: &'static str,
    /// The name as it stands before its value in JSON, `,"name":`.
    #[doc(hidden)]
    pub key: Piece,
    /// What it holds.
    pub shape: Shape,
}

/// Names a format's fields in their order: an `enum Field` of positions, and the `COLUMNS` of a [`Record`].
///
/// ```
/// weir_parser_sdk::positional_columns! {
///     Time = "time" Text, Bytes = "bytes" Integer, Actions = "actions" List(','),
/// }
/// assert_eq!(COLUMNS[Field::Bytes as usize].name, "bytes");
/// ```
#[macro_export]
macro_rules! positional_columns {
    ($($field:ident = $name:literal $shape:ident $(($separator:literal))?),* $(,)?) => {
        /// A field's position in the line.
        #[derive(Debug, Clone, Copy)]
        #[allow(dead_code, reason = "the format's own fields; not all have an ECS field")]
        pub(crate) enum Field { $($field),* }
        pub(crate) const COLUMNS: &[$crate::positional::Column; [$(Field::$field),*].len()] = &[$(
            $crate::positional::Column {
                name: $name,
                key: $crate::positional::Piece::key(concat!(",\"", $name, "\":")),
                shape: $crate::positional::Shape::$shape $(($separator))?,
            }
        ),*];
    };
}

/// The fields of one line, by position; at most `N` of them are known.
#[derive(Debug)]
pub struct Record<'a, const N: usize> {
    columns: &'static [Column; N],
    tokens: [Token<'a>; N],
    count: usize,
}

impl<'a, const N: usize> Record<'a, N> {
    /// A record without fields yet.
    #[inline]
    pub fn new(columns: &'static [Column; N]) -> Self {
        Record { columns, tokens: [Token::ABSENT; N], count: 0 }
    }

    /// Takes fields from the line until `end` fields are there or the line ends.
    #[inline]
    pub fn read(&mut self, line: &mut Splitter<'a>, end: usize) {
        while self.count < end.min(N) {
            let Some(token) = line.token() else { return };
            self.push(token);
        }
    }

    /// Adds the next field.
    #[inline]
    pub fn push(&mut self, token: Token<'a>) {
        if let Some(slot) = self.tokens.get_mut(self.count) {
            *slot = token;
            self.count += 1;
        }
    }

    /// How many fields there are.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// A field as it stands; `None` where the log has no value.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.token(index).value()
    }

    /// A field with its quotes and escapes known.
    #[inline]
    pub fn token(&self, index: usize) -> Token<'a> {
        self.tokens.get(index).copied().unwrap_or(Token::ABSENT)
    }

    /// Several times taken, each in seconds, together in nanoseconds; `None` where one is missing or negative, as
    /// load balancers write a time that there was none of.
    pub fn seconds(&self, indexes: &[usize]) -> Option<i64> {
        indexes.iter().try_fold(0_i64, |sum, index| {
            let nanoseconds = time::parse_epoch_seconds(self.get(*index)?)?;
            if nanoseconds < 0 { None } else { sum.checked_add(nanoseconds) }
        })
    }

    /// Writes every field that has a value into the vendor's tree, and what is left of the line as `extra_fields`.
    ///
    /// # Errors
    /// When fewer than `required` fields are there, a quote is not closed, or a number is none.
    pub fn write(
        &self,
        vendor: &mut ObjectWriter<'_>,
        required: usize,
        mut rest: Splitter<'a>,
    ) -> Result<(), ParseError> {
        if self.count < required {
            let name = self.columns.get(self.count).map_or("", |column| column.name);
            return Err(ParseError::missing_field(format!(
                "{name}: the line ends after {} of at least {required} fields",
                self.count
            )));
        }
        for (column, token) in self.columns.iter().zip(self.tokens.iter().take(self.count)) {
            if !token.is_closed() {
                return Err(ParseError::bad_field(
                    column.name,
                    "the line ends before its closing quote or bracket",
                ));
            }
            let Some(value) = token.value() else { continue };
            match column.shape {
                Shape::Text => vendor.text_member(&column.key, value),
                Shape::Integer => {
                    let Some(digits) = integer(value) else { return Err(no_number(column.name, value)) };
                    vendor.plain_member(&column.key, digits);
                }
                Shape::Decimal => {
                    if !is_decimal(value) {
                        return Err(no_number(column.name, value));
                    }
                    json::push_decimal(vendor.begin_member(&column.key), value);
                }
                Shape::List(separator) => {
                    let items = value.split(separator).map(|item| item.trim_matches('"'));
                    json::push_strings(
                        vendor.begin_member(&column.key),
                        items.filter(|item| !item.is_empty()),
                    );
                }
            }
        }
        if rest.rest().is_empty() {
            return Ok(());
        }
        let extra: Vec<&str> = std::iter::from_fn(|| rest.token()).map(Token::raw).collect();
        // Their positions are all that is known of them, so those without a value stay between the others.
        if extra.iter().any(|value| *value != "-" && !value.is_empty()) {
            vendor.strings("extra_fields", extra);
        }
        Ok(())
    }
}

/// A decimal number as logs write it. An exponent could make it larger than any reader takes.
#[inline]
fn is_decimal(text: &str) -> bool {
    text.len() <= 32 && json::is_number(text.as_bytes()) && !text.contains(['e', 'E'])
}

#[cold]
fn no_number(name: &str, value: &str) -> ParseError {
    let shown: String = value.chars().take(40).collect();
    ParseError::bad_field(name, format!("{shown:?} is not a number; are the fields of another log type?"))
}

/// The digits of an integer as JSON takes them: leading zeros (status `000`) go.
#[inline]
pub fn integer(text: &str) -> Option<&str> {
    if json::is_integer(text.as_bytes()) {
        return Some(text);
    }
    if text.len() > 18 || text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = text.trim_start_matches('0');
    Some(if digits.is_empty() { "0" } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParseError;

    crate::positional_columns! {
        Name = "name" Text,
        Seconds = "seconds" Decimal,
        Status = "status" Integer,
        Actions = "actions" List(','),
        Note = "note" Text,
    }

    fn tree(line: &str, required: usize) -> Result<String, ParseError> {
        let mut splitter = Splitter::new(line);
        let mut record: Record<'_, 5> = Record::new(COLUMNS);
        record.read(&mut splitter, 5);
        let mut out = b"{".to_vec();
        record.write(&mut ObjectWriter::new(&mut out), required, splitter)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn known_fields_have_their_shape_and_further_ones_are_kept() {
        assert_eq!(
            tree(r#"a -1 000 "b,c" "-" - "x y" z"#, 3).unwrap(),
            r#"{"name":"a","seconds":-1.0,"status":0,"actions":["b","c"],"extra_fields":["-","x y","z"]"#
        );
        assert_eq!(tree("a 0.250 200", 3).unwrap(), r#"{"name":"a","seconds":0.250,"status":200"#);
        assert_eq!(
            tree("a 1.5 200 b c - -", 3).unwrap(),
            r#"{"name":"a","seconds":1.5,"status":200,"actions":["b"],"note":"c""#
        );
    }

    #[test]
    fn times_taken_add_up_or_are_unknown() {
        for (line, expected) in
            [("0.086 0.5", Some(586_000_000)), ("0.086 -1", None), ("0.086 -", None), ("0.086", None)]
        {
            let mut record: Record<'_, 5> = Record::new(COLUMNS);
            record.read(&mut Splitter::new(line), 5);
            assert_eq!(record.seconds(&[0, 1]), expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, reason) in [
            ("a 1.0", "status: the line ends after 2 of at least 3 fields"),
            ("a b 200", "seconds: \"b\" is not a number; are the fields of another log type?"),
            ("a 1.0 2x0", "status: \"2x0\" is not a number; are the fields of another log type?"),
            ("a 1e9 200", "seconds: \"1e9\" is not a number; are the fields of another log type?"),
            ("a 1.0 200 \"b", "actions: the line ends before its closing quote or bracket"),
        ] {
            assert_eq!(tree(line, 3).unwrap_err().1, reason);
        }
    }
}
