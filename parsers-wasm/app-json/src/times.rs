//! Times as logging libraries write them.

use weir_parser_sdk::Context;
use weir_parser_sdk::reader::{Raw, Reader, Shape};
use weir_parser_sdk::text;

/// Before March 1973 a number is a duration or a counter rather than a time.
const EARLIEST: i64 = 100_000_000;

/// The instant that a member means, nanoseconds since 1970: ISO 8601 and its relatives, the Common Log Format, a
/// number since 1970 in seconds to nanoseconds (as a number or as text), Log4j's `instant`, MongoDB's `$date`.
pub(crate) fn parse(value: Raw<'_>, context: &Context<'_>) -> Option<i64> {
    if value.shape == Shape::Object {
        return parse_object(value, context);
    }
    let text = value.scalar()?.unescape();
    let text = text.trim();
    if value.shape == Shape::Number {
        return parse_number(text);
    }
    context.parse_iso(text).or_else(|| parse_number(text)).or_else(|| context.parse_clf(text))
}

fn parse_object(value: Raw<'_>, context: &Context<'_>) -> Option<i64> {
    let (mut seconds, mut nanos, mut date) = (None, 0, None);
    let mut reader = Reader::new(value.text);
    reader.object();
    while let Some(key) = reader.key() {
        let member = reader.value();
        match key.raw() {
            "epochSecond" => seconds = member.integer(),
            "nanoOfSecond" => nanos = member.integer()?,
            "$date" if member.shape != Shape::Object => date = parse(member, context),
            // Anything else would be lost with the member.
            _ => return None,
        }
    }
    match seconds {
        Some(seconds) => seconds.checked_mul(1_000_000_000)?.checked_add(nanos),
        None => date,
    }
}

/// A number since 1970. Its size tells its unit: until the year 5138 seconds have at most 11 digits.
pub(crate) fn parse_number(text: &str) -> Option<i64> {
    if text.bytes().any(|byte| matches!(byte, b'e' | b'E')) {
        // A double has no more than microseconds to give away.
        let number: f64 = text.parse().ok()?;
        let (unit, _) = unit_of(number as i64)?;
        let nanos = number * unit as f64;
        return (nanos.abs() < i64::MAX as f64).then_some(nanos as i64);
    }
    let (whole, fraction) = text::cut(text, ".").unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (unit, digits) = unit_of(whole.parse().ok()?)?;
    let whole: i64 = whole.parse().ok()?;
    let mut nanos = 0;
    if !fraction.is_empty() {
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let kept = fraction.get(..fraction.len().min(digits))?;
        nanos = kept.parse::<i64>().unwrap_or(0);
        for _ in kept.len()..digits {
            nanos *= 10;
        }
    }
    whole.checked_mul(unit)?.checked_add(nanos)
}

/// Nanoseconds of the unit that a number since 1970 has, and how many digits behind the point they are.
fn unit_of(number: i64) -> Option<(i64, usize)> {
    Some(match number {
        EARLIEST..100_000_000_000 => (1_000_000_000, 9),
        100_000_000_000..100_000_000_000_000 => (1_000_000, 6),
        100_000_000_000_000..100_000_000_000_000_000 => (1_000, 3),
        100_000_000_000_000_000.. => (1, 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_number_tells_its_unit() {
        for text in [
            "1768471200",
            "1768471200.0",
            "1768471200000",
            "1768471200000000",
            "1768471200000000000",
            "1.7684712e9",
            "1.7684712E+12",
        ] {
            assert_eq!(parse_number(text), Some(1_768_471_200_000_000_000), "{text}");
        }
        assert_eq!(parse_number("1768471200.123456789123"), Some(1_768_471_200_123_456_789));
        assert_eq!(parse_number("1768471200.5"), Some(1_768_471_200_500_000_000));
        assert_eq!(parse_number("1768471200123.25"), Some(1_768_471_200_123_250_000));
        for text in [
            "0",
            "12",
            "0.003",
            "99999999",
            "-1768471200",
            "",
            ".5",
            "1768471200.x",
            "1768471200x",
            "99999999999999999999",
            "1e300",
            "e",
            "NaN",
        ] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }
}
