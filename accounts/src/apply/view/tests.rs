use super::*;
use crate::apply::Waiting;
use crate::ids::Region;

fn account(number: u64) -> AccountReport {
    AccountReport {
        account: format!("{:012}", 300_000_000_000 + number).parse().unwrap(),
        name: format!("Shop {number}"),
        unit: "Workloads/Shops".into(),
        state: AccountOutcome::Done,
        writes: 5,
        waiting: Vec::new(),
        failures: Vec::new(),
        notes: Vec::new(),
    }
}

fn failure(code: FailureCode, account: &AccountReport, text: &str, cure: &str) -> Failure {
    let bucket = format!("logs-{}-eu-west-1", account.account);
    Failure {
        code,
        resource: Some(bucket.clone()),
        region: Some("eu-west-1".parse().unwrap()),
        text: text.replace("BUCKET", &bucket).replace("ACCOUNT", account.account.as_str()),
        cure: cure.replace("BUCKET", &bucket).replace("ACCOUNT", account.account.as_str()),
    }
}

/// Accounts of every outcome, dealt out by number as a large run leaves them.
fn report(accounts: u64) -> Report {
    let account = |number: u64| {
        let mut account = account(number);
        match number {
            2 | 5 | 6 | 7 => {
                account.state = AccountOutcome::Failed;
                account.writes = 0;
                let denied = failure(
                    FailureCode::ScpDeny,
                    &account,
                    "s3:PutBucketReplication of BUCKET in account ACCOUNT (eu-west-1): denied by a service control policy",
                    "exempt the role from the policy for s3:PutBucketReplication, or exclude ACCOUNT in accounts.toml",
                );
                account.failures.push(denied);
            }
            3 => {
                account.name = "Shop \u{1b}[2J3".into();
                account.state = AccountOutcome::Failed;
                account.writes = 0;
                let missing =
                    failure(FailureCode::RoleMissing, &account, "account ACCOUNT has no role", "create it");
                account.failures.push(missing);
            }
            _ if number % 7 == 4 => {
                account.state = AccountOutcome::Waiting;
                account.waiting.push(Waiting {
                    bucket: format!("logs-{}-eu-west-1", account.account).parse().unwrap(),
                    region: "eu-west-1".parse::<Region>().unwrap(),
                    reason: "versioning was enabled less than 15 minutes ago".into(),
                    until: Some(jiff::Timestamp::from_second(1_800_000_000 + number as i64).unwrap()),
                });
            }
            _ if number % 7 == 1 => {
                account.state = AccountOutcome::Unchanged;
                account.writes = 0;
            }
            10 | 12 => {
                let other = failure(
                    FailureCode::OtherDestinationFailed,
                    &account,
                    "the replica of BUCKET is there, and another destination failed",
                    "tell the owner of the other rule",
                );
                account.notes.push(other);
            }
            9 => account.state = AccountOutcome::Skipped,
            _ => {}
        }
        account
    };
    let accounts: Vec<AccountReport> = (1..=accounts).map(account).collect();
    let writes = accounts.iter().map(|account| account.writes).sum();
    Report { run: "20260101T000000-1".into(), accounts, writes, interrupted: false }
}

#[test]
fn reports_for_people_are_as_reviewed() {
    insta::assert_snapshot!("every_account", human(&report(12), false));
    insta::assert_snapshot!("a_thousand_accounts", human(&report(1_000), false));
    let mut cut = report(3);
    cut.interrupted = true;
    cut.accounts[0].state = AccountOutcome::Interrupted;
    insta::assert_snapshot!("interrupted", human(&cut, false));
}

#[test]
fn a_thousand_accounts_fit_a_screen_and_nobody_with_a_code_is_left_out() {
    let report = report(1_000);
    let text = human(&report, false);
    assert!(text.lines().count() < 30, "{text}");
    let listed = human(&report, true);
    for account in report.accounts.iter().filter(|account| account.state != AccountOutcome::Skipped) {
        assert!(listed.contains(account.account.as_str()));
    }
    for failure in report.accounts.iter().flat_map(|account| account.failures.iter().chain(&account.notes)) {
        assert!(text.contains(failure.code.as_str()) && listed.contains(&failure.text));
        assert!(!failure.cure.is_empty());
    }
    // Every account is counted once.
    let counted: usize = report.accounts.len() - report.count(AccountOutcome::Skipped);
    let rows = text.lines().skip(1).take_while(|line| !line.is_empty());
    let sum: usize = rows.map(|row| row.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(sum, counted);
}

#[test]
fn what_is_mended_otherwise_is_told_by_itself() {
    let mut report = report(100);
    let other =
        failure(FailureCode::ScpDeny, &report.accounts[1], "iam:CreateRole: denied", "exempt iam:CreateRole");
    report.accounts[1].failures.push(other);
    let text = human(&report, false);
    assert!(text.contains("exempt iam:CreateRole") && text.contains("exempt the role"), "{text}");
}

#[test]
fn names_of_others_do_not_move_the_cursor() {
    for full in [true, false] {
        assert!(!human(&report(100), full).contains('\u{1b}'));
    }
}
