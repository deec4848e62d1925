//! The control endpoint, and the program itself.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use weir_aws_fake::builder::{Blueprint, Layout, log_bucket, member};

use crate::support::{Fake, REGION, code, s3};

#[tokio::test]
async fn a_world_is_what_was_loaded() {
    let blueprint = Blueprint {
        accounts: 5,
        units: 2,
        foreign_rule_every: 2,
        unversioned_every: 3,
        ..Blueprint::default()
    };
    let world = blueprint.build().unwrap();
    let json = world.to_json().unwrap();
    let fake = Fake::small().await;
    let answer = fake.control("POST", "world", &json).await;
    assert_eq!(answer, json!({"accounts": 8, "buckets": 7}));
    let dumped = fake.control("GET", "world", "").await;
    assert_eq!(dumped, serde_json::from_str::<serde_json::Value>(&json).unwrap());
    let again = fake.control("POST", "world", &dumped.to_string()).await;
    assert_eq!(again, answer);
    assert_eq!(fake.control("GET", "world", "").await, dumped);
    let canonical = fake.control("GET", "world?canonical", "").await.to_string();
    assert!(!canonical.contains("created_ms") && !canonical.contains("version_id"));
}

#[tokio::test]
async fn the_worlds_of_the_folder_are_as_they_say() {
    let small = include_str!("../../worlds/small.json");
    assert_eq!(small.trim_end(), Blueprint::varied(3, 1).build().unwrap().to_json().unwrap());

    let obstacles = include_str!("../../worlds/obstacles.json");
    let fake = Fake::start(weir_aws_fake::World::from_json(obstacles.as_bytes()).unwrap()).await;
    let sts = aws_sdk_sts::Client::new(&fake.management());
    let assume = |index: usize| {
        sts.assume_role()
            .role_arn(format!("arn:aws:iam::{}:role/weir-onboarding", member(index)))
            .role_session_name("test")
            .external_id("weir-external-id")
            .send()
    };
    let mut codes = Vec::new();
    for index in 0..12 {
        codes.push(code(&assume(index).await));
    }
    assert_eq!(codes[..4], ["ok", "AccessDenied", "AccessDenied", "AccessDenied"]);
    assert!(codes[4..].iter().all(|code| code == "ok"));
    for (index, expected) in [
        (0, "ok"),
        (4, "AccessDenied"),
        (5, "AccessDenied"),
        (6, "InvalidBucketState"),
        (7, "InvalidBucketState"),
    ] {
        let config = fake.member(&member(index)).await;
        let world = fake.control("GET", "world", "").await;
        let buckets = world["buckets"].as_object().unwrap();
        let bucket = buckets.iter().find(|(_, bucket)| bucket["owner"] == member(index)).unwrap().0;
        let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
        let (status, body) = fake.raw(&config, "PUT", &format!("/{bucket}?versioning"), suspend).await;
        assert_eq!(if status == 200 { "ok" } else { crate::support::code_of(&body) }, expected, "{index}");
    }
}

