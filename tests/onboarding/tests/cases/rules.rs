//! Cases 17 to 23: the rules that are there, and the keys.

use super::{everybody_is_done, refused, says, told};
use crate::support::{REGION, Scene, blueprint, desired_with, of_account};
use serde_json::{Value, json};
use weir_aws_fake::builder::{Blueprint, member, replication_configuration};

fn bucket(account: usize) -> String {
    format!("logs-{}-{REGION}", member(account))
}

fn with_foreign_rules() -> Scene {
    Scene::new(Blueprint { foreign_rule_every: 3, ..blueprint(3) }.build().unwrap())
}

/// A rule of others on the third member's bucket, with its role.
fn with_rules(rules: &[String], convert: bool) -> Scene {
    let world = Blueprint { foreign_rule_every: 3, ..blueprint(3) }.build().unwrap();
    let mut world = serde_json::to_value(world).unwrap();
    let role = format!("arn:aws:iam::{}:role/foreign-replication", member(2));
    world["buckets"][bucket(2)]["replication"] = json!(replication_configuration(&role, rules));
    let scene = Scene::new(weir_aws_fake::World::from_json(world.to_string().as_bytes()).unwrap());
    let convert = if convert { "convert-v1-rules = true\n" } else { "" };
    scene.write_desired(&desired_with(
        "",
        "aws-logs",
        &format!("[replication]\nforeign-role = \"extend\"\n{convert}"),
    ));
    scene
}

fn v2(id: &str, priority: u32, prefix: &str, destination: &str) -> String {
    format!(
        "<Rule><ID>{id}</ID><Status>Enabled</Status><Priority>{priority}</Priority><Filter><Prefix>{prefix}</Prefix></Filter>\
         <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>\
         <Destination><Bucket>arn:aws:s3:::{destination}</Bucket></Destination></Rule>"
    )
}

#[test]
fn case_17_rules_of_others_are_carried_through() {
    let scene = with_foreign_rules();
    scene.write_desired(&desired_with("", "aws-logs", "[replication]\nforeign-role = \"extend\"\n"));
    let rule = |world: &Value| {
        let xml = world["buckets"][bucket(2)]["replication"].as_str().unwrap().to_owned();
        let (_, rest) = xml.split_once("<Rule><ID>archive</ID>").unwrap();
        rest.split_once("</Rule>").unwrap().0.to_owned()
    };
    let before = rule(&scene.get("world"));
    told(&scene, "FOREIGN_RULES", "note", &bucket(2));
    assert_eq!(rule(&scene.get("world")), before);
}

#[test]
fn case_18_a_role_of_others_is_not_taken_without_being_asked() {
    let scene = with_foreign_rules();
    let before = scene.get("world")["buckets"][bucket(2)].clone();
    refused(&scene, &member(2), "CONFLICT", "DstPutObjectNotPermitted", "foreign-role = \"extend\"");
    assert_eq!(scene.get("world")["buckets"][bucket(2)], before);
}

#[test]
fn case_19_rules_of_the_first_version_stay_unless_conversion_is_wanted() {
    let v1 = "<Rule><ID>old</ID><Prefix>archive/</Prefix><Status>Enabled</Status>\
              <Destination><Bucket>arn:aws:s3:::foreign-archive-eu-west-1</Bucket></Destination></Rule>";
    let scene = with_rules(&[v1.to_owned()], false);
    refused(&scene, &member(2), "V1_RULES", "old", "convert-v1-rules");
    let scene = with_rules(&[v1.to_owned()], true);
    told(&scene, "V1_RULES", "warning", "converts the rules old");
    let xml = scene.get("world")["buckets"][bucket(2)]["replication"].as_str().unwrap().to_owned();
    assert!(xml.contains("<ID>old</ID>") && xml.contains("<Filter>"), "{xml}");
}

