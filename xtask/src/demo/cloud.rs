//! What happens in the accounts: CloudTrail with an Insight and a digest, and the access log of the backups' bucket.
//!
//! At 03:12 somebody abroad begins to use the key that lay on the web server: looks around, is refused almost
//! everywhere, reads the backups, and makes itself a user.

use super::company::{
    BACKUPS, DATA, FRANKFURT, KEY_THIEF, OFFICE, PLATFORM, PRODUCTION, STOLEN_KEY, STOLEN_USER, VIRGINIA,
};
use super::moment::Moment;
use super::objects::{Objects, Timed};
use super::random::Random;
use anyhow::Result;
use serde_json::{Value, json};

/// The canonical id that owns the bucket.
const OWNER: &str = "9f0c1d2e3b4a59687766554433221100ffeeddccbbaa99887766554433221100";
/// The thief's tool.
const TOOL: &str = "aws-cli/2.22.0 md/awscrt#0.23.4 ua/2.0 os/linux#6.1";

/// An API call.
struct Call<'a> {
    time: Moment,
    /// Whose trail records it.
    account: &'a str,
    region: &'a str,
    identity: Value,
    address: &'a str,
    agent: &'a str,
    service: &'a str,
    name: &'a str,
    request: Value,
    response: Value,
    error: Option<String>,
}

/// The records of all accounts.
pub(super) fn write(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("cloudtrail");
    let mut accesses = Timed::new();
    let mut trails: Vec<(&str, &str, Timed<Value>)> = Vec::new();
    for account in [PRODUCTION, PLATFORM, DATA] {
        for region in [FRANKFURT, VIRGINIA] {
            trails.push((account, region, Timed::new()));
        }
    }
    let mut calls: Vec<Call<'_>> = (0..4_300).map(|_| ordinary(&mut random)).collect();
    calls.extend(theft(&mut random, &mut accesses));
    for call in calls {
        let time = call.time;
        if let Some((.., trail)) =
            trails.iter_mut().find(|(account, region, _)| *account == call.account && *region == call.region)
        {
            trail.push(time, record(&call, &mut random));
        }
    }
    for (account, region, trail) in trails {
        for (start, records) in trail.by_part(12) {
            let records: Vec<Value> = records.into_iter().map(|(_, record)| record).collect();
            let key = format!(
                "AWSLogs/{account}/CloudTrail/{region}/2026/03/11/{account}_CloudTrail_{region}_{}_{}.json.gz",
                start.delivery(),
                random.letters(16)
            );
            objects.add_gzip(key, json!({ "Records": records }).to_string().as_bytes())?;
        }
    }
    insight(objects, &mut random)?;
    digest(objects, &mut random)?;
    bucket(objects, accesses)
}

fn user(account: &str, name: &str, key: &str) -> Value {
    json!({"type": "IAMUser", "principalId": format!("AIDA{}", name.to_uppercase().replace(['.', '-'], "")),
        "arn": format!("arn:aws:iam::{account}:user/{name}"), "accountId": account, "accessKeyId": key, "userName": name})
}

fn role(account: &str, name: &str, session: &str) -> Value {
    json!({"type": "AssumedRole", "principalId": format!("AROAEXAMPLE{}:{session}", name.to_uppercase().replace('-', "")),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"), "accountId": account,
        "accessKeyId": "ASIAEXAMPLESESSION00",
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": format!("AROAEXAMPLE{}", name.to_uppercase().replace('-', "")),
            "arn": format!("arn:aws:iam::{account}:role/{name}"), "accountId": account, "userName": name},
            "attributes": {"creationDate": "2026-03-11T00:00:00Z", "mfaAuthenticated": "false"}}})
}

