//! IAM: roles, policies, their limits, and how late changes take effect.

use aws_sdk_iam::Client;
use weir_aws_fake::builder::member;

use crate::support::{Fake, code, message};

const S3_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test]
async fn roles_and_inline_policies_round_trip() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.member(&member(0)).await);
    let create = || {
        client
            .create_role()
            .role_name("weir-replication")
            .path("/weir/")
            .assume_role_policy_document(S3_TRUST)
            .tags(aws_sdk_iam::types::Tag::builder().key("weir:managed").value("true").build().unwrap())
            .send()
    };
    let role = create().await.unwrap().role.unwrap();
    assert_eq!(role.arn(), format!("arn:aws:iam::{}:role/weir/weir-replication", member(0)));
    assert_eq!(code(&create().await), "EntityAlreadyExists");
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ReplicateObject","Resource":"arn:aws:s3:::weir-logs-eu-west-1/AWSLogs/*"}]}"#;
    client
        .put_role_policy()
        .role_name("weir-replication")
        .policy_name("replicate")
        .policy_document(document)
        .send()
        .await
        .unwrap();
    let read =
        client.get_role_policy().role_name("weir-replication").policy_name("replicate").send().await.unwrap();
    let decoded = percent_encoding::percent_decode_str(read.policy_document()).decode_utf8().unwrap();
    assert_eq!(decoded, document);
    let listed = client.list_role_policies().role_name("weir-replication").send().await.unwrap();
    assert_eq!(listed.policy_names(), ["replicate"]);
    let got = client.get_role().role_name("weir-replication").send().await.unwrap().role.unwrap();
    assert_eq!(got.tags().len(), 1);
    assert_eq!(code(&client.delete_role().role_name("weir-replication").send().await), "DeleteConflict");
    client.delete_role_policy().role_name("weir-replication").policy_name("replicate").send().await.unwrap();
    client.delete_role().role_name("weir-replication").send().await.unwrap();
    assert_eq!(code(&client.get_role().role_name("weir-replication").send().await), "NoSuchEntity");
    let again = create().await.unwrap().role.unwrap();
    assert_ne!(again.role_id(), role.role_id());
}

#[tokio::test]
async fn documents_are_validated_and_bounded() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.member(&member(0)).await);
    let trust =
        |document: &str| client.create_role().role_name("a").assume_role_policy_document(document).send();
    assert_eq!(code(&trust("not json").await), "MalformedPolicyDocument");
    let absent = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::100000000000:role/absent"},"Action":"sts:AssumeRole"}]}"#;
    let outcome = trust(absent).await;
    assert_eq!(code(&outcome), "MalformedPolicyDocument");
    assert!(message(&outcome).contains("Invalid principal in policy"), "{}", message(&outcome));
    let resource = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}]}"#;
    assert_eq!(code(&trust(resource).await), "MalformedPolicyDocument");
    let long = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{{"StringEquals":{{"sts:ExternalId":"{}"}}}}}}]}}"#,
        "x".repeat(2_048)
    );
    assert_eq!(code(&trust(&long).await), "LimitExceeded");
    trust(S3_TRUST).await.unwrap();
    let inline = |name: &str, document: String| {
        client.put_role_policy().role_name("a").policy_name(name).policy_document(document).send()
    };
    let of_size = |size: usize| {
        let empty = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::"}]}"#;
        empty.replace("s3:::", &format!("s3:::{}", "x".repeat(size - empty.len())))
    };
    assert_eq!(code(&inline("one", of_size(6_000)).await), "ok");
    assert_eq!(code(&inline("two", of_size(4_241)).await), "LimitExceeded");
    // White space does not count, and the limit is of all policies together.
    assert_eq!(code(&inline("two", of_size(4_240).replace("[{", "[   {")).await), "ok");
    let principal = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;
    assert_eq!(code(&inline("one", principal.to_owned()).await), "MalformedPolicyDocument");
    let no_resource = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#;
    assert_eq!(code(&inline("one", no_resource.to_owned()).await), "MalformedPolicyDocument");
}

#[tokio::test]
async fn a_new_role_and_changes_take_effect_later() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.member(&member(0)).await);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::100000000000:root"},"Action":"sts:AssumeRole"}]}"#;
    client.create_role().role_name("late").assume_role_policy_document(trust).send().await.unwrap();
    client.get_role().role_name("late").send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(&fake.management());
    let arn = format!("arn:aws:iam::{}:role/late", member(0));
    let assume = || sts.assume_role().role_arn(&arn).role_session_name("test").send();
    assert_eq!(code(&assume().await), "AccessDenied");
    fake.advance(10).await;
    let credentials = assume().await.unwrap().credentials.unwrap();
    let config = fake.config(&credentials.access_key_id, Some(&credentials.session_token), "eu-west-1");
    let s3 = crate::support::s3(&config);
    assert_eq!(code(&s3.list_buckets().send().await), "AccessDenied");
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#;
    client
        .put_role_policy()
        .role_name("late")
        .policy_name("list")
        .policy_document(allow)
        .send()
        .await
        .unwrap();
    assert_eq!(code(&s3.list_buckets().send().await), "AccessDenied");
    fake.advance(10).await;
    assert_eq!(code(&s3.list_buckets().send().await), "ok");
}

#[tokio::test]
async fn identity_policies_are_enforced() {
    let fake = Fake::small().await;
    let config = fake.member(&member(0)).await;
    fake.patch(serde_json::json!({"accounts": {member(0): {"roles": {"weir-onboarding": {
        "managed_policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}}}}}))
        .await;
    let client = Client::new(&config);
    assert_eq!(code(&client.get_role().role_name("weir-onboarding").send().await), "ok");
    let outcome = client.create_role().role_name("x").assume_role_policy_document(S3_TRUST).send().await;
    assert_eq!(code(&outcome), "AccessDenied");
    assert!(
        message(&outcome).contains("because no identity-based policy allows the iam:CreateRole action"),
        "{}",
        message(&outcome)
    );
}
