//! Cases 34 to 36: canaries that do not come through, or not as they should.

use super::{FAR, codes, everybody_is_done, refused, says, two_regions};
use crate::support::{REGION, Scene, desired_with, of_account, others_are_done};
use serde_json::json;
use weir_aws_fake::builder::member;

#[test]
fn case_34_a_canary_that_fails_leaves_the_rule_as_small_as_it_is() {
    let id = member(0);
    let scene = Scene::with(3, |world| {
        let deny =
            json!({ "Sid": "Hidden", "Effect": "Deny", "Action": "s3:ReplicateObject", "Resource": "*" });
        world["organization"]["policies"]["p-hidden01"] =
            json!({ "name": "hidden", "content": { "Version": "2012-10-17", "Statement": [deny] } });
        world["accounts"][member(0)]["policies"] = json!(["p-FullAWSAccess", "p-hidden01"]);
    });
    // Policies that nobody may read cannot be predicted.
    scene.faults(&json!({ "faults": [{ "service": "organizations", "operation": "ListPolicies", "code": "AccessDeniedException", "status": 400 }] }));
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 3);
    let entry = of_account(&report, &id);
    assert_eq!(codes(entry), ["CANARY_FAILED"], "{entry:#}");
    let failure = &entry["failures"][0];
    assert!(failure["text"].as_str().unwrap().contains("FAILED"), "{failure:#}");
    assert!(failure["cure"].as_str().unwrap().contains("not widened"), "{failure:#}");
    others_are_done(&report, &[&id]);
    let xml = scene.get("world")["buckets"][format!("logs-{id}-{REGION}")]["replication"].to_string();
    assert!(xml.contains("weir-canary/"), "{xml}");
    // With the cause gone, the next run goes on and widens.
    scene.patch(&json!({ "accounts": { &id: { "policies": ["p-FullAWSAccess"] } } }));
    scene.apply().expect(0);
}

#[test]
fn case_34_the_statement_that_came_after_the_plan_is_named() {
    let id = member(0);
    let scene = Scene::small();
    scene.run(&["plan", "-o", "plan.json"]).expect(2);
    let deny = json!({ "Sid": "Later", "Effect": "Deny", "Action": "s3:ReplicateObject", "Resource": "*" });
    scene.patch(&json!({
        "organization": { "policies": { "p-later0001": { "name": "later",
            "content": { "Version": "2012-10-17", "Statement": [deny] } } } },
        "accounts": { &id: { "policies": ["p-FullAWSAccess", "p-later0001"] } },
    }));
    let report = scene.run(&["apply", "plan.json", "--yes", "--wait", "--json"]).expect(3).json();
    let entry = of_account(&report, &id);
    assert_eq!(codes(entry), ["CANARY_FAILED"], "{entry:#}");
    let text = entry["failures"][0]["text"].as_str().unwrap();
    assert!(text.contains("statement Later") && text.contains("s3:ReplicateObject"), "{text}");
    says(&entry["failures"][0], "FAILED", "not widened");
    others_are_done(&report, &[&id]);
    // Canaries are writes as well: the report has what the fake took.
    assert_eq!(report["writes"].as_u64().unwrap(), scene.writes());
}

#[test]
fn case_35_a_canary_that_stays_pending_is_slow_and_comes_through_later() {
    // Two destinations: what goes to one of them is on its way for ever.
    let id = member(0);
    let scene = two_regions(|world| {
        world["settings"]["unreachable_destinations"] = json!([format!("weir-logs-{FAR}")]);
    });
    let report = refused(&scene, &id, "SLOW", "15 minutes", "run it again later");
    assert_eq!(codes(of_account(&report, &id)), ["SLOW"]);
    scene.patch(&json!({ "settings": { "unreachable_destinations": [] } }));
    scene.apply().expect(0);
}

#[test]
fn case_36_another_destination_that_fails_is_not_our_failure() {
    let id = member(0);
    let rule = "<Rule><ID>everything</ID><Status>Enabled</Status><Priority>1</Priority><Filter><Prefix></Prefix></Filter>\
                <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>\
                <Destination><Bucket>arn:aws:s3:::locked-archive</Bucket></Destination></Rule>";
    let scene = Scene::with(3, |world| {
        let bucket = format!("logs-{}-{REGION}", member(0));
        // A bucket of the account itself that takes no replica from anybody.
        let mut archive = world["buckets"][&bucket].clone();
        archive["objects"] = json!({});
        archive["policy"] = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "Closed", "Effect": "Deny",
            "Principal": "*", "Action": "s3:ReplicateObject", "Resource": "arn:aws:s3:::locked-archive/*" }] });
        world["buckets"]["locked-archive"] = archive;
        let role = json!({ "path": "/", "trust": { "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "Service": "s3.amazonaws.com" }, "Action": "sts:AssumeRole" }] } });
        world["accounts"][member(0)]["roles"]["others-replication"] = role;
        world["buckets"][&bucket]["replication"] = json!(weir_aws_fake::builder::replication_configuration(
            &format!("arn:aws:iam::{}:role/others-replication", member(0)),
            &[rule.to_owned()]
        ));
    });
    scene.write_desired(&desired_with("", "aws-logs", "[replication]\nforeign-role = \"extend\"\n"));
    let report = everybody_is_done(&scene);
    let entry = of_account(&report, &id);
    assert_eq!(entry["state"], "done", "{entry:#}");
    assert_eq!(entry["notes"][0]["code"], "OTHER_DESTINATION_FAILED", "{entry:#}");
    says(&entry["notes"][0], "another destination", "the owner");
}
