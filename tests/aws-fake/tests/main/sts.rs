//! STS: trust, external ids, sessions, regions.

use aws_sdk_sts::Client;
use serde_json::json;
use weir_aws_fake::builder::{EXTERNAL_ID, MANAGEMENT_KEY, MEMBER_ROLE, member};

use crate::support::{Fake, REGION, code, message, s3};

fn role(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

#[tokio::test]
async fn an_assumed_role_acts_in_its_account() {
    let fake = Fake::small().await;
    let config = fake.member(&member(1)).await;
    let identity = Client::new(&config).get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account(), Some(member(1).as_str()));
    assert_eq!(
        identity.arn(),
        Some(format!("arn:aws:sts::{}:assumed-role/{MEMBER_ROLE}/test", member(1)).as_str())
    );
    assert!(identity.user_id().unwrap().starts_with("AROA"));
    let buckets = s3(&config).list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 1);
}

#[tokio::test]
async fn what_may_not_be_assumed_all_looks_alike() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.management());
    let assume = |arn: String, external_id: Option<&'static str>| {
        client
            .assume_role()
            .role_arn(arn)
            .role_session_name("test")
            .set_external_id(external_id.map(str::to_owned))
            .send()
    };
    let wrong = assume(role(&member(0), MEMBER_ROLE), Some("wrong")).await;
    assert_eq!(code(&wrong), "AccessDenied");
    let absent = assume(role(&member(0), "absent"), Some(EXTERNAL_ID)).await;
    assert_eq!(message(&absent), message(&wrong).replace(MEMBER_ROLE, "absent"));
    assert_eq!(code(&assume(role(&member(0), MEMBER_ROLE), None).await), "AccessDenied");
    assert_eq!(code(&assume(role("999999999999", MEMBER_ROLE), Some(EXTERNAL_ID)).await), "AccessDenied");
    fake.patch(json!({"accounts": {member(0): {"state": "SUSPENDED"}}})).await;
    assert_eq!(code(&assume(role(&member(0), MEMBER_ROLE), Some(EXTERNAL_ID)).await), "AccessDenied");
    assert_eq!(code(&assume("nonsense".to_owned(), None).await), "ValidationError");
}

#[tokio::test]
async fn credentials_are_checked() {
    let fake = Fake::small().await;
    let unknown = fake.config("AKIAUNKNOWN000000001", None, REGION);
    assert_eq!(code(&Client::new(&unknown).get_caller_identity().send().await), "InvalidClientTokenId");
    assert_eq!(code(&s3(&unknown).list_buckets().send().await), "InvalidAccessKeyId");
    let organizations = aws_sdk_organizations::Client::new(&unknown);
    assert_eq!(code(&organizations.list_roots().send().await), "UnrecognizedClientException");

    let config = fake.member(&member(0)).await;
    let sts = Client::new(&config);
    assert_eq!(code(&sts.get_caller_identity().send().await), "ok");
    fake.advance(3_600).await;
    assert_eq!(code(&sts.get_caller_identity().send().await), "ExpiredToken");
    assert_eq!(code(&s3(&config).list_buckets().send().await), "ExpiredToken");
    let organizations = aws_sdk_organizations::Client::new(&config);
    assert_eq!(code(&organizations.list_roots().send().await), "ExpiredTokenException");
    let wrong_token = fake.config(MANAGEMENT_KEY, Some("token"), REGION);
    assert_eq!(code(&Client::new(&wrong_token).get_caller_identity().send().await), "InvalidClientTokenId");
}

#[tokio::test]
async fn durations_are_bounded() {
    let fake = Fake::small().await;
    let assume = |config: &aws_types::SdkConfig, seconds: i32| {
        Client::new(config)
            .assume_role()
            .role_arn(role(&member(0), MEMBER_ROLE))
            .role_session_name("test")
            .external_id(EXTERNAL_ID)
            .duration_seconds(seconds)
            .send()
    };
    let management = fake.management();
    assert_eq!(code(&assume(&management, 3_600).await), "ok");
    assert_eq!(code(&assume(&management, 60).await), "ValidationError");
    assert_eq!(code(&assume(&management, 7_200).await), "ValidationError");
    fake.patch(json!({"accounts": {member(0): {"roles": {MEMBER_ROLE: {"max_session_s": 43200}}}}})).await;
    assert_eq!(code(&assume(&management, 7_200).await), "ok");
}

