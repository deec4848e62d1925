//! SQS: queues, messages, dead letters, events of S3.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use weir_aws_fake::builder::{LOG, member};

use crate::support::{Fake, code, s3};

#[tokio::test]
async fn messages_hide_come_again_and_die() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.log());
    let dead = client.create_queue().queue_name("dead").send().await.unwrap().queue_url.unwrap();
    let redrive =
        format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:{LOG}:dead","maxReceiveCount":2}}"#);
    let create = client
        .create_queue()
        .queue_name("jobs")
        .attributes(QueueAttributeName::VisibilityTimeout, "30")
        .attributes(QueueAttributeName::RedrivePolicy, &redrive);
    let url = create.clone().send().await.unwrap().queue_url.unwrap();
    assert_eq!(code(&create.clone().send().await), "ok");
    let other = create.attributes(QueueAttributeName::VisibilityTimeout, "60").send().await.unwrap_err();
    assert!(other.as_service_error().unwrap().is_queue_name_exists());
    client.send_message().queue_url(&url).message_body("x").send().await.unwrap();
    let receive = |url: &str| client.receive_message().queue_url(url).send();
    for _ in 0..2 {
        let got = receive(&url).await.unwrap();
        assert_eq!(got.messages().len(), 1);
        assert!(receive(&url).await.unwrap().messages().is_empty());
        fake.advance(30).await;
    }
    assert!(receive(&url).await.unwrap().messages().is_empty());
    let got = receive(&dead).await.unwrap();
    client
        .delete_message()
        .queue_url(&dead)
        .receipt_handle(got.messages()[0].receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    let absent = client.get_queue_url().queue_name("absent").send().await.unwrap_err();
    assert!(absent.as_service_error().unwrap().is_queue_does_not_exist());
}

#[tokio::test]
async fn attributes_and_policies() {
    let fake = Fake::small().await;
    let client = Client::new(&fake.log());
    let url = client.get_queue_url().queue_name("weir-logs").send().await.unwrap().queue_url.unwrap();
    let read =
        || client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send();
    let attributes = read().await.unwrap().attributes.unwrap();
    assert_eq!(attributes[&QueueAttributeName::QueueArn], format!("arn:aws:sqs:eu-west-1:{LOG}:weir-logs"));
    assert!(attributes[&QueueAttributeName::Policy].contains("WeirNotify"));
    let set = |policy: &str| {
        let attributes = HashMap::from([(QueueAttributeName::Policy, policy.to_owned())]);
        client.set_queue_attributes().queue_url(&url).set_attributes(Some(attributes)).send()
    };
    assert_eq!(code(&set("nonsense").await), "InvalidAttributeValue");
    assert_eq!(code(&set("").await), "ok");
    assert!(!read().await.unwrap().attributes.unwrap().contains_key(&QueueAttributeName::Policy));
    let member_client = Client::new(&fake.member(&member(0)).await);
    assert_eq!(code(&member_client.receive_message().queue_url(&url).send().await), "AccessDenied");
}

#[tokio::test]
async fn objects_announce_themselves_as_s3_does() {
    let fake = Fake::small().await;
    let config = fake.log();
    let s3 = s3(&config);
    let put = s3
        .put_object()
        .bucket("weir-logs-eu-west-1")
        .key("AWSLogs/a b/ü+=.gz")
        .body(b"12345".to_vec().into())
        .send()
        .await
        .unwrap();
    s3.delete_object().bucket("weir-logs-eu-west-1").key("AWSLogs/a b/ü+=.gz").send().await.unwrap();
    let client = Client::new(&config);
    let url = client.get_queue_url().queue_name("weir-logs").send().await.unwrap().queue_url.unwrap();
    let got = client.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
    assert_eq!(got.messages().len(), 1);
    let body: Value = serde_json::from_str(got.messages()[0].body().unwrap()).unwrap();
    let record = &body["Records"][0];
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    assert_eq!(record["s3"]["bucket"]["name"], "weir-logs-eu-west-1");
    // Form encoding, but slashes stay.
    assert_eq!(record["s3"]["object"]["key"], "AWSLogs/a+b/%C3%BC%2B%3D.gz");
    assert_eq!(record["s3"]["object"]["size"], 5);
    assert_eq!(record["s3"]["object"]["versionId"], json!(put.version_id().unwrap()));
}
