//! What a key says of its object: account, region, date.
//!
//! Layouts: `AWSLogs/[o-…/]ACCOUNT/SERVICE/REGION/YYYY/MM/DD/`, Hive partitions (`aws-region=…/year=…`, `date=…`),
//! Firehose prefixes (`…/YYYY/MM/DD/HH/NAME-YYYY-MM-DD-HH-MM-SS-…`), S3 access logs (`YYYY-MM-DD-HH-MM-SS-…`).

use regex::Regex;
use std::sync::LazyLock;

/// What a key names. Absent is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// Twelve digits.
    pub account: Option<String>,
    /// `eu-west-1`.
    pub region: Option<String>,
    /// The time that the object covers or was written at, nanoseconds since 1970.
    pub time: Option<i64>,
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static ACCOUNT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?:^|/)(?:aws-account-id=|account(?:_id)?=)?(\d{12})(?:/|_)"));
static REGION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"(?:^|[/_=])((?:af|ap|ca|cn|eu|il|me|mx|sa|us|us-gov|us-iso[a-z]*)-(?:central|east|gov|iso[a-z]*|north|northeast|northwest|south|southeast|southwest|west)(?:-(?:east|west))?-\d)(?:[/_.]|$)",
    )
});
/// Most precise first; each with year, month, day, perhaps hour, minute and second.
static TIMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"(?:^|[_/-])(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?Z?(?:[_.-]|$)",
        r"(?:^|\D)(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)(?:\D|$)",
        r"(?:^|/)(?:year=)?(\d{4})/(?:month=)?(\d\d)/(?:day=)?(\d\d)(?:/(?:hour=)?(\d\d))?/",
        r"(?:^|\D)(\d{4})-(\d\d)-(\d\d)(?:[T-](\d\d))?(?:\D|$)",
        r"(?:^|[^\d])(\d{4})(\d\d)(\d\d)(?:[^\d]|$)",
    ]
    .iter()
    .filter_map(|text| pattern(text))
    .collect()
});

/// Reads a key.
pub fn locate(key: &str) -> Location {
    let capture =
        |regex: &Option<Regex>| regex.as_ref()?.captures(key)?.get(1).map(|found| found.as_str().to_owned());
    Location {
        account: capture(&ACCOUNT),
        region: capture(&REGION),
        time: TIMES.iter().find_map(|regex| time_in(regex, key)),
    }
}

fn time_in(regex: &Regex, key: &str) -> Option<i64> {
    regex.captures_iter(key).find_map(|found| {
        let number = |index: usize| found.get(index).and_then(|text| text.as_str().parse::<i16>().ok());
        let small = |index: usize| number(index).unwrap_or(0).try_into().unwrap_or(-1_i8);
        let year = number(1).filter(|year| (1990..=2100).contains(year))?;
        let civil =
            jiff::civil::DateTime::new(year, small(2), small(3), small(4), small(5), small(6), 0).ok()?;
        let time = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
        i64::try_from(time.as_nanosecond()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_layout() {
        let cases = [
            (
                "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/111122223333_CloudTrail_eu-west-1_20260115T1005Z_x.json.gz",
                "111122223333",
                "eu-west-1",
                "2026-01-15T10:05:00Z",
            ),
            (
                "AWSLogs/o-abc123/444455556666/vpcflowlogs/us-gov-west-1/2026/01/15/f_20260115T0000Z_1.log.gz",
                "444455556666",
                "us-gov-west-1",
                "2026-01-15T00:00:00Z",
            ),
            (
                "p/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=ap-southeast-2/year=2026/month=01/day=15/hour=07/x.parquet",
                "111122223333",
                "ap-southeast-2",
                "2026-01-15T07:00:00Z",
            ),
            ("s3/2026-01-15-03-04-05-0123456789ABCDEF", "", "", "2026-01-15T03:04:05Z"),
            ("firehose/app/2026/01/15/09/app-1-2026-01-15-09-08-07-uuid", "", "", "2026-01-15T09:08:07Z"),
            ("x/date=2026-01-15/a.json", "", "", "2026-01-15T00:00:00Z"),
            ("linux/secure-20260115", "", "", "2026-01-15T00:00:00Z"),
            ("notes/99999999/2026/13/45/x", "", "", ""),
        ];
        for (key, account, region, time) in cases {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let found = locate(key);
            let nanos =
                some(time).map(|text| text.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64);
            assert_eq!(
                found,
                Location { account: some(account), region: some(region), time: nanos },
                "{key}"
            );
        }
    }
}
