//! A query resolved against the types of its fields: what the matcher and the index evaluate.
//!
//! Everything that depends on a field's [`Kind`] is decided here, once, so both evaluators only walk a `Predicate`
//! and apply its leaf tests.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::ast::{Bound, Clause, Leaf, Occur, Part, Query, Test};
use super::dates::{self, Interval};
use super::error::QueryError;
use super::fields::{self, Kind, TIMESTAMP};
use super::pattern::{Glob, TextTest};
use super::scalar::{Number, Scalar, keyword};
use super::text;

/// The document's own id, as 32 hexadecimal digits; known to the index only.
pub const ID: &str = "_id";

/// A query ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) predicate: Predicate,
}

impl Plan {
    /// Resolves `query`. `now` is the clock for date math, in nanoseconds since 1970; without it `now` is refused.
    ///
    /// # Errors
    /// When a test does not suit its field's type, or asks for `now` without a clock.
    pub fn new(query: &Query, now: Option<i64>) -> Result<Self, QueryError> {
        Ok(Self { predicate: predicate(query, now)? })
    }
}

/// A resolved query.
#[derive(Debug, Clone)]
pub(crate) enum Predicate {
    All,
    Nothing,
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    /// The document's id.
    Id([u8; 16]),
    /// A value stands at the path or below it.
    Exists(String),
    /// A value at the path passes the test.
    Value(String, ValueTest),
    /// An address at the path lies in the range.
    Address(String, RangeInclusive<u128>),
    /// The event's time, in nanoseconds since 1970.
    Time(RangeInclusive<i64>),
    /// Words stand in one value of the path, or of any field.
    Words(Option<String>, WordsTest),
}

/// A test of one value.
#[derive(Debug, Clone)]
pub(crate) enum ValueTest {
    /// The value is this text, or what this text spells.
    Equal {
        text: String,
        number: Option<Number>,
        boolean: Option<bool>,
    },
    Text(TextTest),
    /// Numbers, and texts that are numbers.
    Numbers(Bounds<Number>),
    /// Texts that are plainly dates.
    Dates(RangeInclusive<i64>),
    /// Values of a date field.
    Instants(RangeInclusive<i64>),
    /// Texts, byte by byte.
    Texts(Bounds<String>),
}

impl ValueTest {
    pub(crate) fn matches(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Equal { text, .. }, Scalar::Text(value)) => text == value,
            (Self::Equal { number, .. }, Scalar::Number(value)) => *number == Some(value),
            (Self::Equal { boolean, .. }, Scalar::Boolean(value)) => *boolean == Some(value),
            (Self::Text(test), Scalar::Text(value)) => test.matches(value),
            (Self::Numbers(bounds), Scalar::Number(value)) => bounds.contain(|bound| bound.compare(value)),
            (Self::Numbers(bounds), Scalar::Text(value)) => {
                Number::from_text(value).is_some_and(|value| bounds.contain(|bound| bound.compare(value)))
            }
            (Self::Dates(range), Scalar::Text(value)) => {
                dates::instant_from_plain_date(value).is_some_and(|value| range.contains(&value))
            }
            (Self::Instants(range), Scalar::Instant(value)) => range.contains(&value),
            (Self::Texts(bounds), Scalar::Text(value)) => bounds.contain(|bound| bound.as_str().cmp(value)),
            _ => false,
        }
    }

    /// Whether the value, and with it every greater one of its type, lies above what passes.
    pub(crate) fn is_above(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Numbers(bounds), Scalar::Number(value)) => bounds.end_below(|bound| bound.compare(value)),
            (Self::Texts(bounds), Scalar::Text(value)) => bounds.end_below(|bound| bound.as_str().cmp(value)),
            _ => false,
        }
    }
}

/// Both ends of a range.
#[derive(Debug, Clone)]
pub(crate) struct Bounds<T> {
    pub(crate) lower: std::ops::Bound<T>,
    pub(crate) upper: std::ops::Bound<T>,
}

impl<T> Bounds<T> {
    /// `compare` says how a bound lies to the value.
    fn contain(&self, compare: impl Fn(&T) -> std::cmp::Ordering) -> bool {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let above = match &self.lower {
            Included(bound) => compare(bound).is_le(),
            Excluded(bound) => compare(bound).is_lt(),
            Unbounded => true,
        };
        above
            && match &self.upper {
                Included(bound) => compare(bound).is_ge(),
                Excluded(bound) => compare(bound).is_gt(),
                Unbounded => true,
            }
    }

    fn end_below(&self, compare: impl Fn(&T) -> std::cmp::Ordering) -> bool {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        match &self.upper {
            Included(bound) | Excluded(bound) => compare(bound).is_lt(),
            Unbounded => false,
        }
    }
}

