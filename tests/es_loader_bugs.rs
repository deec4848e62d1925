//! Bugs that users of a widely used loader of AWS logs ran into, each as a test that we do not have it: from the
//! object's bytes to the events.

use crate::support::host::{TestHost, pass_into};
use crate::support::parser;
use crate::support::sink::MemorySink;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};
use weir::pipeline::SetAsideKind;

fn host(name: &str) -> TestHost {
    TestHost::with(&[(name, parser(name))], "")
}

const FLOW_HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

fn flow(number: u32) -> String {
    format!(
        "2 111122223333 eni-0a1b2c3d4e5f60718 10.0.1.5 198.51.100.24 {} 443 6 12 8340 1768471200 1768471258 ACCEPT OK",
        40_000 + number
    )
}

fn flow_file(rows: u32) -> String {
    let rows: Vec<String> = (0..rows).map(flow).collect();
    format!("{FLOW_HEADER}\n{}\n", rows.join("\n"))
}

const TRANSIT_HEADER: &str = "version resource-type account-id tgw-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status";

fn transit(number: u32) -> String {
    format!(
        "6 TransitGateway 111122223333 tgw-0123456789abcdef0 10.40.1.175 10.40.2.236 {} 443 6 14 8340 1768471200 1768471258 OK",
        40_000 + number
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The ports are counted up, so that they say which rows came through.
fn ports(passed: &crate::support::sink::Passed) -> Vec<u64> {
    passed.sink.taken.iter().map(|event| event.field("source.port").as_u64().unwrap() - 40_000).collect()
}

#[test]
fn a_flow_file_of_n_rows_gives_n_events() {
    let (vpc, transit_gateway) = (host("vpcflow"), host("tgwflow"));
    for rows in [1_u32, 2, 3, 100, 5000] {
        let wanted: Vec<u64> = (0..u64::from(rows)).collect();
        for (host, name, header, row) in [
            (&vpc, "vpcflow", FLOW_HEADER, flow as fn(u32) -> String),
            (&transit_gateway, "tgwflow", TRANSIT_HEADER, transit),
        ] {
            let lines: Vec<String> = (0..rows).map(row).collect();
            for (ending, last) in [("\n", "\n"), ("\n", ""), ("\r\n", "\r\n"), ("\r\n", "")] {
                let text = format!("{header}{ending}{}{last}", lines.join(ending));
                let (plain, zipped) =
                    (host.pass(name, text.as_bytes()), host.pass(name, &gzip(text.as_bytes())));
                assert_eq!(ports(&plain), wanted, "{name}, {rows} rows, {ending:?} and {last:?}");
                assert_eq!(ports(&zipped), wanted, "{name}, {rows} rows, gzip");
            }
        }
        // No header: version 2's default order, and the first row is an event, too.
        let lines: Vec<String> = (0..rows).map(flow).collect();
        assert_eq!(
            ports(&vpc.pass("vpcflow", lines.join("\n").as_bytes())),
            wanted,
            "{rows} rows, no header"
        );
    }
}

#[test]
fn identical_raw_lines_are_as_many_documents() {
    let line = "192.0.2.7 - - [15/Jan/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8.5.0\"\n";
    let host = host("nginx-access");
    let once = host.pass("nginx-access", line.repeat(3).as_bytes());
    assert_eq!(once.counts.events, 3);
    let ids: BTreeSet<_> = once.sink.taken.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 3, "one id each");
    let documents: BTreeSet<String> = once
        .sink
        .taken
        .iter()
        .map(|event| event.field("source.ip").to_string() + &event.timestamp.to_string())
        .collect();
    assert_eq!(documents.len(), 1, "although they say the same");
    let again = host.pass("nginx-access", line.repeat(3).as_bytes());
    assert_eq!(again.sink.taken, once.sink.taken, "and the same ids again");
}

#[test]
fn all_files_of_a_zip_are_read() {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, options, rows) in [
        ("first.log", zip::write::SimpleFileOptions::default(), 2),
        ("folder/second.log", stored, 3),
        ("third.log.gz", stored, 4),
    ] {
        zip.start_file(name, options).unwrap();
        let text = flow_file(rows);
        zip.write_all(&if name.ends_with("gz") { gzip(text.as_bytes()) } else { text.into_bytes() }).unwrap();
    }
    let passed = host("vpcflow").pass("vpcflow", &zip.finish().unwrap().into_inner());
    let mut members: BTreeMap<String, u32> = BTreeMap::new();
    for event in &passed.sink.taken {
        *members.entry(event.member.clone().unwrap()).or_default() += 1;
    }
    let wanted = [("first.log", 2), ("folder/second.log", 3), ("third.log.gz", 4)];
    assert_eq!(members, wanted.map(|(name, rows)| (name.to_owned(), rows)).into());
    assert_eq!((passed.counts.events, passed.counts.quarantined, passed.counts.bytes.members), (9, 0, 3));
}

