//! S3: what is refused, and with which code.

use std::fmt::Write as _;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AccessControlTranslation, DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination, Event,
    Metrics, MetricsStatus, NotificationConfiguration, OwnerOverride, QueueConfiguration,
    ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter, ReplicationRuleStatus, ReplicationTime,
    ReplicationTimeStatus, ReplicationTimeValue,
};
use serde_json::json;
use weir_aws_fake::builder::{LOG, Layout, foreign_bucket, log_bucket, member};

use crate::support::{Fake, REGION, code, code_of, message, s3};

const DESTINATION: &str = "weir-logs-eu-west-1";

fn source() -> String {
    log_bucket(&member(0), REGION, Layout::AwsLogs)
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{}:role/weir/{name}", member(0))
}

/// A fake whose first member has a replication role.
async fn with_role() -> Fake {
    let fake = Fake::small().await;
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    fake.patch(
        json!({"accounts": {member(0): {"roles": {"weir-replication": {"path": "/weir/", "trust": trust}}}}}),
    )
    .await;
    fake
}

fn rule(id: &str, priority: i32) -> ReplicationRule {
    ReplicationRule::builder()
        .id(id)
        .priority(priority)
        .filter(ReplicationRuleFilter::builder().prefix("AWSLogs/").build())
        .status(ReplicationRuleStatus::Enabled)
        .delete_marker_replication(
            DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Disabled).build(),
        )
        .destination(
            Destination::builder()
                .bucket(format!("arn:aws:s3:::{DESTINATION}"))
                .account(LOG)
                .access_control_translation(
                    AccessControlTranslation::builder().owner(OwnerOverride::Destination).build().unwrap(),
                )
                .replication_time(
                    ReplicationTime::builder()
                        .status(ReplicationTimeStatus::Enabled)
                        .time(ReplicationTimeValue::builder().minutes(15).build())
                        .build()
                        .unwrap(),
                )
                .metrics(
                    Metrics::builder()
                        .status(MetricsStatus::Enabled)
                        .event_threshold(ReplicationTimeValue::builder().minutes(15).build())
                        .build()
                        .unwrap(),
                )
                .build()
                .unwrap(),
        )
        .build()
        .unwrap()
}

async fn put(client: &Client, role: &str, rules: Vec<ReplicationRule>) -> (String, String) {
    let configuration =
        ReplicationConfiguration::builder().role(role).set_rules(Some(rules)).build().unwrap();
    let outcome = client
        .put_bucket_replication()
        .bucket(source())
        .replication_configuration(configuration)
        .send()
        .await;
    (code(&outcome), message(&outcome))
}

#[tokio::test]
async fn a_replication_configuration_is_read_back_as_it_was_put() {
    let fake = with_role().await;
    let client = s3(&fake.member(&member(0)).await);
    let rules = vec![rule("weir/1", 1), rule("other", 7)];
    assert_eq!(put(&client, &role("weir-replication"), rules.clone()).await.0, "ok");
    let read = client
        .get_bucket_replication()
        .bucket(source())
        .send()
        .await
        .unwrap()
        .replication_configuration
        .unwrap();
    assert_eq!(read.rules(), rules);
    assert_eq!(read.role(), role("weir-replication"));
    client.delete_bucket_replication().bucket(source()).send().await.unwrap();
    let gone = client.get_bucket_replication().bucket(source()).send().await;
    assert_eq!(code(&gone), "ReplicationConfigurationNotFoundError");
}