/// Words in order, at most `slop` places out of place. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct WordsTest {
    pub(crate) words: Vec<TextTest>,
    pub(crate) slop: u32,
}

/// Whether the field's type can answer the test; the parser asks so that it can name the column.
pub(crate) fn check(leaf: &Leaf) -> Result<(), QueryError> {
    predicate_of_leaf(leaf, Some(0)).map(|_| ())
}

/// Whether `text` is an IP address or a network of them.
pub(crate) fn is_address(text: &str) -> bool {
    addresses(text).is_some()
}

fn predicate(query: &Query, now: Option<i64>) -> Result<Predicate, QueryError> {
    let all = |operands: &[Query]| {
        operands.iter().map(|operand| predicate(operand, now)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match query {
        Query::All => Predicate::All,
        Query::And(operands) => Predicate::And(all(operands)?),
        Query::Or(operands) => Predicate::Or(all(operands)?),
        Query::Not(operand) => Predicate::Not(Box::new(predicate(operand, now)?)),
        Query::Clauses(clauses) => predicate_of_clauses(clauses, now)?,
        Query::Leaf(leaf) => predicate_of_leaf(leaf, now)?,
    })
}

/// With a required clause the plain ones only order hits, which the index does by time.
fn predicate_of_clauses(clauses: &[Clause], now: Option<i64>) -> Result<Predicate, QueryError> {
    let mut required = Vec::new();
    let mut alternatives = Vec::new();
    let mut excluded = Vec::new();
    for clause in clauses {
        let predicate = predicate(&clause.query, now)?;
        match clause.occur {
            Occur::Must => required.push(predicate),
            Occur::Should => alternatives.push(predicate),
            Occur::MustNot => excluded.push(Predicate::Not(Box::new(predicate))),
        }
    }
    if required.is_empty() && !alternatives.is_empty() {
        required.push(Predicate::Or(alternatives));
    }
    required.append(&mut excluded);
    Ok(Predicate::And(required))
}

fn predicate_of_leaf(leaf: &Leaf, now: Option<i64>) -> Result<Predicate, QueryError> {
    let Some(field) = &leaf.field else { return words(None, &leaf.test) };
    if leaf.test == Test::Exists {
        return Ok(if field == ID { Predicate::All } else { Predicate::Exists(field.clone()) });
    }
    if field == ID {
        return id(&leaf.test);
    }
    match fields::kind(field) {
        Kind::Keyword => keyword_test(field, &leaf.test, now),
        Kind::KeywordText => {
            let by_words = || words(Some(field), &leaf.test);
            Ok(match &leaf.test {
                Test::Text { slop: 0, .. } => {
                    Predicate::Or(vec![keyword_test(field, &leaf.test, now)?, by_words()?])
                }
                Test::Text { .. } => by_words()?,
                _ => keyword_test(field, &leaf.test, now)?,
            })
        }
        Kind::Text => words(Some(field), &leaf.test),
        Kind::Number => number_test(field, &leaf.test),
        Kind::Address => address_test(field, &leaf.test),
        Kind::Date => date_test(field, &leaf.test, now),
    }
}

fn id(test: &Test) -> Result<Predicate, QueryError> {
    let hexadecimal = match test {
        Test::Text { text, .. } if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            text
        }
        _ => {
            return Err(QueryError::new(
                "_id with something else than an id",
                "write _id: and 32 hexadecimal digits",
            ));
        }
    };
    u128::from_str_radix(hexadecimal, 16).map(|id| Predicate::Id(id.to_be_bytes())).map_err(|_| {
        QueryError::new("_id with something else than an id", "write _id: and 32 hexadecimal digits")
    })
}

fn keyword_test(field: &str, test: &Test, now: Option<i64>) -> Result<Predicate, QueryError> {
    let test = match test {
        Test::Text { text, slop: 0 } => ValueTest::Equal {
            number: Number::from_text(text),
            boolean: text.parse().ok(),
            text: keyword(text).to_owned(),
        },
        Test::Text { .. } => {
            return Err(QueryError::new(
                format!("a phrase with ~ on {field}, which is matched whole"),
                "leave ~ out, use wildcards, or search the words without the field",
            ));
        }
        Test::Wildcard(parts) => ValueTest::Text(TextTest::Glob(Glob::new(parts.clone()))),
        Test::Regex(pattern) => ValueTest::Text(TextTest::regex(pattern)?),
        Test::Fuzzy { text, distance } => ValueTest::Text(TextTest::near(text.clone(), *distance)),
        Test::Range { lower, upper } => keyword_range(lower, upper, now)?,
        Test::Exists => return Ok(Predicate::Exists(field.to_owned())),
    };
    Ok(Predicate::Value(field.to_owned(), test))
}

