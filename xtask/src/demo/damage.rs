//! Objects damaged on purpose: what a year of real logs has, too. Each is counted and named, and harms no other.

use super::company::{BUILD, DATA, FRANKFURT, PRODUCTION, VIRGINIA};
use super::moment::Moment;
use super::objects::{Objects, gzip};
use super::random::Random;
use anyhow::Result;
use serde_json::json;

/// One object of each kind.
pub(super) fn write(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("damage");
    truncated_gzip(objects, &mut random)?;
    half_json(objects, &mut random)?;
    binary_noise(objects, &mut random);
    objects.add(
        format!("hosts/{}/{FRANKFURT}/{}/nginx/access.log-2026-03-11-empty", BUILD.account, BUILD.name),
        "",
    );
    objects.add(
        format!("exports/{PRODUCTION}/billing/2026-03-11-cost-and-usage.csv"),
        "account,service,usd\n111122223333,AmazonEC2,41.07\n333344445555,AmazonS3,12.90\n",
    );
    Ok(())
}

/// An upload that broke off.
fn truncated_gzip(objects: &mut Objects, random: &mut Random) -> Result<()> {
    let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
    let mut lines = vec![header.to_owned()];
    for _ in 0..1_500 {
        let end = Moment::within(random, Moment::at(13, 0, 0), Moment::at(13, 9, 0)).seconds();
        lines.push(format!(
            "2 {DATA} eni-0d55e66f77a88b901 10.41.0.{} 10.41.1.9 {} 443 6 {} {} {} {end} ACCEPT OK",
            random.between(2, 250),
            random.between(32_768, 60_999),
            random.between(4, 60),
            random.between(400, 60_000),
            end - 58
        ));
    }
    let text = lines.join("\n") + "\n";
    let whole = gzip(text.as_bytes())?;
    let key = format!(
        "AWSLogs/{DATA}/vpcflowlogs/{VIRGINIA}/2026/03/11/{DATA}_vpcflowlogs_{VIRGINIA}_fl-0aaaabbbbccccdddd_20260311T1310Z_{}.log.gz",
        random.hex(8)
    );
    objects.add(key, &whole[..whole.len() * 3 / 5]);
    Ok(())
}

/// A document that ends in the middle of its third record.
fn half_json(objects: &mut Objects, random: &mut Random) -> Result<()> {
    let records: Vec<_> = (0..4)
        .map(|number| {
            json!({"eventVersion": "1.11", "userIdentity": {"type": "AWSService", "invokedBy": "config.amazonaws.com"},
                "eventTime": Moment::at(15, 20, number).iso(), "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
                "awsRegion": FRANKFURT, "sourceIPAddress": "config.amazonaws.com", "userAgent": "config.amazonaws.com",
                "requestParameters": {"roleArn": format!("arn:aws:iam::{DATA}:role/config")}, "responseElements": null,
                "eventID": random.uuid(), "readOnly": true, "eventType": "AwsApiCall", "recipientAccountId": DATA})
        })
        .collect();
    let text = json!({ "Records": records }).to_string();
    let half = &text.as_bytes()[..text.len() * 6 / 10];
    let key = format!(
        "AWSLogs/{DATA}/CloudTrail/{FRANKFURT}/2026/03/11/{DATA}_CloudTrail_{FRANKFURT}_20260311T1520Z_{}.json.gz",
        random.letters(16)
    );
    objects.add_gzip(key, half)
}

/// A disk that was full wrote noise between good lines.
fn binary_noise(objects: &mut Objects, random: &mut Random) {
    let mut bytes = Vec::new();
    for number in 0..60 {
        let time = Moment::at(17, number, 30);
        if number % 12 == 7 {
            let noise = random.bytes(700);
            bytes.extend(noise.into_iter().filter(|byte| *byte != b'\n'));
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(
            format!(
                "10.20.9.{number} - - [{}] \"GET /handbook/ HTTP/1.1\" 200 5120 \"-\" \"check/1\"\n",
                time.common_log()
            )
            .as_bytes(),
        );
    }
    objects.add(format!("hosts/{}/{FRANKFURT}/handbook-2/httpd/access_log-2026-03-11", BUILD.account), bytes);
}