#[tokio::test]
async fn both_buckets_must_be_versioned_and_the_role_be_there() {
    let fake = with_role().await;
    let client = s3(&fake.member(&member(0)).await);
    let good = role("weir-replication");
    let suspended = json!({"versioning": {"status": "Suspended"}});
    fake.patch(json!({"buckets": {source(): suspended}})).await;
    let (code, message) = put(&client, &good, vec![rule("a", 1)]).await;
    assert_eq!(code, "InvalidRequest");
    assert!(message.contains("Versioning must be 'Enabled'"), "{message}");
    fake.patch(json!({"buckets": {source(): {"versioning": {"status": "Enabled"}}, DESTINATION: suspended}}))
        .await;
    let (code, message) = put(&client, &good, vec![rule("a", 1)]).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidRequest", "Destination bucket must have versioning enabled.")
    );
    fake.patch(json!({"buckets": {DESTINATION: null}})).await;
    let (code, message) = put(&client, &good, vec![rule("a", 1)]).await;
    assert_eq!((code.as_str(), message.as_str()), ("InvalidRequest", "Destination bucket must exist."));
    let (code, message) = put(&client, &role("absent"), vec![rule("a", 1)]).await;
    assert_eq!(code, "AccessDenied");
    assert!(message.contains("iam:PassRole"), "{message}");
}

#[tokio::test]
async fn a_new_role_cannot_be_passed_yet() {
    let fake = with_role().await;
    let config = fake.member(&member(0)).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let iam = aws_sdk_iam::Client::new(&config);
    iam.create_role()
        .role_name("new")
        .path("/weir/")
        .assume_role_policy_document(trust)
        .send()
        .await
        .unwrap();
    let client = s3(&config);
    assert_eq!(put(&client, &role("new"), vec![rule("a", 1)]).await.0, "AccessDenied");
    fake.advance(10).await;
    assert_eq!(put(&client, &role("new"), vec![rule("a", 1)]).await.0, "ok");
}

#[tokio::test]
async fn rules_are_counted_and_told_apart() {
    let fake = with_role().await;
    let client = s3(&fake.member(&member(0)).await);
    let good = role("weir-replication");
    let many = |count: i32| (1..=count).map(|index| rule(&format!("r{index}"), index)).collect::<Vec<_>>();
    assert_eq!(put(&client, &good, many(1_000)).await.0, "ok");
    assert_eq!(put(&client, &good, many(1_001)).await.0, "InvalidRequest");
    assert_eq!(put(&client, &good, vec![rule("same", 1), rule("same", 2)]).await.0, "InvalidArgument");
    let (code, message) = put(&client, &good, vec![rule("a", 1), rule("b", 1)]).await;
    assert_eq!(code, "InvalidRequest");
    assert!(message.contains("same priority"), "{message}");
}

/// A rule as XML.
fn xml_rule(id: &str, inner: &str, destination: &str) -> String {
    format!(
        "<Rule><ID>{id}</ID><Status>Enabled</Status>{inner}<Destination><Bucket>arn:aws:s3:::{DESTINATION}</Bucket>{destination}</Destination></Rule>"
    )
}

const V1: &str = "<Prefix>old/</Prefix>";
const V2: &str = "<Priority>1</Priority><Filter><Prefix>new/</Prefix></Filter><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>";

