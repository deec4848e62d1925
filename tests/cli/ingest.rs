//! A folder of many kinds of logs into index and archive.

use super::logs::{
    FLOW_HEADER, balanced, balancer_key, flow, flow_key, gzip, refused, trail, trail_key, visit,
};
use super::place::{Place, assert_balanced, counts};
use std::collections::BTreeSet;

/// Five types with lines that repeat, a malformed frame and a file that no parser wants.
pub fn mixed(place: &Place) {
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
