//! The fake's clock: it runs as the machine's does, faster, slower or not at all, and can be moved forward.

use std::time::Instant;

/// A clock in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The time at `since`.
    base_ms: i64,
    since: Instant,
    /// How many of its seconds pass in one of the machine's.
    speed: f64,
}

impl Clock {
    /// A clock that shows a time now and runs on.
    pub(crate) fn at(base_ms: i64) -> Self {
        Self { base_ms, since: Instant::now(), speed: 1.0 }
    }

    /// A clock that shows the machine's time.
    pub(crate) fn now() -> Self {
        Self::at(jiff::Timestamp::now().as_millisecond())
    }

    /// The time in ms since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.base_ms + (self.since.elapsed().as_secs_f64() * 1_000.0 * self.speed) as i64
    }

    /// The speed.
    pub(crate) fn speed(&self) -> f64 {
        self.speed
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&mut self, by_ms: i64) {
        self.base_ms = self.base_ms.saturating_add(by_ms.max(0));
    }

    /// Changes how fast it runs; 0 stops it.
    pub(crate) fn set_speed(&mut self, speed: f64) {
        self.base_ms = self.now_ms();
        self.since = Instant::now();
        self.speed = speed.clamp(0.0, 1_000_000.0);
    }

    /// Sets the time.
    pub(crate) fn set(&mut self, now_ms: i64) {
        self.base_ms = now_ms;
        self.since = Instant::now();
    }
}

/// ISO 8601 with seconds, e.g. `2026-01-02T03:04:05Z`.
pub(crate) fn iso(ms: i64) -> String {
    time(ms - ms.rem_euclid(1_000)).to_string()
}

/// ISO 8601 with milliseconds, as S3 writes times.
pub(crate) fn iso_ms(ms: i64) -> String {
    time(ms).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The format of `Last-Modified` (RFC 9110).
pub(crate) fn http_date(ms: i64) -> String {
    time(ms).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn time(ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_moved() {
        let mut clock = Clock::at(1_000);
        clock.set_speed(0.0);
        let stopped = clock.now_ms();
        clock.advance(5_000);
        assert_eq!(clock.now_ms(), stopped + 5_000);
    }

    #[test]
    fn formats() {
        let ms = 1_767_323_045_678;
        assert_eq!(iso(ms), "2026-01-02T03:04:05Z");
        assert_eq!(iso_ms(ms), "2026-01-02T03:04:05.678Z");
        assert_eq!(http_date(ms), "Fri, 02 Jan 2026 03:04:05 GMT");
    }
}
