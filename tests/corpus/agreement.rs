//! How far events agree with what others expect of the same lines, as a script beside the corpus scores it.

use crate::support::sink::Passed;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Less agreement than this is a fault here. What remains is older ECS (no `access` for `web`, `-` as a user's name) and
/// choices that the parsers' READMEs explain: who the client behind a proxy is, and URLs that stay encoded.
const LEAST: f64 = 0.9;

/// Events to compare with expectations: one case for each file.
#[derive(Default)]
pub(super) struct Cases(Vec<Case>);

struct Case {
    /// The events, one a line.
    actual: String,
    raw: PathBuf,
    expected: PathBuf,
}

impl Cases {
    /// Adds a file's events, with their lines as `event.original`, by which they are paired with what is expected.
    pub(super) fn add(&mut self, passed: &Passed, raw: &Path, expected: &Path) {
        let mut actual = String::new();
        for event in &passed.sink.taken {
            let mut document = event.document.clone();
            document["event"]["original"] = String::from_utf8_lossy(&event.original).into_owned().into();
            writeln!(actual, "{document}").unwrap();
        }
        self.0.push(Case { actual, raw: raw.to_owned(), expected: expected.to_owned() });
    }

    /// The script's answer; `None` where there are no cases or there is no Python.
    fn score(&self, script: &Path) -> Option<Value> {
        if self.0.is_empty() || !script.is_file() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut pairs = String::new();
        for (number, case) in self.0.iter().enumerate() {
            let actual = folder.path().join(format!("{number}.jsonl"));
            fs::write(&actual, &case.actual).unwrap();
            let [actual, expected, raw] = [&actual, &case.expected, &case.raw].map(|path| path.display());
            writeln!(pairs, "-\t{actual}\t{expected}\t{raw}").unwrap();
        }
        let list = folder.path().join("pairs.tsv");
        fs::write(&list, pairs).unwrap();
        let answer =
            Command::new("python3").arg(script).arg("--pairs").arg(&list).arg("--json").output().ok()?;
        let complaint = String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{}: {complaint}", script.display());
        Some(serde_json::from_slice(&answer.stdout).unwrap())
    }
}

/// Prints a line for each log type that has expectations, and checks that none agrees too little.
pub(super) fn report<'a>(script: &Path, types: impl Iterator<Item = (&'a str, &'a Cases)>) {
    println!("{:14} {:>8} {:>6} {:>6} {:>6}  fields that differ", "", "expected", "prec", "recall", "F1");
    for (log_type, cases) in types {
        let Some(answer) = cases.score(script) else { continue };
        let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let f1 = number("/overall/f1");
        println!(
            "{log_type:14} {:8} {:6.3} {:6.3} {f1:6.3}  {}",
            number("/records/expected"),
            number("/overall/precision"),
            number("/overall/recall"),
            differences(&answer["fields"]).join(", ")
        );
        assert_eq!(answer["unread"], Value::Array(Vec::new()), "{log_type}");
        assert!(number("/records/missing") <= 0.0, "{log_type}: a record without an event");
        assert!(f1 >= LEAST, "{log_type}: agrees to {f1} only");
    }
}

/// `user.name 23/28`: of 28 records that are expected to have the field 23 have something else.
fn differences(fields: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, counts) in fields.as_object().unwrap() {
        let [records, same] = ["records", "same"].map(|count| counts[count].as_u64().unwrap());
        if same < records {
            differences.push(format!("{name} {}/{records}", records - same));
        }
    }
    differences
}
