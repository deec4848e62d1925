//! One hostile frame among honest ones: it alone is condemned, for the right breach and with its raw bytes.

use crate::support::guest;
use crate::support::host::{TestHost, messages, parse, pass_into, word};
use crate::support::sink::MemorySink;
use std::time::{Duration, Instant};
use weir::parser::{Breach, Verdict};
use weir::pipeline::SetAsideKind;

/// Every word that the guest `hostile` knows as a misdeed: the kind of the breach, and a part of what is said of it.
const MISDEEDS: [(&str, &str, &str); 23] = [
    ("LOOP", "fuel", "used up its fuel"),
    ("TRAP", "trap", "unreachable"),
    ("RECURSE", "trap", ""),
    ("HOG", "memory", "67108864 bytes"),
    ("FLOOD", "output", "bound of"),
    ("ALIAS", "output", "bound of"),
    ("DEEP", "contract", "nested"),
    ("WIDE", "contract", "1000"),
    ("BYTES", "contract", "not UTF-8"),
    ("HALF", "contract", "a document is refused"),
    ("LIST", "contract", "a document is refused"),
    ("EMPTY", "contract", "not ascending"),
    ("DESCEND", "contract", "does not end where"),
    ("BEYOND", "contract", "does not end where"),
    ("FEWER", "contract", "0 outcomes for 1 frame"),
    ("MORE", "contract", "2 outcomes for 1 frame"),
    ("COUNT", "contract", "7 events told, 1 documents given"),
    ("NONE", "contract", "0 events told"),
    ("GHOST", "contract", "skipped or malformed"),
    ("STRANGER", "contract", "names frame 4294967295"),
    ("UNTIMED", "contract", "0 timestamps"),
    ("OUTSIDE", "contract", "out of bounds"),
    ("TEXT", "contract", "utf-8"),
];

fn hostile() -> TestHost {
    TestHost::with(&[("hostile", guest("hostile"))], "")
}

#[test]
fn every_misdeed_is_a_breach_of_its_kind() {
    let host = hostile();
    let parser = host.parser("hostile");
    for (misdeed, kind, told) in MISDEEDS {
        let frames = ["before", &format!("{misdeed} now"), "after"];
        let answer = parse(&parser, &frames);
        assert_eq!(
            answer.verdicts.iter().map(word).collect::<Vec<_>>(),
            ["event", kind, "event"],
            "{misdeed}"
        );
        let Verdict::Condemned(breach) = &answer.verdicts[1] else { unreachable!() };
        assert!(breach.to_string().contains(told), "{misdeed}: {breach}");
        assert_eq!(messages(&answer), ["before", "after"], "{misdeed}");
    }
    assert!(!parser.is_tripped());
}

