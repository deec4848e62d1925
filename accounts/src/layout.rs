//! What keys look like, whether they tell accounts apart, and how the destination's policy keeps them apart.
//!
//! Replication cannot rename keys: what a service delivers is what arrives. So a layout is not chosen but checked. The
//! policy allows an account only keys that begin with a fixed text and then its own id (`${aws:PrincipalAccount}`).
//! A wildcard before the id would let it write `AWSLogs/ANOTHER/…/OWN/…`, and is refused.

use crate::desired::{LayoutKind, SourceSettings};
use crate::ids::{AccountId, BucketName, OrganizationId, Region};
use crate::inventory::ObjectSample;

/// The policy variable that stands for the account of whoever asks.
pub const ACCOUNT_VARIABLE: &str = "${aws:PrincipalAccount}";

/// The folder of canary objects, after the layout's prefix.
pub const CANARY_FOLDER: &str = "weir-canary/";

/// Objects that services write to test their access, under the same key in every bucket. They may overwrite each other.
const TEST_FILES: [&str; 3] = ["ELBAccessLogTestFile", "ConfigWritabilityCheckFile", "aws-waf-logs-test"];

/// The layout of one bucket's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLayout {
    /// What all log keys of the bucket begin with.
    pub base: String,
    /// What is replicated, sorted: the base, or folders of it.
    pub prefixes: Vec<String>,
    /// Where canary objects go: within the base.
    pub canary_prefix: String,
    pub isolation: Isolation,
}

/// How the destination's policy keeps accounts apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Isolation {
    /// Every account may write the keys that fit this pattern with its own id in [`ACCOUNT_VARIABLE`].
    ByAccount { pattern: String },
    /// Keys of all accounts come out of one bucket: only that bucket's account may write the pattern.
    ByOwner { pattern: String },
    /// It cannot.
    Impossible {
        reason: String,
        /// The delivery prefix to change, and to what.
        proposal: String,
    },
}

/// The layout of a bucket's keys, as `[[source]]` says.
pub fn resolve(
    source: &SourceSettings,
    account: &AccountId,
    region: &Region,
    bucket: &BucketName,
    organization: &OrganizationId,
) -> KeyLayout {
    let template = template(source, organization);
    let base = template
        .replace("{account}", account.as_str())
        .replace("{region}", region.as_str())
        .replace("{bucket}", bucket.as_str());
    let mut prefixes: Vec<String> = if source.layout == LayoutKind::Waf {
        vec![format!("{base}WAFLogs/")]
    } else {
        source.services.iter().map(|service| format!("{base}{}", service.folder())).collect()
    };
    if prefixes.is_empty() {
        prefixes.push(base.clone());
    }
    prefixes.sort();
    prefixes.dedup();
    let canary_prefix = format!("{base}{CANARY_FOLDER}");
    let isolation = isolation(source, &template, account, bucket);
    KeyLayout { base, prefixes, canary_prefix, isolation }
}

/// What keys begin with, with `{account}`, `{region}` and `{bucket}` to fill in.
fn template(source: &SourceSettings, organization: &OrganizationId) -> String {
    let prefix = &source.prefix;
    match source.layout {
        LayoutKind::AwsLogs | LayoutKind::Waf => format!("{prefix}AWSLogs/{{account}}/"),
        LayoutKind::OrganizationTrail => format!("{prefix}AWSLogs/{organization}/"),
        LayoutKind::S3AccessLogsPartitioned => format!("{prefix}{{account}}/"),
        LayoutKind::S3AccessLogs | LayoutKind::Firehose | LayoutKind::Custom => prefix.clone(),
    }
}

fn isolation(source: &SourceSettings, template: &str, account: &AccountId, bucket: &BucketName) -> Isolation {
    let pattern = || {
        let pattern =
            template.replace("{account}", ACCOUNT_VARIABLE).replace("{region}", "*").replace("{bucket}", "*");
        format!("{pattern}*")
    };
    let proposal = || propose(source.layout, account, bucket);
    if has_account_number(template) {
        let reason = format!(
            "the prefix `{}` holds an account id of its own, so that keys would lie among that account's",
            source.prefix
        );
        return Isolation::Impossible { reason, proposal: proposal() };
    }
    if source.layout == LayoutKind::OrganizationTrail {
        if template.contains(['{', '}']) {
            let reason = format!("the prefix `{}` differs from bucket to bucket", source.prefix);
            let proposal = format!(
                "give the trail a fixed prefix, and set `prefix` of this [[source]] to it in accounts.toml ({bucket})"
            );
            return Isolation::Impossible { reason, proposal };
        }
        return Isolation::ByOwner { pattern: pattern() };
    }
    match template.split_once("{account}") {
        None => {
            let reason =
                format!("keys of the layout `{}` do not hold the account id", source.layout.as_str());
            Isolation::Impossible { reason, proposal: proposal() }
        }
        Some((before, _)) if before.contains('{') => {
            let reason = format!(
                "in the prefix `{}` the account comes after a part that differs, so that a policy would need a wildcard before it",
                source.prefix
            );
            Isolation::Impossible { reason, proposal: proposal() }
        }
        Some(_) => Isolation::ByAccount { pattern: pattern() },
    }
}

