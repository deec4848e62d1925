//! What is measured with: frames of a log type, cut into batches as the host cuts them.
//!
//! VPC flow, ALB, CloudTrail and WAF records are made up here, in the shapes and lengths of real ones and with values as
//! unevenly spread; the other types' are varied from their parsers' fixtures (`varied`).

use crate::random::Random;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use weir::parser::contract;
use weir_parser_sdk as sdk;

/// LastModified of every object, and the reference time of every batch: 2026-01-15T00:00:00Z, nanoseconds since 1970.
pub(crate) const REFERENCE: i64 = 1_768_435_200_000_000_000;
/// Seconds since 1970 around which the records lie.
const BEGIN: u64 = 1_768_435_200;
/// Bytes of frames in a batch, as the host's default has it.
const BATCH: usize = 128 << 10;

/// Frames of one log type.
pub(crate) struct Sample {
    log_type: String,
    kind: Kind,
    pub(crate) header: Option<String>,
    batches: Vec<(Vec<u8>, Vec<u32>)>,
}

/// What the bytes of frames are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Json,
}

impl Sample {
    pub(crate) fn new(log_type: &str, kind: Kind, header: Option<String>) -> Self {
        Sample { log_type: log_type.to_owned(), kind, header, batches: Vec::new() }
    }

    pub(crate) fn push(&mut self, frame: &[u8]) {
        if self.batches.last().is_none_or(|(bytes, _)| bytes.len() + frame.len() > BATCH) {
            self.batches.push((Vec::with_capacity(BATCH), Vec::new()));
        }
        if let Some((bytes, ends)) = self.batches.last_mut() {
            bytes.extend_from_slice(frame);
            ends.push(bytes.len() as u32);
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.kind == Kind::Json
    }

    pub(crate) fn bytes(&self) -> usize {
        self.batches.iter().map(|(bytes, _)| bytes.len()).sum()
    }

    pub(crate) fn count(&self) -> usize {
        self.batches.iter().map(|(_, ends)| ends.len()).sum()
    }

    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.batches.iter().flat_map(|(bytes, ends)| {
            let starts = std::iter::once(0).chain(ends.iter().copied());
            starts.zip(ends).map(|(start, end)| bytes.get(start as usize..*end as usize).unwrap_or_default())
        })
    }

    /// The batches as a parser takes them natively.
    pub(crate) fn native(&self) -> Vec<sdk::Batch> {
        let batch = |(frames, ends): &(Vec<u8>, Vec<u32>)| sdk::Batch {
            origin: sdk::Origin {
                account: None,
                region: None,
                bucket: "bench".to_owned(),
                key: self.log_type.clone(),
                version_id: None,
                archive_member: None,
                log_type: self.log_type.clone(),
                team: None,
                log_group: None,
                log_stream: None,
                container: None,
                host: None,
                attributes: Vec::new(),
            },
            reference_time: REFERENCE,
            time_zone: sdk::TimeZone { name: "UTC".to_owned(), initial_offset: 0, transitions: Vec::new() },
            framing: if self.is_json() { sdk::FramingKind::Json } else { sdk::FramingKind::Text },
            header: self.header.clone(),
            frames: frames.clone(),
            ends: ends.clone(),
            wrapped: Vec::new(),
        };
        self.batches.iter().map(batch).collect()
    }

    /// The batches as the host gives them to the sandbox.
    pub(crate) fn contract(&self) -> impl Iterator<Item = contract::Batch<'_>> {
        self.batches.iter().map(|(frames, ends)| contract::Batch {
            origin: contract::Origin {
                account: None,
                region: None,
                bucket: "bench",
                key: &self.log_type,
                version_id: None,
                archive_member: None,
                log_type: &self.log_type,
                team: None,
                log_group: None,
                log_stream: None,
                container: None,
                host: None,
                attributes: &[],
            },
            reference_time: REFERENCE,
            time_zone: contract::TimeZone { name: "UTC", initial_offset: 0, transitions: &[] },
            framing: if self.is_json() { contract::FramingKind::Json } else { contract::FramingKind::Text },
            header: self.header.as_deref(),
            frames,
            ends,
            wrapped: &[],
        })
    }
}

