//! A thousand accounts in four Regions, at the pace of the defaults. Not among the tests of every day:
//! `cargo xtask faults`.

use crate::support::{Outcome, Scene};
use serde_json::json;
use std::time::Duration;
use weir_aws_fake::builder::{Blueprint, LOG};

const REGIONS: [&str; 4] = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2"];
const ACCOUNTS: usize = 1_000;
/// Discovery included, without tags.
const PLAN: Duration = Duration::from_mins(2);
/// Without the waits that AWS asks for.
const APPLY: Duration = Duration::from_mins(5);
const MEMORY_KIB: u64 = 200 * 1_024;

fn figures(what: &str, outcome: &Outcome) {
    assert!(outcome.peak_kib > 0, "this system does not tell the memory of a process");
    let (seconds, megabytes) = (outcome.took.as_secs_f64(), outcome.peak_kib as f64 / 1_024.0);
    println!("figures: {what} took {seconds:.1} s and {megabytes:.0} MiB");
    assert!(outcome.peak_kib < MEMORY_KIB, "{what} needed {megabytes:.0} MiB");
}

#[test]
#[ignore = "takes minutes; `cargo xtask faults`"]
fn a_thousand_accounts_in_four_regions_with_throttles_and_latencies() {
    let regions = REGIONS.map(str::to_owned).to_vec();
    let world =
        Blueprint { accounts: ACCOUNTS, units: 20, regions, unversioned_every: 7, ..Blueprint::default() };
    let scene = Scene::new(world.build().unwrap());
    let others: String = REGIONS[1..]
        .iter()
        .map(|region| {
            format!(
                "\n[[destination]]\nregion = \"{region}\"\nbucket = \"weir-logs-{region}\"\n\
                 queue = \"arn:aws:sqs:{region}:{LOG}:weir-logs\"\n"
            )
        })
        .collect();
    // The defaults of [limits]: that is what is to hold the times.
    let desired = crate::support::desired_with(&others, "aws-logs", "");
    let desired: Vec<&str> = desired.lines().filter(|line| !line.contains("-per-second")).collect();
    scene.write_desired(&desired.join("\n"));
    // The clock runs as the machine's, so that pace and throttles are real. AWS's own waits are left out: replicas come
    // at once, and the quarter of an hour after the first versioning is skipped below.
    scene.control("POST", "clock", &json!({ "speed": 1 }));
    scene.patch(&json!({ "settings": { "replication_s": 1, "versioning_lag_s": 0 } }));
    scene.faults(&json!({
        "throttles": [
            { "service": "organizations", "rate": 10, "burst": 20 },
            { "service": "sts", "operation": "AssumeRole", "rate": 40, "burst": 80 },
            { "service": "iam", "rate": 20, "burst": 40, "per_account": true },
            { "service": "s3", "operation": "PutBucket*", "rate": 10, "burst": 20, "per_account": true },
        ],
        "latencies": [
            { "service": "organizations", "base_ms": 80, "jitter_ms": 60 },
            { "service": "sts", "base_ms": 60, "jitter_ms": 60 },
            { "service": "iam", "base_ms": 60, "jitter_ms": 60 },
            { "base_ms": 20, "jitter_ms": 40 },
        ],
    }));

    let plan = scene.run(&["plan", "-o", "plan.json"]).expect(2);
    figures("plan, from nothing", &plan);
    assert_eq!(scene.writes(), 0, "planning wrote");

    let first = scene.run(&["apply", "plan.json", "--yes"]).expect(3);
    figures("apply, up to the waits for versioning", &first);
    first.says("142 waiting");
    // The quarter of an hour that S3 asks for after the first versioning.
    scene.control("POST", "clock", &json!({ "advance_s": 901 }));
    let second = scene.run(&["apply", "plan.json", "--yes", "--wait"]).expect(0);
    figures("apply, the rest", &second);
    let lines = second.stdout.lines().count();
    println!("figures: {} writes; plan and report of {lines} lines", scene.writes());
    assert!(lines < 500, "nobody reads {lines} lines");

    let before = scene.writes();
    let again = scene.apply().expect(0);
    again.says("0 writes");
    assert_eq!(scene.writes(), before);
    figures("a run that changes nothing", &again);
    scene.run(&["verify", "--wait"]).expect(0).says("4000 of 4000 log buckets proven");

    assert!(plan.took < PLAN, "planning took {:?}", plan.took);
    let applied = first.took + second.took;
    assert!(applied < APPLY, "applying took {applied:?}");
}