/// Twelve digits and no more, as an account id is written.
fn has_account_number(text: &str) -> bool {
    text.split(|character: char| !character.is_ascii_digit()).any(|digits| digits.len() == 12)
}

/// What to change where the logs are delivered.
fn propose(layout: LayoutKind, account: &AccountId, bucket: &BucketName) -> String {
    match layout {
        LayoutKind::S3AccessLogs | LayoutKind::S3AccessLogsPartitioned => format!(
            "set the target prefix of the server access logs that go to {bucket} to `AWSLogs/{account}/s3-access/` (PutBucketLogging), and in accounts.toml `layout = \"s3-access-logs\"` with `prefix = \"AWSLogs/{{account}}/s3-access/\"`"
        ),
        LayoutKind::Firehose => format!(
            "set the prefix of the Firehose streams that deliver to {bucket} to `AWSLogs/{account}/firehose/` (UpdateDestination), and in accounts.toml `prefix = \"AWSLogs/{{account}}/firehose/\"`"
        ),
        LayoutKind::AwsLogs | LayoutKind::Waf | LayoutKind::OrganizationTrail | LayoutKind::Custom => {
            format!(
                "deliver to {bucket} under a fixed prefix that is followed by the account id, such as `AWSLogs/{account}/`, and in accounts.toml write `prefix` so that `{{account}}` comes before `{{region}}` and `{{bucket}}` and no account is named"
            )
        }
    }
}

/// What sampled keys tell about a layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyCheck<'a> {
    /// Keys that are replicated.
    pub inside: usize,
    /// Keys that no rule of ours covers.
    pub outside: Vec<&'a str>,
    /// Keys of an organization's trail that do not hold an account id.
    pub without_account: Vec<&'a str>,
}

impl KeyLayout {
    /// Holds sampled keys against the layout.
    pub fn check_keys<'a>(&self, samples: &'a [ObjectSample]) -> KeyCheck<'a> {
        let mut check = KeyCheck::default();
        for ObjectSample { key, .. } in samples {
            if key.starts_with(&self.canary_prefix) || key.ends_with('/') {
                continue;
            }
            if !self.covers(key) {
                check.outside.push(key);
                continue;
            }
            check.inside += 1;
            let rest = key.strip_prefix(&self.base).unwrap_or_default();
            let has_account = rest.split('/').next().is_some_and(|part| AccountId::new(part).is_ok());
            if matches!(self.isolation, Isolation::ByOwner { .. }) && !has_account && !is_test_file(key) {
                check.without_account.push(key);
            }
        }
        check
    }

    /// Whether a rule of ours covers the key.
    pub fn covers(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()))
    }
}

