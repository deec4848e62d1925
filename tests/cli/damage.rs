//! Damaged and hostile objects: each has a clear outcome, its neighbours none of it, and memory stays bounded.

use super::logs::{FLOW_HEADER, flow, flow_key, flows, gzip, trail, trail_key, visit, visits};
use super::place::{Place, Running, assert_balanced, counts};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use weir::ledger::ObjectRecord;

/// What `weir ingest` may hold at most, whatever it is given.
const MEMORY: u64 = 512 << 20;
/// Bytes of the long object: memory is far below it, and time bounded. WEIR_TEST_OBJECT_BYTES asks for another size, as
/// 2147483648.
const LONG: u64 = 96 << 20;

/// The record of the one object whose key has this in it.
fn of(records: &[ObjectRecord], part: &str) -> ObjectRecord {
    let mut found = records.iter().filter(|record| record.key.contains(part));
    let record = found.next().unwrap_or_else(|| panic!("no record of {part}")).clone();
    assert!(found.next().is_none(), "{part} is in several keys");
    assert_eq!(record.unexplained(), 0, "{record:?}");
    record
}

/// Bytes without a pattern, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn damaged_objects_are_named_and_their_neighbours_whole() {
    let place = Place::new();
    place.log(&flow_key("good"), flows(0..500));
    place.log("web/nginx-access.log", visits(0..100));
    let whole = flows(0..5_000);
    place.log(&flow_key("cut"), &whole[..whole.len() / 2]);
    let text = trail(&["GetUser"; 20], "ana");
    place.log(&trail_key("half"), &text[..text.len() / 2]);
    place.log(&flow_key("noise"), noise(100_000));
    place.log(&flow_key("pressed-noise"), gzip(&noise(100_000)));
    place.log(&flow_key("empty"), "");
    place.log(&trail_key("empty-gzip"), gzip(b""));
    let mut garbage_after = gzip((FLOW_HEADER.to_owned() + &flow(1) + &flow(2)).as_bytes());
    garbage_after.extend_from_slice(&noise(50));
    place.log(&flow_key("trailing"), garbage_after);

    let totals = place.ingest();
    assert_balanced(&totals);
    assert_eq!(totals["objects"], 9);
    let records = place.records();
    assert_eq!((of(&records, "_good").frames.parsed, of(&records, "_good").frames.total), (500, 500));
    assert_eq!((of(&records, "nginx").frames.parsed, of(&records, "nginx").frames.total), (100, 100));
    let cut = of(&records, "_cut");
    assert!((1..5_000).contains(&cut.frames.parsed) && (1..=2).contains(&cut.frames.quarantined), "{cut:?}");
    let half = of(&records, "_half");
    assert!((5..15).contains(&half.frames.parsed) && half.frames.quarantined == 1, "{half:?}");
    for name in ["_noise", "_pressed-noise"] {
        let noise = of(&records, name);
        assert!(noise.frames.parsed == 0 && noise.frames.quarantined > 0, "{noise:?}");
    }
    for name in ["_empty.", "_empty-gzip"] {
        let empty = of(&records, name);
        assert_eq!((empty.frames.total, empty.bytes.read), (0, 0), "{empty:?}");
    }
    let trailing = of(&records, "_trailing");
    assert!(trailing.frames.parsed == 2, "{trailing:?}");

    // Each has its reason, and the raw bytes can be had again.
    let listed = place.run(&["quarantine", "list", "--limit", "100000", "--json"]).expect(0).json_lines();
    let quarantined = counts(&totals, ["quarantined"])[0];
    assert_eq!(listed.len() as u64, quarantined);
    assert!(listed.iter().all(|entry| entry["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
    // Reading them again adds nothing.
    assert_eq!(counts(&place.ingest(), ["objects", "quarantined"]), [9, quarantined]);
}

/// Writes `length` bytes of repeated `block` into `out`.
fn repeat(out: &mut dyn Write, block: &[u8], length: u64) {
    let mut left = length;
    while left > 0 {
        let size = (block.len() as u64).min(left) as usize;
        out.write_all(&block[..size]).unwrap();
        left -= size as u64;
    }
}

fn gzip_to(path: &Path, write: impl FnOnce(&mut dyn Write)) {
    let mut encoder = GzEncoder::new(BufWriter::new(File::create(path).unwrap()), Compression::fast());
    write(&mut encoder);
    encoder.finish().unwrap().flush().unwrap();
}

#[test]
fn endless_lines_bombs_and_long_objects_stay_within_memory() {
    let place = Place::new();
    place.log(&flow_key("neighbour"), flows(0..500));

    // A line of 1 GiB between two good ones.
    let line = place.log("web/nginx-access-line.log.gz", "");
    gzip_to(&line, |out| {
        out.write_all(visit(1).as_bytes()).unwrap();
        repeat(out, &[b'x'; 1 << 20], 1 << 30);
        out.write_all(b"\n").unwrap();
        out.write_all(visit(2).as_bytes()).unwrap();
    });
    // 2 GiB of zeros in a small zip, beside a good member.
    let bomb = place.log("web/nginx-access-bomb.zip", "");
    let mut zip = zip::ZipWriter::new(File::create(&bomb).unwrap());
    let options = zip::write::SimpleFileOptions::default().large_file(true).compression_level(Some(1));
    zip.start_file("access-a.log", options).unwrap();
    zip.write_all(visit(3).as_bytes()).unwrap();
    zip.start_file("access-b.log", options).unwrap();
    repeat(&mut zip, &[0; 1 << 20], 2 << 30);
    zip.finish().unwrap();
    // What only zstd can do: 8 GiB in less than a megabyte, past the ratio that an object may have.
    let tight = place.log("web/nginx-access-tight.log.zst", "");
    let mut encoder = zstd::Encoder::new(File::create(&tight).unwrap(), 1).unwrap();
    repeat(&mut encoder, &[b'y'; 1 << 20], 8 << 30);
    encoder.finish().unwrap();
    // A long object of good lines.
    let asked = std::env::var("WEIR_TEST_OBJECT_BYTES").ok().and_then(|text| text.parse().ok());
    let block: String = (0..4096).map(flow).collect();
    let blocks = asked.unwrap_or(LONG) / block.len() as u64;
    let long = place.log(&flow_key("long"), "");
    gzip_to(&long, |out| {
        out.write_all(FLOW_HEADER.as_bytes()).unwrap();
        (0..blocks).for_each(|_| out.write_all(block.as_bytes()).unwrap());
    });

    let log = File::create(place.path("out.json")).unwrap();
    let mut command = place.command(&["ingest", "logs", "--json"]);
    let mut running = Running(command.stdout(log).stderr(Stdio::inherit()).spawn().unwrap());
    let (status, peak) = running.peak_memory();
    assert!(status.success());
    if cfg!(target_os = "linux") {
        println!("peak memory {} MiB, {} lines in the long object", peak >> 20, blocks * 4096);
        assert!((1..MEMORY).contains(&peak), "{} MiB", peak >> 20);
    }
    let out = std::fs::read_to_string(place.path("out.json")).unwrap();
    let totals = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_balanced(&totals);
    let records = place.records();
    let line = of(&records, "access-line");
    assert_eq!((line.frames.total, line.frames.parsed, line.frames.quarantined), (3, 2, 1), "{line:?}");
    assert!(line.bytes.read > 1 << 30, "{line:?}");
    let bomb = of(&records, "access-bomb");
    assert!(bomb.frames.parsed == 1 && bomb.frames.quarantined >= 1, "{bomb:?}");
    let tight = of(&records, "access-tight");
    assert!(tight.frames.parsed == 0 && tight.frames.quarantined >= 1, "{tight:?}");
    assert!(tight.bytes.read < 8 << 30, "the ratio is bounded: {tight:?}");
    assert_eq!(of(&records, "_neighbour").frames.parsed, 500);
    let long = of(&records, "_long");
    assert_eq!((long.frames.parsed, long.events.indexed), (blocks * 4096, blocks * 4096));
    assert_eq!(place.count("event.dataset:aws.vpcflow"), blocks * 4096 + 500);
}

#[test]
fn years_of_days_stay_within_memory() {
    const DAYS: u32 = 400;
    let place = Place::new();
    for day in 0..DAYS {
        let date = format!("{:04}/{:02}/{:02}", 2024 + day / 336, day % 336 / 28 + 1, day % 28 + 1);
        let key = format!(
            "AWSLogs/111122223333/vpcflowlogs/eu-west-1/{date}/111122223333_vpcflowlogs_eu-west-1_fl-0a1b2c3d_{}T0900Z_a.log",
            date.replace('/', "")
        );
        place.log(&key, FLOW_HEADER.to_owned() + &flow(day));
    }
    let log = File::create(place.path("out.json")).unwrap();
    let mut command = place.command(&["ingest", "logs", "--json"]);
    let mut running = Running(command.stdout(log).stderr(Stdio::inherit()).spawn().unwrap());
    let (status, peak) = running.peak_memory();
    assert!(status.success());
    if cfg!(target_os = "linux") {
        println!("peak memory {} MiB over {DAYS} days", peak >> 20);
        assert!((1..MEMORY).contains(&peak), "{} MiB", peak >> 20);
    }
    let out = std::fs::read_to_string(place.path("out.json")).unwrap();
    let totals = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_balanced(&totals);
    assert_eq!(counts(&totals, ["objects", "indexed"]), [u64::from(DAYS); 2]);
    assert_eq!(place.count("*"), u64::from(DAYS));
}