/// A sample of one of the types whose records are made up here.
pub(crate) fn generate(log_type: &str) -> Result<Sample> {
    let mut random = Random::new(0x5eed_0f10_65a7_e001);
    let (kind, header, count, record): (_, _, _, fn(&mut Random) -> String) = match log_type {
        "vpcflow" => (Kind::Text, Some(FLOW_HEADER), 100_000, flow),
        "alb" => (Kind::Text, None, 20_000, balancer),
        "cloudtrail" => (Kind::Json, None, 8_000, trail),
        "waf" => (Kind::Json, None, 10_000, firewall),
        other => bail!("records of {other} are not made up"),
    };
    let mut sample = Sample::new(log_type, kind, header.map(str::to_owned));
    for _ in 0..count {
        sample.push(record(&mut random).as_bytes());
    }
    Ok(sample)
}

fn agent(random: &mut Random) -> String {
    let version = random.below(40);
    match random.below(4) {
        0 => format!("curl/8.{}.1", version % 12),
        1 => format!(
            "Boto3/1.{}.{version} Python/3.12.{} Linux/6.1 Botocore/1.{}.0",
            20 + version % 15,
            version % 9,
            20 + version % 15
        ),
        2 => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {0}_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{0}.1 Mobile/15E148 Safari/604.1",
            13 + version % 6
        ),
        _ => format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
            100 + version
        ),
    }
}

/// `2026-01-15T00:MM:SS.ffffffZ`
fn instant(random: &mut Random) -> String {
    format!("2026-01-15T00:{:02}:{:02}.{:06}Z", random.below(5), random.below(60), random.below(1_000_000))
}

fn second(random: &mut Random) -> String {
    format!("2026-01-15T00:{:02}:{:02}Z", random.below(5), random.below(60))
}

const FLOW_HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

fn flow(random: &mut Random) -> String {
    let (mut source, mut destination) = (random.public_address(), random.private_address());
    if random.below(2) == 0 {
        std::mem::swap(&mut source, &mut destination);
    }
    let start = BEGIN + random.below(600);
    format!(
        "2 111122223333 eni-0{:016x} {source} {destination} {} {} {} {} {} {start} {} {} OK",
        random.below(400),
        1024 + random.below(64_000),
        random.text(&["443", "80", "22", "53", "3306"]),
        random.text(&["6", "6", "6", "17", "1"]),
        1 + random.below(300),
        40 + random.below(90_000),
        start + 1 + random.below(60),
        random.text(&["ACCEPT", "ACCEPT", "ACCEPT", "REJECT"]),
    )
}

fn balancer(random: &mut Random) -> String {
    let time = instant(random);
    let target = random.private_address();
    format!(
        "https {time} app/shop/50dc6c495c0c9188 {}:{} {target}:8080 0.000 0.{:03} 0.000 200 200 {} {} \
         \"GET https://www.example.com:443/api/v1/items/{}?page={}&q={:x} HTTP/1.1\" \"{}\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 \
         arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop/73e2d6bc24d8a067 \"Root=1-58337262-{:024x}\" \
         \"www.example.com\" \"arn:aws:acm:eu-west-1:111122223333:certificate/12345678-1234-1234-1234-123456789012\" 0 {time} \
         \"forward\" \"-\" \"-\" \"{target}:8080\" \"200\" \"-\" \"-\"",
        random.public_address(),
        1024 + random.below(64_000),
        random.below(1000),
        100 + random.below(1900),
        100 + random.below(50_000),
        random.below(100_000),
        random.below(10),
        random.below(1 << 32),
        agent(random),
        random.next(),
    )
}