#[tokio::test]
async fn the_schema_is_checked() {
    let fake = with_role().await;
    let config = fake.member(&member(0)).await;
    let tagged = V2
        .replace("<Prefix>new/</Prefix>", "<Tag><Key>k</Key><Value>v</Value></Tag>")
        .replace("Disabled", "Enabled");
    let kms = "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>";
    let key = "<EncryptionConfiguration><ReplicaKmsKeyID>arn:aws:kms:eu-west-1:200000000000:key/none</ReplicaKmsKeyID></EncryptionConfiguration>";
    let with_kms = format!("{V2}{kms}");
    let cases: Vec<(String, u16, &str)> = vec![
        (xml_rule("a", V1, ""), 200, ""),
        (xml_rule("a", V2, ""), 200, ""),
        // The first and the second version of the schema do not mix.
        (xml_rule("a", V1, "") + &xml_rule("b", V2, ""), 400, "InvalidRequest"),
        (
            xml_rule("a", "<Prefix>x/</Prefix>", "") + &xml_rule("b", "<Prefix>x/y</Prefix>", ""),
            400,
            "InvalidRequest",
        ),
        (xml_rule("a", "<Filter><Prefix/></Filter><Priority>1</Priority>", ""), 400, "InvalidRequest"),
        (xml_rule("a", "<Priority>1</Priority><Prefix/>", ""), 400, "InvalidRequest"),
        (xml_rule("a", &format!("{V1}{V2}"), ""), 400, "MalformedXML"),
        (xml_rule("a", "", ""), 400, "MalformedXML"),
        (xml_rule("a", &format!("{V2}<Colour/>"), ""), 400, "MalformedXML"),
        (xml_rule("a", &tagged, ""), 400, "InvalidRequest"),
        (
            xml_rule(
                "a",
                V2,
                "<AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>",
            ),
            400,
            "InvalidRequest",
        ),
        (xml_rule("a", V2, "<Account>300000000002</Account>"), 400, "InvalidRequest"),
        (
            xml_rule(
                "a",
                V2,
                "<ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>",
            ),
            400,
            "InvalidRequest",
        ),
        (
            xml_rule(
                "a",
                V2,
                "<Metrics><Status>Enabled</Status><EventThreshold><Minutes>10</Minutes></EventThreshold></Metrics>",
            ),
            400,
            "InvalidRequest",
        ),
        (xml_rule("a", V2, "<StorageClass>CHEAP</StorageClass>"), 400, "MalformedXML"),
        (xml_rule("a", &with_kms, ""), 400, "InvalidRequest"),
        (xml_rule("a", V2, key), 400, "InvalidRequest"),
        // A key that does not exist: S3 says 200.
        (xml_rule("a", &with_kms, key), 200, ""),
        (
            xml_rule(
                "a",
                &format!(
                    "{V2}<ExistingObjectReplication><Status>Enabled</Status></ExistingObjectReplication>"
                ),
                "",
            ),
            400,
            "InvalidRequest",
        ),
        (xml_rule("a", V2, "").replace("weir-logs-eu-west-1", &source()), 400, "InvalidRequest"),
        (xml_rule("a", V2, "").replace("arn:aws:s3:::", ""), 400, "InvalidArgument"),
        ("<Rule>".to_owned(), 400, "MalformedXML"),
        (String::new(), 400, "MalformedXML"),
    ];
    for (rules, status, code) in cases {
        let document = format!(
            "<ReplicationConfiguration><Role>{}</Role>{rules}</ReplicationConfiguration>",
            role("weir-replication")
        );
        let (got, body) = fake.raw(&config, "PUT", &format!("/{}?replication", source()), &document).await;
        assert_eq!(
            (got, if code.is_empty() { "" } else { code_of(&body) }),
            (status, code),
            "{document}\n{body}"
        );
    }
}

