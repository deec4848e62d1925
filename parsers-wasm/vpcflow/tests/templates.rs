//! Records written by the shape of an earlier one are the bytes that the parser's own code writes.
//!
//! A record alone in its batch has no earlier one, so that its document is the parser's own.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use weir_parser_sdk::{Batch, FramingKind, Origin, Parsed, TimeZone, parse_batch};
use weir_parser_vpcflow::VpcFlow;

/// Xorshift (Marsaglia 2003): the same records in every run.
struct Random(u64);
impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.below(values.len())]
    }
}

const COLUMNS: [&str; 20] = [
    "version",
    "account-id",
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
    "pkt-srcaddr",
    "pkt-dstaddr",
    "flow-direction",
    "region",
    "traffic-path",
    "zqx05zqx",
];

fn value(column: &str, random: &mut Random) -> String {
    let odd = random.below(40) == 0;
    // Most records are of few classes.
    match column {
        "version" if random.below(20) > 0 => return "2".to_owned(),
        "account-id" if random.below(20) > 0 => return "111122223333".to_owned(),
        "protocol" if random.below(4) > 0 => return "6".to_owned(),
        "log-status" if random.below(20) > 0 => return "OK".to_owned(),
        _ => {}
    }
    match column {
        "version" => random.of(&["2", "5"]).to_owned(),
        // Among them what probes are marked with, and what looks like a number but is none in JSON.
        "account-id" => random
            .of(&["111122223333", "444455556666", "unknown", "-", "zqx02zqx", "10.253.251.101", "kvw02kvw"])
            .to_owned(),
        "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" if odd => random
            .of(&["-", "2001:db8::7", "192.0.2", "256.0.0.1", "192.0.2.01", "10.253.251.101"])
            .to_owned(),
        "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" => {
            random.of(&["192.0.2.7", "198.51.100.255", "203.0.113.1", "10.0.0.1", "10.20.30.40"]).to_owned()
        }
        "protocol" => random.of(&["6", "17", "1", "132", "255", "-"]).to_owned(),
        "start" | "end" if odd => {
            random.of(&["-", "0", "1720000000.5", "9999999999", "17200000000", "-5", "x"]).to_owned()
        }
        "start" | "end" => (1_719_800_000 + random.below(200_000)).to_string(),
        "action" => random.of(&["ACCEPT", "ACCEPT", "REJECT", "-", "MAYBE"]).to_owned(),
        "log-status" => random.of(&["OK", "OK", "NODATA"]).to_owned(),
        "srcport" | "dstport" | "packets" | "bytes" | "traffic-path" if odd => random
            .of(&["-", "007", "-1", "12345678901234567890", "1e5", "x", "0", "7130917013071005"])
            .to_owned(),
        "srcport" | "dstport" | "packets" | "bytes" | "traffic-path" => random.below(70_000).to_string(),
        _ if odd => random
            .of(&[
                "-",
                "a\"b",
                "back\\slash",
                "\u{e4}\u{f6}",
                "tab\there",
                "zqx05zqx",
                "a-text-longer-than-sixteen-bytes-in-one-field",
            ])
            .to_owned(),
        _ => random.of(&["ingress", "eni-0aa11bb22cc33dd44", "eu-west-1"]).to_owned(),
    }
}

fn batch(header: &str, lines: &[String]) -> Batch {
    let mut frames = Vec::new();
    let mut ends = Vec::new();
    for line in lines {
        frames.extend_from_slice(line.as_bytes());
        ends.push(frames.len() as u32);
    }
    Batch {
        origin: Origin {
            account: Some("111122223333".to_owned()),
            region: Some("eu-west-1".to_owned()),
            bucket: "logs".to_owned(),
            key: "zqx05zqx".to_owned(),
            version_id: None,
            archive_member: None,
            log_type: "vpcflow".to_owned(),
            team: None,
            log_group: None,
            log_stream: None,
            container: None,
            host: None,
            attributes: Vec::new(),
        },
        reference_time: 1_767_225_600_000_000_000,
        time_zone: TimeZone { name: "UTC".to_owned(), initial_offset: 0, transitions: Vec::new() },
        framing: FramingKind::Text,
        header: Some(header.to_owned()),
        frames,
        ends,
        wrapped: Vec::new(),
    }
}

fn documents(parsed: &Parsed) -> Vec<(String, i64)> {
    let mut start = 0;
    let text = |end: u32, start: &mut usize| {
        let text = String::from_utf8(parsed.documents[*start..end as usize].to_vec()).unwrap();
        *start = end as usize;
        text
    };
    parsed.ends.iter().zip(&parsed.timestamps).map(|(end, time)| (text(*end, &mut start), *time)).collect()
}

#[test]
fn shapes_give_the_parsers_own_bytes() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut events = 0;
    for round in 0..60 {
        // Any columns in any order, addresses and times among them or not.
        let mut columns: Vec<&str> = COLUMNS.to_vec();
        for index in (1..columns.len()).rev() {
            columns.swap(index, random.below(index + 1));
        }
        if round % 3 != 0 {
            columns.truncate(8 + random.below(12));
        }
        if !columns.iter().any(|column| *column != "zqx05zqx") {
            continue;
        }
        let lines: Vec<String> = (0..150)
            .map(|_| columns.iter().map(|column| value(column, &mut random)).collect::<Vec<_>>().join(" "))
            .collect();
        let header = columns.join(" ");
        let together = parse_batch::<VpcFlow>(&batch(&header, &lines));
        let mut alone = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let parsed = parse_batch::<VpcFlow>(&batch(&header, std::slice::from_ref(line)));
            assert_eq!(
                format!("{:?}", parsed.outcomes[0]),
                format!("{:?}", together.outcomes[index]),
                "{header}\n{line}"
            );
            alone.extend(documents(&parsed));
        }
        let together = documents(&together);
        for (ours, own) in together.iter().zip(&alone) {
            assert_eq!(ours, own, "{header}");
        }
        assert_eq!(together.len(), alone.len());
        events += together.len();
    }
    assert!(events > 2000, "{events} events: the records are too odd to test anything");
}