/// The bounds decide: numbers, else dates, else text.
fn keyword_range(lower: &Bound, upper: &Bound, now: Option<i64>) -> Result<ValueTest, QueryError> {
    let every = |test: fn(&str) -> bool| {
        [lower, upper].into_iter().all(|bound| match bound {
            Bound::Open => true,
            Bound::Including(text) | Bound::Excluding(text) => test(text),
        })
    };
    if every(|text| Number::from_text(text).is_some()) {
        return Ok(ValueTest::Numbers(number_bounds(lower, upper)?));
    }
    let is_date =
        |text: &str| dates::is_plain_date(text) || (text.len() == 4 && dates::interval(text, None).is_ok());
    if every(is_date) {
        return Ok(ValueTest::Dates(date_range(lower, upper, now)?));
    }
    Ok(ValueTest::Texts(Bounds { lower: text_bound(lower), upper: text_bound(upper) }))
}

fn text_bound(bound: &Bound) -> std::ops::Bound<String> {
    match bound {
        Bound::Open => std::ops::Bound::Unbounded,
        Bound::Including(text) => std::ops::Bound::Included(text.clone()),
        Bound::Excluding(text) => std::ops::Bound::Excluded(text.clone()),
    }
}

fn number_bounds(lower: &Bound, upper: &Bound) -> Result<Bounds<Number>, QueryError> {
    let bound = |bound: &Bound| {
        let number = |text: &str| {
            Number::from_text(text).ok_or_else(|| {
                QueryError::new(format!("{text:?} as a bound is no number"), "write a number or *")
            })
        };
        Ok(match bound {
            Bound::Open => std::ops::Bound::Unbounded,
            Bound::Including(text) => std::ops::Bound::Included(number(text)?),
            Bound::Excluding(text) => std::ops::Bound::Excluded(number(text)?),
        })
    };
    Ok(Bounds { lower: bound(lower)?, upper: bound(upper)? })
}

fn number_test(field: &str, test: &Test) -> Result<Predicate, QueryError> {
    let test = match test {
        Test::Text { text, slop: 0 } => {
            let Some(number) = Number::from_text(text) else {
                return Err(QueryError::new(
                    format!("{field} holds numbers, and {text:?} is none"),
                    format!("write {field}:443 or {field}:[400 TO 499]"),
                ));
            };
            // A text that is this number, spelt otherwise, is the number too.
            let bound = std::ops::Bound::Included(number);
            ValueTest::Numbers(Bounds { lower: bound, upper: bound })
        }
        Test::Range { lower, upper } => ValueTest::Numbers(number_bounds(lower, upper)?),
        _ => {
            return Err(QueryError::new(
                format!("a pattern on {field}, which holds numbers"),
                format!("use a range: {field}:[400 TO 499]"),
            ));
        }
    };
    Ok(Predicate::Value(field.to_owned(), test))
}

fn date_test(field: &str, test: &Test, now: Option<i64>) -> Result<Predicate, QueryError> {
    let range = match test {
        Test::Text { text, slop: 0 } => inclusive(dates::interval(text, now)?),
        Test::Range { lower, upper } => date_range(lower, upper, now)?,
        _ => {
            return Err(QueryError::new(
                format!("a pattern on {field}, which holds dates"),
                format!(
                    "name the whole of it ({field}:2026-11) or use a range: {field}:[2026-11-01 TO 2026-11-23]"
                ),
            ));
        }
    };
    Ok(if field == TIMESTAMP {
        Predicate::Time(range)
    } else {
        Predicate::Value(field.to_owned(), ValueTest::Instants(range))
    })
}

/// An included bound takes the whole of what it names, an excluded one leaves the whole out.
fn date_range(lower: &Bound, upper: &Bound, now: Option<i64>) -> Result<RangeInclusive<i64>, QueryError> {
    let start = match lower {
        Bound::Open => i128::from(i64::MIN),
        Bound::Including(text) => dates::interval(text, now)?.start,
        Bound::Excluding(text) => dates::interval(text, now)?.end,
    };
    let end = match upper {
        Bound::Open => i128::from(i64::MAX) + 1,
        Bound::Including(text) => dates::interval(text, now)?.end,
        Bound::Excluding(text) => dates::interval(text, now)?.start,
    };
    Ok(inclusive(Interval { start, end }))
}

#[expect(clippy::reversed_empty_ranges, reason = "an interval outside the years 1678 to 2262 holds no event")]
fn inclusive(interval: Interval) -> RangeInclusive<i64> {
    let (first, last) = (interval.start, interval.end - 1);
    if first > last || first > i128::from(i64::MAX) || last < i128::from(i64::MIN) {
        return 1..=0;
    }
    let clamp = |instant: i128| instant.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    clamp(first)..=clamp(last)
}