#[tokio::test]
async fn bucket_policies_are_checked() {
    let fake = with_role().await;
    let client = s3(&fake.log());
    let put = |document: serde_json::Value| {
        client.put_bucket_policy().bucket(DESTINATION).policy(document.to_string()).send()
    };
    let all = format!("arn:aws:s3:::{DESTINATION}/*");
    let statement = |principal: serde_json::Value, action: &str, resource: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "A", "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}]})
    };
    let account = json!({"AWS": member(0)});
    assert_eq!(code(&put(statement(account.clone(), "s3:ReplicateObject", &all)).await), "ok");
    let read = client.get_bucket_policy().bucket(DESTINATION).send().await.unwrap();
    assert!(read.policy().unwrap().contains(&format!("arn:aws:iam::{}:root", member(0))));
    for (document, detail) in [
        (
            statement(json!({"AWS": "arn:aws:iam::300000000001:role/absent"}), "s3:GetObject", &all),
            "Invalid principal in policy",
        ),
        (statement(json!({"AWS": "123456789012"}), "s3:GetObject", &all), "Invalid principal in policy"),
        (statement(account.clone(), "s3:GetObject", "arn:aws:s3:::another/*"), "Policy has invalid resource"),
        (
            statement(account.clone(), "s3:GetObject", &format!("arn:aws:s3:::{DESTINATION}")),
            "Action does not apply to any resource(s) in statement",
        ),
        (
            statement(account.clone(), "s3:PutBucketVersioning", &all),
            "Action does not apply to any resource(s) in statement",
        ),
        (statement(account.clone(), "sqs:SendMessage", &all), "Policy has invalid action"),
        (
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": all}]}),
            "Missing required field Principal",
        ),
    ] {
        let outcome = put(document.clone()).await;
        assert_eq!(
            (code(&outcome).as_str(), message(&outcome).as_str()),
            ("MalformedPolicy", detail),
            "{document}"
        );
    }
    let outcome = client.put_bucket_policy().bucket(DESTINATION).policy("nonsense").send().await;
    assert_eq!(code(&outcome), "MalformedPolicy");
    // 20,480 bytes without white space; white space is free.
    let of_size = |size: usize| {
        let empty = statement(account.clone(), "s3:GetObject", &all).to_string();
        empty.replace("\"A\"", &format!("\"{}\"", "A".repeat(size - empty.len() + 1)))
    };
    let put_text = |text: String| client.put_bucket_policy().bucket(DESTINATION).policy(text).send();
    assert_eq!(code(&put_text(of_size(20_480)).await), "ok");
    assert_eq!(code(&put_text(of_size(20_480).replace("[{", "[    {")).await), "ok");
    assert_eq!(code(&put_text(of_size(20_481)).await), "MalformedPolicy");
}

#[tokio::test]
async fn public_policies_are_blocked_and_policies_of_an_organization_are_not_public() {
    let fake = with_role().await;
    let client = s3(&fake.log());
    let put = |condition: serde_json::Value| {
        let document = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:ReplicateObject",
            "Resource": format!("arn:aws:s3:::{DESTINATION}/AWSLogs/${{aws:PrincipalAccount}}/*"), "Condition": condition}]});
        client.put_bucket_policy().bucket(DESTINATION).policy(document.to_string()).send()
    };
    assert_eq!(code(&put(json!({})).await), "AccessDenied");
    assert_eq!(
        code(&put(json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}})).await),
        "AccessDenied"
    );
    assert_eq!(code(&put(json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}})).await), "AccessDenied");
    assert_eq!(code(&put(json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}})).await), "ok");
    let status = client.get_bucket_policy_status().bucket(DESTINATION).send().await.unwrap();
    assert_eq!(status.policy_status().unwrap().is_public(), Some(false));
}

#[tokio::test]
async fn a_recreated_role_is_a_stale_principal() {
    let fake = with_role().await;
    let client = s3(&fake.log());
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": role("weir-replication")}, "Action": "s3:ReplicateObject",
        "Resource": format!("arn:aws:s3:::{DESTINATION}/*")}]});
    client.put_bucket_policy().bucket(DESTINATION).policy(document.to_string()).send().await.unwrap();
    let iam = aws_sdk_iam::Client::new(&fake.member(&member(0)).await);
    let before = iam.get_role().role_name("weir-replication").send().await.unwrap().role.unwrap();
    iam.delete_role().role_name("weir-replication").send().await.unwrap();
    let read =
        || async { client.get_bucket_policy().bucket(DESTINATION).send().await.unwrap().policy.unwrap() };
    assert!(read().await.contains(before.role_id()));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    iam.create_role()
        .role_name("weir-replication")
        .path("/weir/")
        .assume_role_policy_document(trust)
        .send()
        .await
        .unwrap();
    fake.advance(10).await;
    let shown = read().await;
    assert!(shown.contains(before.role_id()) && !shown.contains(":role/weir/"), "{shown}");
    // What is shown cannot be put again.
    let again = client.put_bucket_policy().bucket(DESTINATION).policy(shown).send().await;
    assert_eq!(code(&again), "MalformedPolicy");
    client.put_bucket_policy().bucket(DESTINATION).policy(document.to_string()).send().await.unwrap();
    assert!(read().await.contains(":role/weir/"));
}

