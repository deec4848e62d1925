use super::*;
use crate::ids::{AccountId, BucketName, Region};

const LEAST: &str = r#"
[log-account]
id = "222222222222"
[[destination]]
region = "eu-central-1"
bucket = "logs"
[[source]]
buckets = ["*-logs"]
"#;

fn read(text: &str) -> Result<Desired, DesiredError> {
    Desired::from_text(Path::new("accounts.toml"), text)
}

fn refusal(text: &str) -> String {
    let message = read(text).unwrap_err().to_string();
    assert!(message.starts_with("accounts.toml"), "{message}");
    message
}

#[test]
fn the_template_loads_as_written() {
    let desired = read(template()).unwrap();
    assert_eq!(desired.log_account.id.as_str(), "222222222222");
    assert_eq!(desired.members.role.as_str(), "weir-onboarding");
    assert_eq!(desired.replication, ReplicationSettings::default());
    assert_eq!(desired.limits, LimitSettings::default());
    assert_eq!(desired.cost, CostSettings::default());
}

#[test]
fn every_commented_key_of_the_template_loads_too() {
    // A comment that would not load is a lie: uncomment what looks like a setting, and read it.
    let uncommented = |line: &'static str| {
        let is_key = |key: &str| {
            let is_key_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !key.is_empty() && key.bytes().all(is_key_byte)
        };
        let setting =
            line.strip_prefix("# ").filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)));
        setting.unwrap_or(line)
    };
    let text = template().lines().map(uncommented).collect::<Vec<_>>().join("\n");
    let text = text.replace("as in [members], unless it differs", "another-one");
    let desired = read(&text).unwrap();
    assert_eq!(desired.members.select.units.len(), 2);
    assert_eq!(desired.destinations[0].from.len(), 1);
    assert_eq!(desired.sources[0].services.len(), 2);
    assert_eq!(desired.cost.prices.len(), 2);
    // And the defaults that it states are the defaults.
    assert_eq!(
        ReplicationSettings { storage_class: None, ..desired.replication },
        ReplicationSettings::default()
    );
    assert_eq!(desired.limits, LimitSettings::default());
}

#[test]
fn the_least_file_has_defaults() {
    let desired = read(LEAST).unwrap();
    assert_eq!(desired.members, MemberSettings::default());
    assert_eq!(desired.sources[0].layout, LayoutKind::AwsLogs);
    for name in [&desired.members.role, &desired.members.replication_role, &desired.log_account.role] {
        assert_eq!(RoleName::new(name.as_str()).as_ref(), Ok(name));
    }
    assert_eq!(RolePath::new(ROLE_PATH), Ok(Desired::role_path()));
}

#[test]
fn an_unknown_key_or_value_is_refused_with_the_nearest_one() {
    let message = refusal(&LEAST.replace("bucket = \"logs\"", "bucket = \"logs\"\nkmskey = \"x\""));
    assert!(message.contains("line 7") && message.contains("`kms-key`"), "{message}");
    let message = refusal(&format!("{LEAST}layout = \"aws-log\"\n"));
    assert!(message.contains("unknown value `aws-log`") && message.contains("`aws-logs`"), "{message}");
    let message = refusal(&format!("{LEAST}[replicaton]\n"));
    assert!(message.contains("`replication`"), "{message}");
    let message = refusal(&format!("{LEAST}[cost]\nprices = {{ transfer-gb = 1 }}\n"));
    assert!(message.contains("`transfer-gigabyte`"), "{message}");
}

#[test]
fn a_missing_or_malformed_value_names_its_field() {
    let message = refusal(&LEAST.replace("id = \"222222222222\"", ""));
    assert!(message.contains("`id` is missing") && message.contains("[log-account]"), "{message}");
    let message = refusal(&LEAST.replace("222222222222", "2222"));
    assert!(message.contains("`id`") && message.contains("12 digits"), "{message}");
    let message = refusal(&LEAST.replace("\"222222222222\"", "222222222222"));
    assert!(message.contains("`id`") && message.contains("string"), "{message}");
    let message = refusal(&LEAST.replace("eu-central-1", "frankfurt"));
    assert!(message.contains("`region`") && message.contains("eu-central-1"), "{message}");
}

