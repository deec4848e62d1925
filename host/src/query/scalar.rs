//! Values as tests see them, the same whether they come from an event in memory or from a term of the index.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

use super::dates;
use super::fields::Kind;
use super::plan::address_v6;

/// Bytes of a text value that take part in whole-value tests, cut at a character's end. Lucene's own limit for a term;
/// what lies behind is still found by its words.
pub(crate) const KEYWORD_BYTES: usize = 32_766;

/// The part of a text value that whole-value tests look at.
pub(crate) fn keyword(text: &str) -> &str {
    let mut end = KEYWORD_BYTES;
    if text.len() <= end {
        return text;
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// One value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// Cut by [`keyword`] once it is [`typed`](Scalar::typed).
    Text(&'a str),
    Number(Number),
    Boolean(bool),
    /// Nanoseconds since 1970, of a date field.
    Instant(i64),
}

/// What a value is under the type of its field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Typed<'a> {
    Value(Scalar<'a>),
    Address(Ipv6Addr),
    /// Found by its words alone.
    Words,
}

impl<'a> Scalar<'a> {
    /// Gives the value the type of its field, where it fits; else it keeps its own. Text comes uncut.
    pub(crate) fn typed(self, kind: Kind) -> Typed<'a> {
        match (kind, self) {
            (Kind::Text, _) => Typed::Words,
            (Kind::Date, Scalar::Text(text)) => match dates::instant_from_text(text) {
                Some(instant) => Typed::Value(Scalar::Instant(instant)),
                None => Typed::Value(Scalar::Text(keyword(text))),
            },
            (Kind::Date, Scalar::Number(Number::Signed(number))) => {
                match dates::instant_from_milliseconds(number) {
                    Some(instant) => Typed::Value(Scalar::Instant(instant)),
                    None => Typed::Value(self),
                }
            }
            (Kind::Address, Scalar::Text(text)) => match text.parse::<IpAddr>() {
                Ok(address) => Typed::Address(address_v6(address)),
                Err(_) => Typed::Value(Scalar::Text(keyword(text))),
            },
            (_, Scalar::Text(text)) => Typed::Value(Scalar::Text(keyword(text))),
            (_, value) => Typed::Value(value),
        }
    }

    /// The text whose words find this value; instants are no words.
    pub(crate) fn words(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Boolean(boolean) => Some(Cow::Borrowed(if boolean { "true" } else { "false" })),
            Self::Instant(_) => None,
        }
    }
}

/// A number in its one canonical form: an `i64` if it is one (`2.0` is), else a `u64`, else a finite float.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Signed(i64),
    /// Above `i64::MAX`.
    Unsigned(u64),
    /// Has a fraction, or lies outside the integers' range.
    Float(f64),
}

/// 2^63 and 2^64, both exact.
const SIGNED_END: f64 = 9_223_372_036_854_775_808.0;
const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0;

impl Number {
    /// `None` for what is not finite.
    #[expect(clippy::float_cmp, reason = "whether a float is a whole number is an exact question")]
    pub(crate) fn from_float(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        if value.trunc() == value {
            if (-SIGNED_END..SIGNED_END).contains(&value) {
                return Some(Self::Signed(value as i64));
            }
            if (SIGNED_END..UNSIGNED_END).contains(&value) {
                return Some(Self::Unsigned(value as u64));
            }
        }
        Some(Self::Float(value))
    }

    /// Reads a JSON number; `None` for any other text, and for a number too large for a float.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        if !is_json_number(text.as_bytes()) {
            return None;
        }
        if let Ok(value) = text.parse::<i64>() {
            return Some(Self::Signed(value));
        }
        if let Ok(value) = text.parse::<u64>() {
            return Some(Self::Unsigned(value));
        }
        text.parse::<f64>().ok().and_then(Self::from_float)
    }

    pub(crate) fn from_json(number: &serde_json::Number) -> Option<Self> {
        if let Some(value) = number.as_i64() {
            return Some(Self::Signed(value));
        }
        if let Some(value) = number.as_u64() {
            return Some(Self::Unsigned(value));
        }
        number.as_f64().and_then(Self::from_float)
    }

    /// Exact, also between a large integer and a float.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Float(left), Self::Float(right)) => left.total_cmp(&right),
            (Self::Float(left), right) => compare_float(left, right.integer()),
            (left, Self::Float(right)) => compare_float(right, left.integer()).reverse(),
            (left, right) => left.integer().cmp(&right.integer()),
        }
    }

    fn integer(self) -> i128 {
        match self {
            Self::Signed(value) => value.into(),
            Self::Unsigned(value) => value.into(),
            Self::Float(value) => value as i128,
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signed(value) => value.fmt(formatter),
            Self::Unsigned(value) => value.fmt(formatter),
            // With an exponent where the digits would go on for hundreds of zeros.
            Self::Float(value) => std::fmt::Debug::fmt(value, formatter),
        }
    }
}

/// A canonical float is never equal to an integer: it has a fraction or lies outside their range.
fn compare_float(float: f64, integer: i128) -> Ordering {
    // Saturates far outside the range of the integers met here, which keeps the order.
    if (float.floor() as i128) < integer { Ordering::Less } else { Ordering::Greater }
}

/// The grammar of RFC 8259, section 6.
fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with(b"0")) {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let ([b'+' | b'-', exponent @ ..] | exponent) = exponent;
        let length = digits(exponent);
        if length == 0 {
            return false;
        }
        rest = &exponent[length..];
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        assert_eq!(Number::from_text("2.0"), Some(Number::Signed(2)));
        assert_eq!(Number::from_text("-0.0"), Some(Number::Signed(0)));
        assert_eq!(Number::from_text("1e3"), Some(Number::Signed(1000)));
        assert_eq!(Number::from_text("18446744073709551615"), Some(Number::Unsigned(u64::MAX)));
        assert_eq!(
            Number::from_text("18446744073709551616"),
            Some(Number::Float(18_446_744_073_709_551_616.0))
        );
        assert_eq!(Number::from_text("1e999"), None);
        for text in ["", "-", "01", "1.", ".5", "+1", "1e", "0x1", "1 ", "NaN", "inf"] {
            assert_eq!(Number::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_compare_exactly() {
        let number = |text: &str| Number::from_text(text).unwrap();
        let ascending = [
            "-1e30",
            "-9223372036854775808",
            "-2.5",
            "-2",
            "-1.5",
            "0",
            "0.5",
            "1",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "1e30",
        ];
        for (left_position, left) in ascending.iter().enumerate() {
            for (right_position, right) in ascending.iter().enumerate() {
                assert_eq!(
                    number(left).compare(number(right)),
                    left_position.cmp(&right_position),
                    "{left} and {right}"
                );
            }
        }
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let long = "é".repeat(KEYWORD_BYTES);
        assert_eq!(keyword(&long).len(), KEYWORD_BYTES);
        let long = format!("a{long}");
        assert_eq!(keyword(&long).len(), KEYWORD_BYTES - 1);
    }
}