#[tokio::test]
async fn the_owners_root_can_always_mend_a_policy() {
    let fake = with_role().await;
    fake.patch(json!({"accounts": {LOG: {"access_keys": {"AKIALOGROOT000000001": {"principal": "root"}}}}}))
        .await;
    let client = s3(&fake.log());
    let deny = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "LockedOut", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{DESTINATION}"), format!("arn:aws:s3:::{DESTINATION}/*")]}]});
    client.put_bucket_policy().bucket(DESTINATION).policy(deny.to_string()).send().await.unwrap();
    let outcome = client.delete_bucket_policy().bucket(DESTINATION).send().await;
    assert_eq!(code(&outcome), "AccessDenied");
    assert!(message(&outcome).ends_with("with an explicit deny in a resource-based policy"));
    let root = s3(&fake.config("AKIALOGROOT000000001", None, REGION));
    assert_eq!(code(&root.list_objects_v2().bucket(DESTINATION).send().await), "AccessDenied");
    assert_eq!(code(&root.delete_bucket_policy().bucket(DESTINATION).send().await), "ok");
}

#[tokio::test]
async fn notifications_are_proven_when_they_are_put() {
    let fake = with_role().await;
    let client = s3(&fake.log());
    let put = |queue: &str, event: &str, prefix: &str| {
        let filter = aws_sdk_s3::types::FilterRule::builder().name("prefix".into()).value(prefix).build();
        let filter = aws_sdk_s3::types::S3KeyFilter::builder().filter_rules(filter).build();
        let filter = aws_sdk_s3::types::NotificationConfigurationFilter::builder().key(filter).build();
        let queue = QueueConfiguration::builder()
            .queue_arn(queue)
            .events(Event::from(event))
            .filter(filter)
            .build()
            .unwrap();
        let configuration = NotificationConfiguration::builder().queue_configurations(queue).build();
        client
            .put_bucket_notification_configuration()
            .bucket(DESTINATION)
            .notification_configuration(configuration)
            .send()
    };
    let good = format!("arn:aws:sqs:eu-west-1:{LOG}:weir-logs");
    assert_eq!(code(&put(&good, "s3:ObjectCreated:*", "AWSLogs/").await), "ok");
    let read = client.get_bucket_notification_configuration().bucket(DESTINATION).send().await.unwrap();
    assert_eq!(read.queue_configurations()[0].queue_arn(), good);
    let sqs = aws_sdk_sqs::Client::new(&fake.log());
    let url = sqs.get_queue_url().queue_name("weir-logs").send().await.unwrap().queue_url.unwrap();
    let received = sqs.receive_message().queue_url(&url).send().await.unwrap();
    let test: serde_json::Value = serde_json::from_str(received.messages()[0].body().unwrap()).unwrap();
    assert_eq!((&test["Event"], &test["Bucket"]), (&json!("s3:TestEvent"), &json!(DESTINATION)));

    assert_eq!(code(&put(&good, "s3:ObjectInvented:*", "").await), "InvalidArgument");
    assert_eq!(
        code(&put(&good.replace("eu-west-1", "us-east-1"), "s3:ObjectCreated:*", "").await),
        "InvalidArgument"
    );
    assert_eq!(code(&put(&format!("{good}-absent"), "s3:ObjectCreated:*", "").await), "InvalidArgument");
    let fifo = json!({"eu-west-1/weir.fifo": {"attributes": {"FifoQueue": "true"}}});
    fake.patch(json!({"accounts": {LOG: {"queues": fifo}}})).await;
    let outcome = put(&good.replace("weir-logs", "weir.fifo"), "s3:ObjectCreated:*", "").await;
    assert_eq!((code(&outcome).as_str(), message(&outcome).contains("FIFO")), ("InvalidArgument", true));
    fake.patch(json!({"accounts": {LOG: {"queues": {"eu-west-1/weir-logs": {"policy": null}}}}})).await;
    let outcome = put(&good, "s3:ObjectCreated:*", "").await;
    assert_eq!(code(&outcome), "InvalidArgument");
    assert!(message(&outcome).contains("Unable to validate the following destination configurations"));
}

#[tokio::test]
async fn object_lock_and_malformed_documents() {
    let fake = with_role().await;
    let config = fake.member(&member(0)).await;
    let path = |what: &str| format!("/{}?{what}", source());
    let lock =
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    assert_eq!(fake.raw(&config, "PUT", &path("object-lock"), lock).await.0, 200);
    fake.patch(json!({"buckets": {source(): {"object_lock": null, "versioning": {"status": null}}}})).await;
    let (status, body) = fake.raw(&config, "PUT", &path("object-lock"), lock).await;
    assert_eq!((status, code_of(&body)), (409, "InvalidBucketState"));
    let mut long = String::new();
    for index in 0..1_001 {
        write!(long, "<Rule><ID>{index}</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>").unwrap();
    }
    let cases = [
        ("versioning", "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>".to_owned(), "MalformedXML"),
        ("versioning", "<VersioningConfiguration/>".to_owned(), "IllegalVersioningConfigurationException"),
        ("encryption", "<ServerSideEncryptionConfiguration/>".to_owned(), "MalformedXML"),
        ("lifecycle", format!("<LifecycleConfiguration>{long}</LifecycleConfiguration>"), "InvalidRequest"),
        ("lifecycle", "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/></Rule></LifecycleConfiguration>".to_owned(), "InvalidRequest"),
        ("ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>Mine</ObjectOwnership></Rule></OwnershipControls>".to_owned(), "MalformedXML"),
        ("requestPayment", "<RequestPaymentConfiguration><Payer>Nobody</Payer></RequestPaymentConfiguration>".to_owned(), "MalformedXML"),
        ("notification", "<NotificationConfiguration><Pigeon/></NotificationConfiguration>".to_owned(), "MalformedXML"),
        ("logging", "<BucketLoggingStatus><LoggingEnabled><TargetBucket>weir-logs-eu-west-1</TargetBucket></LoggingEnabled></BucketLoggingStatus>".to_owned(), "InvalidTargetBucketForLogging"),
    ];
    for (what, document, code) in cases {
        let (_, body) = fake.raw(&config, "PUT", &path(what), &document).await;
        assert_eq!(code_of(&body), code, "{what} {body}");
    }
    fake.patch(json!({"buckets": {"elsewhere": {"owner": member(0), "region": "us-east-1"}}})).await;
    let logging = "<BucketLoggingStatus><LoggingEnabled><TargetBucket>elsewhere</TargetBucket></LoggingEnabled></BucketLoggingStatus>";
    let (_, body) = fake.raw(&config, "PUT", &path("logging"), logging).await;
    assert_eq!(code_of(&body), "CrossLocationLoggingProhibited");
    assert_eq!(fake.raw(&config, "GET", "/bucket-x?torrent", "").await.0, 404);
    assert_eq!(fake.raw(&config, "GET", &format!("/{}/k?torrent", source()), "").await.0, 501);
}

#[tokio::test]
async fn foreign_rules_of_a_generated_world_are_valid() {
    let blueprint = weir_aws_fake::builder::Blueprint { foreign_rule_every: 1, ..Default::default() };
    let fake = Fake::start(blueprint.build().unwrap()).await;
    let config = fake.member(&member(0)).await;
    let (status, body) = fake.raw(&config, "GET", &format!("/{}?replication", source()), "").await;
    assert_eq!(status, 200);
    assert!(body.contains(&foreign_bucket(REGION)), "{body}");
    assert_eq!(fake.raw(&config, "PUT", &format!("/{}?replication", source()), &body).await.0, 200);
}