#[test]
fn zstd_xz_and_bzip2_are_read() {
    let text = flow_file(1000);
    let zstd = zstd::bulk::compress(text.as_bytes(), 3).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(text.as_bytes()).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(text.as_bytes()).unwrap();
    let several = [
        gzip(flow_file(400).as_bytes()),
        gzip((400..1000).map(|n| flow(n) + "\n").collect::<String>().as_bytes()),
    ];
    let host = host("vpcflow");
    let carriers = [
        ("zstd", zstd),
        ("xz", xz.finish().unwrap()),
        ("bzip2", bzip2.finish().unwrap()),
        ("gzip of two members", several.concat()),
    ];
    let plain = host.pass("vpcflow", text.as_bytes());
    for (carrier, bytes) in carriers {
        let passed = host.pass("vpcflow", &bytes);
        assert_eq!(passed.sink.taken, plain.sink.taken, "{carrier}");
        assert_eq!(passed.counts.quarantined, 0, "{carrier}");
    }
}

#[test]
fn of_a_truncated_gzip_what_can_be_read_is_kept_and_the_rest_is_named() {
    let text = flow_file(20_000);
    let whole = gzip(text.as_bytes());
    let host = host("vpcflow");
    let mut last = 0;
    for tenths in [1, 5, 9] {
        let passed = host.pass("vpcflow", &whole[..whole.len() * tenths / 10]);
        let parsed = passed.counts.parsed;
        assert!(parsed > last && parsed < 20_000, "{parsed} rows of {tenths} tenths");
        assert_eq!(ports(&passed), (0..parsed).collect::<Vec<_>>(), "the first rows, whole ones alone");
        let [rest] = passed.sink.kept.as_slice() else { panic!("{:?}", passed.sink.kept) };
        assert_eq!(
            (rest.kind, rest.reason.as_str()),
            (SetAsideKind::Damaged, "the gzip stream ends too early")
        );
        last = parsed;
    }
    // Half a row is not taken for a row.
    let passed = host.pass("vpcflow", &whole[..whole.len() - 8]);
    assert_eq!(passed.counts.parsed, 20_000, "the checksum alone is missing");
    assert_eq!(passed.counts.quarantined, 1);
}

#[test]
fn an_alb_line_with_fields_yet_unknown_is_parsed_and_they_are_kept() {
    let line = "https 2026-01-15T10:00:06.022301Z app/shop-front/50dc6c495c0c9188 198.51.100.42:61234 10.0.3.22:8080 \
                0.086 0.048 0.037 404 404 812 57 \"GET https://shop.example.com:443/img/logo.svg?v=2 HTTP/1.1\" \
                \"Mozilla/5.0\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 \
                arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop-web/73e2d6bc24d8a067 \
                \"Root=1-6968b8e6-1d84f3d73c47ec4e58577259\" \"shop.example.com\" \"-\" 1 2026-01-15T10:00:05.851000Z \
                \"forward\" \"-\" \"-\" \"10.0.3.22:8080\" \"404\" \"-\" \"-\" TID_0123456789abcdef0123456789abcdef \"-\" \"-\" \"-\"";
    let host = host("alb");
    let known = host.pass("alb", line.as_bytes());
    let more = host.pass("alb", format!("{line} \"a new field\" 17 \"-\" TLSv9").as_bytes());
    assert_eq!((known.counts.events, more.counts.events, more.counts.quarantined), (1, 1, 0));
    let mut event = more.sink.taken[0].document.clone();
    let extra = event["aws"]["alb"].as_object_mut().unwrap().remove("extra_fields").unwrap();
    assert_eq!(extra.to_string().matches("a new field").count(), 1, "{extra}");
    assert!(extra.to_string().contains("17") && extra.to_string().contains("TLSv9"), "{extra}");
    assert_eq!(event, known.sink.taken[0].document, "nothing else changes");
}