/// Whether the key is an object that a service writes to test its access.
pub fn is_test_file(key: &str) -> bool {
    TEST_FILES.iter().any(|name| key.rsplit('/').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(text: &str) -> KeyLayout {
        let source: SourceSettings = toml::from_str(&format!("buckets = [\"*\"]\n{text}")).unwrap();
        resolve(
            &source,
            &AccountId::new("111111111111").unwrap(),
            &Region::new("eu-west-1").unwrap(),
            &BucketName::new("logs").unwrap(),
            &OrganizationId::new("o-a1b2c3d4e5").unwrap(),
        )
    }

    fn pattern(text: &str) -> String {
        match layout(text).isolation {
            Isolation::ByAccount { pattern } => pattern,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_layout_has_its_form() {
        let aws_logs = layout("");
        assert_eq!(aws_logs.base, "AWSLogs/111111111111/");
        assert_eq!(aws_logs.prefixes, ["AWSLogs/111111111111/"]);
        assert_eq!(aws_logs.canary_prefix, "AWSLogs/111111111111/weir-canary/");
        assert_eq!(pattern(""), "AWSLogs/${aws:PrincipalAccount}/*");
        assert_eq!(pattern("prefix = \"trail/\""), "trail/AWSLogs/${aws:PrincipalAccount}/*");
        assert_eq!(
            layout("services = [\"vpc-flow-logs\", \"cloudtrail\"]").prefixes,
            ["AWSLogs/111111111111/CloudTrail/", "AWSLogs/111111111111/vpcflowlogs/"]
        );
        assert_eq!(layout("layout = \"waf\"").prefixes, ["AWSLogs/111111111111/WAFLogs/"]);
        assert_eq!(
            pattern("layout = \"s3-access-logs-partitioned\"\nprefix = \"access/\""),
            "access/${aws:PrincipalAccount}/*"
        );
        assert_eq!(
            pattern("layout = \"firehose\"\nprefix = \"stream/{account}/{region}/\""),
            "stream/${aws:PrincipalAccount}/*/*"
        );
        let trail = layout("layout = \"organization-trail\"");
        assert_eq!(trail.base, "AWSLogs/o-a1b2c3d4e5/");
        assert_eq!(trail.isolation, Isolation::ByOwner { pattern: "AWSLogs/o-a1b2c3d4e5/*".into() });
    }

    #[test]
    fn what_cannot_be_isolated_says_what_to_change() {
        for (text, proposed) in [
            ("layout = \"firehose\"", "AWSLogs/111111111111/firehose/"),
            ("layout = \"s3-access-logs\"\nprefix = \"access/\"", "AWSLogs/111111111111/s3-access/"),
            ("layout = \"custom\"\nprefix = \"logs/\"", "AWSLogs/111111111111/"),
            // A wildcard before the account would cover the keys of others.
            ("layout = \"custom\"\nprefix = \"{region}/{account}/\"", "comes before"),
            ("prefix = \"{bucket}/\"", "comes before"),
            // Among the keys of another account.
            ("layout = \"custom\"\nprefix = \"AWSLogs/222222222222/{account}/\"", "no account is named"),
            ("layout = \"organization-trail\"\nprefix = \"{account}/\"", "fixed prefix"),
        ] {
            match layout(text).isolation {
                Isolation::Impossible { proposal, .. } => {
                    assert!(proposal.contains(proposed) && proposal.contains("logs"), "{text}: {proposal}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn sampled_keys_are_held_against_the_layout() {
        let sample = |key: &str| ObjectSample {
            key: key.to_owned(),
            last_modified: None,
            replication_status: None,
            other_owner: None,
        };
        let samples = [
            "AWSLogs/111111111111/CloudTrail/a.json.gz",
            "AWSLogs/222222222222/CloudTrail/a.json.gz",
            "AWSLogs/111111111111/weir-canary/1",
            "AWSLogs/",
        ]
        .map(sample);
        let aws_logs = layout("");
        let check = aws_logs.check_keys(&samples);
        assert_eq!((check.inside, check.outside), (1, vec!["AWSLogs/222222222222/CloudTrail/a.json.gz"]));
        let samples = [
            "AWSLogs/o-a1b2c3d4e5/222222222222/CloudTrail/a",
            "AWSLogs/o-a1b2c3d4e5/2222/CloudTrail/a",
            "AWSLogs/o-a1b2c3d4e5/ELBAccessLogTestFile",
        ]
        .map(sample);
        let trail = layout("layout = \"organization-trail\"");
        assert_eq!(trail.check_keys(&samples).without_account, ["AWSLogs/o-a1b2c3d4e5/2222/CloudTrail/a"]);
    }

    proptest! {
        /// What an isolated layout replicates always fits the pattern with the own id, and never that with another's.
        #[test]
        fn a_pattern_covers_what_is_replicated(
            before in "[a-z/-]{0,8}",
            after in "[a-z/]{0,4}",
            region_after in any::<bool>(),
            kind in prop::sample::select(vec!["aws-logs", "s3-access-logs", "s3-access-logs-partitioned", "firehose", "custom", "waf"]),
        ) {
            let region = if region_after { "{region}" } else { "" };
            let before = before.trim_start_matches('/');
            let layout = layout(&format!("layout = \"{kind}\"\nprefix = \"{before}{{account}}/{after}{region}\""));
            let Isolation::ByAccount { pattern } = &layout.isolation else { panic!("{layout:?}") };
            for prefix in layout.prefixes.iter().chain([&layout.canary_prefix]) {
                let with = |account: &str| pattern.replace(ACCOUNT_VARIABLE, account);
                let key = format!("{prefix}x");
                prop_assert!(crate::glob::matches(&with("111111111111"), &key));
                prop_assert!(!crate::glob::matches(&with("222222222222"), &key));
            }
        }
    }
}