fn address_test(field: &str, test: &Test) -> Result<Predicate, QueryError> {
    let wrong = |text: &str| {
        QueryError::new(
            format!("{field} holds IP addresses, and {text:?} is none"),
            format!("write {field}:203.0.113.7, {field}:10.0.0.0/8, {field}:\"2001:db8::/32\" or a range"),
        )
    };
    let range = match test {
        Test::Text { text, slop: 0 } => addresses(text).ok_or_else(|| wrong(text))?,
        Test::Wildcard(parts) => octets(parts).ok_or_else(|| {
            QueryError::new(
                format!("a wildcard on {field}, which holds IP addresses"),
                "let it stand for whole last octets (10.1.*), or write a network: 10.1.0.0/16",
            )
        })?,
        Test::Range { lower, upper } => {
            let one = |text: &str| text.parse().map(number_of).map_err(|_| wrong(text));
            let first = match lower {
                Bound::Open => Some(0),
                Bound::Including(text) => Some(one(text)?),
                Bound::Excluding(text) => one(text)?.checked_add(1),
            };
            let last = match upper {
                Bound::Open => Some(u128::MAX),
                Bound::Including(text) => Some(one(text)?),
                Bound::Excluding(text) => one(text)?.checked_sub(1),
            };
            match (first, last) {
                (Some(first), Some(last)) if first <= last => first..=last,
                _ => return Ok(Predicate::Nothing),
            }
        }
        _ => {
            return Err(QueryError::new(
                format!("a pattern on {field}, which holds IP addresses"),
                "write an address, a network such as 10.0.0.0/8, or a range",
            ));
        }
    };
    Ok(Predicate::Address(field.to_owned(), range))
}

/// An address as a number, IPv4 as its IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2).
pub(crate) fn number_of(address: IpAddr) -> u128 {
    address_v6(address).to_bits()
}

pub(crate) fn address_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// An address alone, or a network; bits behind the network's length are ignored.
fn addresses(text: &str) -> Option<RangeInclusive<u128>> {
    let Some((address, length)) = text.split_once('/') else {
        let number = number_of(text.parse().ok()?);
        return Some(number..=number);
    };
    let address: IpAddr = address.parse().ok()?;
    if length.is_empty() || length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length: u32 = length.parse().ok()?;
    let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
    let free = u128::MAX.checked_shr(128 - bits.checked_sub(length)?).unwrap_or(0);
    let number = number_of(address);
    Some(number & !free..=number | free)
}

/// `10.1.*`, `10.1.*.*`: an IPv4 network by whole octets.
fn octets(parts: &[Part]) -> Option<RangeInclusive<u128>> {
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Any => "*",
            Part::One => "?",
        })
        .collect();
    let mut octets = text.split('.');
    let fixed: Vec<&str> = octets.by_ref().take_while(|octet| *octet != "*").collect();
    let behind = octets.count();
    if fixed.is_empty() || fixed.len() > 3 || text.split('.').skip(fixed.len()).any(|octet| octet != "*") {
        return None;
    }
    if fixed.len() + 1 + behind > 4 {
        return None;
    }
    let mut address = fixed.join(".");
    for _ in fixed.len()..4 {
        address.push_str(".0");
    }
    addresses(&format!("{address}/{}", 8 * fixed.len()))
}

fn words(field: Option<&str>, test: &Test) -> Result<Predicate, QueryError> {
    let place = || field.map_or_else(|| "words".to_owned(), |field| format!("{field}, which is full text"));
    let (words, slop) = match test {
        Test::Text { text, slop } => {
            (text::words(text).into_iter().map(|(_, word)| TextTest::Equal(word)).collect::<Vec<_>>(), *slop)
        }
        Test::Wildcard(parts) => {
            let words = Glob::new(parts.clone()).words();
            if words.is_empty() {
                return Err(QueryError::new(
                    "a wildcard without a letter or digit",
                    "add one, or write field:* for events that have the field",
                ));
            }
            (words, 0)
        }
        Test::Regex(pattern) => (vec![TextTest::regex(pattern)?], 0),
        Test::Fuzzy { text, distance } => {
            let mut words = text::words(text);
            if words.len() != 1 {
                return Err(QueryError::new(
                    format!("~ behind {} words", words.len()),
                    "put ~1 behind one word, or a distance behind a phrase: \"a b\"~3",
                ));
            }
            let word = words.pop().map(|(_, word)| word).unwrap_or_default();
            (vec![TextTest::near(word, *distance)], 0)
        }
        Test::Range { .. } => {
            return Err(QueryError::new(
                format!("a range of {}", place()),
                "use a keyword, number or date field",
            ));
        }
        Test::Exists => (Vec::new(), 0),
    };
    if words.is_empty() {
        // A text of separators only has no word to find, as in OpenSearch.
        return Ok(Predicate::Nothing);
    }
    Ok(Predicate::Words(field.map(str::to_owned), WordsTest { words, slop }))
}
