//! Cases 1 to 9: the organization, the roles, the Regions.

use super::{asked_again, codes, found, refused, says, stopped};
use crate::support::{
    REGION, Scene, blueprint, desired, desired_with, of_account, others_are_done, proxy, run,
};
use serde_json::{Value, json};
use weir_aws_fake::builder::{Blueprint, member};

/// A role that trusts the management account without more ado, as Organizations makes it.
fn administrator(role: &Value) -> Value {
    let mut role = role.clone();
    role["trust"] = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::100000000000:root" }, "Action": "sts:AssumeRole" }] });
    role
}

#[test]
fn case_02_a_throttled_organization_is_paced_and_its_pages_resumed() {
    let scene = Scene::new(blueprint(25).build().unwrap());
    scene.faults(&json!({ "faults": [{ "service": "organizations", "operation": "ListAccountsForParent", "nth": 2, "times": 30,
        "code": "TooManyRequestsException", "status": 400 }] }));
    asked_again(&scene, "ORGANIZATIONS_THROTTLED", "ListAccountsForParent");
    let errors = &scene.get("requests")["by_operation"]["organizations:ListAccountsForParent"]["errors"];
    assert_eq!(errors["TooManyRequestsException"], 30);
}

#[test]
#[ignore = "takes the minute that a throttled call is given"]
fn case_02_an_organization_that_stays_throttled_stops_the_run() {
    let scene = Scene::small();
    scene.faults(&json!({ "faults": [{ "service": "organizations", "operation": "ListRoots",
        "code": "TooManyRequestsException", "status": 400 }] }));
    stopped(
        &scene,
        "ORGANIZATIONS_THROTTLED",
        "the organization cannot be read",
        "lower organizations-per-second",
    );
}

#[test]
fn case_03_an_account_that_is_not_active_is_skipped() {
    let scene = Scene::new(Blueprint { suspended_every: 3, ..blueprint(3) }.build().unwrap());
    let finding = found(&scene, "ACCOUNT_NOT_ACTIVE", "note");
    let text = finding["text"].as_str().unwrap();
    assert!(text.contains(&member(2)) && text.contains("Suspended, and skipped"), "{text}");
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 0);
    assert_eq!(of_account(&report, &member(2))["state"], "skipped");
    others_are_done(&report, &[&member(2)]);
}

#[test]
fn case_04_a_role_that_is_missing_is_told_from_one_that_is_denied() {
    let id = member(0);
    let scene = Scene::with(3, |world| {
        let account = &mut world["accounts"][&member(0)];
        account["roles"] =
            json!({ "OrganizationAccountAccessRole": administrator(&account["roles"]["weir-onboarding"]) });
    });
    let report = refused(&scene, &id, "ROLE_MISSING", "weir-onboarding", "StackSet");
    assert_eq!(codes(of_account(&report, &id)), ["ROLE_MISSING"]);
}

#[test]
fn case_05_a_trust_policy_that_asks_for_another_external_id() {
    let id = member(1);
    let scene = Scene::with(3, |world| {
        let account = &mut world["accounts"][&member(1)];
        let administrator = administrator(&account["roles"]["weir-onboarding"]);
        account["roles"]["OrganizationAccountAccessRole"] = administrator;
        account["roles"]["weir-onboarding"]["trust"] = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::100000000000:root" }, "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": "another" } } }] });
    });
    refused(&scene, &id, "ROLE_DENIED", "another external ID", "100000000000");
    // Where nobody may look at the role, the answer is what AWS gave: one of the two.
    scene.patch(&json!({ "accounts": { &id: { "roles": { "OrganizationAccountAccessRole": null } } } }));
    let finding = found(&scene, "ROLE_DENIED", "refused");
    assert!(finding["cure"].as_str().unwrap().contains("if the role does not exist"), "{finding:#}");
}

#[test]
fn case_07_a_throttled_sts_is_no_failure() {
    let scene = Scene::small();
    scene.faults(&json!({ "faults": [{ "service": "sts", "operation": "AssumeRole", "times": 7, "code": "Throttling", "status": 400 }] }));
    asked_again(&scene, "STS_THROTTLED", "sts:AssumeRole");
}

#[test]
#[ignore = "takes the minute that a throttled call is given"]
fn case_07_a_role_that_is_always_throttled_fails_alone() {
    let scene = Scene::small();
    // The session's name has no account, but everything that follows has: the log account's calls are let through.
    scene.faults(
        &json!({ "faults": [{ "service": "sts", "operation": "GetCallerIdentity", "account": member(0),
        "code": "Throttling", "status": 400 }] }),
    );
    refused(&scene, &member(0), "STS_THROTTLED", "throttled", "lower assume-role-per-second");
}

