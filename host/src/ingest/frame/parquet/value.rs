//! One value of a Parquet column as JSON text.
//!
//! Integers and decimals are numbers with all their digits, dates `2026-11-01`, times of day `10:00:00.5`, timestamps
//! RFC 3339 in UTC to the nanosecond (those without a zone are taken as UTC), text a string, other binary base64, UUIDs
//! in their usual form. What JSON has no number for (`NaN`, infinities) is a string.
//!
//! Source: LogicalTypes.md of the Parquet format 2.11.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::data_type::Int96;
use parquet::schema::types::ColumnDescriptor;

/// Longest decimal written as a number, in bytes; Parquet's own types have at most 32.
const DECIMAL_BYTES: usize = 64;

/// What a column's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Plain,
    Unsigned,
    Decimal {
        scale: u32,
    },
    Date,
    /// Units in a second.
    TimeOfDay {
        units: i64,
    },
    Timestamp {
        units: i64,
    },
    Uuid,
    Float16,
}

impl Meaning {
    /// From the column's annotation, the newer kind or else the older.
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        let scale = || u32::try_from(column.type_scale()).unwrap_or(0);
        if let Some(logical) = column.logical_type_ref() {
            return match logical {
                LogicalType::Integer(kind) if !kind.is_signed => Self::Unsigned,
                LogicalType::Decimal(kind) => Self::Decimal { scale: u32::try_from(kind.scale).unwrap_or(0) },
                LogicalType::Date => Self::Date,
                LogicalType::Time(kind) => Self::TimeOfDay { units: units(kind.unit) },
                LogicalType::Timestamp(kind) => Self::Timestamp { units: units(kind.unit) },
                LogicalType::Uuid => Self::Uuid,
                LogicalType::Float16 => Self::Float16,
                _ => Self::Plain,
            };
        }
        match column.converted_type() {
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Self::Unsigned,
            ConvertedType::DECIMAL => Self::Decimal { scale: scale() },
            ConvertedType::DATE => Self::Date,
            ConvertedType::TIME_MILLIS => Self::TimeOfDay { units: 1_000 },
            ConvertedType::TIME_MICROS => Self::TimeOfDay { units: 1_000_000 },
            ConvertedType::TIMESTAMP_MILLIS => Self::Timestamp { units: 1_000 },
            ConvertedType::TIMESTAMP_MICROS => Self::Timestamp { units: 1_000_000 },
            _ => Self::Plain,
        }
    }
}

fn units(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    }
}

/// Writes a number.
pub(super) fn integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes a string with quotes and escapes.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    // Writing a string to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn quoted(out: &mut Vec<u8>, text: impl std::fmt::Display) {
    let _ = write!(out, "\"{text}\"");
}

/// Writes an `INT32` or `INT64`; `narrow` for the former.
pub(super) fn number(out: &mut Vec<u8>, value: i64, narrow: bool, meaning: Meaning) {
    let written = match meaning {
        Meaning::Unsigned if narrow => {
            integer(out, value as u32);
            Some(())
        }
        Meaning::Unsigned => {
            integer(out, value as u64);
            Some(())
        }
        Meaning::Decimal { scale } => {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(value.unsigned_abs());
            point(out, value < 0, digits.as_bytes(), scale);
            Some(())
        }
        Meaning::Date => date(value).map(|date| quoted(out, date)),
        Meaning::TimeOfDay { units } => time_of_day(value, units).map(|time| quoted(out, time)),
        Meaning::Timestamp { units } => timestamp(value, units).map(|time| quoted(out, time)),
        Meaning::Plain | Meaning::Uuid | Meaning::Float16 => None,
    };
    // Times out of all range stay the numbers they are.
    if written.is_none() {
        integer(out, value);
    }
}

fn date(days: i64) -> Option<Date> {
    Date::constant(1970, 1, 1).checked_add(SignedDuration::from_hours(days.checked_mul(24)?)).ok()
}

