//! Dates, in events and in queries.
//!
//! In an event: ISO 8601 in whole or in part, or milliseconds since 1970, as OpenSearch's default date format
//! (`strict_date_optional_time||epoch_millis`) has it; UTC where no offset is written.
//! In a query a date stands for the whole of what it names (`2026-11` for the month), and OpenSearch's date math is
//! read: `now-1d/d`, `2026-11-23||+1M/M`. `now` needs a clock from the caller, since a volume rule must give the same
//! answer whenever it runs.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{Span, Timestamp, ToSpan};

use super::error::QueryError;

const HINT: &str = "write a date such as 2026-11-23, 2026-11-23T10:15:00Z or now-1d/d";

/// The instants a date in a query names: from `start` up to, not including, `end`, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) start: i128,
    pub(crate) end: i128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    /// Exactly this nanosecond.
    Instant,
}

/// The instant a date value of an event names, in nanoseconds since 1970: the start of what it names.
///
/// `None` for text that is no date, or lies outside the years 1678 to 2262.
pub fn instant_from_text(text: &str) -> Option<i64> {
    if let Some(milliseconds) = epoch_milliseconds(text) {
        return instant_from_milliseconds(milliseconds);
    }
    let (start, _) = iso(text)?;
    i64::try_from(start.as_nanosecond()).ok()
}

/// Milliseconds since 1970 as nanoseconds; `None` outside the years 1678 to 2262.
pub(crate) fn instant_from_milliseconds(milliseconds: i64) -> Option<i64> {
    milliseconds.checked_mul(1_000_000)
}

/// The instant of a text that is plainly a date (`2026-11-23…`), of a field not known to hold dates.
pub(crate) fn instant_from_plain_date(text: &str) -> Option<i64> {
    if text.as_bytes().get(4) == Some(&b'-') { instant_from_text(text) } else { None }
}

/// Whether a bound of a range on a field of unknown type is plainly a date.
pub(crate) fn is_plain_date(text: &str) -> bool {
    let math =
        text.strip_prefix("now").is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '-', '/']));
    math || text.contains("||") || (text.as_bytes().get(4) == Some(&b'-') && iso(text).is_some())
}

/// Reads a date of a query. `now` is the caller's clock in nanoseconds since 1970.
pub(crate) fn interval(text: &str, now: Option<i64>) -> Result<Interval, QueryError> {
    let wrong = || QueryError::new(format!("{text:?} is no date"), HINT);
    let (anchor, unit, math) = if let Some(math) = text.strip_prefix("now") {
        let Some(now) = now else {
            return Err(QueryError::new(
                "now, in a place without a clock",
                "write the date itself: a rule must give the same answer whenever it runs",
            ));
        };
        (Timestamp::from_nanosecond(now.into()).map_err(|_| wrong())?, Unit::Instant, math)
    } else if let Some(milliseconds) = epoch_milliseconds(text) {
        (Timestamp::from_millisecond(milliseconds).map_err(|_| wrong())?, Unit::Instant, "")
    } else {
        let (date, math) = text.split_once("||").unwrap_or((text, ""));
        let (start, unit) = iso(date).ok_or_else(wrong)?;
        (start, unit, math)
    };
    if math.is_empty() {
        return named(Offset::UTC.to_datetime(anchor), unit).ok_or_else(wrong);
    }
    calculate(Offset::UTC.to_datetime(anchor), math).ok_or_else(|| {
        QueryError::new(
            format!("{math:?} is no date math"),
            "write +1d or -2h, then /d to round; units y M w d h m s",
        )
    })
}

