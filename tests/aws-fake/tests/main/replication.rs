//! Replication: an object becomes PENDING, then COMPLETED with a replica, or FAILED for the documented reason.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ReplicationStatus, ServerSideEncryption};
use aws_types::SdkConfig;
use serde_json::{Value, json};
use weir_aws_fake::builder::{Blueprint, LOG, Layout, log_bucket, member};

use crate::support::{Fake, REGION, code, code_of, s3};

const DESTINATION: &str = "weir-logs-eu-west-1";
const SOURCE_KEY: &str = "arn:aws:kms:eu-west-1:300000000001:key/source";
const DESTINATION_KEY: &str = "arn:aws:kms:eu-west-1:200000000000:key/destination";

fn source() -> String {
    log_bucket(&member(0), REGION, Layout::AwsLogs)
}

fn key() -> String {
    format!("AWSLogs/{}/x.json.gz", member(0))
}

fn configuration(inner: &str, destination: &str) -> String {
    format!(
        "<ReplicationConfiguration><Role>arn:aws:iam::{0}:role/weir/weir-replication</Role><Rule><ID>weir/1</ID><Priority>1</Priority><Filter><Prefix>AWSLogs/{0}/</Prefix></Filter><Status>Enabled</Status>{inner}<DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::{DESTINATION}</Bucket><Account>{LOG}</Account><AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>{destination}</Destination></Rule></ReplicationConfiguration>",
        member(0)
    )
}

fn kms_configuration(key: &str) -> String {
    configuration(
        "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>",
        &format!(
            "<EncryptionConfiguration><ReplicaKmsKeyID>{key}</ReplicaKmsKeyID></EncryptionConfiguration>"
        ),
    )
}

fn key_policy(account: &str, action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Own", "Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Weir", "Effect": "Allow", "Principal": {"AWS": member(0)}, "Action": action, "Resource": "*",
         "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}}]})
}

