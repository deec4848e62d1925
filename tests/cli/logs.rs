//! Logs of an invented company, as many as a test wants.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;

pub(super) const FLOW_HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                               start end action log-status\n";

/// The key of a file of flow logs of 2026-01-15.
pub(super) fn flow_key(name: &str) -> String {
    format!(
        "AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/01/15/111122223333_vpcflowlogs_eu-west-1_fl-0a1b2c3d4e5f60718_\
         20260115T0900Z_{name}.log.gz"
    )
}

/// The key of a file of CloudTrail events of 2026-01-15.
pub(super) fn trail_key(name: &str) -> String {
    format!(
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/15/111122223333_CloudTrail_eu-west-1_20260115T0905Z_{name}\
         .json.gz"
    )
}

/// The key of a file of a load balancer of 2026-01-15.
pub(super) fn balancer_key(name: &str) -> String {
    format!(
        "AWSLogs/111122223333/elasticloadbalancing/eu-west-1/2026/01/15/111122223333_elasticloadbalancing_eu-west-1_\
         app.shop-front.50dc6c495c0c9188_20260115T0910Z_192.0.2.80_{name}.log.gz"
    )
}

/// A flow from 10.0.HIGH.LOW of the number.
pub(super) fn flow(number: u32) -> String {
    let [_, _, high, low] = number.to_be_bytes();
    let start = 1_768_467_600 + number % 600;
    format!(
        "2 111122223333 eni-0a1b2c3d4e5f60718 10.0.{high}.{low} 198.51.100.7 {} 443 6 10 {} {start} {} ACCEPT OK\n",
        1024 + number % 60_000,
        100 + number,
        start + 30,
    )
}

/// Flows under a header, gzip.
pub(super) fn flows(numbers: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut text = FLOW_HEADER.to_owned();
    numbers.for_each(|number| text.push_str(&flow(number)));
    gzip(text.as_bytes())
}

/// CloudTrail events with these names, of the user `user`, in one object.
pub(super) fn trail(names: &[&str], user: &str) -> String {
    let records: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            json!({
                "eventVersion": "1.09",
                "eventTime": format!("2026-01-15T09:{:02}:00Z", number % 60),
                "eventID": format!("0d1e2f3a-0000-4000-8000-{number:012}"),
                "eventSource": "iam.amazonaws.com", "eventName": name, "eventType": "AwsApiCall",
                "eventCategory": "Management", "managementEvent": true, "readOnly": false,
                "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
                "sourceIPAddress": "203.0.113.66", "userAgent": "aws-cli/2.22",
                "userIdentity": {
                    "type": "IAMUser", "userName": user, "accountId": "111122223333",
                    "arn": format!("arn:aws:iam::111122223333:user/{user}"),
                },
                "requestParameters": { "userName": user },
            })
        })
        .collect();
    json!({ "Records": records }).to_string()
}

/// A request to a load balancer.
pub(super) fn balanced(status: u16) -> String {
    format!(
        "http 2026-01-15T09:09:05.186641Z app/shop-front/50dc6c495c0c9188 192.0.2.7:2817 10.0.3.21:8080 0.000 0.001 \
         0.000 {status} {status} 134 366 \"GET http://shop.example.com:80/ HTTP/1.1\" \"curl/8.5.0\" - - \
         arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop-web/73e2d6bc24d8a067 \
         \"Root=1-6968b8e5-36d228ad5d99923122bbe354\" \"-\" \"-\" 0 2026-01-15T09:09:05.185000Z \"forward\" \"-\" \"-\" \
         \"10.0.3.21:8080\" \"{status}\" \"-\" \"-\"\n"
    )
}

/// A request to a web server, with the number in its path.
pub(super) fn visit(number: u32) -> String {
    format!(
        "192.0.2.10 - - [15/Jan/2026:10:{:02}:{:02} +0000] \"GET /page/{number} HTTP/1.1\" 200 612 \"-\" \"curl/8.5.0\"\n",
        number / 60 % 60,
        number % 60,
    )
}

/// Visits of these numbers.
pub(super) fn visits(numbers: impl Iterator<Item = u32>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        let _ = write!(text, "{}", visit(number));
        text
    })
}

/// A refused login.
pub(super) fn refused(user: &str) -> String {
    format!(
        "Jan 15 12:10:00 app7 sshd[7001]: Failed password for invalid user {user} from 203.0.113.66 port 43001 ssh2\n"
    )
}

/// One gzip member.
pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
