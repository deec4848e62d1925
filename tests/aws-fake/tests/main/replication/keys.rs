//! Objects and destinations that KMS encrypts.

use aws_sdk_s3::types::ServerSideEncryption;
use serde_json::{Value, json};
use weir_aws_fake::builder::{LOG, member};

use super::{
    DESTINATION, DESTINATION_KEY, SOURCE_KEY, Wired, key, key_policy, kms_configuration, source, wiring,
};
use crate::support::s3;

#[tokio::test]
async fn encrypted_objects_need_keys_on_both_sides() {
    let encrypted = async |wired: &Wired| {
        s3(&wired.member)
            .put_object()
            .bucket(source())
            .key(key())
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id(SOURCE_KEY)
            .send()
            .await
            .unwrap();
    };
    let rule = |key: &str| json!({"buckets": {source(): {"replication": kms_configuration(key)}}});
    let source_key = |change: Value| json!({"accounts": {member(0): {"keys": {"source": change}}}});
    let destination_key = |change: Value| json!({"accounts": {LOG: {"keys": {"destination": change}}}});
    let context = |arn: String| {
        let mut policy = key_policy(LOG, "kms:*");
        policy["Statement"][1]["Condition"]["StringLike"]["kms:EncryptionContext:aws:s3:arn"] = json!(arn);
        destination_key(json!({"policy": policy}))
    };
    let bucket_key = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>";
    let with_bucket_key = json!({"buckets": {DESTINATION: {"encryption": bucket_key}}});
    let may_decrypt = {
        let world = wiring();
        let inline =
            &world["accounts"][member(0)]["roles"]["weir-replication"]["inline_policies"]["replicate"];
        let text = inline.to_string().replace("\"kms:Encrypt\"", "\"kms:Encrypt\",\"kms:Decrypt\"");
        json!({"accounts": {member(0): {"roles": {"weir-replication": {"inline_policies": {"replicate": text}}}}}})
    };
    let object_arn = format!("arn:aws:s3:::{DESTINATION}/{}", key());
    let bucket_arn = format!("arn:aws:s3:::{DESTINATION}");
    let done = ("COMPLETED", "");
    let cases: Vec<(&str, Vec<Value>, (&str, &str))> = vec![
        ("good", vec![rule(DESTINATION_KEY)], done),
        (
            "no such key",
            vec![rule("arn:aws:kms:eu-west-1:200000000000:key/none")],
            ("FAILED", "DstKmsKeyNotFound"),
        ),
        // A name without account is looked up in the source's account.
        ("a bare id", vec![rule("destination")], ("FAILED", "DstKmsKeyNotFound")),
        (
            "a key of another region",
            vec![rule(DESTINATION_KEY), destination_key(json!({"region": "us-east-1"}))],
            ("FAILED", "DstKmsKeyNotFound"),
        ),
        (
            "disabled",
            vec![rule(DESTINATION_KEY), destination_key(json!({"state": "Disabled"}))],
            ("FAILED", "DstKmsKeyInvalidState"),
        ),
        (
            "managed by AWS",
            vec![rule(DESTINATION_KEY), destination_key(json!({"aws_managed": true}))],
            ("FAILED", "DstPutObjectNotPermitted"),
        ),
        (
            "key policy closed",
            vec![
                rule(DESTINATION_KEY),
                destination_key(json!({"policy": key_policy(LOG, "kms:DescribeKey")})),
            ],
            ("FAILED", "DstPutObjectNotPermitted"),
        ),
        (
            "source key disabled",
            vec![rule(DESTINATION_KEY), source_key(json!({"state": "Disabled"}))],
            ("FAILED", "SrcKmsKeyInvalidState"),
        ),
        (
            "source key closed",
            vec![
                rule(DESTINATION_KEY),
                source_key(json!({"policy": {"Version": "2012-10-17", "Statement": []}})),
            ],
            ("FAILED", "SrcGetObjectNotPermitted"),
        ),
        ("context of the object", vec![rule(DESTINATION_KEY), context(object_arn.clone())], done),
        (
            "bucket keys take the context of the bucket",
            vec![rule(DESTINATION_KEY), with_bucket_key.clone(), may_decrypt.clone(), context(object_arn)],
            ("FAILED", "DstPutObjectNotPermitted"),
        ),
        (
            "bucket keys need Decrypt",
            vec![rule(DESTINATION_KEY), with_bucket_key.clone(), context(bucket_arn.clone())],
            ("FAILED", "DstPutObjectNotPermitted"),
        ),
        (
            "bucket keys, all right",
            vec![rule(DESTINATION_KEY), with_bucket_key, may_decrypt, context(bucket_arn)],
            done,
        ),
    ];
    for (name, changes, (status, reason)) in cases {
        let wired = Wired::new().await;
        let (rule, obstacles) = changes.split_first().unwrap();
        wired.fake.patch(rule.clone()).await;
        encrypted(&wired).await;
        for obstacle in obstacles {
            wired.fake.patch(obstacle.clone()).await;
        }
        wired.fake.advance(30).await;
        let world = wired.fake.control("GET", "world", "").await;
        let version = &world["buckets"][source()]["objects"][key()][0];
        let got = (
            version["replication_status"].as_str().unwrap(),
            version["failure_reason"].as_str().unwrap_or_default(),
        );
        assert_eq!(got, (status, reason), "{name}");
    }
}

#[tokio::test]
async fn plaintext_takes_the_default_encryption_of_the_destination() {
    let default = format!(
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{DESTINATION_KEY}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    );
    for (allowed, status) in [(true, "COMPLETED"), (false, "FAILED")] {
        let wired = Wired::new().await;
        wired.fake.patch(json!({"buckets": {DESTINATION: {"encryption": default}}})).await;
        if !allowed {
            let policy = key_policy(LOG, "kms:Encrypt");
            wired.fake.patch(json!({"accounts": {LOG: {"keys": {"destination": {"policy": policy}}}}})).await;
        }
        wired.put(&key()).await;
        wired.fake.advance(30).await;
        assert_eq!(wired.outcome().await.0, status);
    }
}
