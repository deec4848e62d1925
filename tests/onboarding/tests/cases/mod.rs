//! The failure list, case by case: the code, the message, and what the other accounts see of it.

mod access;
mod buckets;
mod canaries;
mod leaving;
mod policies;
mod rules;
mod table;

use crate::support::{REGION, Scene, blueprint, desired_with, of_account, others_are_done};
use serde_json::Value;
use weir_aws_fake::builder::{Blueprint, LOG, member};

/// The failure codes of an account's entry.
fn codes(entry: &Value) -> Vec<String> {
    let failures = entry["failures"].as_array().cloned().unwrap_or_default();
    failures.iter().map(|failure| failure["code"].as_str().unwrap().to_owned()).collect()
}

/// Applying leaves `account` out with `code`, a text and a cure with these words; the other accounts are onboarded.
#[track_caller]
fn refused(scene: &Scene, account: &str, code: &str, text: &str, cure: &str) -> Value {
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 3, "{report:#}");
    let entry = of_account(&report, account);
    assert_eq!(entry["state"], "failed", "{entry:#}");
    let failure = entry["failures"].as_array().unwrap().iter().find(|failure| failure["code"] == code);
    let failure = failure.unwrap_or_else(|| panic!("no {code} in {entry:#}"));
    says(failure, text, cure);
    others_are_done(&report, &[account]);
    report
}

/// A Region besides [`REGION`].
const FAR: &str = "us-east-1";

/// Three accounts and a destination in each of two Regions: the first account's log bucket is in [`FAR`], those of the
/// others are not. `change` is done to the world before it begins.
fn two_regions(change: impl FnOnce(&mut Value)) -> Scene {
    let regions = vec![REGION.to_owned(), FAR.to_owned()];
    let world = Blueprint { regions, ..blueprint(3) }.build().unwrap();
    let mut world = serde_json::to_value(world).unwrap();
    for account in 0..3 {
        let gone = if account == 0 { REGION } else { FAR };
        world["buckets"].as_object_mut().unwrap().remove(&format!("logs-{}-{gone}", member(account)));
    }
    change(&mut world);
    let scene = Scene::new(weir_aws_fake::World::from_json(world.to_string().as_bytes()).unwrap());
    let destination = format!(
        "[[destination]]\nregion = \"{FAR}\"\nbucket = \"weir-logs-{FAR}\"\nqueue = \"arn:aws:sqs:{FAR}:{LOG}:weir-logs\""
    );
    scene.write_desired(&desired_with(&destination, "aws-logs", ""));
    scene
}

/// A failure or finding has these words. What is not asked for cannot be missed, so neither may be empty.
#[track_caller]
fn says(failure: &Value, text: &str, cure: &str) {
    let has = |field: &str, words: &str| failure[field].as_str().unwrap().contains(words);
    assert!(!text.is_empty() && has("text", text), "`{text}` is missing in {failure:#}");
    assert!(!cure.is_empty() && has("cure", cure), "`{cure}` is missing in {failure:#}");
}

/// Nothing is written anywhere; the reason is said, and what to do.
#[track_caller]
fn stopped(scene: &Scene, code: &str, text: &str, cure: &str) {
    let outcome = scene.apply().expect(4);
    assert!(!text.is_empty() && !cure.is_empty());
    for words in [code, text, cure] {
        outcome.says(words);
    }
    assert_eq!(scene.writes(), 0, "{:?}", scene.writes_from(0));
}

/// The finding of a plan.
#[track_caller]
fn found(scene: &Scene, code: &str, severity: &str) -> Value {
    let plan = scene.run(&["plan", "--json"]).json();
    let findings = plan["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == code);
    let finding = finding.unwrap_or_else(|| panic!("no {code} in {findings:#?}"));
    assert_eq!(finding["severity"], severity, "{finding:#}");
    finding.clone()
}

/// What is said changes nothing about the outcome: every account is onboarded.
#[track_caller]
fn told(scene: &Scene, code: &str, severity: &str, text: &str) -> Value {
    let finding = found(scene, code, severity);
    assert!(
        !text.is_empty() && finding["text"].as_str().unwrap().contains(text),
        "`{text}` is missing in {finding:#}"
    );
    everybody_is_done(scene);
    finding
}

/// Applying brings every account to its end.
#[track_caller]
fn everybody_is_done(scene: &Scene) -> Value {
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 0, "{report:#}");
    others_are_done(&report, &[]);
    report
}

/// What is only asked again is no failure: it is in the log of `-v` with its code, and every account is onboarded.
#[track_caller]
fn asked_again(scene: &Scene, code: &str, text: &str) {
    let outcome = scene.run(&["-v", "apply", "--yes", "--wait", "--json"]).expect(0);
    let line = outcome.stderr.lines().find(|line| line.contains(code));
    let line = line.unwrap_or_else(|| panic!("no {code} in {}", outcome.stderr));
    assert!(!text.is_empty() && line.contains(text), "`{text}` is missing in {line}");
    others_are_done(&outcome.json(), &[]);
}
