//! Instances: used again while they behave, ended when they do not, and a parser that remembers is found out.

use crate::support::host::{TestHost, messages, parse, word};
use crate::support::{guest, parser};
use weir::parser::fixtures;

fn keeper() -> TestHost {
    TestHost::with(&[("keeper", guest("state-keeper"))], "")
}

#[test]
fn an_instance_is_used_again_until_it_traps_or_grows() {
    let host = keeper();
    let parser = host.parser("state-keeper");
    assert_eq!(messages(&parse(&parser, &["a", "b"])), ["0", "1"]);
    assert_eq!(messages(&parse(&parser, &["c"])), ["2"], "the same instance");

    let answer = parse(&parser, &["d", "TRAP", "e"]);
    assert_eq!(answer.verdicts.iter().map(word).collect::<Vec<_>>(), ["event", "trap", "event"]);
    let after = messages(&parse(&parser, &["f"]));
    assert!(after[0].parse::<u64>().unwrap() <= 1, "what trapped is not used again: {after:?}");

    let count = |frame: &str| messages(&parse(&parser, &[frame]))[0].parse::<u64>().unwrap();
    let before = count("g");
    assert_eq!(count("GROW"), before + 1);
    assert_eq!(count("h"), 0, "what grew past the watermark is not kept");
}

#[test]
fn state_between_calls_shows_when_batches_are_split_otherwise() {
    let reports = fixtures::test(&keeper().parser("state-keeper"));
    assert_eq!(reports.len(), 1);
    let problem = reports[0].problem.as_deref().unwrap();
    assert!(problem.contains("batches of 1 frame"), "{problem}");
}

#[test]
fn after_a_trap_the_bytes_are_the_same() {
    let host = TestHost::with(&[("hostile", guest("hostile")), ("nginx", parser("nginx-access"))], "");
    let hostile = host.parser("hostile");
    let frames: Vec<String> = (0..500).map(|number| format!("line {number}")).collect();
    let before = parse(&hostile, &frames);
    for word in ["TRAP", "HOG", "RECURSE", "OUTSIDE"] {
        parse(&hostile, &[word]);
        let after = parse(&hostile, &frames);
        assert_eq!(after.documents, before.documents, "after {word}");
        assert_eq!(after.verdicts, before.verdicts, "after {word}");
    }
}