fn time_of_day(value: i64, units: i64) -> Option<Time> {
    let (seconds, fraction) = (value.checked_div(units)?, value.checked_rem(units)?);
    if !(0..86_400).contains(&seconds) || fraction < 0 {
        return None;
    }
    let nanoseconds = fraction * (1_000_000_000 / units);
    Time::new((seconds / 3600) as i8, (seconds / 60 % 60) as i8, (seconds % 60) as i8, nanoseconds as i32)
        .ok()
}

fn timestamp(value: i64, units: i64) -> Option<Timestamp> {
    let nanoseconds = value.rem_euclid(units) * (1_000_000_000 / units);
    Timestamp::new(value.div_euclid(units), nanoseconds as i32).ok()
}

/// Writes an `INT96`: nanoseconds of a Julian day.
pub(super) fn int96(out: &mut Vec<u8>, value: &Int96) {
    const JULIAN_DAY_OF_1970: i64 = 2_440_588;
    let [low, high, day] = value.data() else { return out.extend_from_slice(b"null") };
    let nanoseconds = (u64::from(*high) << 32 | u64::from(*low)) as i64;
    let time = (i64::from(*day) - JULIAN_DAY_OF_1970)
        .checked_mul(86_400)
        .and_then(|seconds| seconds.checked_add(nanoseconds.div_euclid(1_000_000_000)))
        .and_then(|seconds| Timestamp::new(seconds, nanoseconds.rem_euclid(1_000_000_000) as i32).ok());
    match time {
        Some(time) => quoted(out, time),
        None => quoted(out, format_args!("INT96:{day}:{nanoseconds}")),
    }
}

/// Writes a floating-point number, the shortest that reads back alike.
pub(super) fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        let _ = serde_json::to_writer(out, &value);
    } else {
        not_a_number(out, value.is_nan(), value > 0.0);
    }
}

/// The same in single precision, where fewer digits read back alike.
pub(super) fn single(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        let _ = serde_json::to_writer(out, &value);
    } else {
        not_a_number(out, value.is_nan(), value > 0.0);
    }
}

fn not_a_number(out: &mut Vec<u8>, nan: bool, positive: bool) {
    quoted(
        out,
        if nan {
            "NaN"
        } else if positive {
            "Infinity"
        } else {
            "-Infinity"
        },
    );
}

/// Writes a byte array, of fixed length or not.
pub(super) fn binary(out: &mut Vec<u8>, bytes: &[u8], meaning: Meaning) {
    match (meaning, bytes) {
        (Meaning::Decimal { scale }, _) if bytes.len() <= DECIMAL_BYTES => decimal(out, bytes, scale),
        (Meaning::Float16, [low, high]) => single(out, half(u16::from_le_bytes([*low, *high]))),
        (Meaning::Uuid, _) if bytes.len() == 16 => {
            let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
            let digits = format!("{number:032x}");
            let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
            let parts = [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)];
            quoted(out, parts.join("-"));
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => string(out, text),
            Err(_) => quoted(out, STANDARD.encode(bytes)),
        },
    }
}

/// Writes a big-endian two's complement number.
fn decimal(out: &mut Vec<u8>, bytes: &[u8], scale: u32) {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude = bytes.to_vec();
    if negative {
        // Invert and add one.
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let mut digits = Vec::new();
    while magnitude.iter().any(|byte| *byte != 0) {
        let mut rest = 0u16;
        for byte in &mut magnitude {
            let value = rest << 8 | u16::from(*byte);
            *byte = (value / 10) as u8;
            rest = value % 10;
        }
        digits.push(b'0' + rest as u8);
    }
    digits.reverse();
    point(out, negative, &digits, scale);
}

/// Writes digits with a decimal point before the last `scale` of them.
fn point(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: u32) {
    // A scale of more digits than any decimal has is written as an exponent.
    let (scale, exponent) = if scale > 128 { (0, scale) } else { (scale as usize, 0) };
    if negative {
        out.push(b'-');
    }
    let whole = digits.len().saturating_sub(scale);
    if whole == 0 {
        out.push(b'0');
    }
    out.extend_from_slice(&digits[..whole]);
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
        out.extend_from_slice(&digits[whole..]);
    }
    if exponent > 0 {
        let _ = write!(out, "e-{exponent}");
    }
}

