//! What is replicated, what is not, and what is told of it.

use aws_sdk_s3::types::{ReplicationStatus, ServerSideEncryption};
use serde_json::json;
use weir_aws_fake::builder::{Blueprint, LOG, member};

use super::{DESTINATION, SOURCE_KEY, Wired, configuration, key, source, wiring};
use crate::support::{Fake, code_of, s3};

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
    assert_eq!(replica.storage_class().map(aws_sdk_s3::types::StorageClass::as_str), Some("GLACIER_IR"));
}
