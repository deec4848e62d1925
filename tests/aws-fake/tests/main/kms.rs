//! KMS: keys, states, policies.

use aws_sdk_kms::Client;
use serde_json::json;
use weir_aws_fake::builder::{LOG, member};

use crate::support::{Fake, code, s3};

#[tokio::test]
async fn keys_have_states_aliases_and_policies() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.log());
    let key = client.create_key().description("logs").send().await.unwrap().key_metadata.unwrap();
    client.create_alias().alias_name("alias/logs").target_key_id(key.key_id()).send().await.unwrap();
    let described = client.describe_key().key_id("alias/logs").send().await.unwrap().key_metadata.unwrap();
    assert_eq!(described.arn(), key.arn());
    assert_eq!(described.key_manager().map(aws_sdk_kms::types::KeyManagerType::as_str), Some("CUSTOMER"));
    client.disable_key().key_id(key.key_id()).send().await.unwrap();
    let described =
        client.describe_key().key_id(key.arn().unwrap()).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(described.key_state().map(aws_sdk_kms::types::KeyState::as_str), Some("Disabled"));
    assert_eq!(code(&client.describe_key().key_id("absent").send().await), "NotFoundException");
    assert_eq!(
        code(&client.create_alias().alias_name("alias/logs").target_key_id(key.key_id()).send().await),
        "AlreadyExistsException"
    );
    client.schedule_key_deletion().key_id(key.key_id()).send().await.unwrap();
    assert_eq!(code(&client.enable_key().key_id(key.key_id()).send().await), "KMSInvalidStateException");
}

#[tokio::test]
async fn key_policies_are_checked_and_decide() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.log());
    let id = client.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
    let arn = format!("arn:aws:kms:eu-west-1:{LOG}:key/{id}");
    let other = Client::new(&fake.member(&member(0)).await);
    assert_eq!(code(&other.describe_key().key_id(&arn).send().await), "AccessDeniedException");
    let read = client.get_key_policy().key_id(&id).send().await.unwrap().policy.unwrap();
    let mut policy: serde_json::Value = serde_json::from_str(&read).unwrap();
    let put =
        |policy: &serde_json::Value| client.put_key_policy().key_id(&id).policy(policy.to_string()).send();
    let mut locked = policy.clone();
    locked["Statement"][0]["Principal"] = json!({"AWS": member(0)});
    assert_eq!(code(&put(&locked).await), "MalformedPolicyDocumentException");
    let mut absent = policy.clone();
    absent["Statement"][0]["Principal"] =
        json!({"AWS": [format!("arn:aws:iam::{LOG}:root"), format!("arn:aws:iam::{LOG}:role/absent")]});
    assert_eq!(code(&put(&absent).await), "MalformedPolicyDocumentException");
    let mut long = policy.clone();
    long["Statement"][0]["Sid"] = json!("A".repeat(32_768));
    assert_eq!(code(&put(&long).await), "LimitExceededException");
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.push(json!({"Sid": "Weir", "Effect": "Allow", "Principal": {"AWS": member(0)}, "Action": "kms:DescribeKey", "Resource": "*"}));
    assert_eq!(code(&put(&policy).await), "ok");
    assert_eq!(code(&other.describe_key().key_id(&arn).send().await), "ok");
    assert_eq!(code(&other.get_key_policy().key_id(&arn).send().await), "AccessDeniedException");
}

#[tokio::test]
async fn s3_uses_a_key_on_behalf_of_the_caller() {
    let fake = Fake::small().await;
    let config = fake.log();
    let client = Client::new(&config);
    let key = client.create_key().send().await.unwrap().key_metadata.unwrap();
    let s3 = s3(&config);
    let put = || {
        s3.put_object()
            .bucket("weir-logs-eu-west-1")
            .key("k")
            .server_side_encryption(aws_sdk_s3::types::ServerSideEncryption::AwsKms)
            .ssekms_key_id(key.arn().unwrap())
            .send()
    };
    assert_eq!(put().await.unwrap().ssekms_key_id(), key.arn());
    let no_use = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": LOG}, "Action": ["kms:PutKeyPolicy", "kms:DisableKey"], "Resource": "*"}]});
    client.put_key_policy().key_id(key.key_id()).policy(no_use.to_string()).send().await.unwrap();
    assert_eq!(code(&put().await), "AccessDenied");
    assert_eq!(code(&s3.get_object().bucket("weir-logs-eu-west-1").key("k").send().await), "AccessDenied");
    client.disable_key().key_id(key.key_id()).send().await.unwrap();
    assert_eq!(code(&put().await), "KMS.DisabledException");
}