fn ordinary(random: &mut Random) -> Call<'static> {
    let account = random.weighted(&[(6, PRODUCTION), (3, PLATFORM), (2, DATA)]);
    let region = random.weighted(&[(4, FRANKFURT), (1, VIRGINIA)]);
    let person = random.chance(35);
    let (service, name, request) = if person {
        random.weighted(&[
            (9, ("ec2.amazonaws.com", "DescribeInstances", json!({"instancesSet": {}, "filterSet": {}}))),
            (5, ("cloudwatch.amazonaws.com", "DescribeAlarms", json!({"maxRecords": 100}))),
            (4, ("s3.amazonaws.com", "ListBuckets", Value::Null)),
            (
                3,
                (
                    "ecs.amazonaws.com",
                    "DescribeServices",
                    json!({"cluster": "shop", "services": ["checkout"]}),
                ),
            ),
            (2, ("rds.amazonaws.com", "DescribeDBInstances", Value::Null)),
            (1, ("iam.amazonaws.com", "ListUsers", Value::Null)),
            (
                1,
                (
                    "ecs.amazonaws.com",
                    "UpdateService",
                    json!({"cluster": "shop", "service": "checkout", "desiredCount": 4}),
                ),
            ),
        ])
    } else {
        random.weighted(&[
                (8, ("sts.amazonaws.com", "AssumeRole", json!({"roleArn": format!("arn:aws:iam::{account}:role/shop-web"), "roleSessionName": "i-0a11b22c33d44e501"}))),
                (6, ("kms.amazonaws.com", "Decrypt", json!({"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}))),
                (6, ("logs.amazonaws.com", "CreateLogStream", json!({"logGroupName": "/kestrelmoss/checkout", "logStreamName": "checkout/1"}))),
                (4, ("secretsmanager.amazonaws.com", "GetSecretValue", json!({"secretId": "shop/database"}))),
                (3, ("ecr.amazonaws.com", "BatchGetImage", json!({"repositoryName": "checkout"}))),
                (2, ("s3.amazonaws.com", "PutObject", json!({"bucketName": BACKUPS, "key": "database/2026-03-11.dump"}))),
            ])
    };
    let names = ["nadia.okafor", "tomas.brandt", "li.wen", "priya.raman"];
    let (identity, address, agent) = if person {
        (
            user(account, random.pick(&names), "AKIAEXAMPLEOFFICE001"),
            random.pick(&OFFICE),
            "console.amazonaws.com",
        )
    } else {
        let name = random.pick(&["shop-web", "ci-deploy", "backup-runner"]);
        (role(account, name, "i-0a11b22c33d44e501"), "10.20.1.11", "aws-sdk-rust/1.3.9 os/linux")
    };
    let error = random.chance(2).then(|| "ThrottlingException".to_owned());
    let time = if person { Moment::of_business(random) } else { Moment::any(random) };
    Call {
        time,
        account,
        region,
        identity,
        address,
        agent,
        service,
        name,
        request,
        response: Value::Null,
        error,
    }
}

/// Also fills the access log of the bucket that is read.
fn theft(random: &mut Random, accesses: &mut Timed<String>) -> Vec<Call<'static>> {
    let thief = || user(PRODUCTION, STOLEN_USER, STOLEN_KEY);
    let mut calls = Vec::new();
    let mut call = |time: Moment, region, service, name, request, error: bool| {
        let arn = format!("arn:aws:iam::{PRODUCTION}:user/{STOLEN_USER}");
        calls.push(Call {
            time,
            account: PRODUCTION,
            region,
            identity: thief(),
            address: KEY_THIEF,
            agent: TOOL,
            service,
            name,
            request,
            response: Value::Null,
            error: error.then(|| format!("AccessDenied|User: {arn} is not authorized to perform: {name}")),
        });
    };
    call(Moment::at(3, 12, 4), VIRGINIA, "sts.amazonaws.com", "GetCallerIdentity", Value::Null, false);
    call(Moment::at(3, 12, 41), VIRGINIA, "s3.amazonaws.com", "ListBuckets", Value::Null, false);
    let refused = [
        ("iam.amazonaws.com", "ListUsers"),
        ("iam.amazonaws.com", "ListRoles"),
        ("iam.amazonaws.com", "GetAccountAuthorizationDetails"),
        ("ec2.amazonaws.com", "DescribeInstances"),
        ("rds.amazonaws.com", "DescribeDBSnapshots"),
        ("secretsmanager.amazonaws.com", "ListSecrets"),
        ("secretsmanager.amazonaws.com", "GetSecretValue"),
        ("ssm.amazonaws.com", "DescribeParameters"),
        ("lambda.amazonaws.com", "ListFunctions20150331"),
        ("kms.amazonaws.com", "ListKeys"),
        ("organizations.amazonaws.com", "DescribeOrganization"),
        ("cloudtrail.amazonaws.com", "StopLogging"),
    ];
    let mut time = Moment::at(3, 13, 20);
    for round in 0..86 {
        let (service, name) = refused[round % refused.len()];
        let region = if service.starts_with("iam") || service.starts_with("org") || round % 5 == 0 {
            VIRGINIA
        } else {
            FRANKFURT
        };
        call(time, region, service, name, Value::Null, true);
        time = time.plus(random.between(2_000, 14_000));
    }
    call(
        Moment::at(3, 52, 18),
        VIRGINIA,
        "iam.amazonaws.com",
        "CreateUser",
        json!({"userName": "support-ops"}),
        false,
    );
    call(
        Moment::at(3, 52, 50),
        VIRGINIA,
        "iam.amazonaws.com",
        "CreateAccessKey",
        json!({"userName": "support-ops"}),
        false,
    );
    let policy =
        json!({"userName": "support-ops", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"});
    call(Moment::at(3, 53, 31), VIRGINIA, "iam.amazonaws.com", "AttachUserPolicy", policy, true);
    let files = [
        "database/2026-03-08.dump",
        "database/2026-03-09.dump",
        "database/2026-03-10.dump",
        "customers/export.csv.gz",
        "config/shop.env",
    ];
    let mut time = Moment::at(3, 31, 7);
    for round in 0..34 {
        let file = files[round % files.len()];
        let part = round / files.len();
        calls.push(Call {
            time,
            account: DATA,
            region: FRANKFURT,
            identity: thief(),
            address: KEY_THIEF,
            agent: TOOL,
            service: "s3.amazonaws.com",
            name: "GetObject",
            request: json!({"bucketName": BACKUPS, "key": file, "Host": format!("{BACKUPS}.s3.{FRANKFURT}.amazonaws.com")}),
            response: Value::Null,
            error: None,
        });
        let arn = format!("arn:aws:iam::{PRODUCTION}:user/{STOLEN_USER}");
        accesses.push(
            time,
            access(random, time, KEY_THIEF, &arn, "REST.GET.OBJECT", file, "206", 8_388_608, TOOL),
        );
        time = time.plus(random.between(9_000, 30_000) + part as u64);
    }
    calls
}

fn record(call: &Call<'_>, random: &mut Random) -> Value {
    let verbs = ["Get", "List", "Describe", "Decrypt", "Batch"];
    let reads = verbs.iter().any(|verb| call.name.starts_with(verb));
    let mut record = json!({
        "eventVersion": "1.11", "userIdentity": call.identity, "eventTime": call.time.iso(), "eventSource": call.service,
        "eventName": call.name, "awsRegion": call.region, "sourceIPAddress": call.address, "userAgent": call.agent,
        "requestParameters": call.request, "responseElements": call.response, "requestID": random.uuid(), "eventID": random.uuid(),
        "readOnly": reads,
        "eventType": "AwsApiCall", "managementEvent": !call.name.ends_with("Object"), "recipientAccountId": call.account,
        "eventCategory": if call.name.ends_with("Object") { "Data" } else { "Management" },
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
    });
    if let Some(error) = &call.error {
        let (code, message) = error.split_once('|').unwrap_or((error, "Rate exceeded"));
        record["errorCode"] = code.into();
        record["errorMessage"] = message.into();
    }
    record
}

fn insight(objects: &mut Objects, random: &mut Random) -> Result<()> {
    let shared = random.uuid();
    let state = |state: &str, time: Moment, id: String| {
        json!({"eventVersion": "1.09", "eventTime": time.iso(), "awsRegion": VIRGINIA, "eventID": id,
            "eventType": "AwsCloudTrailInsight", "recipientAccountId": PRODUCTION, "sharedEventID": shared,
            "insightDetails": {"state": state, "eventSource": "iam.amazonaws.com", "eventName": "ListUsers",
                "insightType": "ApiErrorRateInsight", "errorCode": "AccessDenied",
                "insightContext": {"statistics": {"baseline": {"average": 0.0004}, "insight": {"average": 7.5}, "insightDuration": 12},
                    "attributions": [{"attribute": "userIdentityArn",
                        "insight": [{"value": format!("arn:aws:iam::{PRODUCTION}:user/{STOLEN_USER}"), "average": 7.5}], "baseline": []}]}},
            "eventCategory": "Insight"})
    };
    let records = [
        state("Start", Moment::at(3, 14, 0), random.uuid()),
        state("End", Moment::at(3, 26, 0), random.uuid()),
    ];
    let key = format!(
        "AWSLogs/{PRODUCTION}/CloudTrail-Insight/{VIRGINIA}/2026/03/11/{PRODUCTION}_CloudTrail-Insight_{VIRGINIA}_20260311T0330Z_{}.json.gz",
        random.letters(16)
    );
    objects.add_gzip(key, json!({ "Records": records }).to_string().as_bytes())
}

fn digest(objects: &mut Objects, random: &mut Random) -> Result<()> {
    let key = format!(
        "AWSLogs/{PRODUCTION}/CloudTrail-Digest/{FRANKFURT}/2026/03/11/{PRODUCTION}_CloudTrail-Digest_{FRANKFURT}_main_{FRANKFURT}_20260311T040012Z.json.gz"
    );
    let text = json!({
        "awsAccountId": PRODUCTION, "digestStartTime": "2026-03-11T03:00:12Z", "digestEndTime": "2026-03-11T04:00:12Z",
        "digestS3Bucket": "kestrelmoss-trail", "digestS3Object": key, "digestPublicKeyFingerprint": random.hex(32),
        "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": "2026-03-11T03:59:58Z", "oldestEventTime": "2026-03-11T03:00:02Z",
        "previousDigestS3Bucket": null, "previousDigestS3Object": null, "previousDigestHashValue": null,
        "previousDigestHashAlgorithm": null, "previousDigestSignature": null,
        "logFiles": [{"s3Bucket": "kestrelmoss-trail",
            "s3Object": format!("AWSLogs/{PRODUCTION}/CloudTrail/{FRANKFURT}/2026/03/11/{PRODUCTION}_CloudTrail_{FRANKFURT}_20260311T0305Z_{}.json.gz", random.letters(16)),
            "hashValue": random.hex(64), "hashAlgorithm": "SHA-256", "newestEventTime": "2026-03-11T03:59:58Z", "oldestEventTime": "2026-03-11T03:00:02Z"}],
    });
    objects.add_gzip(key, text.to_string().as_bytes())
}

#[expect(
    clippy::too_many_arguments,
    reason = "one for each column of the format that differs between requests"
)]
fn access(
    random: &mut Random,
    time: Moment,
    address: &str,
    requester: &str,
    operation: &str,
    file: &str,
    status: &str,
    bytes: u64,
    agent: &str,
) -> String {
    let method = operation.split('.').nth(1).unwrap_or("GET");
    format!(
        "{OWNER} {BACKUPS} [{}] {address} {requester} {} {operation} {file} \"{method} /{file} HTTP/1.1\" {status} {} {bytes} {bytes} {} {} \
         \"-\" \"{agent}\" - {}= SigV4 TLS_AES_128_GCM_SHA256 AuthHeader {BACKUPS}.s3.{FRANKFURT}.amazonaws.com TLSv1.3 - -",
        time.common_log(),
        random.capitals(16),
        if status == "403" { "AccessDenied" } else { "-" },
        random.between(20, 900),
        random.between(4, 60),
        random.letters(43),
    )
}

/// The bucket's server access log: a small object every ten minutes, as S3 delivers them.
fn bucket(objects: &mut Objects, mut accesses: Timed<String>) -> Result<()> {
    let mut random = Random::new("s3access");
    let runner = format!("arn:aws:sts::{DATA}:assumed-role/backup-runner/i-0c33d44e55f66a701");
    for _ in 0..2_200 {
        let time = Moment::any(&mut random);
        let file = format!(
            "{}/2026-03-{:02}.dump",
            random.pick(&["database", "orders", "images"]),
            random.between(1, 11)
        );
        let (operation, status) = random.weighted(&[
            (6, ("REST.PUT.PART", "200")),
            (3, ("REST.HEAD.OBJECT", "200")),
            (1, ("REST.GET.OBJECT", "403")),
        ]);
        let bytes = random.between(1_000, 8_000_000);
        let line = access(
            &mut random,
            time,
            "10.40.0.9",
            &runner,
            operation,
            &file,
            status,
            bytes,
            "aws-sdk-rust/1.3.9",
        );
        accesses.push(time, line);
    }
    for (start, text) in accesses.texts(48) {
        let key =
            format!("s3-access/{DATA}/{FRANKFURT}/{BACKUPS}/{}-{}", start.dashed(), random.capitals(16));
        objects.add(key, text);
    }
    Ok(())
}
