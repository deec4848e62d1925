//! Cases 38 and 39: accounts that leave.

use super::says;
use crate::support::{REGION, Scene, blueprint, desired_with, others_are_done};
use serde_json::json;
use weir_aws_fake::builder::{Blueprint, member};

#[test]
fn case_38_an_account_that_left_is_noticed() {
    let scene = Scene::small();
    scene.apply().expect(0);
    scene.patch(&json!({ "accounts": { member(0): { "parent": null } } }));
    let outcome = scene.run(&["status"]).expect(2);
    outcome.says("LEFT_ORGANIZATION");
    outcome.says(&member(0));
    let status = scene.run(&["status", "--json"]).expect(2).json();
    assert_eq!(status["left"][0]["account"], member(0));
    let findings = status["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == "LEFT_ORGANIZATION").unwrap();
    says(finding, &member(0), "off-board an account before it leaves");
    // Nothing changes for the others.
    let before = scene.writes();
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 0);
    others_are_done(&report, &[&member(0)]);
    let written = scene.writes_from(before);
    assert!(!written.iter().any(|write| write.starts_with("3000")), "{written:?}");
}

#[test]
fn accounts_that_joined_or_were_suspended_are_drift() {
    let scene = Scene::new(Blueprint { suspended_every: 3, ..blueprint(3) }.build().unwrap());
    scene.apply().expect(0);
    scene.patch(
        &json!({ "accounts": { member(2): { "state": "ACTIVE" }, member(0): { "state": "SUSPENDED" } } }),
    );
    let status = scene.run(&["status", "--json"]).expect(2).json();
    assert_eq!(status["joined"][0]["account"], member(2));
    assert_eq!(status["suspended"][0]["account"], member(0));
}

#[test]
fn case_39_off_boarding_takes_only_what_is_ours() {
    let scene = Scene::new(Blueprint { foreign_rule_every: 3, ..blueprint(3) }.build().unwrap());
    scene.write_desired(&desired_with("", "aws-logs", "[replication]\nforeign-role = \"extend\"\n"));
    let before = scene.end_state();
    scene.apply().expect(0);
    let outcome = scene.run(&["offboard", "--all", "--yes"]).expect(0);
    outcome.says("FOREIGN_RULES_KEPT");
    outcome.says("4 done");
    let after = scene.end_state();
    for account in [member(0), member(1), member(2)] {
        assert_eq!(after["accounts"][&account]["roles"], before["accounts"][&account]["roles"], "{account}");
        let bucket = format!("logs-{account}-{REGION}");
        assert_eq!(
            after["buckets"][&bucket]["replication"], before["buckets"][&bucket]["replication"],
            "{bucket}"
        );
    }
    assert_eq!(
        after["buckets"]["weir-logs-eu-west-1"]["policy"],
        before["buckets"]["weir-logs-eu-west-1"]["policy"]
    );
}
