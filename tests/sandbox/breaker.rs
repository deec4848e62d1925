//! A parser that fails on everything: its frames wait for a fixed version, and nothing is lost.

use crate::support::component::{manifest, with_manifest};
use crate::support::host::{TestHost, parse, word};
use crate::support::{guest, parser};
use std::time::{Duration, Instant};
use weir::pipeline::SetAsideKind;

#[test]
fn frames_of_a_parser_that_always_traps_wait_and_others_go_on() {
    let host = TestHost::with(&[("hostile", guest("hostile")), ("nginx", parser("nginx-access"))], "");
    let lines: Vec<String> = (0..5000).map(|number| format!("TRAP {number}")).collect();
    let content = lines.join("\n");

    let passed = host.pass("hostile", content.as_bytes());
    let counts = &passed.counts;
    assert_eq!((counts.parsed, counts.quarantined, counts.waiting), (0, 100, 4900));
    assert!(host.parser("hostile").is_tripped());
    let mut raw: Vec<&[u8]> = passed.sink.kept.iter().map(|frame| frame.raw.as_slice()).collect();
    let mut wanted: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    raw.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(raw, wanted, "all of it is kept");

    // The next object does not even try; the other parser does not notice.
    let passed = host.pass("hostile", b"TRAP\nhonest\n");
    assert_eq!((passed.counts.waiting, passed.counts.quarantined), (2, 0));
    assert!(passed.sink.kept.iter().all(|frame| frame.kind == SetAsideKind::Waiting));
    let access = b"192.0.2.7 - - [15/Jan/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"\n";
    assert_eq!(host.pass("nginx-access", access).counts.parsed, 1);

    // A fixed version begins with a clean record.
    host.put("hostile", &with_manifest(&guest("no-manifest"), &manifest("hostile", "0.2.0", "0.1.0")));
    assert_eq!(host.host.registry.reload().unwrap().loaded, ["hostile"]);
    assert_eq!(host.pass("hostile", content.as_bytes()).counts.parsed, 5000);
}

#[test]
fn a_fault_now_and_then_trips_nothing() {
    let host = TestHost::with(&[("hostile", guest("hostile"))], "");
    let lines: Vec<String> =
        (0..40_000).map(|n| if n % 200 == 7 { format!("TRAP {n}") } else { format!("honest {n}") }).collect();
    let passed = host.pass("hostile", lines.join("\n").as_bytes());
    assert_eq!((passed.counts.parsed, passed.counts.quarantined, passed.counts.waiting), (39_800, 200, 0));
    assert!(!host.parser("hostile").is_tripped());
}

#[test]
fn a_parser_that_cannot_start_condemns_no_frame() {
    let host = TestHost::with(&[("slow", guest("slow-start")), ("hostile", guest("hostile"))], "");
    let started = Instant::now();
    let lines: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
    let passed = host.pass("slow-start", lines.join("\n").as_bytes());
    assert_eq!((passed.counts.waiting, passed.counts.quarantined), (1000, 0));
    assert!(host.parser("slow-start").is_tripped());
    assert!(started.elapsed() < Duration::from_secs(20), "one start is tried, not one for each frame");
    assert_eq!(word(&parse(&host.parser("hostile"), &["honest"]).verdicts[0]), "event");
}

#[test]
fn a_parser_whose_memory_begins_above_its_limit_condemns_no_frame() {
    // Another parser is granted more, so that the component itself is acceptable to the engine.
    let settings = "[limits]\nmemory-bytes = 33554432\n[parsers.grant.hostile]\nmemory-bytes = 67108864\n";
    let host = TestHost::with(&[("large", guest("large-start")), ("hostile", guest("hostile"))], settings);
    let passed = host.pass("large-start", b"one\ntwo\n");
    assert_eq!((passed.counts.waiting, passed.counts.quarantined), (2, 0));

    let host = TestHost::with(&[("large", guest("large-start"))], "");
    assert_eq!(host.pass("large-start", b"one\ntwo\n").counts.parsed, 2, "48 MiB are within the usual limit");
}
