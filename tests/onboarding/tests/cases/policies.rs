//! Cases 24 to 31, 33 and 41: keys, policies, and what IAM and S3 take their time for.

use super::{FAR, asked_again, codes, everybody_is_done, found, refused, says, told, two_regions};
use crate::support::{REGION, Scene, blueprint, desired, desired_with, of_account, others_are_done};
use serde_json::{Value, json};
use weir_aws_fake::builder::{Blueprint, EXTERNAL_ID, LOG, OUTSIDE, member};

const DESTINATION: &str = "weir-logs-eu-west-1";
const KEY: &str = "11111111-2222-3333-4444-555555555555";

fn bucket(account: usize) -> String {
    format!("logs-{}-{REGION}", member(account))
}

#[test]
fn case_24_a_disabled_key_is_refused_though_s3_would_take_it() {
    let scene = Scene::with(3, |world| {
        let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "Root", "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{LOG}:root") }, "Action": "kms:*", "Resource": "*" }] });
        world["accounts"][LOG]["keys"][KEY] =
            json!({ "region": REGION, "state": "Disabled", "policy": policy });
    });
    let key = format!("kms-key = \"arn:aws:kms:{REGION}:{LOG}:key/{KEY}\"");
    scene.write_desired(&desired_with(&key, "aws-logs", ""));
    let outcome = scene.apply().expect(3);
    outcome.says("KMS_KEY_UNUSABLE");
    outcome.says(KEY);
    outcome.says("is Disabled");
    outcome.says("name an enabled customer managed key");
    // All of them replicate to this bucket: for none is anything written.
    outcome.says("4 failed");
    assert_eq!(scene.writes(), 0);
    // Enabled, the key's policy lets the replication roles in, and everything goes through.
    scene.patch(&json!({ "accounts": { LOG: { "keys": { KEY: { "state": "Enabled" } } } } }));
    scene.apply().expect(0);
    let policy = scene.get("world")["accounts"][LOG]["keys"][KEY]["policy"].to_string();
    assert!(policy.contains("Weir") && policy.contains("Root"), "{policy}");
}

#[test]
fn case_25_a_condition_on_the_object_where_a_bucket_key_sends_the_bucket() {
    let source_key = "99999999-8888-7777-6666-555555555555";
    let id = member(0);
    let policy = |contexts: &[String]| {
        json!({ "Version": "2012-10-17", "Statement": [
            { "Sid": "Administrators", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
              "Principal": { "AWS": format!("arn:aws:iam::{}:role/weir-onboarding", member(0)) } },
            { "Sid": "ForObjects", "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "kms:Decrypt", "Resource": "*",
              "Condition": { "StringEquals": { "aws:PrincipalAccount": member(0) },
                "StringLike": { "kms:EncryptionContext:aws:s3:arn": contexts } } }] })
    };
    let whole = format!("arn:aws:s3:::{}", bucket(0));
    let scene = Scene::with(3, |world| {
        let policy = policy(&[format!("{whole}/*")]);
        world["accounts"][member(0)]["keys"][source_key] = json!({ "region": REGION, "policy": policy });
        let log_policy = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "Root", "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{LOG}:root") }, "Action": "kms:*", "Resource": "*" }] });
        world["accounts"][LOG]["keys"][KEY] = json!({ "region": REGION, "policy": log_policy });
        world["buckets"][bucket(0)]["encryption"] = json!(format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
             <KMSMasterKeyID>arn:aws:kms:{REGION}:{}:key/{source_key}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>\
             <BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
            member(0)
        ));
    });
    let key = format!("kms-key = \"arn:aws:kms:{REGION}:{LOG}:key/{KEY}\"");
    scene.write_desired(&desired_with(&key, "aws-logs", ""));
    refused(&scene, &id, "BUCKET_KEY_CONTEXT", "kms:Decrypt", &whole);
    // With the condition that the cure shows, the account is onboarded.
    let policy = policy(&[whole.clone(), format!("{whole}/*")]);
    scene.patch(&json!({ "accounts": { &id: { "keys": { source_key: { "policy": { "text": policy.to_string() } } } } } }));
    scene.apply().expect(0);
}

