//! kill -9 in the middle of an apply: the next run comes to the same end, and makes nothing twice.

use crate::support::{Scene, blueprint};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};
use weir_aws_fake::builder::Blueprint;

const ACCOUNTS: usize = 20;
/// Where the run is killed, in parts of its writes.
const SAMPLES: u64 = 20;
const AT_ONCE: u64 = 10;

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

#[test]
fn a_run_killed_at_any_of_twenty_writes_is_finished_by_the_next() {
    let whole = scene();
    whole.apply().expect(0);
    let (expected, written) = (whole.end_state(), whole.writes_from(0));
    let writes = written.len() as u64;
    assert!(writes > SAMPLES, "{writes}");
    // The runs mostly wait, so several at once take hardly longer than one.
    std::thread::scope(|scope| {
        for first in 0..AT_ONCE {
            let (expected, written) = (&expected, &written);
            scope.spawn(move || {
                for sample in (first..SAMPLES).step_by(AT_ONCE as usize) {
                    kill_at(1 + sample * (writes - 1) / SAMPLES, expected, written);
                }
            });
        }
    });
}

/// Kills a run when the fake has taken `at` writes, runs again, and compares with a run that was let be.
fn kill_at(at: u64, expected: &Value, written: &[String]) {
    let scene = scene();
    let mut command = scene.command(&["apply", "--yes", "--wait"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while scene.writes() < at && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_mins(2), "write {at} never came");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let killed_at = scene.writes();
    scene.apply().expect(0);
    let ended = scene.end_state();
    assert_eq!(ended["accounts"], expected["accounts"], "killed at write {killed_at}");
    assert_eq!(ended["buckets"], expected["buckets"], "killed at write {killed_at}");
    scene.run(&["plan"]).expect(0);
    // Nothing was made twice: not a role, a policy, a rule. Only a canary may have been.
    let mut again = without_canaries(&scene.writes_from(0));
    let mut once = without_canaries(written);
    again.sort();
    once.sort();
    assert_eq!(again, once, "killed at write {killed_at}");
}

fn without_canaries(writes: &[String]) -> Vec<String> {
    writes.iter().filter(|write| !write.contains(" PutObject ")).cloned().collect()
}