#[test]
fn all_misdeeds_in_one_object_cost_their_own_lines_alone() {
    let lines: Vec<String> = (0..3000)
        .map(|number| match MISDEEDS.get(number / 100).filter(|_| number % 100 == 50) {
            Some((misdeed, ..)) => format!("{misdeed} at line {number}"),
            None => format!("honest line {number}"),
        })
        .collect();
    let (hostile_lines, honest): (Vec<&String>, Vec<&String>) =
        lines.iter().partition(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    assert_eq!(hostile_lines.len(), MISDEEDS.len());

    let passed = hostile().pass("hostile", lines.join("\n").as_bytes());
    assert_eq!(passed.counts.parsed, honest.len() as u64);
    assert_eq!(passed.counts.quarantined, hostile_lines.len() as u64);
    assert_eq!(
        passed.texts("message"),
        honest.into_iter().cloned().collect::<Vec<_>>(),
        "neighbours, in their order"
    );
    for (kept, line) in passed.sink.kept.iter().zip(hostile_lines) {
        assert_eq!(String::from_utf8_lossy(&kept.raw), *line);
        assert!(kept.complete && kept.kind == SetAsideKind::Condemned, "{kept:?}");
        assert_eq!(kept.length, line.len() as u64);
    }
}

#[test]
fn one_endless_loop_among_a_million_records_costs_no_other() {
    let records: u64 = 1_000_000;
    let mut content = Vec::new();
    for number in 0..records {
        let line =
            if number == 654_321 { "LOOP for ever\n".to_owned() } else { format!("record {number}\n") };
        content.extend_from_slice(line.as_bytes());
    }
    let host = hostile();
    let passed = pass_into(&host.host.pipeline(), Some("hostile"), "object", content, MemorySink::counting());
    assert_eq!((passed.counts.parsed, passed.counts.events), (records - 1, records - 1));
    let kept = &passed.sink.kept;
    assert_eq!(
        (kept.len(), kept[0].raw.as_slice(), kept[0].kind),
        (1, b"LOOP for ever".as_slice(), SetAsideKind::Condemned)
    );
    assert!(!host.parser("hostile").is_tripped());
}

#[test]
fn a_hog_ends_at_the_limit_that_it_was_granted() {
    let settings = "[parsers.grant.hostile]\nmemory-bytes = 8388608\n";
    let host = TestHost::with(&[("hostile", guest("hostile"))], settings);
    let started = Instant::now();
    let answer = parse(&host.parser("hostile"), &["HOG", "after"]);
    assert_eq!(answer.verdicts[0], Verdict::Condemned(Breach::Memory { limit: 8 << 20 }));
    assert_eq!(word(&answer.verdicts[1]), "event");
    assert!(started.elapsed() < Duration::from_secs(5), "a hog is stopped by its limit, not by a deadline");
}

#[test]
fn limits_that_are_granted_hold_instead_of_the_general_ones() {
    let settings = "[limits]\noutput-factor = 1\n[parsers.grant.hostile]\noutput-factor = 2000000\nfields = 6000\ndepth = 40\n";
    let host = TestHost::with(&[("hostile", guest("hostile"))], settings);
    let words = |frames: &[&str]| {
        parse(&host.parser("hostile"), frames).verdicts.iter().map(word).collect::<Vec<_>>()
    };
    assert_eq!(words(&["FLOOD", "WIDE", "DEEP"]), ["event", "event", "contract"]);
}

#[test]
fn an_answer_that_always_blames_the_first_frame_costs_neither_stack_nor_frames() {
    let host = hostile();
    let frames: Vec<String> = (0..12_000).map(|number| format!("CROWD {number}")).collect();
    let started = Instant::now();
    // A step down the stack for each frame would end the process.
    let answer = parse(&host.parser("hostile"), &frames);
    assert!(answer.verdicts.iter().all(|verdict| word(verdict) == "event"), "alone each is an honest line");
    assert_eq!(messages(&answer), frames);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_refusal_that_is_taken_well_is_no_breach() {
    let host = hostile();
    let answer = parse(&host.parser("hostile"), &["ASK for a GiB", "after"]);
    assert_eq!(messages(&answer), ["ASK for a GiB", "after"]);
}

#[test]
fn a_reason_takes_no_more_room_than_a_line() {
    let host = hostile();
    let answer = parse(&host.parser("hostile"), &["before", "LONG reason", "after"]);
    let Verdict::Malformed(reason) = &answer.verdicts[1] else { panic!("{:?}", answer.verdicts[1]) };
    assert!(reason.starts_with("other: long long") && reason.len() < 310, "{} bytes", reason.len());
    assert_eq!(messages(&answer), ["before", "after"]);
}

#[test]
fn other_parsers_go_on_while_one_hangs() {
    // One worker: what hangs holds the only one until its deadline.
    let components = [("hostile", guest("hostile")), ("plain", crate::support::parser("nginx-access"))];
    let host = TestHost::with(&components, "[parsers]\nworkers = 1\n");
    let hanging = host.parser("hostile");
    let access =
        b"192.0.2.7 - - [15/Jan/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"\n".repeat(2000);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let frames: Vec<String> = (0..64).map(|number| format!("LOOP {number}")).collect();
            let answer = parse(&hanging, &frames);
            assert!(answer.verdicts.iter().all(|verdict| word(verdict) == "fuel"));
        });
        let mut passes = 0;
        while !slow.is_finished() {
            assert_eq!(host.pass("nginx-access", &access).counts.parsed, 2000);
            passes += 1;
        }
        slow.join().unwrap();
        assert!(passes > 1, "the other parser came to its turn {passes} times");
    });
}
