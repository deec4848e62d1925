//! What is done to a data folder after the fact: old days leave the index, small archive files become large ones.

use super::ingest::mixed;
use super::logs::{FLOW_HEADER, flow, gzip};
use super::place::{Place, counts};
use std::collections::BTreeSet;

/// The key of flow logs of a day of January 2026.
fn key(day: u32, name: &str) -> String {
    format!(
        "AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/01/{day:02}/f_202601{day:02}T0900Z_{name}.log.gz"
    )
}

#[test]
fn days_past_their_retention_leave_the_index_and_stay_in_the_archive() {
    let place = Place::new();
    mixed(&place);
    place.ingest();
    let before = place.count("*");
    assert!(before > 0);
    let archived = place.archived().len();
    // The logs of January are long past; a file written now is not.
    place.log("web/nginx-access-today.log", super::logs::visit(9));
    place.configure("[index]\nretention-days = 30\n");
    let totals = place.ingest();
    assert_eq!(counts(&totals, ["unexplained"]), [0]);
    assert_eq!(place.count("url.path:\"/page/9\""), 1);
    assert_eq!(place.count("event.dataset:aws.vpcflow"), 0);
    assert_eq!(place.archived().len(), archived + 1, "the archive keeps all");
    // They are not read again.
    place.ingest();
    assert_eq!(place.count("event.dataset:aws.vpcflow"), 0);
}

#[test]
fn small_archive_files_are_joined_row_for_row() {
    let place = Place::new();
    for file in 0..12 {
        place.log(&key(15, &file.to_string()), gzip(format!("{FLOW_HEADER}{}", flow(file)).as_bytes()));
    }
    place.log(&key(16, "alone"), gzip(format!("{FLOW_HEADER}{}", flow(99)).as_bytes()));
    place.ingest();
    let joined = place.run(&["archive", "join", "--json"]).expect(0).json_lines().remove(0);
    assert_eq!(
        (&joined["partitions"], &joined["from"], &joined["to"], &joined["rows"]),
        (&1.into(), &12.into(), &1.into(), &12.into())
    );
    let listed = place.run(&["archive", "list", "--json"]).expect(0).json_lines();
    let files: Vec<_> = listed.iter().map(|one| one["files"].as_u64().unwrap()).collect();
    assert_eq!(files, [1, 1], "{listed:?}");
    // Nothing more to do, and an ingest finds everything done.
    let again = place.run(&["archive", "join", "--json"]).expect(0).json_lines().remove(0);
    assert_eq!(again["partitions"], 0);
    let totals = place.ingest();
    assert_eq!(counts(&totals, ["indexed", "duplicates", "archived", "unexplained"]), [13, 13, 13, 0]);
    let days: BTreeSet<_> = listed.iter().map(|one| one["partition"].as_str().unwrap().to_owned()).collect();
    assert!(
        days.iter()
            .all(|day| day.contains("log_type=vpcflow/account=111122223333/region=eu-west-1/date=2026-01-"))
    );
}