/// A policy of a destination that has no room for one more statement.
fn full_policy(destination: &str) -> Value {
    let statements: Vec<_> = (0..110)
        .map(|number| {
            json!({ "Sid": format!("Reader{number}"), "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{LOG}:root") }, "Action": "s3:GetObject",
                "Resource": format!("arn:aws:s3:::{destination}/a-prefix-of-somebody-else-{number}/*") })
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[test]
fn case_26_a_policy_without_room_leaves_its_members_out() {
    let scene = Scene::with(3, |world| world["buckets"][DESTINATION]["policy"] = full_policy(DESTINATION));
    let outcome = scene.apply().expect(3);
    outcome.says("POLICY_TOO_LARGE");
    outcome.says("aws:PrincipalOrgID");
    outcome.says("4 failed");
    assert_eq!(scene.writes(), 0);
}

#[test]
fn case_26_members_of_another_destination_go_on() {
    let id = member(0);
    // The first account's logs are in one Region, those of the others in another.
    let full = format!("weir-logs-{FAR}");
    let scene = two_regions(|world| world["buckets"][&full]["policy"] = full_policy(&full));
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 3);
    // The log account has the finding, and the account that depends on it says so, too.
    for account in [LOG, &id] {
        let entry = of_account(&report, account);
        assert_eq!(codes(entry), ["POLICY_TOO_LARGE"], "{entry:#}");
        says(&entry["failures"][0], "S3 takes 20480", "\"aws:PrincipalOrgID\": \"o-");
    }
    others_are_done(&report, &[LOG, &id]);
    assert!(!scene.writes_from(0).iter().any(|write| write.starts_with(&id) || write.contains(&full)));
}

#[test]
fn case_26_roles_of_others_that_fill_the_policy_are_told_before_anything_is_written() {
    let world = Blueprint { foreign_rule_every: 1, objects: 1, ..blueprint(220) }.build().unwrap();
    let scene = Scene::new(world);
    scene.write_desired(&desired_with("", "aws-logs", "[replication]\nforeign-role = \"extend\"\n"));
    let finding = found(&scene, "POLICY_TOO_LARGE", "refused");
    let text = finding["text"].as_str().unwrap();
    assert!(text.contains(DESTINATION) && text.contains("220 roles of others"), "{text}");
    assert!(text.contains("role/foreign-replication"), "{text}");
    let cure = finding["cure"].as_str().unwrap();
    assert!(cure.contains("/weir/") && cure.contains("foreign-role"), "{cure}");
    assert_eq!(scene.writes(), 0);
}

#[test]
fn case_27_a_deny_of_others_is_named_by_its_sid() {
    let scene = Scene::with(3, |world| {
        world["buckets"][DESTINATION]["policy"] = json!({ "Version": "2012-10-17", "Statement": [{
            "Sid": "OnlyOurs", "Effect": "Deny", "Principal": "*", "Action": "s3:ReplicateObject",
            "Resource": format!("arn:aws:s3:::{DESTINATION}/AWSLogs/{}/*", member(0)) }] });
    });
    refused(
        &scene,
        &member(0),
        "POLICY_DENY",
        "statement OnlyOurs of the policy of bucket",
        "except the role",
    );
    let policy = scene.get("world")["buckets"][DESTINATION]["policy"].to_string();
    assert!(policy.contains("OnlyOurs"), "{policy}");
}

#[test]
fn case_30_a_change_under_way_is_waited_for() {
    let scene = Scene::small();
    scene.faults(&json!({ "faults": [{ "service": "s3", "operation": "PutBucketReplication", "times": 3,
        "code": "OperationAborted", "status": 409 }] }));
    asked_again(&scene, "OPERATION_ABORTED", "another change is under way");
}

#[test]
fn case_30_a_change_that_never_ends_fails_its_bucket_alone() {
    let scene = Scene::small();
    scene.faults(
        &json!({ "faults": [{ "service": "s3", "operation": "PutBucketReplication", "account": member(0),
        "code": "OperationAborted", "status": 409 }] }),
    );
    let cure = "run it again when the other change of the bucket is done";
    refused(&scene, &member(0), "OPERATION_ABORTED", &bucket(0), cure);
}

