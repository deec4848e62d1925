//! Times of the demo's one day, 2026-03-11 (a Wednesday) in UTC, as the log formats write them.

use super::random::Random;

/// 2026-03-11T00:00:00Z, seconds since 1970.
const MIDNIGHT: u64 = 1_773_187_200;
/// Milliseconds of a day.
const DAY: u64 = 86_400_000;
/// How busy each hour of the day is, midnight first.
const BUSY: [(u64, u64); 24] = [
    (3, 0),
    (2, 1),
    (2, 2),
    (2, 3),
    (2, 4),
    (3, 5),
    (5, 6),
    (8, 7),
    (11, 8),
    (13, 9),
    (14, 10),
    (14, 11),
    (13, 12),
    (14, 13),
    (14, 14),
    (13, 15),
    (12, 16),
    (12, 17),
    (13, 18),
    (14, 19),
    (13, 20),
    (10, 21),
    (7, 22),
    (5, 23),
];

/// Milliseconds since midnight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

impl Moment {
    /// A time of the day.
    pub(super) const fn at(hour: u64, minute: u64, second: u64) -> Self {
        Moment((hour * 3600 + minute * 60 + second) * 1000)
    }

    /// A time when somebody would be at work or in the shop, more likely than at night.
    pub(super) fn of_business(random: &mut Random) -> Self {
        let hour = random.weighted(&BUSY);
        Moment(hour * 3_600_000 + random.below(3_600_000))
    }

    /// A time between two.
    pub(super) fn within(random: &mut Random, first: Moment, last: Moment) -> Self {
        Moment(random.between(first.0, last.0))
    }

    /// Any time of the day.
    pub(super) fn any(random: &mut Random) -> Self {
        Moment(random.below(DAY))
    }

    /// Later by that many milliseconds, but still this day.
    pub(super) fn plus(self, milliseconds: u64) -> Self {
        Moment((self.0 + milliseconds).min(DAY - 1))
    }

    /// Earlier by that many milliseconds, but still this day.
    pub(super) fn minus(self, milliseconds: u64) -> Self {
        Moment(self.0.saturating_sub(milliseconds))
    }

    /// The start of the part of the day it lies in, the day cut into `parts`.
    pub(super) fn part(self, parts: u64) -> Self {
        let length = DAY / parts;
        Moment(self.0 / length * length)
    }

    /// Milliseconds since 1970.
    pub(super) fn milliseconds(self) -> u64 {
        MIDNIGHT * 1000 + self.0
    }

    /// Seconds since 1970.
    pub(super) fn seconds(self) -> u64 {
        MIDNIGHT + self.0 / 1000
    }

    /// `03:04:05`
    pub(super) fn clock(self) -> String {
        let seconds = self.0 / 1000;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// `03`
    pub(super) fn hour(self) -> String {
        format!("{:02}", self.0 / 3_600_000)
    }

    /// `05`
    pub(super) fn minute(self) -> String {
        format!("{:02}", self.0 / 60_000 % 60)
    }

    /// `2026-03-11T03:04:05Z`
    pub(super) fn iso(self) -> String {
        format!("2026-03-11T{}Z", self.clock())
    }

    /// `2026-03-11T03:04:05.678000Z`
    pub(super) fn iso_precise(self) -> String {
        format!("2026-03-11T{}.{:03}000Z", self.clock(), self.0 % 1000)
    }

    /// `11/Mar/2026:03:04:05 +0000`
    pub(super) fn common_log(self) -> String {
        format!("11/Mar/2026:{} +0000", self.clock())
    }

    /// `Mar 11 03:04:05`
    pub(super) fn syslog(self) -> String {
        format!("Mar 11 {}", self.clock())
    }

    /// `2026/03/11 03:04:05`
    pub(super) fn nginx_error(self) -> String {
        format!("2026/03/11 {}", self.clock())
    }

    /// `Wed Mar 11 03:04:05.678000 2026`
    pub(super) fn apache_error(self) -> String {
        format!("Wed Mar 11 {}.{:03}000 2026", self.clock(), self.0 % 1000)
    }

    /// `20260311T0304Z`
    pub(super) fn delivery(self) -> String {
        format!("20260311T{}{}Z", self.hour(), self.minute())
    }

    /// `2026-03-11-03-04-05`
    pub(super) fn dashed(self) -> String {
        format!("2026-03-11-{}", self.clock().replace(':', "-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_formats_ask() {
        let moment = Moment::at(3, 4, 5).plus(678);
        assert_eq!(moment.iso_precise(), "2026-03-11T03:04:05.678000Z");
        assert_eq!(moment.common_log(), "11/Mar/2026:03:04:05 +0000");
        assert_eq!(moment.delivery(), "20260311T0304Z");
        assert_eq!(moment.seconds(), 1_773_198_245);
        assert_eq!(moment.part(24).clock(), "03:00:00");
        assert_eq!(Moment::at(23, 59, 59).plus(DAY).clock(), "23:59:59");
    }
}
