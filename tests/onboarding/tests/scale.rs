//! A thousand accounts. Not among the tests of every day: `cargo test -p weir-onboarding-tests -- --ignored`.

use crate::support::{REGION, Scene};
use serde_json::json;
use weir_aws_fake::builder::{Blueprint, LOG};

#[test]
#[ignore = "takes minutes"]
fn a_thousand_accounts_in_two_regions_with_throttles_and_latencies() {
    let regions = vec![REGION.to_owned(), "us-east-1".to_owned()];
    let world =
        Blueprint { accounts: 1_000, units: 20, regions, unversioned_every: 7, ..Blueprint::default() };
    let scene = Scene::new(world.build().unwrap());
    let second = format!(
        "\n[[destination]]\nregion = \"us-east-1\"\nbucket = \"weir-logs-us-east-1\"\nqueue = \"arn:aws:sqs:us-east-1:{LOG}:weir-logs\"\n"
    );
    scene.write_desired(&crate::support::desired_with(&second, "aws-logs", ""));
    scene.faults(&json!({
        "throttles": [
            { "service": "organizations", "rate": 600, "burst": 40 },
            { "service": "sts", "rate": 6_000, "burst": 200 },
            { "service": "s3", "operation": "PutBucket*", "rate": 600, "burst": 20, "per_account": true },
        ],
        "latencies": [{ "base_ms": 5, "jitter_ms": 5 }],
    }));
    scene.apply().expect(0).says("1001 done");
    let before = scene.writes();
    scene.apply().expect(0).says("0 writes");
    assert_eq!(scene.writes(), before);
    scene.run(&["verify", "--wait"]).expect(0).says("2000 of 2000 log buckets proven");
}
