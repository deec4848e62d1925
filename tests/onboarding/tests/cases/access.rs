//! Cases 1 to 9: the organization, the roles, the Regions.

use crate::support::{Scene, of_account, others_are_done};
use serde_json::json;
use weir_aws_fake::builder::member;

/// The failure codes of an account's entry.
fn codes(entry: &serde_json::Value) -> Vec<String> {
    let failures = entry["failures"].as_array().cloned().unwrap_or_default();
    failures.iter().map(|failure| failure["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn case_04_a_role_that_is_missing_is_told_from_one_that_is_denied() {
    let id = member(0);
    let scene = Scene::with(3, |world| {
        let account = &mut world["accounts"][&member(0)];
        let mut role = account["roles"]["weir-onboarding"].clone();
        role["trust"] = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::100000000000:root" }, "Action": "sts:AssumeRole" }] });
        account["roles"] = json!({ "OrganizationAccountAccessRole": role });
    });
    let (code, report) = scene.apply_json();
    assert_eq!(code, 3);
    let entry = of_account(&report, &id);
    assert_eq!(codes(entry), ["ROLE_MISSING"]);
    assert!(entry["failures"][0]["text"].as_str().unwrap().contains("weir-onboarding"));
    assert!(entry["failures"][0]["cure"].as_str().unwrap().contains("StackSet"));
    others_are_done(&report, &[&id]);
}
