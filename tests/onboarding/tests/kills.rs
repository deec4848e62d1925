//! kill -9 in the middle of an apply: the next run comes to the same end, and makes nothing twice.

use crate::support::{Scene, blueprint};
use serde_json::json;
use std::time::{Duration, Instant};
use weir_aws_fake::builder::Blueprint;

const ACCOUNTS: usize = 20;
/// Where the run is killed, in parts of its writes.
const SAMPLES: u64 = 20;

fn scene() -> Scene {
    let blueprint = Blueprint { foreign_rule_every: 5, unversioned_every: 3, ..blueprint(ACCOUNTS) };
    let scene = Scene::new(blueprint.build().unwrap());
    scene.write_desired(&crate::support::desired_with("", "aws-logs", "[replication]\nforeign-role = \"extend\"\n"));
    // Versioning's quarter of an hour is over in three seconds.
    scene.control("POST", "clock", &json!({ "speed": 300 }));
    scene
}

#[test]
fn a_run_killed_at_any_of_twenty_writes_is_finished_by_the_next() {
    let whole = scene();
    whole.apply().expect(0);
    let expected = whole.end_state();
    let writes = whole.writes();
    assert!(writes > SAMPLES, "{writes}");
    for sample in 0..SAMPLES {
        let at = 1 + sample * (writes - 1) / SAMPLES;
        let scene = scene();
        let mut command = scene.command(&["apply", "--yes", "--wait"]);
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while scene.writes() < at && child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(120), "write {at} never came");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let killed_at = scene.writes();
        scene.apply().expect(0);
        let ended = scene.end_state();
        assert_eq!(ended["accounts"], expected["accounts"], "killed at write {killed_at}");
        assert_eq!(ended["buckets"], expected["buckets"], "killed at write {killed_at}");
        scene.run(&["plan"]).expect(0);
        // No role, rule or statement was made twice; only canaries may have been.
        let again = scene.writes_from(0).into_iter().filter(|write| !write.contains(" PutObject ")).count();
        let once = whole.writes_from(0).into_iter().filter(|write| !write.contains(" PutObject ")).count();
        assert!(again <= once + 8, "killed at write {killed_at}: {again} writes instead of {once}");
    }
}
