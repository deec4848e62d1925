//! Cases 11 to 16, 37, 40, 42 and 43: the buckets.

use super::{codes, everybody_is_done, found, refused, says, stopped, told};
use crate::support::{REGION, Scene, blueprint, desired, of_account, others_are_done};
use serde_json::json;
use weir_aws_fake::builder::{Blueprint, member};

const DESTINATION: &str = "weir-logs-eu-west-1";

fn bucket(account: usize) -> String {
    format!("logs-{}-{REGION}", member(account))
}

#[test]
fn case_11_control_towers_own_bucket_is_left_alone() {
    let name = "aws-controltower-logs-200000000000-eu-west-1";
    let scene = Scene::with(3, |world| {
        world["buckets"][name] = world["buckets"][DESTINATION].clone();
    });
    scene.write_desired(&desired().replace(DESTINATION, name));
    stopped(&scene, "CONTROL_TOWER_BUCKET", name, "make a bucket of your own");
}

#[test]
fn case_12_a_bucket_that_went_since_the_plan() {
    let scene = Scene::small();
    scene.run(&["plan", "-o", "plan.json"]).expect(2);
    scene.patch(&json!({ "buckets": { bucket(0): null } }));
    let outcome = scene.run(&["apply", "plan.json", "--yes", "--wait", "--json"]).expect(3);
    let report = outcome.json();
    let entry = of_account(&report, &member(0));
    assert_eq!(codes(entry), ["BUCKET_GONE"], "{entry:#}");
    says(&entry["failures"][0], &bucket(0), "check the name");
    others_are_done(&report, &[&member(0)]);
}

#[test]
fn case_12_a_name_that_another_account_took() {
    let id = member(0);
    let scene = Scene::with(3, |world| {
        world["buckets"][bucket(0)]["owner"] = json!("900000000000");
    });
    scene.write_desired(&desired().replace("logs-{account}-*", "logs-{account}-eu-west-1"));
    refused(&scene, &id, "OWNER_MISMATCH", &bucket(0), &id);
}

#[test]
fn case_13_a_bucket_in_another_region_is_asked_for_there_once() {
    let scene = Scene::small();
    scene.run(&["plan", "-o", "plan.json"]).expect(2);
    scene.patch(&json!({ "buckets": { bucket(0): { "region": "us-east-1" } } }));
    let outcome = scene.run(&["-v", "apply", "plan.json", "--yes", "--wait", "--json"]).expect(0);
    outcome.says("WRONG_REGION");
    outcome.says("it is in us-east-1");
    outcome.says("the call is sent there");
    others_are_done(&outcome.json(), &[]);
    let world = scene.get("world");
    assert!(world["buckets"][bucket(0)]["replication"].to_string().contains("weir/"));
}

#[test]
fn case_13_a_destination_in_another_region_than_said_stops() {
    let scene = Scene::with(3, |world| {
        world["buckets"][DESTINATION]["region"] = json!("us-east-1");
        world["buckets"][DESTINATION].as_object_mut().unwrap().remove("notification");
    });
    stopped(&scene, "WRONG_REGION", "us-east-1", "correct `region` of the [[destination]]");
}

#[test]
fn case_14_versioning_is_enabled_with_a_lifecycle_for_what_it_keeps() {
    let scene = Scene::new(Blueprint { unversioned_every: 3, ..blueprint(3) }.build().unwrap());
    told(&scene, "SOURCE_UNVERSIONED", "warning", "the plan enables it, and old versions go after 7 days");
    let world = scene.get("world");
    assert_eq!(world["buckets"][bucket(2)]["versioning"]["status"], "Enabled");
    assert!(world["buckets"][bucket(2)]["lifecycle"].to_string().contains("NoncurrentDays"));
}

#[test]
fn case_15_mfa_delete_needs_a_person() {
    let scene = Scene::with(3, |world| {
        world["buckets"][bucket(0)]["versioning"] = json!({ "status": "Suspended", "mfa_delete": true });
    });
    refused(&scene, &member(0), "MANUAL", &bucket(0), "the root user's device");
}

#[test]
fn case_16_a_destination_whose_versioning_was_suspended_stops() {
    let scene = Scene::with(3, |world| {
        world["buckets"][DESTINATION]["versioning"]["status"] = json!("Suspended");
    });
    stopped(&scene, "DESTINATION_UNVERSIONED", DESTINATION, "enable versioning");
}

#[test]
fn case_37_replicas_are_not_replicated_again() {
    let scene = Scene::with(3, |world| {
        for (_, versions) in world["buckets"][bucket(0)]["objects"].as_object_mut().unwrap() {
            versions[0]["replication_status"] = json!("REPLICA");
        }
    });
    refused(&scene, &member(0), "SOURCE_IS_REPLICA", &bucket(0), "where the logs are delivered first");
}

#[test]
fn case_40_versioning_that_was_suspended_after_onboarding() {
    let scene = Scene::small();
    scene.apply().expect(0);
    scene.patch(&json!({ "buckets": { bucket(0): { "versioning": { "status": "Suspended" } } } }));
    let finding = found(&scene, "VERSIONING_SUSPENDED", "warning");
    assert_eq!(finding["account"], member(0));
    says(&finding, &format!("versioning of bucket {} was suspended", bucket(0)), "find out who suspended it");
    scene.run(&["status"]).expect(2).says("VERSIONING_SUSPENDED");
    let before = scene.writes();
    let report = everybody_is_done(&scene);
    // It is mended in its account, and nothing is written in any other.
    assert_eq!(of_account(&report, &member(0))["state"], "done");
    for account in [member(1), member(2)] {
        assert_eq!(of_account(&report, &account)["state"], "unchanged");
    }
    let written = scene.writes_from(before);
    assert!(!written.is_empty() && written.iter().all(|write| write.starts_with(&member(0))), "{written:?}");
    assert_eq!(scene.get("world")["buckets"][bucket(0)]["versioning"]["status"], "Enabled");
}

#[test]
fn case_42_a_destination_where_the_requester_pays_stops() {
    let scene = Scene::with(3, |world| world["buckets"][DESTINATION]["requester_pays"] = json!(true));
    stopped(&scene, "REQUESTER_PAYS", DESTINATION, "put-bucket-request-payment");
}

#[test]
fn case_43_objects_of_other_accounts_are_not_replicated() {
    let scene = Scene::with(3, |world| world["buckets"][bucket(0)]["ownership"] = json!("ObjectWriter"));
    let finding = told(&scene, "FOREIGN_OBJECTS", "note", &bucket(0));
    says(&finding, "would not be replicated", "BucketOwnerEnforced");
    assert_eq!(finding["account"], member(0));
}