fn trail(random: &mut Random) -> String {
    let key = format!("{:032x}", random.next());
    let (source, name, request, response) = match random.below(7) {
        0 => (
            "ec2",
            "DescribeInstances",
            json!({"instancesSet": {}, "filterSet": {"items": [{"name": "instance-state-name", "valueSet": {"items": [{"value": "running"}]}}]}}),
            Value::Null,
        ),
        1 => (
            "s3",
            "GetObject",
            json!({"bucketName": "shop-data", "Host": "shop-data.s3.eu-west-1.amazonaws.com", "key": key}),
            Value::Null,
        ),
        2 => (
            "sts",
            "AssumeRole",
            json!({"roleArn": "arn:aws:iam::111122223333:role/app-role", "roleSessionName": "i-0abcdef1234567890", "durationSeconds": 3600}),
            json!({"credentials": {"accessKeyId": "ASIAEXAMPLEEXAMPLE00", "sessionToken": "x".repeat(200), "expiration": "Jan 15, 2026, 3:00:00 AM"},
                "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLE:session", "arn": "arn:aws:sts::111122223333:assumed-role/app-role/session"}}),
        ),
        3 => (
            "kms",
            "Decrypt",
            json!({"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"aws:s3:arn": format!("arn:aws:s3:::shop-data/{key}")}}),
            Value::Null,
        ),
        4 => (
            "logs",
            "CreateLogStream",
            json!({"logGroupName": "/aws/lambda/fn", "logStreamName": format!("2026/01/15/[$LATEST]{key}")}),
            Value::Null,
        ),
        5 => ("dynamodb", "DescribeTable", json!({"tableName": "orders"}), Value::Null),
        _ => (
            "iam",
            "AttachRolePolicy",
            json!({"roleName": "reader", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
            Value::Null,
        ),
    };
    let user = format!("user{}", random.below(60));
    let time = second(random);
    let mut record = json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": format!("AROAEXAMPLE:{user}"),
            "arn": format!("arn:aws:sts::111122223333:assumed-role/app-role/{user}"),
            "accountId": "111122223333",
            "accessKeyId": format!("ASIA{:016X}", random.below(1 << 20)),
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "arn": "arn:aws:iam::111122223333:role/app-role",
                    "accountId": "111122223333", "userName": "app-role"},
                "webIdFederationData": {},
                "attributes": {"creationDate": time, "mfaAuthenticated": "false"},
            },
        },
        "eventTime": time,
        "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": random.public_address(),
        "userAgent": agent(random),
        "requestParameters": request,
        "responseElements": response,
        "requestID": uuid(random),
        "eventID": uuid(random),
        "readOnly": name.starts_with("Get") || name.starts_with("Desc"),
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.2", "cipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
            "clientProvidedHostHeader": format!("{source}.eu-west-1.amazonaws.com")},
    });
    if random.below(33) == 0
        && let Some(members) = record.as_object_mut()
    {
        members.insert("errorCode".to_owned(), "AccessDenied".into());
        members.insert("errorMessage".to_owned(), "User is not authorized".into());
    }
    record.to_string()
}

fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

fn firewall(random: &mut Random) -> String {
    json!({
        "timestamp": (BEGIN + random.below(300)) * 1000 + random.below(1000),
        "formatVersion": 1,
        "webaclId": "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/shop/1234",
        "terminatingRuleId": "Default_Action",
        "terminatingRuleType": "REGULAR",
        "action": random.text(&["ALLOW", "BLOCK"]),
        "terminatingRuleMatchDetails": [],
        "httpSourceName": "ALB",
        "httpSourceId": "111122223333-app/shop/50dc",
        "ruleGroupList": [{"ruleGroupId": "AWS#AWSManagedRulesCommonRuleSet", "terminatingRule": null, "nonTerminatingMatchingRules": [], "excludedRules": null}],
        "rateBasedRuleList": [],
        "nonTerminatingMatchingRules": [],
        "httpRequest": {
            "clientIp": random.public_address(),
            "country": "US",
            "headers": [{"name": "Host", "value": "www.example.com"}, {"name": "User-Agent", "value": agent(random)},
                {"name": "Accept", "value": "*/*"}, {"name": "Accept-Encoding", "value": "gzip, deflate, br"}],
            "uri": format!("/api/{}", random.below(100_000)),
            "args": format!("a={:x}", random.below(1 << 30)),
            "httpVersion": "HTTP/1.1",
            "httpMethod": "GET",
            "requestId": format!("1-{:032x}", random.next()),
        },
    })
    .to_string()
}
