//! A changed component file: taken at once or not at all, and what is broken changes nothing.

use crate::support::component::{manifest, with_manifest, with_section};
use crate::support::guest;
use crate::support::host::{TestHost, full, pass};
use std::sync::atomic::{AtomicBool, Ordering};
use weir::parser::Reloaded;

fn fixed() -> Vec<u8> {
    with_manifest(&guest("no-manifest"), &manifest("hostile", "0.2.0", "0.1.0"))
}

fn host() -> TestHost {
    TestHost::with(&[("hostile", guest("hostile")), ("keeper", guest("state-keeper"))], "")
}

fn version(host: &TestHost) -> String {
    host.parser("hostile").manifest().version.clone()
}

fn reload(host: &TestHost) -> Reloaded {
    host.host.registry.reload().unwrap()
}

#[test]
fn a_changed_file_is_in_force_after_a_look_and_work_in_hand_keeps_the_old_one() {
    let host = host();
    let in_hand = host.host.pipeline();
    host.put("hostile", &fixed());
    assert_eq!(version(&host), "0.1.0", "nobody looked yet");
    let changes = reload(&host);
    assert_eq!(
        (changes.loaded, changes.removed, changes.refused.len()),
        (vec!["hostile".to_owned()], vec![], 0)
    );
    assert_eq!(version(&host), "0.2.0");

    let content = b"TRAP\nhonest\n";
    let digests =
        |passed: &crate::support::sink::Passed| passed.counts.parsers.iter().cloned().collect::<Vec<_>>();
    let (old, new) = (pass(&in_hand, Some("hostile"), "object", content), host.pass("hostile", content));
    assert_eq!((old.counts.parsed, new.counts.parsed), (1, 2));
    assert_ne!(digests(&old), digests(&new), "each event is counted under the parser that read it");

    assert!(reload(&host).loaded.is_empty(), "a look at the same files changes nothing");
}

#[test]
fn the_same_bytes_under_a_new_date_are_the_same_parser() {
    let host = host();
    let lines = "TRAP\n".repeat(100);
    host.pass("hostile", lines.as_bytes());
    assert!(host.parser("hostile").is_tripped());
    let path = host.folder.path().join("hostile.wasm");
    let hour = std::time::Duration::from_hours(1);
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(std::time::SystemTime::now() + hour)
        .unwrap();
    assert!(reload(&host).loaded.is_empty());
    assert!(host.parser("hostile").is_tripped(), "a touch does not clear a parser's record");
}

#[test]
fn a_broken_file_keeps_the_old_parser_and_says_why() {
    let host = host();
    let whole = fixed();
    let broken: [(&str, Vec<u8>); 5] = [
        ("not a WebAssembly component", b"nothing".to_vec()),
        ("not a WebAssembly component", whole[..whole.len() / 3].to_vec()),
        (
            "imports `wasi:clocks",
            with_manifest(&guest("asks-for-clock"), &manifest("hostile", "0.3.0", "0.1.0")),
        ),
        (
            "speaks contract 9.9.9",
            with_manifest(&guest("no-manifest"), &manifest("hostile", "0.3.0", "9.9.9")),
        ),
        (
            "both parse the log type state-keeper",
            with_manifest(&whole, &manifest("state-keeper", "0.3.0", "0.1.0")),
        ),
    ];
    for (why, bytes) in broken {
        host.put("hostile", &bytes);
        let changes = reload(&host);
        assert!(changes.loaded.is_empty() && changes.removed.is_empty(), "{why}: {changes:?}");
        let [refusal] = changes.refused.as_slice() else { panic!("{why}: {changes:?}") };
        let refusal = full(refusal);
        assert!(refusal.contains(why) && refusal.contains("hostile.wasm"), "{refusal}");
        assert_eq!(version(&host), "0.1.0", "{why}");
        assert_eq!(host.pass("hostile", b"honest\n").counts.parsed, 1, "{why}");
        assert!(reload(&host).refused.is_empty(), "{why}: said once, not at every look");
    }
    // The rest of the file arrives.
    host.put("hostile", &whole);
    assert_eq!(reload(&host).loaded, ["hostile"]);
    assert_eq!(version(&host), "0.2.0");
}

#[test]
fn a_refused_file_keeps_no_other_change_back() {
    let host = host();
    host.put("hostile", b"nothing");
    host.put("keeper", &with_section(&guest("state-keeper"), "note", b"another build"));
    let changes = reload(&host);
    assert_eq!((changes.loaded, changes.refused.len()), (vec!["state-keeper".to_owned()], 1));
    assert_eq!(version(&host), "0.1.0");
}

#[test]
fn files_come_and_go() {
    let host = host();
    std::fs::remove_file(host.folder.path().join("keeper.wasm")).unwrap();
    host.put("plain", &with_manifest(&guest("no-manifest"), &manifest("plain", "0.1.0", "0.1.0")));
    let changes = reload(&host);
    assert_eq!(
        (changes.loaded, changes.removed),
        (vec!["plain".to_owned()], vec!["state-keeper".to_owned()])
    );
    assert!(host.host.registry.parser("state-keeper").is_none());
    assert_eq!(host.pass("plain", b"line\n").counts.parsed, 1);
}

#[test]
fn there_is_a_parser_at_every_moment_of_a_change() {
    let host = host();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = std::collections::BTreeSet::new();
                    while !done.load(Ordering::Relaxed) {
                        let parsers = host.host.registry.parsers();
                        assert!(parsers.contains_key("state-keeper"));
                        seen.insert(parsers["hostile"].manifest().version.clone());
                    }
                    seen
                })
            })
            .collect();
        for round in 0..6 {
            // The log type moves from one file to another and back.
            let (from, to) = if round % 2 == 0 { ("hostile", "moved") } else { ("moved", "hostile") };
            let version = format!("1.{round}.0");
            host.put(to, &with_manifest(&guest("no-manifest"), &manifest("hostile", &version, "0.1.0")));
            std::fs::remove_file(host.folder.path().join(format!("{from}.wasm"))).unwrap();
            assert!(reload(&host).refused.is_empty());
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(!reader.join().unwrap().is_empty());
        }
    });
    assert_eq!(version(&host), "1.5.0");
}