#[tokio::test]
async fn a_world_that_is_wrong_is_refused_and_named() {
    let fake = Fake::small().await;
    for (change, named) in [
        (json!({"buckets": {"b": {"owner": "999999999999", "region": REGION}}}), "bucket b"),
        (json!({"buckets": {"b": {"owner": member(0), "region": "mars-1"}}}), "mars-1"),
        (json!({"buckets": {"b": {"owner": member(0), "region": REGION, "colour": 1}}}), "colour"),
        (
            json!({"buckets": {"b": {"owner": member(0), "region": REGION, "replication": "<A>"}}}),
            "bucket b, replication",
        ),
        (json!({"accounts": {"12": {}}}), "account 12"),
        (json!({"accounts": {member(0): {"parent": "ou-none"}}}), "ou-none"),
        (json!({"organization": {"root_policies": ["p-none"]}}), "p-none"),
    ] {
        let answer = fake.control("PATCH", "world", &change.to_string()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(
            error.contains(named) && error.ends_with("correct the world")
                || error.ends_with("correct the file"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn answers_tell_the_fakes_time() {
    let fake = Fake::small().await;
    fake.advance(3_600).await;
    let outcome = s3(&fake.management()).get_bucket_policy().bucket("absent").send().await.unwrap_err();
    let date = outcome.raw_response().unwrap().headers().get("date").unwrap().to_owned();
    assert_eq!(date, "Wed, 25 Nov 2026 01:00:00 GMT");
    let clock = fake.control("GET", "clock", "").await;
    assert_eq!((&clock["now"], &clock["speed"]), (&json!("2026-11-25T01:00:00Z"), &json!(0.0)));
}

#[tokio::test]
async fn writes_are_told_in_order_and_reads_are_not() {
    let fake = Fake::small().await;
    let client = s3(&fake.member(&member(0)).await);
    let bucket = log_bucket(&member(0), REGION, Layout::AwsLogs);
    client.get_bucket_versioning().bucket(&bucket).send().await.unwrap();
    client.put_object().bucket(&bucket).key("a").send().await.unwrap();
    assert_eq!(code(&client.get_bucket_policy().bucket(&bucket).send().await), "NoSuchBucketPolicy");
    client.delete_bucket_replication().bucket(&bucket).send().await.unwrap();
    let writes = fake.control("GET", "writes", "").await;
    let told: Vec<_> = writes["writes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|write| (write["operation"].as_str().unwrap(), write["resource"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("PutObject", format!("{bucket}/a").as_str()), ("DeleteBucketReplication", bucket.as_str())]
    );
    assert_eq!(writes["writes"][0]["account"], member(0));
    let later = fake.control("GET", "writes?from=2", "").await;
    assert_eq!(later["writes"].as_array().unwrap().len(), 1);
    let requests = fake.control("GET", "requests", "").await;
    assert_eq!(
        requests["by_operation"]["s3:GetBucketPolicy"],
        json!({"calls": 1, "errors": {"NoSuchBucketPolicy": 1}})
    );
    assert_eq!(requests["by_account"][member(0)], 4);
}

#[tokio::test]
async fn faults_strike_before_or_after_the_deed() {
    let fake = Fake::small().await;
    let bucket = log_bucket(&member(0), REGION, Layout::AwsLogs);
    let client = s3(&fake.member(&member(0)).await);
    let faults = json!({"faults": [
        {"service": "s3", "operation": "PutBucketRequestPayment", "account": member(0), "nth": 2, "times": 1, "code": "OperationAborted", "status": 409},
        {"service": "s3", "operation": "DeleteBucketPolicy", "times": 1, "code": "InternalError", "status": 500, "after": true}]});
    fake.control("POST", "faults", &faults.to_string()).await;
    let path = format!("/{bucket}?requestPayment");
    let pay = "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>";
    let config = fake.member(&member(0)).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(fake.raw(&config, "PUT", &path, pay).await.0);
    }
    assert_eq!(statuses, [200, 409, 200]);
    assert_eq!(code(&client.delete_bucket_policy().bucket(&bucket).send().await), "InternalError");
    let writes = fake.control("GET", "writes", "").await;
    assert_eq!(writes["count"], 3);
    assert_eq!(fake.control("POST", "faults", "{}").await, json!({}));
}

#[tokio::test]
async fn a_held_fake_has_taken_just_so_many_writes() {
    let fake = Fake::small().await;
    let client = s3(&fake.member(&member(0)).await);
    let bucket = log_bucket(&member(0), REGION, Layout::AwsLogs);
    let put = |key: &str| tokio::spawn(client.put_object().bucket(&bucket).key(key).send());
    fake.control("POST", "faults", r#"{"hold_after_writes":1}"#).await;
    let first = put("a");
    while fake.control("GET", "writes", "").await["held"] == json!(false) {
        tokio::task::yield_now().await;
    }
    let dies = put("b");
    let waits = put("c");
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(!first.is_finished() && !waits.is_finished());
    assert_eq!(fake.control("GET", "writes", "").await["count"], 1);
    // Whoever goes away while held has not written.
    dies.abort();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    fake.control("POST", "faults", "{}").await;
    first.await.unwrap().unwrap();
    waits.await.unwrap().unwrap();
    let writes = fake.control("GET", "writes", "").await;
    let keys: Vec<_> = writes["writes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|write| write["resource"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys, [format!("{bucket}/a"), format!("{bucket}/c")]);
}

#[tokio::test]
async fn latencies_delay_what_they_select() {
    let fake = Fake::small().await;
    fake.control("POST", "faults", r#"{"latencies":[{"service":"sts","base_ms":200}]}"#).await;
    let before = std::time::Instant::now();
    aws_sdk_sts::Client::new(&fake.management()).get_caller_identity().send().await.unwrap();
    assert!(before.elapsed().as_millis() >= 200);
}

#[tokio::test]
async fn nonsense_is_answered_with_an_error() {
    let fake = Fake::small().await;
    let config = fake.management();
    let unsigned = fake.http("GET", "/", "", "").await;
    assert_eq!((unsigned.0, crate::support::code_of(&unsigned.1)), (403, "AccessDenied"));
    for (service, body, status) in [
        ("lambda", "", 501),
        ("sts", "", 501),
        ("sts", "Action=Destroy", 501),
        ("sts", "Action=AssumeRole", 400),
        ("iam", "Action=GetRole", 400),
        ("kms", "{", 400),
        ("organizations", "not json", 400),
    ] {
        let headers = format!(
            "authorization: AWS4-HMAC-SHA256 Credential=AKIAMANAGEMENT000001/20261125/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n"
        );
        let (got, answer) = fake.http("POST", "/", &headers, body).await;
        assert_eq!(got, status, "{service} {body:?} {answer}");
    }
    for path in ["/%ff%00", "/bucket/%2e%2e/%2e%2e", "/a?versioning&versioning=%zz", "/_fake/nothing"] {
        let (status, _) = fake.raw(&config, "GET", path, "\u{0}").await;
        assert!((400..=501).contains(&status), "{path} {status}");
    }
    assert_eq!(
        fake.control("POST", "world", "{").await["error"].as_str().map(|error| error.contains("not JSON")),
        Some(true)
    );
    assert_eq!(fake.control("GET", "ready", "").await, json!({}));
}

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_program_says_where_it_listens() {
    let binary = env!("CARGO_BIN_EXE_weir-aws-fake");
    let child = Command::new(binary).args(["--accounts", "2"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut program = Program(child);
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    let missing = Command::new(binary).args(["--world", "no-such-file.json"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    let error = String::from_utf8(missing.stderr).unwrap();
    assert!(error.contains("cannot read no-such-file.json"), "{error}");
}
