//! kill -9 in the middle of an apply: the next run comes to the same end, and makes nothing twice.

use crate::support::{Scene, blueprint, finish};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use weir_aws_fake::builder::Blueprint;

const ACCOUNTS: usize = 20;
/// Where the run is killed in the tests of every day, in parts of its writes.
const SAMPLES: u64 = 20;
/// The sampled runs mostly wait, so several at once take hardly longer than one.
const SAMPLES_AT_ONCE: usize = 10;
const FAULTS_AT_ONCE: usize = 2;

fn scene() -> Scene {
    let blueprint = Blueprint { foreign_rule_every: 5, unversioned_every: 3, ..blueprint(ACCOUNTS) };
    let scene = Scene::new(blueprint.build().unwrap());
    scene.write_desired(&crate::support::desired_with(
        "",
        "aws-logs",
        "[replication]\nforeign-role = \"extend\"\n",
    ));
    // Versioning's quarter of an hour is over in three seconds.
    scene.control("POST", "clock", &json!({ "speed": 300 }));
    scene
}

/// What a run that nobody killed came to.
struct Whole {
    end_state: Value,
    /// Sorted, without canaries.
    writes: Vec<String>,
    /// With canaries.
    count: u64,
}

fn whole() -> Whole {
    let scene = scene();
    scene.apply().expect(0);
    let writes = scene.writes_from(0);
    Whole { end_state: scene.end_state(), count: writes.len() as u64, writes: without_canaries(writes) }
}

#[test]
fn a_run_killed_at_any_of_twenty_writes_is_finished_by_the_next() {
    let whole = whole();
    assert!(whole.count > SAMPLES, "{}", whole.count);
    let sampled = (0..SAMPLES).map(|sample| 1 + sample * (whole.count - 1) / SAMPLES);
    kill_at_each(sampled.collect(), SAMPLES_AT_ONCE, &whole);
}

#[test]
fn case_32_an_interrupted_run_says_so_and_the_next_goes_on() {
    let scene = Scene::small();
    // Replicas take half a minute: there is time for a signal.
    scene.control("POST", "clock", &json!({ "speed": 1 }));
    let child = scene.command(&["apply", "--yes", "--wait", "--json"]).spawn().unwrap();
    let began = Instant::now();
    while scene.writes() < 2 {
        assert!(began.elapsed() < Duration::from_mins(2), "nothing was written");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let outcome = finish(child).expect(3);
    let report = outcome.json();
    assert_eq!(report["interrupted"], true);
    let cut: Vec<&Value> = report["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["state"] == "interrupted")
        .collect();
    assert!(!cut.is_empty(), "{report:#}");
    for entry in cut {
        let note = &entry["notes"][0];
        assert_eq!(note["code"], "INTERRUPTED", "{entry:#}");
        assert!(note["text"].as_str().unwrap().contains(entry["account"].as_str().unwrap()), "{entry:#}");
        assert!(note["cure"].as_str().unwrap().contains("run it again"), "{entry:#}");
    }
    scene.control("POST", "clock", &json!({ "speed": 60 }));
    let (exit, report) = scene.apply_json();
    assert_eq!(exit, 0);
    crate::support::others_are_done(&report, &[]);
    scene.run(&["plan"]).expect(0);
}

#[test]
#[ignore = "kills a run at every write; `cargo xtask faults`"]
fn a_run_killed_at_every_write_is_finished_by_the_next() {
    let whole = whole();
    let began = Instant::now();
    let done = kill_at_each((1..=whole.count).collect(), FAULTS_AT_ONCE, &whole);
    assert_eq!(done as u64, whole.count);
    println!(
        "figures: {done} kills, one after each of the {} writes of an apply over {ACCOUNTS} accounts, in {} s",
        whole.count,
        began.elapsed().as_secs()
    );
}

/// Takes the writes one by one, so many runs at once; the answer is how many were killed.
fn kill_at_each(writes: Vec<u64>, at_once: usize, whole: &Whole) -> usize {
    let count = writes.len();
    let left = Mutex::new(writes.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().next();
                    let Some(at) = next else { break };
                    kill_at(at, whole);
                }
            });
        }
    });
    count
}

/// Kills a run when the fake has taken exactly `at` writes, runs again, and compares with a run that was let be.
fn kill_at(at: u64, whole: &Whole) {
    let scene = scene();
    scene.faults(&json!({ "hold_after_writes": at }));
    let mut command = scene.command(&["apply", "--yes", "--wait"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while scene.writes() < at {
        assert!(began.elapsed() < Duration::from_mins(2), "write {at} never came");
        assert!(child.try_wait().unwrap().is_none(), "the run ended by itself before write {at}");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(scene.writes(), at, "the fake was to take no more");
    scene.faults(&json!({}));
    scene.apply().expect(0);
    // The foreign rules are part of the buckets, and the roles of the accounts.
    let ended = scene.end_state();
    assert_eq!(ended["accounts"], whole.end_state["accounts"], "killed at write {at}");
    assert_eq!(ended["buckets"], whole.end_state["buckets"], "killed at write {at}");
    scene.run(&["plan"]).expect(0);
    // Nothing was made twice: not a role, a policy, a rule. Only a canary may have been.
    assert_eq!(without_canaries(scene.writes_from(0)), whole.writes, "killed at write {at}");
}

fn without_canaries(mut writes: Vec<String>) -> Vec<String> {
    writes.retain(|write| !write.contains(" PutObject "));
    writes.sort();
    writes
}