/// Applies `+1d`, `-2h`, `/d` in order.
fn calculate(mut moment: DateTime, math: &str) -> Option<Interval> {
    let mut unit = Unit::Instant;
    let mut rest = math;
    while !rest.is_empty() {
        let operator = rest.chars().next()?;
        rest = rest.get(1..)?;
        let digits = rest.len() - rest.trim_start_matches(|character: char| character.is_ascii_digit()).len();
        let (number, behind) = rest.split_at(digits);
        let letter = behind.chars().next()?;
        rest = behind.get(letter.len_utf8()..)?;
        let named_unit = match letter {
            'y' => Unit::Year,
            'M' => Unit::Month,
            'w' => Unit::Week,
            'd' => Unit::Day,
            'h' | 'H' => Unit::Hour,
            'm' => Unit::Minute,
            's' => Unit::Second,
            _ => return None,
        };
        match operator {
            '/' if number.is_empty() => {
                moment = floor(moment, named_unit)?;
                unit = named_unit;
            }
            '+' | '-' => {
                let number: i64 = if number.is_empty() { 1 } else { number.parse().ok()? };
                let span = span(named_unit, if operator == '-' { -number } else { number })?;
                moment = moment.checked_add(span).ok()?;
                unit = Unit::Instant;
            }
            _ => return None,
        }
    }
    named(moment, unit)
}

fn span(unit: Unit, number: i64) -> Option<Span> {
    let span = Span::new();
    match unit {
        Unit::Year => span.try_years(number),
        Unit::Month => span.try_months(number),
        Unit::Week => span.try_weeks(number),
        Unit::Day => span.try_days(number),
        Unit::Hour => span.try_hours(number),
        Unit::Minute => span.try_minutes(number),
        Unit::Second => span.try_seconds(number),
        Unit::Instant => span.try_nanoseconds(number),
    }
    .ok()
}

fn floor(moment: DateTime, unit: Unit) -> Option<DateTime> {
    let date = moment.date();
    let at =
        |hour, minute, second| Time::new(hour, minute, second, 0).ok().map(|time| date.to_datetime(time));
    match unit {
        Unit::Year => Date::new(date.year(), 1, 1).ok().map(|date| date.to_datetime(Time::midnight())),
        Unit::Month => {
            Date::new(date.year(), date.month(), 1).ok().map(|date| date.to_datetime(Time::midnight()))
        }
        Unit::Week => {
            let monday = date.checked_sub(i32::from(date.weekday().to_monday_zero_offset()).days()).ok()?;
            Some(monday.to_datetime(Time::midnight()))
        }
        Unit::Day => at(0, 0, 0),
        Unit::Hour => at(moment.hour(), 0, 0),
        Unit::Minute => at(moment.hour(), moment.minute(), 0),
        Unit::Second => at(moment.hour(), moment.minute(), moment.second()),
        Unit::Instant => Some(moment),
    }
}

/// The interval of one `unit` from `start` on.
fn named(start: DateTime, unit: Unit) -> Option<Interval> {
    let nanoseconds = |moment: DateTime| Offset::UTC.to_timestamp(moment).ok().map(Timestamp::as_nanosecond);
    let begin = nanoseconds(start)?;
    // The year 9999 has no end that can be written; its last instant will do.
    let end = span(unit, 1)
        .and_then(|span| start.checked_add(span).ok())
        .and_then(nanoseconds)
        .unwrap_or(Timestamp::MAX.as_nanosecond());
    Some(Interval { start: begin, end })
}

