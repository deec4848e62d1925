//! A time zone in the form that crosses the boundary: a parser has no database.

use jiff::tz::TimeZone;

/// A named zone with its transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// As configured.
    pub name: String,
    /// Seconds east of UTC before the first transition.
    pub initial_offset: i32,
    /// Instants (seconds since 1970) and the offset from then on, ascending.
    pub transitions: Vec<(i64, i32)>,
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Zone { name: "UTC".to_owned(), initial_offset: 0, transitions: Vec::new() }
    }

    /// An IANA name, or a fixed offset `+hh:mm`. Transitions from 1970 to 2060.
    pub fn named(name: &str) -> Option<Self> {
        if let Some(initial_offset) = fixed_offset(name) {
            return Some(Zone { name: name.to_owned(), initial_offset, transitions: Vec::new() });
        }
        let zone = TimeZone::get(name).ok()?;
        let start = jiff::Timestamp::UNIX_EPOCH;
        let end = jiff::Timestamp::from_second(2_840_140_800).ok()?;
        let transitions = zone
            .following(start)
            .take_while(|transition| transition.timestamp() < end)
            .map(|transition| (transition.timestamp().as_second(), transition.offset().seconds()))
            .collect();
        Some(Zone { name: name.to_owned(), initial_offset: zone.to_offset(start).seconds(), transitions })
    }
}

fn fixed_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':').or_else(|| digits.split_at_checked(2))?;
    let (hours, minutes): (i32, i32) =
        (hours.parse().ok()?, if minutes.is_empty() { 0 } else { minutes.parse().ok()? });
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_offsets() {
        assert_eq!(Zone::named("+02:00").unwrap().initial_offset, 7200);
        assert_eq!(Zone::named("-0930").unwrap().initial_offset, -34200);
        assert_eq!(Zone::named("UTC").unwrap().transitions, []);
        let berlin = Zone::named("Europe/Berlin").unwrap();
        assert!(berlin.transitions.contains(&(1_711_846_800, 7200)), "31 March 2024, 01:00 UTC");
        assert!(
            Zone::named("Mars/Base").is_none()
                && Zone::named("+25:00").is_none()
                && Zone::named("").is_none()
        );
    }
}