#[test]
fn relations_between_fields_are_checked() {
    let destination =
        |extra: &str| LEAST.replace("bucket = \"logs\"", &format!("bucket = \"logs\"\n{extra}"));
    let second = "[[destination]]\nregion = \"eu-central-1\"\nbucket = \"logs2\"\n";
    for (text, field, cure) in [
        (format!("{LEAST}{second}"), "destination[1].region", "has a destination already"),
        (
            format!("{LEAST}[[destination]]\nregion = \"eu-west-1\"\nbucket = \"logs\"\n"),
            "destination[1].bucket",
            "another Region",
        ),
        (
            destination("kms-key = \"arn:aws:kms:eu-west-1:222222222222:key/1\""),
            "destination[0].kms-key",
            "not in eu-central-1",
        ),
        (
            destination("kms-key = \"arn:aws:kms:eu-central-1:111111111111:key/1\""),
            "destination[0].kms-key",
            "not in the log account",
        ),
        (
            destination("kms-key = \"arn:aws:kms:eu-central-1:222222222222:alias/logs\""),
            "destination[0].kms-key",
            "key/ID",
        ),
        (
            destination("queue = \"arn:aws:sns:eu-central-1:222222222222:weir\""),
            "destination[0].queue",
            "arn:aws:sqs:eu-central-1:222222222222:NAME",
        ),
        (destination("from = [\"eu-central-1\"]"), "destination[0].from", "another destination"),
        (LEAST.replace("[\"*-logs\"]", "[]"), "source[0].buckets", "no bucket is named"),
        (LEAST.replace("*-logs", "{org}-logs"), "source[0].buckets", "names no bucket"),
        (format!("{LEAST}prefix = \"{{accont}}/\""), "source[0].prefix", "`{accont}` is not known"),
        (format!("{LEAST}prefix = \"/logs/\""), "source[0].prefix", "leave out a `/`"),
        (format!("{LEAST}layout = \"custom\""), "source[0].prefix", "where the account is"),
        (
            format!("{LEAST}layout = \"firehose\"\nservices = [\"waf\"]"),
            "source[0].services",
            "no folders by service",
        ),
        (format!("{LEAST}[members.select]\nunits = [\"a//b\"]"), "members.select.units", "`a//b` is no unit"),
        (
            format!("{LEAST}[members.select]\ninclude = [\"111111111111\"]\nexclude = [\"111111111111\"]"),
            "members.select.exclude",
            "in `include` too",
        ),
        (
            format!("{LEAST}[members]\noutside-organization = [\"222222222222\"]"),
            "members.outside-organization",
            "take it off",
        ),
        (format!("{LEAST}[limits]\naccounts-at-once = 0"), "limits.accounts-at-once", "above 0"),
        (format!("{LEAST}[cost]\nkilobytes-per-object = nan"), "cost.kilobytes-per-object", "above 0"),
        (format!("{LEAST}[cost.prices]\nmetric-month = -1.0"), "cost.prices", "0 or more"),
    ] {
        let message = refusal(&text);
        assert!(message.contains(&format!("`{field}`")) && message.contains(cure), "{message}");
    }
}

#[test]
fn a_missing_file_says_how_to_write_one() {
    let message = Desired::load(Some(Path::new("/nowhere/accounts.toml"))).unwrap_err().to_string();
    assert!(
        message.contains("/nowhere/accounts.toml") && message.contains("weir accounts init"),
        "{message}"
    );
}

#[test]
fn regions_find_their_destination() {
    let text = LEAST.replace(
        "bucket = \"logs\"",
        "bucket = \"logs\"\nfrom = [\"eu-west-1\"]\n[[destination]]\nregion = \"us-east-1\"\nbucket = \"logs-us\"\nfrom-all-others = true",
    );
    let desired = read(&text).unwrap();
    let bucket = |region: &str| {
        desired.destination_for(&Region::new(region).unwrap()).map(|found| found.bucket.as_str().to_owned())
    };
    assert_eq!(bucket("eu-central-1").unwrap(), "logs");
    assert_eq!(bucket("eu-west-1").unwrap(), "logs");
    assert_eq!(bucket("us-east-1").unwrap(), "logs-us");
    assert_eq!(bucket("ap-south-1").unwrap(), "logs-us");
    assert!(read(LEAST).unwrap().destination_for(&Region::new("ap-south-1").unwrap()).is_none());
}

#[test]
fn bucket_patterns_fill_in_account_and_region() {
    let text = LEAST
        .replace("*-logs", "logs-{account}-{region}")
        .replace("[[source]]", "[[source]]\nregions = [\"eu-west-1\"]");
    let source = &read(&text).unwrap().sources[0];
    let account = AccountId::new("111111111111").unwrap();
    let region = |region: &str| Region::new(region).unwrap();
    let bucket = |name: &str| BucketName::new(name).unwrap();
    assert!(source.covers(&account, &bucket("logs-111111111111-eu-west-1"), &region("eu-west-1")));
    assert!(!source.covers(&account, &bucket("logs-222222222222-eu-west-1"), &region("eu-west-1")));
    assert!(!source.covers(&account, &bucket("logs-111111111111-us-east-1"), &region("us-east-1")));
    assert!(source.covers_name(&account, &bucket("logs-111111111111-us-east-1"), None));
}

proptest::proptest! {
    #[test]
    fn any_text_is_answered_with_the_files_name(text in "[\\[\\]a-z= \"{}\\-\n0-9]{0,80}") {
        if let Err(error) = read(&text) {
            let message = error.to_string();
            proptest::prop_assert!(message.starts_with("accounts.toml"), "{}", message);
        }
    }

    #[test]
    fn a_misspelt_key_is_answered_with_the_right_one(place in 0usize..7, letter in "[a-z]") {
        let key = "kms-key";
        let misspelt = format!("{}{letter}{}", &key[..place], &key[place..]);
        let text = LEAST.replace("bucket = \"logs\"", &format!("bucket = \"logs\"\n{misspelt} = \"x\""));
        let message = read(&text).unwrap_err().to_string();
        proptest::prop_assert!(message.contains("did you mean `kms-key`?"), "{}", message);
    }
}