/// Digits alone are milliseconds, but four are a year.
fn epoch_milliseconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() < 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads `YYYY[-MM[-DD[Thh[:mm[:ss[.f]]]]]]` and an offset behind any time.
fn iso(text: &str) -> Option<(Timestamp, Unit)> {
    let mut reader = Reader { rest: text.as_bytes() };
    let year = reader.digits(4)?;
    let year = i16::try_from(year).ok()?;
    let (mut month, mut day, mut unit) = (1, 1, Unit::Year);
    if reader.eat(b'-') {
        (month, unit) = (reader.two()?, Unit::Month);
        if reader.eat(b'-') {
            (day, unit) = (reader.two()?, Unit::Day);
        }
    }
    let (mut hour, mut minute, mut second, mut fraction, mut offset) = (0, 0, 0, 0, Offset::UTC);
    if unit == Unit::Day && (reader.eat(b'T') || reader.eat(b't') || reader.eat(b' ')) {
        (hour, unit) = (reader.two()?, Unit::Hour);
        if reader.eat(b':') {
            (minute, unit) = (reader.two()?, Unit::Minute);
            if reader.eat(b':') {
                (second, unit) = (reader.two()?, Unit::Second);
                if reader.eat(b'.') || reader.eat(b',') {
                    (fraction, unit) = (reader.fraction()?, Unit::Instant);
                }
            }
        }
        offset = reader.offset()?;
    }
    if !reader.rest.is_empty() {
        return None;
    }
    let moment =
        Date::new(year, month, day).ok()?.to_datetime(Time::new(hour, minute, second, fraction).ok()?);
    Some((offset.to_timestamp(moment).ok()?, unit))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.rest = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    }

    fn two(&mut self) -> Option<i8> {
        self.digits(2).and_then(|number| i8::try_from(number).ok())
    }

    /// Nanoseconds; digits behind the ninth are dropped.
    fn fraction(&mut self) -> Option<i32> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some((0..9).fold(0, |number, place| {
            number * 10 + digits.get(place).map_or(0, |digit| i32::from(digit - b'0'))
        }))
    }

    /// Nothing, `Z`, or `±hh[[:]mm]`.
    fn offset(&mut self) -> Option<Offset> {
        if self.rest.is_empty() || self.eat(b'Z') || self.eat(b'z') {
            return Some(Offset::UTC);
        }
        let sign = if self.eat(b'-') {
            -1
        } else if self.eat(b'+') {
            1
        } else {
            return None;
        };
        let hours = self.digits(2)?;
        self.eat(b':');
        let minutes = if self.rest.is_empty() { 0 } else { self.digits(2)? };
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        Offset::from_seconds(sign * seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn nanoseconds(text: &str) -> i128 {
        text.parse::<Timestamp>().unwrap().as_nanosecond()
    }

    #[test]
    fn a_date_of_an_event_is_an_instant() {
        for (text, expected) in [
            ("2026-11-23T10:15:30.123456789Z", "2026-11-23T10:15:30.123456789Z"),
            ("2026-11-23T10:15:30.1234567891Z", "2026-11-23T10:15:30.123456789Z"),
            ("2026-11-23T10:15:30,5+0130", "2026-11-23T08:45:30.5Z"),
            ("2026-11-23 10:15", "2026-11-23T10:15:00Z"),
            ("2026-11-23T10-05", "2026-11-23T15:00:00Z"),
            ("2026-11-23", "2026-11-23T00:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z"),
            ("1700000000000", "2023-11-14T22:13:20Z"),
        ] {
            assert_eq!(instant_from_text(text).map(i128::from), Some(nanoseconds(expected)), "{text}");
        }
        for text in [
            "",
            "now",
            "2026-13-01",
            "2026-02-30",
            "2026-11-23T25:00Z",
            "2026-11-23T10:00:60Z",
            "26-11-23",
            "2026-11-23T10:15:30.Z",
            "2026-11-23x",
            "1600-01-01",
            "2026-11-23T10:15:30+99:99",
            "99999999999999999999",
            "２０２６",
        ] {
            assert_eq!(instant_from_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_of_a_query_names_an_interval() {
        for (text, start, end) in [
            ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026-02", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2026-11-23", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
            ("2026-11-23T10", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"),
            ("2026-11-23T10:15:30Z", "2026-11-23T10:15:30Z", "2026-11-23T10:15:31Z"),
            ("2026-11-23||+1M/M", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026-01-31||+1M", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00.000000001Z"),
            ("now-1d/d", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
            ("now/w", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("now-2h", "2026-11-23T10:30:00Z", "2026-11-23T10:30:00.000000001Z"),
        ] {
            let now = i64::try_from(nanoseconds("2026-11-23T12:30:00Z")).unwrap();
            let expected = Interval { start: nanoseconds(start), end: nanoseconds(end) };
            assert_eq!(interval(text, Some(now)).unwrap(), expected, "{text}");
        }
        assert_eq!(interval("9999", None).unwrap().end, Timestamp::MAX.as_nanosecond());
        assert_eq!(interval("1700000000000", None).unwrap().start, 1_700_000_000 * SECOND);
        for text in [
            "now",
            "yesterday",
            "2026-11-23||+1x",
            "2026-11-23||/",
            "2026-11-23||+99999999999999999999d",
            "2026-11-23||é",
            "2026-11-23||*2d",
        ] {
            assert!(interval(text, None).is_err(), "{text}");
        }
    }
}