/// All that replication needs: a role, the destination's policy of constant size, keys.
fn wiring() -> Value {
    let bucket = format!("arn:aws:s3:::{}", source());
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole",
         "Condition": {"StringEquals": {"aws:SourceAccount": member(0)}}}]});
    let inline = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": bucket},
        {"Effect": "Allow", "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"], "Resource": format!("{bucket}/*")},
        {"Effect": "Allow", "Action": ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"], "Resource": format!("arn:aws:s3:::{DESTINATION}/AWSLogs/{}/*", member(0))},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": SOURCE_KEY},
        {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:GenerateDataKey"], "Resource": DESTINATION_KEY}]});
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "WeirReplicate", "Effect": "Allow", "Principal": "*",
        "Action": ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
        "Resource": format!("arn:aws:s3:::{DESTINATION}/AWSLogs/${{aws:PrincipalAccount}}/*"),
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"},
                      "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/weir/*"}}}]});
    json!({
        "accounts": {
            member(0): {
                "roles": {"weir-replication": {"path": "/weir/", "trust": trust, "inline_policies": {"replicate": inline}}},
                "keys": {"source": {"region": REGION, "policy": key_policy(&member(0), "kms:Decrypt")}},
            },
            LOG: {"keys": {"destination": {"region": REGION, "policy": key_policy(LOG, "kms:*")}}},
        },
        "buckets": {
            source(): {"replication": configuration("", ""), "objects": null},
            DESTINATION: {"policy": policy},
        },
    })
}

struct Wired {
    fake: Fake,
    member: SdkConfig,
    log: SdkConfig,
}

impl Wired {
    async fn new() -> Self {
        let fake = Fake::small().await;
        fake.patch(wiring()).await;
        let (member, log) = (fake.member(&member(0)).await, fake.log());
        Self { fake, member, log }
    }

    async fn put(&self, key: &str) -> aws_sdk_s3::operation::put_object::PutObjectOutput {
        s3(&self.member)
            .put_object()
            .bucket(source())
            .key(key)
            .body(b"log".to_vec().into())
            .send()
            .await
            .unwrap()
    }

    async fn status(&self, client: &Client, bucket: &str, key: &str) -> Option<ReplicationStatus> {
        client.head_object().bucket(bucket).key(key).send().await.unwrap().replication_status
    }

    /// The outcome at the source: the status, and the reason that only the fake tells.
    async fn outcome(&self) -> (String, String) {
        let status = self.status(&s3(&self.member), &source(), &key()).await;
        let world = self.fake.control("GET", "world", "").await;
        let version =
            world["buckets"][source()]["objects"][key()].as_array().unwrap().last().unwrap().clone();
        let reason = version["failure_reason"].as_str().unwrap_or_default().to_owned();
        (status.map_or("none".to_owned(), |status| status.as_str().to_owned()), reason)
    }
}

#[tokio::test]
async fn an_object_is_pending_and_then_has_a_replica() {
    let wired = Wired::new().await;
    let (client, log) = (s3(&wired.member), s3(&wired.log));
    let put = wired.put(&key()).await;
    assert_eq!(wired.status(&client, &source(), &key()).await, Some(ReplicationStatus::Pending));
    assert_eq!(
        log.head_object()
            .bucket(DESTINATION)
            .key(key())
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        404
    );
    wired.fake.advance(29).await;
    assert_eq!(wired.status(&client, &source(), &key()).await, Some(ReplicationStatus::Pending));
    wired.fake.advance(1).await;
    assert_eq!(wired.status(&client, &source(), &key()).await, Some(ReplicationStatus::Completed));
    let replica = log.head_object().bucket(DESTINATION).key(key()).send().await.unwrap();
    assert_eq!(replica.replication_status(), Some(&ReplicationStatus::Replica));
    assert_eq!(replica.version_id(), put.version_id());
    let world = wired.fake.control("GET", "world", "").await;
    assert_eq!(world["buckets"][DESTINATION]["objects"][key()][0]["owner"], LOG);
    // The replica is announced to the log account's queue.
    let sqs = aws_sdk_sqs::Client::new(&wired.log);
    let url = sqs.get_queue_url().queue_name("weir-logs").send().await.unwrap().queue_url.unwrap();
    let received = sqs.receive_message().queue_url(url).send().await.unwrap();
    assert!(received.messages()[0].body().unwrap().contains("ObjectCreated:Put"));
    // A key that no rule matches.
    wired.put("other/x").await;
    assert_eq!(wired.status(&client, &source(), "other/x").await, None);
}

#[tokio::test]
async fn each_obstacle_fails_for_its_documented_reason() {
    let role = |change: Value| json!({"accounts": {member(0): {"roles": {"weir-replication": change}}}});
    let destination = |change: Value| json!({"buckets": {DESTINATION: change}});
    let without = |action: &str| {
        let world = wiring();
        let inline =
            &world["accounts"][member(0)]["roles"]["weir-replication"]["inline_policies"]["replicate"];
        let text = inline.to_string().replace(action, "s3:GetBucketWebsite");
        role(json!({"inline_policies": {"replicate": text}}))
    };
    let deny = |condition: Value| {
        let mut policy = wiring()["buckets"][DESTINATION]["policy"].clone();
        policy["Statement"].as_array_mut().unwrap().push(json!({
            "Sid": "Foreign", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": format!("arn:aws:s3:::{DESTINATION}/*"), "Condition": condition}));
        destination(json!({"policy": policy}))
    };
    let lock =
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    let scp = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "NoCrossRegion", "Effect": "Deny", "Action": "s3:Replicate*", "Resource": "*"}]});
    let cases = [
        (
            "role gone",
            json!({"accounts": {member(0): {"roles": {"weir-replication": null}}}}),
            "AssumeRoleNotPermitted",
        ),
        (
            "role does not trust S3",
            role(json!({"trust": {"Version": "2012-10-17", "Statement": []}})),
            "AssumeRoleNotPermitted",
        ),
        (
            "S3 does not send the source account",
            json!({"settings": {"s3_sends_source_account": false}}),
            "AssumeRoleNotPermitted",
        ),
        (
            "no GetReplicationConfiguration",
            without("s3:GetReplicationConfiguration"),
            "SrcBucketReplicationConfigMissing",
        ),
        (
            "no GetObjectVersionForReplication",
            without("s3:GetObjectVersionForReplication"),
            "SrcGetObjectNotPermitted",
        ),
        ("no GetObjectVersionAcl", without("s3:GetObjectVersionAcl"), "SrcGetAclNotPermitted"),
        ("no ReplicateObject", without("s3:ReplicateObject"), "DstPutObjectNotPermitted"),
        ("destination gone", destination(Value::Null), "DstBucketNotFound"),
        (
            "destination suspended",
            destination(json!({"versioning": {"status": "Suspended"}})),
            "DstBucketUnversioned",
        ),
        ("destination without policy", destination(json!({"policy": null})), "DstPutObjectNotPermitted"),
        ("requester pays", destination(json!({"requester_pays": true})), "DstPutObjectNotPermitted"),
        (
            "foreign deny",
            deny(json!({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}})),
            "DstPutObjectNotPermitted",
        ),
        (
            "source locked, destination not",
            json!({"buckets": {source(): {"object_lock": lock}}}),
            "DstBucketObjectLockConfigMissing",
        ),
        (
            "left the organization",
            json!({"accounts": {member(0): {"parent": null}}}),
            "DstPutObjectNotPermitted",
        ),
        (
            "denied by the organization",
            json!({"organization": {"policies": {"p-crr": {"content": scp}}, "root_policies": ["p-FullAWSAccess", "p-crr"]}}),
            "DstPutObjectNotPermitted",
        ),
        (
            "configuration taken away",
            json!({"buckets": {source(): {"replication": null}}}),
            "SrcBucketReplicationConfigMissing",
        ),
        (
            "another owner",
            json!({"accounts": {"111111111111": {}}, "buckets": {DESTINATION: {"owner": "111111111111"}}}),
            "DstPutObjectNotPermitted",
        ),
        (
            "ownership not enforced, no override",
            {
                let mut change = without("s3:ObjectOwnerOverrideToBucketOwner");
                change["buckets"] = json!({DESTINATION: {"ownership": "BucketOwnerPreferred"}});
                change
            },
            "DstPutAclNotPermitted",
        ),
    ];
    for (name, change, reason) in cases {
        let wired = Wired::new().await;
        wired.put(&key()).await;
        // The obstacle comes while the object is on its way.
        wired.fake.patch(change).await;
        if name == "source locked, destination not" {
            let world = wiring();
            let inline =
                &world["accounts"][member(0)]["roles"]["weir-replication"]["inline_policies"]["replicate"];
            let text = inline.to_string().replace(
                "\"s3:GetObjectVersionAcl\"",
                "\"s3:GetObjectVersionAcl\",\"s3:GetObjectRetention\",\"s3:GetObjectLegalHold\"",
            );
            wired.fake.patch(role(json!({"inline_policies": {"replicate": text}}))).await;
        }
        wired.fake.advance(30).await;
        assert_eq!(wired.outcome().await, ("FAILED".to_owned(), reason.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn failed_is_never_tried_again_but_by_a_batch_job() {
    let wired = Wired::new().await;
    wired.put(&key()).await;
    wired.fake.patch(json!({"buckets": {DESTINATION: {"versioning": {"status": "Suspended"}}}})).await;
    wired.fake.advance(30).await;
    assert_eq!(wired.outcome().await.0, "FAILED");
    wired.fake.patch(json!({"buckets": {DESTINATION: {"versioning": {"status": "Enabled"}}}})).await;
    wired.fake.advance(86_400).await;
    let member = wired.fake.member(&member(0)).await;
    let wired = Wired { member, ..wired };
    assert_eq!(wired.outcome().await.0, "FAILED");

    let job = batch_job(&wired, "token-1").await;
    assert_eq!(job, "ok");
    wired.fake.advance(30).await;
    // The role trusts S3, not Batch Operations: nothing moved.
    assert_eq!(wired.outcome().await.0, "FAILED");
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": ["s3.amazonaws.com", "batchoperations.s3.amazonaws.com"]}, "Action": "sts:AssumeRole"}]});
    wired
        .fake
        .patch(json!({"accounts": {self::member(0): {"roles": {"weir-replication": {"trust": trust}}}}}))
        .await;
    assert_eq!(batch_job(&wired, "token-2").await, "ok");
    wired.fake.advance(30).await;
    assert_eq!(wired.outcome().await.0, "COMPLETED");
}

#[derive(Debug)]
struct FixedEndpoint(String);

impl aws_sdk_s3control::config::endpoint::ResolveEndpoint for FixedEndpoint {
    fn resolve_endpoint<'a>(
        &'a self,
        _: &'a aws_sdk_s3control::config::endpoint::Params,
    ) -> aws_sdk_s3control::config::endpoint::EndpointFuture<'a> {
        let endpoint = aws_smithy_types::endpoint::Endpoint::builder().url(self.0.clone()).build();
        aws_sdk_s3control::config::endpoint::EndpointFuture::ready(Ok(endpoint))
    }
}

async fn batch_job(wired: &Wired, token: &str) -> String {
    use aws_sdk_s3control::types::{
        JobManifestGenerator, JobManifestGeneratorFilter, JobOperation, JobReport, ReplicationStatus,
        S3JobManifestGenerator, S3ReplicateObjectOperation,
    };
    // The SDK puts the account in front of the host, where a loopback address cannot have it.
    let endpoint = FixedEndpoint(wired.fake.server.endpoint());
    let config = aws_sdk_s3control::config::Builder::from(&wired.member).endpoint_resolver(endpoint).build();
    let client = aws_sdk_s3control::Client::from_conf(config);
    let filter = JobManifestGeneratorFilter::builder()
        .eligible_for_replication(true)
        .object_replication_statuses(ReplicationStatus::Failed)
        .build();
    let generator = S3JobManifestGenerator::builder()
        .source_bucket(format!("arn:aws:s3:::{}", source()))
        .filter(filter)
        .enable_manifest_output(false)
        .build()
        .unwrap();
    let outcome = client
        .create_job()
        .account_id(member(0))
        .client_request_token(token)
        .operation(
            JobOperation::builder()
                .s3_replicate_object(S3ReplicateObjectOperation::builder().build())
                .build(),
        )
        .report(JobReport::builder().enabled(false).build())
        .priority(1)
        .role_arn(format!("arn:aws:iam::{}:role/weir/weir-replication", member(0)))
        .manifest_generator(JobManifestGenerator::S3JobManifestGenerator(generator))
        .send()
        .await;
    code(&outcome)
}

#[tokio::test]
async fn what_is_not_replicated() {
    let wired = Wired::new().await;
    let client = s3(&wired.member);
    // An object of another account.
    wired.fake.patch(json!({"buckets": {source(): {"ownership": "ObjectWriter", "policy": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": member(1)}, "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{}/*", source())}]}}}})).await;
    let other = s3(&wired.fake.member(&member(1)).await);
    other.put_object().bucket(source()).key(key()).send().await.unwrap();
    assert_eq!(wired.outcome().await.0, "none");
    // An object that KMS encrypts, under a rule that does not ask for such.
    let put = client
        .put_object()
        .bucket(source())
        .key(key())
        .server_side_encryption(ServerSideEncryption::AwsKms)
        .ssekms_key_id(SOURCE_KEY);
    put.send().await.unwrap();
    assert_eq!(wired.outcome().await.0, "none");
    // An object written soon after versioning was enabled for the first time.
    wired.fake.patch(json!({"buckets": {source(): {"versioning": null}}})).await;
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let path = format!("/{}?versioning", source());
    assert_eq!(wired.fake.raw(&wired.member, "PUT", &path, versioning).await.0, 200);
    wired.put(&key()).await;
    assert_eq!(wired.outcome().await.0, "none");
    wired.fake.advance(900).await;
    wired.put(&key()).await;
    assert_eq!(wired.outcome().await.0, "PENDING");
    // A replica is not replicated again.
    let chain = configuration("", "").replace(DESTINATION, &source()).replace(LOG, &member(0));
    wired.fake.patch(json!({"buckets": {DESTINATION: {"replication": chain}}})).await;
    wired.fake.advance(30).await;
    assert_eq!(wired.status(&s3(&wired.log), DESTINATION, &key()).await, Some(ReplicationStatus::Replica));
    assert_eq!(wired.fake.control("GET", "clock", "").await["replication_pending"], 0);
}

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

#[tokio::test]
async fn accounts_cannot_write_below_the_id_of_another() {
    let wired = Wired::new().await;
    let wide = configuration("", "")
        .replace(&format!("<Prefix>AWSLogs/{}/</Prefix>", member(0)), "<Prefix>AWSLogs/</Prefix>");
    let world = wiring();
    let inline = &world["accounts"][member(0)]["roles"]["weir-replication"]["inline_policies"]["replicate"];
    let text = inline
        .to_string()
        .replace(&format!("{DESTINATION}/AWSLogs/{}/*", member(0)), &format!("{DESTINATION}/*"));
    wired
        .fake
        .patch(json!({
        "accounts": {member(0): {"roles": {"weir-replication": {"inline_policies": {"replicate": text}}}}},
        "buckets": {source(): {"replication": wide}}}))
        .await;
    let foreign = format!("AWSLogs/{}/x", member(1));
    wired.put(&foreign).await;
    wired.put(&key()).await;
    wired.fake.advance(30).await;
    let client = s3(&wired.member);
    assert_eq!(wired.status(&client, &source(), &foreign).await, Some(ReplicationStatus::Failed));
    assert_eq!(wired.status(&client, &source(), &key()).await, Some(ReplicationStatus::Completed));
}

#[tokio::test]
async fn one_destination_of_two_that_fails_fails_the_whole() {
    let blueprint = Blueprint { foreign_rule_every: 1, ..Blueprint::default() };
    let fake = Fake::start(blueprint.build().unwrap()).await;
    fake.patch(wiring()).await;
    let two = configuration("", "").replace(
        "</ReplicationConfiguration>",
        "<Rule><ID>other</ID><Priority>2</Priority><Filter><Prefix/></Filter><Status>Enabled</Status><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::foreign-archive-eu-west-1</Bucket></Destination></Rule></ReplicationConfiguration>",
    );
    fake.patch(json!({"buckets": {source(): {"replication": two}}})).await;
    let (member, log) = (fake.member(&member(0)).await, fake.log());
    let wired = Wired { fake, member, log };
    wired.put(&key()).await;
    wired.fake.advance(30).await;
    assert_eq!(wired.outcome().await.0, "FAILED");
    // Our replica is there all the same.
    assert_eq!(wired.status(&s3(&wired.log), DESTINATION, &key()).await, Some(ReplicationStatus::Replica));
}

#[tokio::test]
async fn a_failure_is_told_by_an_event_of_the_source() {
    let wired = Wired::new().await;
    let metrics = "<Metrics><Status>Enabled</Status></Metrics>";
    let queue = format!("arn:aws:sqs:{REGION}:{}:failures", member(0));
    let notification = format!(
        "<NotificationConfiguration><QueueConfiguration><Id>f</Id><Queue>{queue}</Queue><Event>s3:Replication:OperationFailedReplication</Event></QueueConfiguration></NotificationConfiguration>"
    );
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue}]});
    wired.fake.patch(json!({
        "accounts": {member(0): {"queues": {format!("{REGION}/failures"): {"policy": policy}}}},
        "buckets": {source(): {"replication": configuration("", metrics), "notification": notification}, DESTINATION: {"policy": null}}})).await;
    wired.put(&key()).await;
    wired.fake.advance(30).await;
    let sqs = aws_sdk_sqs::Client::new(&wired.member);
    let url = sqs.get_queue_url().queue_name("failures").send().await.unwrap().queue_url.unwrap();
    let received = sqs.receive_message().queue_url(url).send().await.unwrap();
    let body: Value = serde_json::from_str(received.messages()[0].body().unwrap()).unwrap();
    let data = &body["Records"][0]["replicationEventData"];
    assert_eq!(
        (&data["failureReason"], &data["replicationRuleId"]),
        (&json!("DstPutObjectNotPermitted"), &json!("weir/1"))
    );
}

#[test]
fn the_oracle_tells_the_same_without_http() {
    let mut value = serde_json::to_value(Blueprint::default().build().unwrap()).unwrap();
    merge(&mut value, wiring());
    let mut world = weir_aws_fake::World::from_json(value.to_string().as_bytes()).unwrap();
    let tell =
        |world: &weir_aws_fake::World| weir_aws_fake::oracle::replicate(world, &source(), &key(), None);
    let told = tell(&world);
    assert_eq!((told.len(), told[0].rule.as_str(), told[0].failure), (1, "weir/1", None));
    world.buckets.get_mut(DESTINATION).unwrap().policy = None;
    assert_eq!(tell(&world)[0].failure, Some("DstPutObjectNotPermitted"));
    assert!(weir_aws_fake::oracle::replicate(&world, &source(), "other/x", None).is_empty());
    let question = weir_aws_fake::oracle::Question {
        asker: weir_aws_fake::oracle::Asker::Role { account: member(0), name: "weir-replication".to_owned() },
        action: "s3:ReplicateObject".to_owned(),
        resource: format!("arn:aws:s3:::{DESTINATION}/{}", key()),
        owner: LOG.to_owned(),
        resource_policy: Some(
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"Never","Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#.to_owned(),
        ),
        policy_decides: false,
        context: std::collections::BTreeMap::new(),
    };
    let refusal = question.decide(&world).unwrap_err();
    assert_eq!(
        (refusal.policy, refusal.explicit, refusal.sid.as_deref()),
        ("resource-based policy", true, Some("Never"))
    );
}

fn merge(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    target.remove(&key);
                } else {
                    merge(target.entry(key).or_insert(json!({})), value);
                }
            }
        }
        (target, change) => *target = change,
    }
}

#[tokio::test]
async fn an_unreachable_destination_keeps_objects_pending() {
    let wired = Wired::new().await;
    wired.fake.patch(json!({"settings": {"unreachable_destinations": [DESTINATION]}})).await;
    wired.put(&key()).await;
    wired.fake.advance(1_200).await;
    assert_eq!(wired.outcome().await.0, "PENDING");
    wired.fake.patch(json!({"settings": {"unreachable_destinations": []}})).await;
    wired.fake.advance(30).await;
    assert_eq!(wired.outcome().await.0, "COMPLETED");
}

#[tokio::test]
async fn the_highest_priority_for_a_destination_decides() {
    let wired = Wired::new().await;
    let base = configuration("", "");
    let second = base
        .split_once("<Rule>")
        .map(|(_, rest)| format!("<Rule>{rest}"))
        .unwrap()
        .replace("weir/1", "other")
        .replace("<Priority>1<", "<Priority>9<")
        .replace("</Destination>", "<StorageClass>GLACIER_IR</StorageClass></Destination>");
    let both = base.replace("</ReplicationConfiguration>", &second);
    let path = format!("/{}?replication", source());
    let (status, body) = wired.fake.raw(&wired.member, "PUT", &path, &both).await;
    assert_eq!(status, 200, "{}", code_of(&body));
    wired.put(&key()).await;
    wired.fake.advance(30).await;
    let replica = s3(&wired.log).head_object().bucket(DESTINATION).key(key()).send().await.unwrap();
    assert_eq!(replica.storage_class().map(|class| class.as_str()), Some("GLACIER_IR"));
}
