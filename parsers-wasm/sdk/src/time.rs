//! Times of log formats to nanoseconds since 1970, and back to text.
//!
//! Written here rather than taken from a library because a parser formats and parses a time per event, and because
//! a guest has neither a clock nor a time zone database: years and zones come from the batch. The tests compare every
//! conversion with `jiff`.

use crate::json;
use crate::text;

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let index = (5 * day_of_year + 2) / 153;
    let month = if index < 10 { index + 3 } else { index - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * index + 2) / 5 + 1)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + is_leap(year) as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A date and time without a zone. Fields are checked by [`Civil::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    year: i64,
    /// Seconds since the start of 1970, as if the time were UTC.
    seconds: i64,
    nanos: i64,
}

impl Civil {
    /// A time of day on a date; `None` if there is no such date or time. Second 60 (a leap second) counts as 59.
    pub fn new(
        year: i64,
        month: i64,
        day: i64,
        hour: i64,
        minute: i64,
        second: i64,
        nanos: i64,
    ) -> Option<Self> {
        let second = if second == 60 { 59 } else { second };
        let valid = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && day >= 1
            && day <= days_in_month(year, month)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..NANOS).contains(&nanos);
        valid.then(|| Civil {
            year,
            seconds: days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second,
            nanos,
        })
    }

    /// The instant, with the clock `offset` seconds ahead of UTC; `None` outside the years 1678 to 2262.
    pub fn at_offset(self, offset: i64) -> Option<i64> {
        (self.seconds - offset).checked_mul(NANOS)?.checked_add(self.nanos)
    }

    /// The instant in the zone of the batch. A time that occurs twice is its first occurrence; one that the clock
    /// skips is taken with the offset in force before the change.
    pub fn in_zone(self, zone: &Zone<'_>) -> Option<i64> {
        self.at_offset(zone.offset_of_local(self.seconds))
    }
}

/// The time zone of a batch, see `time-zone` in the contract.
#[derive(Debug, Clone, Copy)]
pub struct Zone<'a> {
    pub(crate) initial_offset: i32,
    pub(crate) transitions: &'a [crate::ZoneTransition],
}

impl Zone<'_> {
    /// UTC.
    pub const UTC: Zone<'static> = Zone { initial_offset: 0, transitions: &[] };

    fn offset_of_local(&self, local: i64) -> i64 {
        // The last transition whose instant, read on the clock before it, is not after the local time. At an
        // overlap both offsets fit and this keeps the earlier one until the overlap has ended.
        let mut offset = i64::from(self.initial_offset);
        for transition in self.transitions {
            let ahead = i64::from(transition.offset).max(offset);
            if local < transition.at + ahead {
                break;
            }
            offset = i64::from(transition.offset);
        }
        offset
    }
}

/// A cursor over fixed and short numeric fields.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    #[inline]
    fn take(&mut self, count: usize) -> Option<i64> {
        let (head, tail) = self.0.split_at_checked(count)?;
        let mut value = 0;
        for byte in head {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        self.0 = tail;
        Some(value)
    }

    #[inline]
    fn expect(&mut self, allowed: &[u8]) -> Option<u8> {
        let (first, tail) = self.0.split_first()?;
        allowed.contains(first).then(|| {
            self.0 = tail;
            *first
        })
    }

    /// An optional fraction of a second after `.` or `,`; digits past the ninth are cut off.
    fn fraction(&mut self) -> Option<i64> {
        if self.expect(b".,").is_none() {
            return Some(0);
        }
        let end = self.0.iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.0.len());
        if end == 0 {
            return None;
        }
        let kept = end.min(9);
        let mut probe = Digits(self.0);
        let mut nanos = probe.take(kept)?;
        for _ in kept..9 {
            nanos *= 10;
        }
        self.0 = self.0.get(end..)?;
        Some(nanos)
    }

    /// `Z`, `+hh:mm`, `+hhmm` or `+hh`, in seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.expect(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.take(2)?;
        let _ = self.expect(b":");
        let minutes = if self.0.first().is_some_and(u8::is_ascii_digit) { self.take(2)? } else { 0 };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }

    /// A day or an hour of one or two digits, perhaps padded with a blank.
    fn short(&mut self) -> Option<i64> {
        let _ = self.expect(b" ");
        let two = self.0.get(1).is_some_and(u8::is_ascii_digit);
        self.take(if two { 2 } else { 1 })
    }

    fn clock(&mut self) -> Option<(i64, i64, i64)> {
        let hour = self.take(2)?;
        self.expect(b":")?;
        let minute = self.take(2)?;
        self.expect(b":")?;
        Some((hour, minute, self.take(2)?))
    }

    fn month_name(&mut self) -> Option<i64> {
        let (name, tail) = self.0.split_first_chunk::<3>()?;
        let index = match &[name[0] | 0x20, name[1] | 0x20, name[2] | 0x20] {
            b"jan" => 1,
            b"feb" => 2,
            b"mar" => 3,
            b"apr" => 4,
            b"may" => 5,
            b"jun" => 6,
            b"jul" => 7,
            b"aug" => 8,
            b"sep" => 9,
            b"oct" => 10,
            b"nov" => 11,
            b"dec" => 12,
            _ => return None,
        };
        self.0 = tail;
        Some(index)
    }
}

/// RFC 3339 and ISO 8601: `2024-07-01T00:00:00.123456Z`, blank or `T`, `.` or `,`, offset or none. Without an offset
/// the time is in `zone`. The whole text must be the time.
pub fn parse_iso(text: &str, zone: &Zone<'_>) -> Option<i64> {
    let mut rest = Digits(text.as_bytes());
    let year = rest.take(4)?;
    rest.expect(b"-/")?;
    let month = rest.take(2)?;
    rest.expect(b"-/")?;
    let day = rest.take(2)?;
    rest.expect(b"T t")?;
    let (hour, minute, second) = rest.clock()?;
    let nanos = rest.fraction()?;
    let civil = Civil::new(year, month, day, hour, minute, second, nanos)?;
    if rest.0.first() == Some(&b' ') && rest.0.len() > 1 {
        rest.0 = rest.0.get(1..)?;
    }
    if rest.0.is_empty() {
        return civil.in_zone(zone);
    }
    let offset =
        if rest.0 == b"UTC" || rest.0 == b"GMT" { 0 } else { rest.offset().filter(|_| rest.0.is_empty())? };
    civil.at_offset(offset)
}

/// The Common Log Format of Apache and S3: `10/Oct/2000:13:55:36 -0700`. Without an offset the time is in `zone`.
pub fn parse_clf(text: &str, zone: &Zone<'_>) -> Option<i64> {
    let mut rest = Digits(text.as_bytes());
    let day = rest.take(2)?;
    rest.expect(b"/")?;
    let month = rest.month_name()?;
    rest.expect(b"/")?;
    let year = rest.take(4)?;
    rest.expect(b":")?;
    let (hour, minute, second) = rest.clock()?;
    let nanos = rest.fraction()?;
    let civil = Civil::new(year, month, day, hour, minute, second, nanos)?;
    if rest.expect(b" ").is_none() || rest.0.is_empty() {
        return if rest.0.is_empty() { civil.in_zone(zone) } else { None };
    }
    let offset = rest.offset()?;
    if rest.0.is_empty() { civil.at_offset(offset) } else { None }
}

/// C `asctime` as Apache's error log writes it: `Wed Oct 11 14:32:52.123456 2000`, in `zone`.
pub fn parse_asctime(text: &str, zone: &Zone<'_>) -> Option<i64> {
    let mut rest = Digits(text.as_bytes().get(3..)?);
    rest.expect(b" ")?;
    let month = rest.month_name()?;
    rest.expect(b" ")?;
    let day = rest.short()?;
    rest.expect(b" ")?;
    let (hour, minute, second) = rest.clock()?;
    let nanos = rest.fraction()?;
    rest.expect(b" ")?;
    let year = rest.take(4)?;
    if rest.0.is_empty() {
        Civil::new(year, month, day, hour, minute, second, nanos)?.in_zone(zone)
    } else {
        None
    }
}

/// The time at the head of an RFC 3164 line, `Jul  1 09:00:00` with an optional fraction, in `zone`, and the number of
/// bytes it takes. It names no year: the latest year in which the time is at most two days after `reference`.
/// Network devices name it all the same, `Jul  1 2026 09:00:00`.
///
/// Two days, because the reference is often the start of the day that the object covers, in another zone.
pub fn parse_syslog(text: &str, reference: i64, zone: &Zone<'_>) -> Option<(i64, usize)> {
    let mut rest = Digits(text.as_bytes());
    let month = rest.month_name()?;
    rest.expect(b" ")?;
    let day = rest.short()?;
    rest.expect(b" ")?;
    let year = if rest.0.get(4) == Some(&b' ') { Some(rest.take(4)?) } else { None };
    if year.is_some() {
        rest.expect(b" ")?;
    }
    let (hour, minute, second) = rest.clock()?;
    let nanos = if rest.0.first() == Some(&b'.') { rest.fraction()? } else { 0 };
    let used = text.len() - rest.0.len();
    if let Some(year) = year {
        return Some((Civil::new(year, month, day, hour, minute, second, nanos)?.in_zone(zone)?, used));
    }
    let limit = reference.saturating_add(2 * DAY * NANOS);
    let newest = civil_from_days(limit.div_euclid(DAY * NANOS)).0 + 1;
    // Nine years back there has been a 29 February, also around 1900 and 2100.
    (0..9).find_map(|back| {
        let time = Civil::new(newest - back, month, day, hour, minute, second, nanos)?.in_zone(zone)?;
        (time <= limit).then_some((time, used))
    })
}

/// Seconds since 1970 as decimal text, with an optional fraction: `1431280876`, `1469511015.709`.
pub fn parse_epoch_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text::cut(text, ".").unwrap_or((text, "0"));
    let seconds: i64 = if whole.len() <= 12 { whole.parse().ok()? } else { return None };
    let mut digits = Digits(fraction.as_bytes());
    let kept = fraction.len().min(9);
    let mut nanos = digits.take(kept)?;
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    for _ in kept..9 {
        nanos *= 10;
    }
    seconds.checked_mul(NANOS)?.checked_add(if whole.starts_with('-') { -nanos } else { nanos })
}

/// Milliseconds since 1970.
pub fn from_epoch_millis(millis: i64) -> Option<i64> {
    millis.checked_mul(1_000_000)
}

#[inline]
fn two(value: i64) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// Appends an instant as RFC 3339 text in UTC, with quotes: `"2024-07-01T00:00:00.000Z"`. Three digits of a second,
/// six or nine where the time has them.
pub fn push_time(out: &mut Vec<u8>, nanoseconds: i64) {
    let seconds = nanoseconds.div_euclid(NANOS);
    let fraction = nanoseconds.rem_euclid(NANOS);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let [y0, y1] = two(year / 100);
    let [y2, y3] = two(year);
    let [m0, m1] = two(month);
    let [d0, d1] = two(day);
    let [h0, h1] = two(clock / 3600);
    let [i0, i1] = two(clock / 60 % 60);
    let [s0, s1] = two(clock % 60);
    let [f0, f1] = two(fraction / 10_000_000);
    let f2 = b'0' + (fraction / 1_000_000 % 10) as u8;
    out.extend_from_slice(&[
        b'"', y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'.', f0,
        f1, f2,
    ]);
    let below = fraction % 1_000_000;
    if below != 0 {
        let digits = [two(below / 10_000), two(below / 100), two(below)];
        let shown = if below % 1000 == 0 { 3 } else { 6 };
        json::push(out, digits.as_flattened().get(..shown).unwrap_or_default());
    }
    out.extend_from_slice(b"Z\"");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ZoneTransition;
    use jiff::Timestamp;

    fn iso(text: &str) -> Option<i64> {
        parse_iso(text, &Zone::UTC)
    }

    #[test]
    fn instants_agree_with_jiff_both_ways() {
        let mut nanoseconds: i64 = -9_000_000_000_000_000_000;
        while nanoseconds < 9_000_000_000_000_000_000 {
            let expected = Timestamp::from_nanosecond(nanoseconds.into()).unwrap().to_string();
            let mut out = Vec::new();
            push_time(&mut out, nanoseconds);
            let text = String::from_utf8(out).unwrap();
            let text = text.trim_matches('"');
            assert_eq!(
                text.parse::<Timestamp>().unwrap().as_nanosecond(),
                i128::from(nanoseconds),
                "{text} {expected}"
            );
            assert_eq!(iso(text), Some(nanoseconds));
            assert_eq!(iso(&expected), Some(nanoseconds));
            nanoseconds += 7_777_777_777_777_777;
        }
    }

    #[test]
    fn text_forms() {
        let noon = iso("2024-02-29T12:00:00Z").unwrap();
        for text in [
            "2024-02-29 12:00:00",
            "2024-02-29T13:00:00+01:00",
            "2024-02-29T13:00:00.000+0100",
            "2024/02/29 12:00:00 UTC",
            "2024-02-29T11:30:00,000 -0030",
        ] {
            assert_eq!(iso(text), Some(noon), "{text}");
        }
        for text in [
            "2023-02-29T12:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29",
            "",
            "2024-02-29T12:00:00Zx",
            "2024-02-29T12:00:00.",
        ] {
            assert_eq!(iso(text), None, "{text}");
        }
        assert_eq!(parse_clf("29/Feb/2024:14:00:00 +0200", &Zone::UTC), Some(noon));
        assert_eq!(parse_asctime("Thu Feb 29 12:00:00.000000 2024", &Zone::UTC), Some(noon));
        assert_eq!(parse_epoch_seconds("1709208000"), Some(noon));
        assert_eq!(parse_epoch_seconds("1709208000.000"), Some(noon));
        assert_eq!(parse_epoch_seconds("1709208000.x"), None);
    }

    #[test]
    fn syslog_takes_the_year_from_the_reference() {
        let at = |reference: &str, text: &str| {
            let mut out = Vec::new();
            push_time(&mut out, parse_syslog(text, iso(reference).unwrap(), &Zone::UTC).unwrap().0);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(at("2026-01-01T00:00:00Z", "Dec 31 23:59:59 host"), "\"2025-12-31T23:59:59.000Z\"");
        assert_eq!(at("2025-12-31T00:00:00Z", "Jan  1 00:10:00 host"), "\"2026-01-01T00:10:00.000Z\"");
        assert_eq!(at("2026-11-23T00:00:00Z", "Nov 24 09:00:00 host"), "\"2026-11-24T09:00:00.000Z\"");
        assert_eq!(at("2026-11-23T00:00:00Z", "Nov 26 09:00:00 host"), "\"2025-11-26T09:00:00.000Z\"");
        assert_eq!(at("2026-11-23T00:00:00Z", "Feb 29 09:00:00 host"), "\"2024-02-29T09:00:00.000Z\"");
        assert_eq!(
            parse_syslog("Jul 1 09:00:00 host", iso("2026-11-23T00:00:00Z").unwrap(), &Zone::UTC).unwrap().1,
            14
        );
        assert_eq!(at("2026-11-23T00:00:00Z", "Feb 28 2024 09:00:00 host"), "\"2024-02-28T09:00:00.000Z\"");
        assert_eq!(at("2026-11-23T00:00:00Z", "Dec  1 2027 09:00:00.5"), "\"2027-12-01T09:00:00.500Z\"");
        assert!(parse_syslog("Foo  1 09:00:00", 0, &Zone::UTC).is_none());
        assert!(parse_syslog("Jan  1 09:0 0:00", 0, &Zone::UTC).is_none());
    }

    #[test]
    fn local_times_agree_with_jiff_around_every_change_of_the_clock() {
        for name in ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"] {
            let zone = jiff::tz::TimeZone::get(name).unwrap();
            let start: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
            let transitions: Vec<ZoneTransition> = zone
                .following(start)
                .take(12)
                .map(|t| ZoneTransition { at: t.timestamp().as_second(), offset: t.offset().seconds() })
                .collect();
            let ours = Zone { initial_offset: zone.to_offset(start).seconds(), transitions: &transitions };
            let mut local = jiff::civil::date(2020, 1, 2).at(0, 0, 0, 0);
            while local < jiff::civil::date(2025, 1, 1).at(0, 0, 0, 0) {
                let expected = zone.to_ambiguous_timestamp(local).compatible().unwrap().as_nanosecond();
                let civil = Civil::new(
                    local.year().into(),
                    local.month().into(),
                    local.day().into(),
                    local.hour().into(),
                    local.minute().into(),
                    0,
                    0,
                )
                .unwrap();
                assert_eq!(civil.in_zone(&ours).map(i128::from), Some(expected), "{name} {local}");
                local = local.checked_add(jiff::Span::new().minutes(30)).unwrap();
            }
        }
    }
}