#[test]
fn case_08_a_region_that_is_not_opted_in() {
    let id = member(0);
    let scene = Scene::with(3, |world| {
        let mut bucket = world["buckets"][format!("logs-{}-{REGION}", member(0))].clone();
        bucket["region"] = json!("eu-south-1");
        bucket["objects"] = json!({});
        world["buckets"][format!("logs-{}-eu-south-1", member(0))] = bucket;
    });
    scene.write_desired(&desired_with("from = [\"eu-south-1\"]", "aws-logs", ""));
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 3);
    let entry = of_account(&report, &id);
    assert_eq!(codes(entry), ["REGION_DISABLED"], "{entry:#}");
    assert!(entry["failures"][0]["cure"].as_str().unwrap().contains("eu-south-1"), "{entry:#}");
    others_are_done(&report, &[&id]);
    // The account's other bucket is onboarded all the same.
    let world = scene.get("world");
    let other = &world["buckets"][format!("logs-{id}-{REGION}")]["replication"];
    assert!(other.to_string().contains("weir/"), "{other}");
}

fn attach(world: &mut Value, account: &str, name: &str, statement: &Value) {
    world["organization"]["policies"]["p-guard001"] =
        json!({ "name": name, "content": { "Version": "2012-10-17", "Statement": [statement] } });
    world["accounts"][account]["policies"] = json!(["p-FullAWSAccess", "p-guard001"]);
}

#[test]
fn case_09_a_service_control_policy_denies_and_nothing_is_tried() {
    let id = member(0);
    let scene = Scene::with(3, |world| {
        let deny = json!({ "Sid": "Guard", "Effect": "Deny", "Action": "s3:PutReplicationConfiguration", "Resource": "*" });
        attach(world, &member(0), "guard", &deny);
    });
    refused(&scene, &id, "SCP_DENY", "statement Guard of service control policy guard", "except");
    assert!(!scene.writes_from(0).iter().any(|write| write.starts_with(&id)));
}

#[test]
fn case_09_a_denial_that_could_not_be_predicted_is_not_tried_again() {
    let id = member(0);
    // Without IAM's lag, whose denials would be counted, too.
    let scene = Scene::with(3, |world| world["settings"]["iam_lag_s"] = json!(0));
    scene.faults(&json!({ "faults": [{ "service": "s3", "operation": "PutBucketReplication", "account": &id,
        "code": "AccessDenied", "status": 403, "message": "User is not authorized to perform: s3:PutReplicationConfiguration with an explicit deny in a service control policy" }] }));
    refused(&scene, &id, "SCP_DENY", "service control policy", "not tried again");
    let calls = &scene.get("requests")["by_operation"]["s3:PutBucketReplication"]["errors"]["AccessDenied"];
    assert_eq!(calls, 1);
}

#[test]
fn case_10_a_control_of_control_tower_keeps_replication_in_the_region() {
    let id = member(0);
    let scene = Scene::with(3, |world| {
        let bucket = world["buckets"][format!("logs-{}-{REGION}", member(0))].clone();
        world["buckets"].as_object_mut().unwrap().remove(&format!("logs-{}-{REGION}", member(0)));
        world["buckets"][format!("logs-{}-us-east-1", member(0))] = bucket;
        world["buckets"][format!("logs-{}-us-east-1", member(0))]["region"] = json!("us-east-1");
        let deny = json!({ "Sid": "GRDISALLOWCROSSREGIONREPLICATION", "Effect": "Deny", "Action": "s3:PutReplicationConfiguration", "Resource": "*" });
        attach(world, &member(0), "aws-guardrails-AbCdEf", &deny);
    });
    scene.write_desired(&desired_with("from = [\"us-east-1\"]", "aws-logs", ""));
    refused(&scene, &id, "CROSS_REGION_DENIED", "GRDISALLOWCROSSREGIONREPLICATION", "us-east-1");
}

#[test]
#[ignore = "takes the minute that a throttled call is given"]
fn one_account_that_is_always_throttled_costs_the_others_nothing() {
    let id = member(0);
    let scene = Scene::small();
    scene.write_desired(&desired().replace("[limits]", "[limits]\naccounts-at-once = 2"));
    scene.faults(
        &json!({ "faults": [{ "service": "iam", "account": &id, "code": "Throttling", "status": 400 }] }),
    );
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 3);
    let entry = of_account(&report, &id);
    assert_eq!(entry["state"], "failed", "{entry:#}");
    assert!(codes(entry).iter().all(|code| code == "UNEXPECTED"), "{entry:#}");
    says(&entry["failures"][0], "throttled", "lower accounts-at-once");
    others_are_done(&report, &[&id]);
}

#[test]
fn case_06_a_role_that_leads_into_another_account_stops_everything() {
    let scene = Scene::small();
    // Somebody at the endpoint answers for another account than the role's.
    let endpoint = proxy(&scene.endpoint(), "Action=GetCallerIdentity", "300000000002", "300000000009");
    let mut command = scene.command(&["apply", "--yes"]);
    command.env("WEIR_AWS_ENDPOINT_URL", endpoint);
    let outcome = run(command).expect(4);
    outcome.says("WRONG_ACCOUNT");
    outcome.says("300000000002");
    outcome.says("300000000009");
    outcome.says("check `role` in accounts.toml");
    assert_eq!(scene.writes(), 0);
}