#[test]
fn case_20_a_thousand_rules_leave_no_room() {
    let rules: Vec<String> = (0..1_000)
        .map(|number| {
            v2(&format!("rule-{number}"), number, &format!("p{number}/"), "foreign-archive-eu-west-1")
        })
        .collect();
    let scene = with_rules(&rules, false);
    refused(&scene, &member(2), "RULE_LIMIT", "1001 rules", "join some of them");
}

#[test]
fn case_21_two_rules_for_the_same_objects() {
    let scene = with_rules(&[v2("all", 1, "", "weir-logs-eu-west-1")], false);
    let finding = told(&scene, "RULE_OVERLAP", "warning", &bucket(2));
    says(&finding, "wins by its priority over all", "remove one of the two");
    assert_eq!(finding["account"], member(2));
    // The rule of others is as it was.
    let xml = scene.get("world")["buckets"][bucket(2)]["replication"].as_str().unwrap().to_owned();
    let kept = v2("all", 1, "", "weir-logs-eu-west-1").replace("<Prefix></Prefix>", "<Prefix/>");
    assert!(xml.contains(&kept), "{xml}");
}

#[test]
fn case_22_keys_without_the_account_could_collide() {
    let scene = Scene::small();
    let id = member(0);
    // The first account's logs are laid out as Firehose does by default.
    let source = format!(
        "[[source]]\nbuckets = [\"logs-{id}-*\"]\nlayout = \"firehose\"\n\n[[source]]\nbuckets = [\"logs-{{account}}-*\"]"
    );
    let desired =
        desired_with("", "aws-logs", "").replace("[[source]]\nbuckets = [\"logs-{account}-*\"]", &source);
    scene.write_desired(&desired);
    let report =
        refused(&scene, &id, "COLLISION_RISK", "one account could overwrite another's logs", "{account}");
    says(&of_account(&report, &id)["failures"][0], &bucket(0), "UpdateDestination");
    assert!(!scene.writes_from(0).iter().any(|write| write.starts_with(&id)));
}

#[test]
fn case_23_object_lock_at_the_source_needs_it_at_the_destination() {
    let scene = Scene::with(3, |world| {
        world["buckets"][bucket(0)]["object_lock"] = json!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"
        );
    });
    refused(
        &scene,
        &member(0),
        "OBJECT_LOCK_MISSING",
        "DstBucketObjectLockConfigMissing",
        "enable Object Lock on bucket",
    );
}

#[test]
fn case_44_so_many_buckets_that_one_role_cannot_hold_them() {
    let scene = Scene::with(3, |world| {
        for number in 0..60 {
            let mut logs = world["buckets"][bucket(0)].clone();
            logs["objects"] = json!({});
            let name = format!("logs-{}-a-long-name-that-fills-the-policy-{number:03}", member(0));
            world["buckets"][name] = logs;
        }
    });
    everybody_is_done(&scene);
    let world = scene.get("world");
    let roles = world["accounts"][member(0)]["roles"].as_object().unwrap();
    let ours: Vec<&String> = roles.keys().filter(|name| name.starts_with("weir-replication")).collect();
    assert!(ours.len() >= 2, "{ours:?}");
    scene.run(&["plan"]).expect(0);
}

#[test]
fn case_44_a_shared_role_without_room() {
    let world = Blueprint { foreign_rule_every: 3, ..blueprint(3) }.build().unwrap();
    let mut world = serde_json::to_value(world).unwrap();
    let resources: Vec<String> =
        (0..100).map(|number| format!("arn:aws:s3:::{number:03}-{}", "x".repeat(80))).collect();
    world["accounts"][member(2)]["roles"]["foreign-replication"]["inline_policies"] = json!({ "long": {
        "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": resources }] } });
    let scene = Scene::new(weir_aws_fake::World::from_json(world.to_string().as_bytes()).unwrap());
    scene.write_desired(&desired_with("", "aws-logs", "[replication]\nforeign-role = \"extend\"\n"));
    refused(&scene, &member(2), "ROLE_POLICY_TOO_LARGE", "role/foreign-replication", "managed ones");
}