/// Members of CloudTrail records whose types change from call to call, and the type that an index sees.
#[test]
fn cloudtrail_members_whose_types_change_keep_one_type_in_the_index() {
    let record = |number: usize, member: &str, value: &Value| {
        let mut record = json!({
            "eventVersion": "1.11", "eventTime": "2026-01-15T10:00:00Z", "eventSource": "ec2.amazonaws.com",
            "eventName": "DescribeInstances", "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.24",
            "eventID": format!("0d1e2f3a-0000-4000-8000-{number:012}"), "eventType": "AwsApiCall",
            "recipientAccountId": "111122223333",
            "userIdentity": { "type": "IAMUser", "accountId": "111122223333", "userName": "morgan.reyes" },
        });
        record[member] = value.clone();
        record
    };
    let values = [
        json!("text"),
        json!("{\"as\":\"text\"}"),
        json!(7),
        json!(true),
        json!(null),
        json!([]),
        json!([1, "two", { "three": 3 }]),
        json!({}),
        json!({ "tags": "text" }),
        json!({ "tags": { "team": "shop" } }),
        json!({ "tags": [{ "key": "team" }] }),
        json!({ "tags": 3 }),
        json!({ "tags": false }),
        json!({ "value": 1 }),
        json!({ "": 1 }),
        json!({ "a.b": 1, "a": { "b": "x" } }),
    ];
    let members = [
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "serviceEventDetails",
        "userIdentity",
        "resources",
        "tlsDetails",
        "eventVersion",
        "apiVersion",
        "errorMessage",
        "vpcEndpointId",
        "sharedEventID",
        "readOnly",
        "managementEvent",
        "somethingNew",
    ];
    let mut records = Vec::new();
    for member in members {
        for value in &values {
            records.push(record(records.len(), member, value));
        }
    }
    let text = json!({ "Records": records }).to_string();
    let passed = host("cloudtrail").pass("cloudtrail", text.as_bytes());
    assert_eq!(passed.counts.parsed + passed.counts.quarantined, records.len() as u64);
    for kept in &passed.sink.kept {
        // The one thing that is refused: a flag that is neither true nor false.
        assert!(
            kept.reason.contains("readOnly") || kept.reason.contains("managementEvent"),
            "{}",
            kept.reason
        );
    }
    for member in members.iter().filter(|member| !["readOnly", "managementEvent"].contains(member)) {
        let of_member = passed.sink.taken.iter().filter(|event| {
            let original: Value = serde_json::from_slice(&event.original).unwrap();
            original.get(member).is_some_and(|value| values.contains(value))
        });
        assert!(of_member.count() >= values.len(), "every record of {member} is an event");
    }

    let mut types: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for event in &passed.sink.taken {
        collect_types("", &event.document, &mut types);
    }
    let conflicts: Vec<_> = types.iter().filter(|(_, types)| types.len() > 1).collect();
    assert!(conflicts.is_empty(), "{conflicts:?}");
    assert!(types["/aws/cloudtrail/requestParameters"].contains("object"));
}

/// The types that an index would see at each path. A list has the type of its elements; below the objects that an index
/// maps flat (the parser's README names them) nothing has a type of its own.
fn collect_types(path: &str, value: &Value, types: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    const FLAT: [&str; 8] = [
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "serviceEventDetails",
        "addendum",
        "edgeDeviceDetails",
        "eventContext",
        "insightDetails",
    ];
    let name = match value {
        Value::Null => return,
        Value::Array(items) => return items.iter().for_each(|item| collect_types(path, item, types)),
        Value::Object(_) => "object",
        Value::String(_) => "text",
        Value::Number(_) => "number",
        Value::Bool(_) => "flag",
    };
    types.entry(path.to_owned()).or_default().insert(name);
    let is_flat = path.strip_prefix("/aws/cloudtrail/").is_some_and(|name| FLAT.contains(&name));
    if let Value::Object(members) = value
        && !is_flat
    {
        for (key, value) in members {
            collect_types(&format!("{path}/{key}"), value, types);
        }
    }
}

#[test]
fn an_object_of_a_hundred_thousand_rows_loses_none() {
    let text = flow_file(100_000);
    let host = host("vpcflow");
    let pipeline = host.host.pipeline();
    let passed =
        pass_into(&pipeline, Some("vpcflow"), "object", gzip(text.as_bytes()), MemorySink::counting());
    assert_eq!((passed.counts.events, passed.counts.bytes.read), (100_000, text.len() as u64));
}
