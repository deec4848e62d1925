//! A folder of many kinds of logs into index and archive.

use super::logs::{
    FLOW_HEADER, balanced, balancer_key, flow, flow_key, gzip, refused, trail, trail_key, visit, visits,
};
use super::place::{Place, assert_balanced, counts};
use std::collections::BTreeSet;
use std::io::Write;

/// Five types with lines that repeat, a malformed frame and a file that no parser wants.
pub(super) fn mixed(place: &Place) {
    place.log(&trail_key("mixed"), gzip(trail(&["CreateAccessKey", "GetUser", "GetUser"], "ana").as_bytes()));
    let flows = format!("{FLOW_HEADER}{}{}{}no flow at all\n{}", flow(1), flow(2), flow(2), flow(3));
    place.log(&flow_key("mixed"), gzip(flows.as_bytes()));
    place.log(&balancer_key("mixed"), gzip((balanced(200) + &balanced(503)).as_bytes()));
    place.log("web/nginx-access.log", [visit(1), visit(1), visit(2)].concat());
    place.log(
        "hosts/app7/secure",
        [refused("oracle"), refused("oracle"), refused("admin"), refused("oracle")].concat(),
    );
    place.log("notes/minutes.txt", "nobody reads this\n");
}

const NAMES: [&str; 9] =
    ["objects", "frames", "parsed", "skipped", "quarantined", "waiting", "unrouted", "events", "indexed"];

#[test]
fn every_frame_and_event_of_a_mixed_folder_is_counted() {
    let place = Place::new();
    mixed(&place);
    let first = place.ingest();
    assert_balanced(&first);
    // 3 + 5 + 2 + 3 + 4 frames of known types, one of them malformed, and one object that no parser wants.
    assert_eq!(counts(&first, NAMES), [6, 18, 16, 0, 1, 0, 1, 16, 16]);
    assert_eq!(counts(&first, ["archived_only", "reduced", "dead_lettered", "duplicates"]), [0; 4]);

    assert_eq!(place.count("*"), 16);
    assert_eq!(place.count("event.dataset:aws.vpcflow"), 4);
    assert_eq!(place.count("event.action:GetUser"), 2);
    assert_eq!(place.count("user.name:oracle"), 3);
    assert_eq!(place.count("url.path:\"/page/1\""), 2, "equal lines are two events");

    let archived = place.archived();
    let ids: BTreeSet<_> = archived.iter().map(|row| row.document_id).collect();
    assert_eq!((archived.len(), ids.len()), (16, 16));
    assert!(archived.iter().all(|row| row.event_original.is_some() && row.decision == "indexed"));
}

#[test]
fn a_second_ingest_adds_nothing() {
    let place = Place::new();
    mixed(&place);
    let first = place.ingest();
    let second = place.ingest();
    assert_balanced(&second);
    assert_eq!(counts(&second, NAMES), counts(&first, NAMES));
    assert_eq!(second["duplicates"], first["indexed"]);
    assert_eq!((place.count("*"), place.archived().len()), (16, 16));
}

#[test]
fn other_rules_parse_the_same_objects_again_in_their_place() {
    let place = Place::new();
    mixed(&place);
    place.ingest();
    place.configure("[[volume]]\nname = \"no-get\"\nwhen = \"event.action:GetUser\"\naction = \"drop\"\n");
    let again = place.ingest();
    assert_balanced(&again);
    assert_eq!(counts(&again, ["events", "indexed", "archived_only"]), [16, 14, 2]);
    assert_eq!((place.count("*"), place.count("event.action:GetUser"), place.archived().len()), (14, 0, 16));
    // And back: what a rule took out of the index comes back from the object.
    place.configure("");
    assert_eq!(counts(&place.ingest(), ["events", "indexed", "archived_only"]), [16, 16, 0]);
    assert_eq!((place.count("*"), place.archived().len()), (16, 16));
}

#[test]
fn a_file_that_grew_is_another_object_with_its_own_documents() {
    let place = Place::new();
    place.log("web/nginx-access.log", visit(1));
    place.ingest();
    place.log("web/nginx-access.log", visit(1) + &visit(2));
    assert_eq!(counts(&place.ingest(), ["objects", "indexed", "duplicates"]), [1, 2, 0]);
    assert_eq!(place.count("*"), 3, "whoever wants it followed says `follow` and `weir run`");
}

#[test]
fn one_object_at_two_paths_is_one_object() {
    let place = Place::new();
    for (folder, text) in [("a", visit(1) + &visit(1)), ("b", visit(1) + &visit(1)), ("c", visit(2))] {
        std::fs::create_dir(place.path(folder)).unwrap();
        std::fs::write(place.path(folder).join("nginx-access.log"), text).unwrap();
    }
    // Whichever is taken first: the folder is the root, so that all three have one key, and two of them one version.
    for _ in 0..5 {
        let read = place.run(&["ingest", "a", "b", "c", "a", "--json"]).expect(0);
        let totals = super::place::totals(&read);
        assert_balanced(&totals);
        assert_eq!(counts(&totals, ["objects", "indexed", "duplicates"]), [3, 5, 2]);
        assert_eq!((place.count("*"), place.archived().len(), place.records().len()), (3, 3, 2));
        assert!(place.records().iter().all(|record| record.unexplained() == 0));
        std::fs::remove_dir_all(place.path("data")).unwrap();
    }
}

