//! Where rows go: partitions as Hive names them, and Athena and DuckDB read them.

use jiff::civil::Date;

/// Stands where a part of the partition is not known.
const UNKNOWN: &str = "unknown";
/// A folder's name has at most 255 bytes on the usual file systems.
const LONGEST: usize = 128;

/// The partition of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition<'a> {
    pub log_type: &'a str,
    /// The AWS account.
    pub account: Option<&'a str>,
    /// The AWS region.
    pub region: Option<&'a str>,
    /// The object's day, not the event's: the day that index and ledger file the object under.
    pub day: Date,
}

impl Partition<'_> {
    /// The folder under the data folder, for example
    /// `archive/log_type=vpcflow/account=111122223333/region=eu-west-1/date=2026-03-01`.
    pub fn folder(&self) -> String {
        format!(
            "archive/log_type={}/account={}/region={}/date={}",
            value(Some(self.log_type)),
            value(self.account),
            value(self.region),
            self.day
        )
    }

    /// The partition for rows of an object that has more partitions than are allowed.
    pub(super) fn without_origin(self) -> Self {
        Self { account: None, region: None, ..self }
    }
}

/// A value as it may stand in a folder's name: whatever could end the name, leave the folder or be taken for Hive's
/// escapes becomes `_`.
fn value(text: Option<&str>) -> String {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return UNKNOWN.to_owned() };
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    text.chars().take(LONGEST).map(|character| if allowed(character) { character } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_folder_names_its_partition_and_stays_a_folder() {
        let day = date(2026, 3, 1);
        let full =
            Partition { log_type: "vpcflow", account: Some("111122223333"), region: Some("eu-west-1"), day };
        let folder = "archive/log_type=vpcflow/account=111122223333/region=eu-west-1/date=2026-03-01";
        assert_eq!(full.folder(), folder);
        let odd = Partition { log_type: "a/../b=c%2f", account: Some(""), region: None, day };
        assert_eq!(
            odd.folder(),
            "archive/log_type=a_.._b_c_2f/account=unknown/region=unknown/date=2026-03-01"
        );
        let long = Partition { log_type: &"ä".repeat(1000), ..full };
        assert!(long.folder().len() < 255 + 100);
    }
}
