//! The failure list, case by case: the code, the message, and what the other accounts see of it.

mod access;
mod buckets;
mod canaries;
mod leaving;
mod policies;
mod rules;

use crate::support::{Scene, of_account, others_are_done};
use serde_json::Value;

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
    let has = |field: &str, words: &str| failure[field].as_str().unwrap().contains(words);
    assert!(has("text", text), "`{text}` is missing in {failure:#}");
    assert!(has("cure", cure), "`{cure}` is missing in {failure:#}");
    others_are_done(&report, &[account]);
    report
}

/// Nothing is written anywhere, and the reason is said.
#[track_caller]
fn stopped(scene: &Scene, code: &str, text: &str) {
    let outcome = scene.apply().expect(4);
    outcome.says(code);
    outcome.says(text);
    assert_eq!(scene.writes(), 0);
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
fn told(scene: &Scene, code: &str, severity: &str, text: &str) {
    let finding = found(scene, code, severity);
    assert!(finding["text"].as_str().unwrap().contains(text), "`{text}` is missing in {finding:#}");
    scene.apply().expect(0);
}