#[test]
fn what_cannot_be_read_keeps_nothing_else_back() {
    let place = Place::new();
    mixed(&place);
    // A path longer than the system takes, which not even root can read: two halves, put together.
    let long = |from: &std::path::Path| (0..10).fold(from.to_owned(), |path, _| path.join("d".repeat(250)));
    let (upper, lower) = (long(&place.logs().join("deep")), place.path("lower"));
    std::fs::create_dir_all(&upper).unwrap();
    std::fs::create_dir_all(long(&lower)).unwrap();
    std::fs::rename(&lower, upper.join("deeper")).unwrap();
    let read = place.run(&["ingest", "logs", "--json"]).expect(1);
    assert!(read.err.contains("not processed") && read.err.contains("dddd"), "{}", read.err);
    let totals = read.json_lines().pop().unwrap();
    assert_balanced(&totals);
    assert_eq!(counts(&totals, ["objects", "indexed"]), [6, 16]);
    assert_eq!(place.count("*"), 16);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_named_and_not_done() {
    let place = Place::new();
    place.log("web/nginx-access-quiet.log", visit(0));
    let path = place.log("web/nginx-access.log", visits(0..50_000));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (read, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            let mut written = 50_000;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all(visit(written).as_bytes()).unwrap();
                written += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            written
        });
        let read = place.run(&["ingest", "logs", "--json"]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        (read, writer.join().unwrap())
    });
    let read = read.expect(1);
    assert!(read.err.contains("nginx-access.log changed while it was read"), "{}", read.err);
    let totals = read.json_lines().pop().unwrap();
    assert_balanced(&totals);
    assert_eq!(counts(&totals, ["objects", "indexed"]), [1, 1]);
    assert_eq!((place.count("*"), place.records().len()), (1, 1));
    // Once nobody writes, it is an object like any other.
    let totals = place.ingest();
    assert_balanced(&totals);
    assert_eq!(counts(&totals, ["objects", "indexed"]), [2, u64::from(written) + 1]);
    assert_eq!(place.count("*"), u64::from(written) + 1);
}

#[test]
fn the_data_folder_is_no_source_of_logs() {
    let place = Place::with("data = \"logs/data\"\n");
    mixed(&place);
    let first = place.ingest();
    for _ in 0..2 {
        let again = place.ingest();
        assert_eq!(counts(&again, NAMES), counts(&first, NAMES));
        assert_eq!(again["duplicates"], 16);
    }
    // And where it is the folder of logs itself.
    std::fs::remove_dir_all(place.path("logs/data")).unwrap();
    let read = place.run(&["ingest", "logs", "--data", "logs", "--json"]).expect(0);
    assert_eq!(counts(&super::place::totals(&read), ["objects", "duplicates"]), [6, 0]);
    let read = place.run(&["ingest", "logs", "--data", "logs", "--json"]).expect(0);
    assert_eq!(counts(&super::place::totals(&read), ["objects", "duplicates"]), [6, 16]);
}

#[test]
fn what_the_data_folder_lost_comes_back_from_the_objects() {
    let place = Place::new();
    mixed(&place);
    let first = place.ingest();
    std::fs::remove_dir_all(place.path("data/index")).unwrap();
    let warned = place.run(&["ingest", "logs", "--json"]).expect(0);
    assert!(warned.err.contains("run the same command with `--again`"), "{}", warned.err);
    // Not with the first run alone: the index has its folder again, and the days are still gone.
    let warned = place.run(&["ingest", "logs", "--json"]).expect(0);
    assert!(warned.err.contains("run the same command with `--again`"), "{}", warned.err);
    assert_eq!(place.count("*"), 0);
    let again = || super::place::totals(&place.run(&["ingest", "--again", "logs", "--json"]));
    let back = again();
    assert_balanced(&back);
    assert!(!place.run(&["ingest", "logs", "--json"]).expect(0).err.contains("--again"));
    assert_eq!(counts(&back, NAMES), counts(&first, NAMES));
    assert_eq!((place.count("*"), place.archived().len(), place.records().len()), (16, 16, 6));

    // One damaged file of the quarantine keeps none of the others back, and is made again.
    place.log("web2/nginx-access.log", "broken\n");
    place.ingest();
    let kept = place.bytes_under("data/quarantine").into_keys().next().unwrap();
    std::fs::write(&kept, "noise").unwrap();
    let listed = place.run(&["quarantine", "list", "--json"]).expect(1);
    assert!(listed.json_lines().len() == 1 && listed.err.contains("--again"), "{listed:?}");
    place.run(&["quarantine", "replay"]).expect(1);
    assert_balanced(&again());
    assert_eq!(place.run(&["quarantine", "list", "--json"]).expect(0).json_lines().len(), 2);
    assert_eq!((place.count("*"), place.archived().len()), (16, 16));
}

#[test]
fn a_replay_takes_every_frame() {
    let place = Place::new();
    // More than are held in memory at a time, and one that no parser takes.
    let flows: String = (0..45_000).map(flow).collect();
    place.log("web/nginx-access.log", flows + "neither\n");
    assert_eq!(counts(&place.ingest(), ["quarantined", "indexed"]), [45_001, 0]);
    let replay = |arguments: &[&str]| {
        let all = [&["quarantine", "replay", "--json"], arguments].concat();
        place.run(&all).expect(0).json_lines().remove(0)
    };
    assert_eq!(counts(&replay(&[]), ["objects", "frames", "parsed", "refused"]), [1, 45_001, 0, 45_001]);
    let replayed = replay(&["--as", "vpcflow"]);
    assert_eq!(counts(&replayed, ["objects", "frames", "parsed", "refused"]), [1, 45_001, 45_000, 1]);
    let records = place.records();
    assert_eq!((records[0].unexplained(), records[0].frames.parsed), (0, 45_000));
    assert_eq!((place.count("*"), place.archived().len()), (45_000, 45_000));
}
