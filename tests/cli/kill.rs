//! `kill -9` at any moment of an ingest, and again: nothing is missing and nothing is there twice.

use super::logs::{FLOW_HEADER, flow, flow_key, gzip, refused, visits};
use super::place::{Place, Running, assert_balanced, counts};
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

const FILES: u32 = 64;
/// More than a group together: there is a commit under way, too, when the program is killed.
const LINES: u32 = 4_500;

/// Flow logs where every second line is there twice, and two files of other types.
fn write(place: &Place) -> u64 {
    for file in 0..FILES {
        let mut text = FLOW_HEADER.to_owned();
        (0..LINES).for_each(|line| text.push_str(&flow(file * LINES + line / 2)));
        place.log(&flow_key(&format!("part{file}")), gzip(text.as_bytes()));
    }
    place.log("web/nginx-access.log", visits((0..2_000).map(|number| number % 10)));
    place.log("hosts/app7/secure", refused("oracle").repeat(1_000));
    u64::from(FILES * LINES + 3_000)
}

fn check(place: &Place, expected: u64) {
    let totals = place.ingest();
    assert_balanced(&totals);
    assert_eq!(
        counts(&totals, ["objects", "frames", "parsed", "events", "indexed"]),
        [u64::from(FILES) + 2, expected, expected, expected, expected]
    );
    assert_eq!(place.count("*"), expected);
    assert_eq!(place.count("event.dataset:aws.vpcflow"), expected - 3_000);
    assert_eq!(place.count("user.name:oracle"), 1_000);
    let ids: Vec<_> = place.archived().iter().map(|row| row.document_id).collect();
    assert_eq!(ids.len() as u64, expected);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len() as u64, expected, "every row is there once");
    // No file lies in the archive that no record names.
    let named: BTreeSet<_> = place.records().into_iter().flat_map(|record| record.files).collect();
    let lying = place.bytes_under("data/archive").into_keys();
    let lying: BTreeSet<_> = lying
        .map(|path| path.strip_prefix(place.path("data")).unwrap().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".parquet"))
        .collect();
    assert_eq!(lying, named.into_iter().filter(|file| file.ends_with(".parquet")).collect());
}

#[test]
fn killed_again_and_again_the_counts_are_exact_at_last() {
    let place = Place::new();
    let expected = write(&place);
    // How long it takes when nobody kills it.
    let started = Instant::now();
    check(&place, expected);
    let whole = started.elapsed();
    std::fs::remove_dir_all(place.path("data")).unwrap();

    let mut seed = 20_260_115_u64;
    let mut killed = 0;
    // Early, in the middle and late; the last ones end by themselves on a fast day, which is as well.
    for step in [1, 2, 4, 6, 7, 9_u32] {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let jitter = Duration::from_millis((seed >> 33) % 200);
        let mut command = place.command(&["ingest", "logs", "--json"]);
        let mut running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        std::thread::sleep(whole * step / 12 + jitter);
        killed += u32::from(running.0.try_wait().unwrap().is_none());
        running.0.kill().unwrap();
        running.0.wait().unwrap();
    }
    assert!(killed >= 2, "{killed} of 6 were killed under way; a whole ingest took {whole:?}");
    println!("{killed} of 6 killed under way; a whole ingest takes {whole:?}");
    check(&place, expected);
}