/// IEEE 754 half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_keep_all_their_digits() {
        assert_eq!(written(|out| number(out, -1, false, Meaning::Unsigned)), "18446744073709551615");
        assert_eq!(written(|out| number(out, -1, true, Meaning::Unsigned)), "4294967295");
        assert_eq!(written(|out| number(out, i64::MIN, false, Meaning::Plain)), "-9223372036854775808");
        for (value, scale, expected) in
            [(12345, 2, "123.45"), (-5, 3, "-0.005"), (0, 2, "0.00"), (7, 0, "7"), (100, 2, "1.00")]
        {
            assert_eq!(written(|out| number(out, value, false, Meaning::Decimal { scale })), expected);
            let bytes = value.to_be_bytes();
            assert_eq!(written(|out| binary(out, &bytes, Meaning::Decimal { scale })), expected);
        }
        let wide = [&[0x01][..], &[0; 16]].concat();
        let expected = "340282366920938463463374607431768211.456";
        assert_eq!(written(|out| binary(out, &wide, Meaning::Decimal { scale: 3 })), expected);
        assert_eq!(written(|out| binary(out, &[0x80], Meaning::Decimal { scale: 0 })), "-128");
    }

    #[test]
    fn times_are_exact() {
        let stamp = |value, units| written(|out| number(out, value, false, Meaning::Timestamp { units }));
        assert_eq!(stamp(1_793_527_200_123_456_789, 1_000_000_000), "\"2026-11-01T10:00:00.123456789Z\"");
        assert_eq!(stamp(-1, 1_000), "\"1969-12-31T23:59:59.999Z\"");
        assert_eq!(stamp(i64::MAX, 1_000), i64::MAX.to_string());
        assert_eq!(written(|out| number(out, 20_758, true, Meaning::Date)), "\"2026-11-01\"");
        assert_eq!(written(|out| number(out, -1, true, Meaning::Date)), "\"1969-12-31\"");
        let time = |value, units| written(|out| number(out, value, false, Meaning::TimeOfDay { units }));
        assert_eq!(time(36_000_500, 1_000), "\"10:00:00.5\"");
        assert_eq!(time(-1, 1_000), "-1");
        let mut value = Int96::new();
        value.set_data(500_000_000, 0, 2_440_589);
        assert_eq!(written(|out| int96(out, &value)), "\"1970-01-02T00:00:00.5Z\"");
    }

    #[test]
    fn what_json_has_no_number_for_is_a_string() {
        assert_eq!(written(|out| float(out, f64::NAN)), "\"NaN\"");
        assert_eq!(written(|out| float(out, f64::NEG_INFINITY)), "\"-Infinity\"");
        assert_eq!(written(|out| single(out, 0.1)), "0.1");
        assert_eq!(written(|out| binary(out, &[0x00, 0x3e], Meaning::Float16)), "1.5");
        assert_eq!(written(|out| binary(out, &[0x01, 0x00], Meaning::Float16)), "5.9604645e-8");
        assert_eq!(written(|out| binary(out, b"a\"b", Meaning::Plain)), r#""a\"b""#);
        assert_eq!(written(|out| binary(out, &[0xff, 0xfe], Meaning::Plain)), "\"//4=\"");
        let uuid: Vec<u8> = (0..16).collect();
        assert_eq!(
            written(|out| binary(out, &uuid, Meaning::Uuid)),
            "\"00010203-0405-0607-0809-0a0b0c0d0e0f\""
        );
    }
}
