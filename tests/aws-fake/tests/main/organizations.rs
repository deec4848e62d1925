//! Organizations: paging, parents, policies, and who may ask.

use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::PolicyType;
use serde_json::json;
use weir_aws_fake::builder::{Blueprint, LOG, MANAGEMENT, OUTSIDE, member, unit};

use crate::support::{Fake, code};

#[tokio::test]
async fn accounts_come_in_pages_of_twenty() {
    let fake = Fake::start(
        Blueprint { accounts: 43, units: 3, suspended_every: 10, ..Blueprint::default() }.build().unwrap(),
    )
    .await;
    let client = Client::new(&fake.management());
    let (mut token, mut pages, mut accounts) = (None, 0, Vec::new());
    loop {
        let page = client.list_accounts().set_next_token(token).send().await.unwrap();
        pages += 1;
        accounts.extend(page.accounts.unwrap());
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((pages, accounts.len()), (3, 45));
    let suspended: Vec<_> = accounts
        .iter()
        .filter(|account| account.state().is_some_and(|state| state.as_str() == "SUSPENDED"))
        .collect();
    assert_eq!(suspended.len(), 4);
    // Retired by the day of the fake's clock.
    #[allow(deprecated)]
    let status = accounts[0].status();
    assert!(status.is_none());
    assert_eq!(code(&client.list_accounts().next_token("page-99").send().await), "InvalidInputException");
    assert_eq!(code(&client.list_accounts().max_results(21).send().await), "InvalidInputException");
}

#[tokio::test]
async fn units_parents_children_and_tags() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.management());
    let roots = client.list_roots().send().await.unwrap().roots.unwrap();
    let root = roots[0].id().unwrap().to_owned();
    let units = client.list_organizational_units_for_parent().parent_id(&root).send().await.unwrap();
    assert_eq!(units.organizational_units().len(), 2);
    let accounts = client.list_accounts_for_parent().parent_id(unit(0)).send().await.unwrap();
    assert_eq!(accounts.accounts().len(), 3);
    let parents = client.list_parents().child_id(member(0)).send().await.unwrap();
    assert_eq!(parents.parents()[0].id(), Some(unit(0).as_str()));
    let tags = client.list_tags_for_resource().resource_id(member(0)).send().await.unwrap();
    assert_eq!(tags.tags()[0].value(), "production");
    assert_eq!(code(&client.list_parents().child_id("123456789012").send().await), "ChildNotFoundException");
    assert_eq!(
        code(&client.list_accounts_for_parent().parent_id("ou-ab12-99999999").send().await),
        "ParentNotFoundException"
    );
    assert_eq!(
        code(&client.describe_account().account_id("123456789012").send().await),
        "AccountNotFoundException"
    );
    let organization = client.describe_organization().send().await.unwrap().organization.unwrap();
    assert_eq!(organization.master_account_id(), Some(MANAGEMENT));
}

#[tokio::test]
async fn members_are_denied_and_delegated_administrators_are_not() {
    let fake = Fake::small().await;
    let config = fake.log();
    let log = Client::new(&config);
    assert_eq!(code(&log.list_accounts().send().await), "AccessDeniedException");
    assert_eq!(code(&log.describe_organization().send().await), "ok");
    fake.patch(json!({"organization": {"delegated_administrators": {LOG: ["config.amazonaws.com"]}}})).await;
    assert_eq!(code(&log.list_accounts().send().await), "ok");
    let management = Client::new(&fake.management());
    let delegated = management.list_delegated_administrators().send().await.unwrap();
    assert_eq!(delegated.delegated_administrators()[0].id(), Some(LOG));
    fake.patch(
        json!({"accounts": {OUTSIDE: {"access_keys": {"AKIAOUTSIDE000000001": {"principal": "root"}}}}}),
    )
    .await;
    let outside = Client::new(&fake.config("AKIAOUTSIDE000000001", None, "us-east-1"));
    assert_eq!(code(&outside.list_accounts().send().await), "AWSOrganizationsNotInUseException");
}

#[tokio::test]
async fn service_control_policies_are_told_and_enforced() {
    let fake = Fake::small().await;
    let deny = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "NoVersioning", "Effect": "Deny", "Action": "s3:PutBucketVersioning", "Resource": "*"}]});
    fake.patch(json!({"organization": {
        "policies": {"p-12345678": {"name": "guard", "content": deny}},
        "units": {unit(0): {"policies": ["p-12345678", "p-FullAWSAccess"]}},
    }}))
    .await;
    let client = Client::new(&fake.management());
    let listed = client
        .list_policies_for_target()
        .target_id(unit(0))
        .filter(PolicyType::ServiceControlPolicy)
        .send()
        .await
        .unwrap();
    let ids: Vec<_> = listed.policies().iter().filter_map(|policy| policy.id()).collect();
    assert_eq!(ids, ["p-12345678", "p-FullAWSAccess"]);
    let described = client.describe_policy().policy_id("p-12345678").send().await.unwrap();
    assert!(described.policy().unwrap().content().unwrap().contains("NoVersioning"));
    let targets = client.list_targets_for_policy().policy_id("p-12345678").send().await.unwrap();
    assert_eq!(targets.targets()[0].target_id(), Some(unit(0).as_str()));
    let s3 = crate::support::s3(&fake.member(&member(0)).await);
    let versioning = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled)
        .build();
    let outcome = s3
        .put_bucket_versioning()
        .bucket(format!("logs-{}-eu-west-1", member(0)))
        .versioning_configuration(versioning)
        .send()
        .await;
    assert_eq!(code(&outcome), "AccessDenied");
    let message = crate::support::message(&outcome);
    assert!(
        message.contains("s3:PutBucketVersioning")
            && message.ends_with("with an explicit deny in a service control policy"),
        "{message}"
    );
}

#[tokio::test]
async fn throttles_answer_as_each_service_does() {
    let fake = Fake::small().await;
    fake.control("POST", "faults", r#"{"throttles":[{"service":"organizations","rate":1,"burst":2},{"service":"sts","rate":1,"burst":1},{"service":"s3","rate":1,"burst":1,"per_account":true}]}"#).await;
    let client = Client::new(&fake.management());
    let codes = [
        code(&client.list_roots().send().await),
        code(&client.list_accounts().send().await),
        code(&client.list_roots().send().await),
    ];
    assert_eq!(codes, ["ok", "ok", "TooManyRequestsException"]);
    fake.advance(1).await;
    assert_eq!(code(&client.list_roots().send().await), "ok");
    let sts = aws_sdk_sts::Client::new(&fake.management());
    assert_eq!(code(&sts.get_caller_identity().send().await), "ok");
    assert_eq!(code(&sts.get_caller_identity().send().await), "Throttling");
    let s3 = crate::support::s3(&fake.management());
    assert_eq!(code(&s3.list_buckets().send().await), "ok");
    assert_eq!(code(&s3.list_buckets().send().await), "SlowDown");
    assert_eq!(code(&crate::support::s3(&fake.log()).list_buckets().send().await), "ok");
}
