//! A whole organization, from nothing to verified, twice.

use crate::support::{Scene, blueprint, json_lines};
use serde_json::Value;
use weir_aws_fake::builder::{Blueprint, member};

fn rules_of_others(world: &Value) -> Vec<(String, String)> {
    let buckets = world["buckets"].as_object().unwrap();
    let foreign = buckets.iter().filter_map(|(name, bucket)| {
        let xml = bucket["replication"].as_str()?;
        let rules: String = xml
            .split("<Rule>")
            .skip(1)
            .filter_map(|rule| rule.split("</Rule>").next())
            .filter(|rule| !rule.contains("<ID>weir/"))
            .collect();
        (!rules.is_empty()).then(|| (name.clone(), rules))
    });
    foreign.collect()
}

#[test]
fn twenty_five_accounts_from_nothing_to_verified_and_the_second_run_writes_nothing() {
    let blueprint = Blueprint { foreign_rule_every: 4, unversioned_every: 5, ..blueprint(25) };
    let scene = Scene::new(blueprint.build().unwrap());
    scene.write_desired(&crate::support::desired_with(
        "",
        "aws-logs",
        "[replication]\nforeign-role = \"extend\"\n",
    ));
    let foreign = rules_of_others(&scene.get("world"));
    assert!(foreign.len() >= 5);

    scene.run(&["plan"]).expect(2);
    assert_eq!(scene.writes(), 0, "planning wrote");
    let outcome = scene.apply().expect(0);
    // The log account is one of them.
    outcome.says("26 done");
    assert_eq!(rules_of_others(&scene.get("world")), foreign);
    scene.run(&["verify", "--wait"]).expect(0).says("25 of 25 log buckets proven");

    let before = scene.writes();
    scene.run(&["plan"]).expect(0);
    scene.apply().expect(0).says("0 writes");
    scene.run(&["status"]).expect(0).says("nothing has drifted");
    assert_eq!(scene.writes(), before, "{:?}", scene.writes_from(before));

    // The journal keeps what a rollback needs, and nothing of what is over.
    let journal = json_lines(&scene.data().join("journal.jsonl"));
    assert!(
        !journal.iter().any(|line| line["event"] == "wrote" || line["event"] == "run-began"),
        "{journal:#?}"
    );
    assert!(journal.iter().any(|line| line["event"] == "writing"));

    // The audit log has every write that the fake took, and no credentials.
    let audit = json_lines(&scene.data().join("audit.jsonl"));
    assert_eq!(audit.len() as u64, before);
    assert!(audit.iter().all(|line| line["outcome"] == "done"));
    assert!(
        audit.iter().any(|line| line["account"] == member(0) && line["operation"] == "PutBucketReplication")
    );
    let text = std::fs::read_to_string(scene.data().join("audit.jsonl")).unwrap();
    assert!(!text.contains("ASIA") && !text.contains("secret"));
}

#[test]
fn without_waiting_a_run_ends_with_canaries_under_way_and_the_next_goes_on() {
    let blueprint = Blueprint { unversioned_every: 1, ..blueprint(3) };
    let scene = Scene::new(blueprint.build().unwrap());
    scene.control("POST", "clock", &serde_json::json!({ "speed": 1 }));
    let outcome = scene.run(&["apply", "--yes"]).expect(3);
    outcome.says("3 waiting");
    outcome.says("versioning was enabled");
    scene.run(&["verify"]).expect(3).says("not onboarded");
    scene.control("POST", "clock", &serde_json::json!({ "advance_s": 901, "speed": 60 }));
    scene.apply().expect(0).says("3 done");
    scene.run(&["plan"]).expect(0);
}

#[test]
fn case_28_a_plan_file_is_applied_as_it_is_and_refused_when_the_world_moved() {
    let scene = Scene::small();
    scene.run(&["plan", "-o", "plan.json"]).expect(2);
    // Somebody changes the log bucket's policy in between.
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "Audit", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::200000000000:root" },
        "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::weir-logs-eu-west-1" }] });
    scene.patch(&serde_json::json!({ "buckets": { "weir-logs-eu-west-1": { "policy": policy } } }));
    let outcome = scene.run(&["apply", "plan.json", "--yes", "--wait"]).expect(4);
    outcome.says("STALE_PLAN");
    outcome.says("weir accounts plan");
    assert_eq!(scene.writes(), 0);
    scene.run(&["plan", "-o", "plan.json"]).expect(2);
    scene.run(&["apply", "plan.json", "--yes", "--wait"]).expect(0);
    let world = scene.get("world");
    assert!(world["buckets"]["weir-logs-eu-west-1"]["policy"].to_string().contains("Audit"));
}

#[test]
fn nobody_is_asked_without_a_terminal_and_nothing_is_written_without_an_answer() {
    let scene = Scene::small();
    scene.run(&["apply"]).expect(4).says("--yes");
    assert_eq!(scene.writes(), 0);
}

#[test]
fn one_account_is_put_back_to_what_it_was() {
    let blueprint = Blueprint { foreign_rule_every: 2, ..blueprint(3) };
    let scene = Scene::new(blueprint.build().unwrap());
    scene.write_desired(&crate::support::desired_with(
        "",
        "aws-logs",
        "[replication]\nforeign-role = \"extend\"\n",
    ));
    let before = scene.end_state();
    scene.apply().expect(0);
    for account in [member(0), member(1)] {
        scene.run(&["apply", "--rollback", &account, "--yes"]).expect(0);
    }
    let after = scene.end_state();
    for account in [member(0), member(1)] {
        let bucket = format!("logs-{account}-eu-west-1");
        assert_eq!(after["accounts"][&account]["roles"], before["accounts"][&account]["roles"]);
        assert_eq!(after["buckets"][&bucket], before["buckets"][&bucket], "{bucket}");
    }
    // The third keeps what it got.
    let third = format!("logs-{}-eu-west-1", member(2));
    assert!(after["buckets"][&third]["replication"].to_string().contains("weir/"));
}

#[test]
fn objects_from_before_are_a_job_for_each_bucket_that_somebody_confirms() {
    let scene = Scene::small();
    scene.run(&["backfill"]).expect(4).says("existing-objects = true");
    scene.write_desired(&crate::support::desired_with(
        "",
        "aws-logs",
        "[replication]\nexisting-objects = true\n",
    ));
    scene.apply().expect(0);
    let before = scene.writes();
    let outcome = scene.run(&["backfill"]).expect(0);
    outcome.says("3 jobs");
    outcome.says("$0.25");
    assert_eq!(scene.writes(), before, "planning wrote");
    scene.run(&["backfill", "--create", "--yes"]).expect(0).says("waits to be confirmed");
    let jobs = scene.writes_from(before).into_iter().filter(|write| write.contains(" CreateJob ")).count();
    assert_eq!(jobs, 3);
    // The same jobs are not created again.
    scene.run(&["backfill", "--create", "--yes"]).expect(0);
    let jobs = scene.writes_from(before).into_iter().filter(|write| write.contains(" CreateJob ")).count();
    assert_eq!(jobs, 3);
}