#[test]
fn case_31_a_role_that_stays_unusable_for_a_minute() {
    let scene = Scene::small();
    // What S3 answers as long as IAM has not spread a role. A minute of the fake's clock is a second here.
    scene.faults(
        &json!({ "faults": [{ "service": "s3", "operation": "PutBucketReplication", "account": member(0),
        "code": "AccessDenied", "status": 403, "message": "Access Denied" }] }),
    );
    let report =
        refused(&scene, &member(0), "ROLE_NOT_USABLE", &bucket(0), "run it again: IAM spreads changes");
    assert_eq!(codes(of_account(&report, &member(0))), ["ROLE_NOT_USABLE"]);
    let tries = &scene.get("requests")["by_operation"]["s3:PutBucketReplication"]["errors"]["AccessDenied"];
    assert!(tries.as_u64().unwrap() >= 4, "{tries}");
    // It is there by the next run.
    scene.faults(&json!({}));
    everybody_is_done(&scene);
}

#[test]
fn case_31_a_new_role_is_given_its_time() {
    let scene = Scene::with(3, |world| world["settings"]["iam_lag_s"] = json!(50));
    scene.control("POST", "clock", &json!({ "speed": 10 }));
    everybody_is_done(&scene);
}

#[test]
fn case_33_a_session_that_ends_is_renewed() {
    let scene = Scene::small();
    scene.faults(&json!({ "faults": [{ "service": "s3", "operation": "PutBucketReplication", "account": member(0), "times": 1,
        "code": "ExpiredToken", "status": 400 }] }));
    asked_again(&scene, "SESSION_EXPIRED", "the role is assumed again");
}

#[test]
fn case_33_a_session_that_cannot_be_renewed_fails_alone() {
    let scene = Scene::small();
    scene.faults(
        &json!({ "faults": [{ "service": "s3", "operation": "PutBucketReplication", "account": member(0),
        "code": "ExpiredToken", "status": 400 }] }),
    );
    refused(&scene, &member(0), "SESSION_EXPIRED", "the session has expired", "renew the credentials");
}

#[test]
fn case_41_an_account_outside_of_the_organization_is_named_in_the_policy() {
    let scene = Scene::with(3, |world| {
        let role = world["accounts"][&member(0)]["roles"]["weir-onboarding"].clone();
        world["accounts"][OUTSIDE]["roles"] = json!({ "weir-onboarding": role });
        let mut logs = world["buckets"][bucket(0)].clone();
        logs["owner"] = json!(OUTSIDE);
        logs["objects"] = json!({});
        world["buckets"][format!("logs-{OUTSIDE}-{REGION}")] = logs;
    });
    let list = format!("external-id = \"{EXTERNAL_ID}\"\noutside-organization = [\"{OUTSIDE}\"]");
    scene.write_desired(&desired().replace(&format!("external-id = \"{EXTERNAL_ID}\""), &list));
    told(&scene, "OUTSIDE_ORGANIZATION", "note", OUTSIDE);
    let policy = scene.get("world")["buckets"][DESTINATION]["policy"].to_string();
    assert!(policy.contains(OUTSIDE), "{policy}");
    found(&scene, "OUTSIDE_ORGANIZATION", "note");
}

#[test]
fn case_29_a_role_that_was_made_anew_is_named_again() {
    let scene = Scene::with(3, |world| {
        // What S3 shows in the place of a role that is no more: its unique id.
        world["buckets"][DESTINATION]["policy"] = json!({ "Version": "2012-10-17", "Statement": [{
            "Sid": "WeirReplicate", "Effect": "Allow", "Principal": { "AWS": "AROAEXAMPLEEXAMPLE123" },
            "Action": "s3:ReplicateObject", "Resource": format!("arn:aws:s3:::{DESTINATION}/*") }] });
    });
    let finding = found(&scene, "STALE_PRINCIPAL", "warning");
    let text = finding["text"].as_str().unwrap();
    assert!(
        text.contains("AROAEXAMPLEEXAMPLE123") && text.contains("the plan writes our statement anew"),
        "{text}"
    );
    everybody_is_done(&scene);
    let policy = scene.get("world")["buckets"][DESTINATION]["policy"].to_string();
    assert!(!policy.contains("AROAEXAMPLEEXAMPLE123"), "{policy}");
}
