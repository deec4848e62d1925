//! Why an object is not replicated, with the reasons that S3 documents.

use serde_json::{Value, json};
use weir_aws_fake::builder::{Blueprint, LOG, member};

use super::{DESTINATION, Wired, configuration, key, source, wiring};
use crate::support::REGION;

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