#[tokio::test]
async fn a_chained_role_lasts_an_hour_at_most() {
    let fake = Fake::small().await;
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": member(0)}, "Action": "sts:AssumeRole"}]});
    fake.patch(
        json!({"accounts": {member(1): {"roles": {MEMBER_ROLE: {"trust": trust, "max_session_s": 43200}}}}}),
    )
    .await;
    let client = Client::new(&fake.member(&member(0)).await);
    let assume = |seconds: i32| {
        let arn = role(&member(1), MEMBER_ROLE);
        client.assume_role().role_arn(arn).role_session_name("test").duration_seconds(seconds).send()
    };
    assert_eq!(code(&assume(3_600).await), "ok");
    let outcome = assume(7_200).await;
    assert_eq!(code(&outcome), "ValidationError");
    assert!(message(&outcome).contains("role chaining"));
}

#[tokio::test]
async fn opt_in_regions_must_be_enabled_and_dislike_global_tokens() {
    let fake = Fake::small().await;
    let assume = |region: &str| {
        Client::new(&fake.config(MANAGEMENT_KEY, None, region))
            .assume_role()
            .role_arn(role(&member(0), MEMBER_ROLE))
            .role_session_name("test")
            .external_id(EXTERNAL_ID)
            .send()
    };
    // The caller's own account has not enabled the region.
    assert_eq!(code(&assume("eu-south-1").await), "InvalidClientTokenId");
    fake.patch(json!({"accounts": {"100000000000": {"regions": ["eu-south-1"]}}})).await;
    assert_eq!(code(&assume("eu-south-1").await), "RegionDisabledException");
    fake.patch(json!({"accounts": {member(0): {"regions": ["eu-south-1"]}}, "settings": {"sts_us_east_1_is_global": true}})).await;
    assert_eq!(code(&assume("eu-south-1").await), "ok");
    let global = assume("us-east-1").await.unwrap().credentials.unwrap();
    let config = fake.config(&global.access_key_id, Some(&global.session_token), "eu-south-1");
    assert_eq!(code(&s3(&config).list_buckets().send().await), "InvalidToken");
    let config = fake.config(&global.access_key_id, Some(&global.session_token), "eu-west-1");
    assert_eq!(code(&s3(&config).list_buckets().send().await), "ok");
}

#[tokio::test]
async fn trust_may_be_of_an_organization_or_of_a_named_session() {
    let fake = Fake::small().await;
    let trust = |statement: serde_json::Value| {
        json!({"accounts": {member(0): {"roles": {MEMBER_ROLE: {
            "trust": {"Version": "2012-10-17", "Statement": [statement]}}}}}})
    };
    let assume = async |config: &aws_types::SdkConfig| {
        let arn = role(&member(0), MEMBER_ROLE);
        code(&Client::new(config).assume_role().role_arn(arn).role_session_name("test").send().await)
    };
    let organization = |id: &str| {
        json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {
            "StringEquals": {"aws:PrincipalOrgID": id, "aws:PrincipalAccount": "100000000000"},
            "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:user/*"}}})
    };
    fake.patch(trust(organization("o-other"))).await;
    assert_eq!(assume(&fake.management()).await, "AccessDenied");
    fake.patch(trust(organization("o-a1b2c3d4e5"))).await;
    assert_eq!(assume(&fake.management()).await, "ok");
    assert_eq!(assume(&fake.log()).await, "AccessDenied");
    // The root of an account cannot assume roles at all.
    fake.patch(json!({"accounts": {"100000000000": {"access_keys": {"AKIAROOT000000000001": {"principal": "root"}}}}})).await;
    assert_eq!(assume(&fake.config("AKIAROOT000000000001", None, REGION)).await, "AccessDenied");
}
