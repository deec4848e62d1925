//! What the configuration does to events: redaction, volume rules, enrichment; and a configuration that is wrong.

use super::ingest::mixed;
use super::logs::{flow_key, flows, gzip, refused, trail, trail_key, visits};
use super::place::{Place, assert_balanced, counts};
use crate::support::root;

const SECRET: &str = "quentin.marlowe";

/// Whether the secret can be read anywhere in what is stored, compressed columns and blocks included.
fn traces(place: &Place) -> Vec<String> {
    let mut found: Vec<String> = place
        .bytes_under("data")
        .into_iter()
        .filter(|(_, bytes)| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()))
        .map(|(path, _)| path.display().to_string())
        .collect();
    for row in place.archived() {
        let original = row.event_original.unwrap_or_default();
        for text in [row.document, original, row.context.unwrap_or_default().into_bytes()] {
            if String::from_utf8_lossy(&text).contains(SECRET) {
                found.push(String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    found
}

#[test]
fn a_removed_value_is_in_no_output() {
    let place = Place::with("[[redact]]\nfields = [\"user.name\"]\naction = \"remove\"\n");
    let path =
        place.log(&trail_key("secret"), gzip(trail(&["GetUser", "CreateAccessKey"], SECRET).as_bytes()));
    place.log(
        "hosts/app7/secure",
        refused(SECRET) + "sshd says something about quentin.marlowe that nobody parses\n",
    );
    let totals = place.ingest();
    assert_balanced(&totals);
    assert!(counts(&totals, ["indexed"])[0] >= 3, "{totals}");
    assert_eq!(place.count(SECRET), 0);
    let shown = place
        .run(&["search", "event.dataset:aws.cloudtrail OR source.ip:203.0.113.66", "--json"])
        .expect(0)
        .out;
    assert!(shown.lines().count() >= 3 && !shown.contains(SECRET), "{shown}");
    let indexed: Vec<String> =
        traces(&place).into_iter().filter(|trace| !trace.contains("nobody parses")).collect();
    assert!(
        indexed.iter().all(|trace| trace.contains("quarantine")),
        "a malformed frame keeps its bytes, nothing else does: {indexed:?}"
    );
    for format in ["ndjson", "bulk"] {
        let file = path.to_str().unwrap();
        let dumped = place.run(&["dump", file, "--format", format, "--original"]).expect(0).out;
        assert!(dumped.contains("GetUser") && !dumped.contains(SECRET), "{dumped}");
    }
}

#[test]
fn a_hashed_value_can_be_told_from_others_and_not_be_read() {
    let rule = "hash-key = \"0123456789abcdef\"\n[[redact]]\nfields = [\"user.name\"]\naction = \"hash\"\nlog-types = [\"cloudtrail\"]\n";
    let place = Place::with(rule);
    place.log(&trail_key("a"), gzip(trail(&["GetUser", "GetUser"], SECRET).as_bytes()));
    place.log(&trail_key("b"), gzip(trail(&["GetUser"], "ana").as_bytes()));
    place.ingest();
    let top = place.run(&["search", "*", "--top", "user.name", "--json"]).expect(0).json_lines();
    let counted: Vec<_> = top.iter().map(|row| row["count"].as_u64().unwrap()).collect();
    assert_eq!(counted, [2, 1], "{top:?}");
    assert!(top.iter().all(|row| row["value"].as_str().unwrap().starts_with("hash:")), "{top:?}");
    assert_eq!(traces(&place), Vec::<String>::new());
    // Without the secret nothing is read at all.
    place.configure("[[redact]]\nfields = [\"user.name\"]\naction = \"hash\"\n");
    let refused = place.run(&["ingest", "logs"]).expect(3);
    assert!(refused.err.contains("WEIR__HASH_KEY"), "{}", refused.err);
}

#[test]
fn volume_rules_reduce_the_index_and_not_the_archive() {
    let place = Place::with(
        "[[volume]]\nname = \"keep-big\"\nwhen = \"source.bytes:>=1090\"\naction = \"keep\"\nlog-types = [\"vpcflow\"]\n\
         [[volume]]\nname = \"few\"\nwhen = \"source.bytes:<1000\"\naction = \"sample\"\nrate = 0.25\nlog-types = [\"vpcflow\"]\n\
         [[volume]]\nname = \"none\"\nwhen = \"event.dataset:aws.vpcflow\"\naction = \"drop\"\n\
         [[volume]]\nname = \"gone\"\nwhen = \"url.path:\\\"/page/7\\\"\"\naction = \"drop\"\narchive = false\n",
    );
    // Bytes are 100 + number: 900 under 1000, 90 dropped, 110 kept.
    place.log(&flow_key("a"), flows(0..1_100));
    place.log("web/nginx-access.log", visits((0..100).map(|number| number % 10)));
    let totals = place.ingest();
    assert_balanced(&totals);
    let [events, indexed, archived_only, reduced] =
        counts(&totals, ["events", "indexed", "archived_only", "reduced"]);
    assert_eq!((events, reduced), (1_200, 10));
    let sampled = indexed - 110 - 90;
    assert!((160..300).contains(&sampled), "{sampled} of 900");
    assert_eq!(archived_only, 900 - sampled + 90);
    assert_eq!(place.count("event.dataset:aws.vpcflow"), 110 + sampled);
    assert_eq!(place.count("source.bytes:[1000 TO 1089]"), 0);
    assert_eq!(place.count("url.path:\"/page/7\""), 0);
    let archived = place.archived();
    assert_eq!(archived.len() as u64, indexed + archived_only);
    let left_out = archived.iter().filter(|row| row.decision == "archived_only").count();
    assert_eq!(left_out as u64, archived_only);
    assert!(!archived.iter().any(|row| String::from_utf8_lossy(&row.document).contains("/page/7\"")));
    // The same sample whenever and wherever it is drawn.
    assert_eq!(counts(&place.ingest(), ["indexed", "archived_only"]), [indexed, archived_only]);
    std::fs::remove_dir_all(place.path("data")).unwrap();
    assert_eq!(counts(&place.ingest(), ["indexed", "archived_only"]), [indexed, archived_only]);
}

#[test]
fn addresses_have_their_place_and_network() {
    let fixtures = root().join("tests/cli/fixtures");
    let place = Place::with(&format!(
        "[enrich]\ngeoip = \"{0}/city.mmdb\"\nasn = \"{0}/asn.mmdb\"\n",
        fixtures.display()
    ));
    place.log("hosts/app7/secure", refused("oracle"));
    place.log("web/nginx-access.log", visits(0..1));
    place.ingest();
    let found = place.search("source.geo.country_iso_code:IS");
    assert_eq!(found.len(), 1, "{found:?}");
    let source = &found[0]["source"];
    assert_eq!(source["ip"], "203.0.113.66");
    assert_eq!(source["geo"]["city_name"], "Reykjavik");
    assert_eq!(source["geo"]["location"], serde_json::json!({ "lat": 64.1, "lon": -21.9 }));
    assert_eq!(
        (&source["as"]["number"], &source["as"]["organization"]["name"]),
        (&64_500.into(), &"Invented Networks".into())
    );
    assert_eq!(place.count("source.as.number:64500"), 1);
    assert_eq!(
        place.count("source.ip:192.0.2.10 AND NOT source.geo.country_iso_code:*"),
        1,
        "what no database knows"
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_a_hint() {
    let place = Place::new();
    mixed(&place);
    for (settings, hints) in [
        ("[index]\nretention-day = 3\n", ["line 2", "`retention-days`"]),
        ("[[volume]]\nname = \"a\"\nwhen = \"a:(\"\naction = \"drop\"\n", ["volume", "when"]),
        ("[[source]]\nname = \"a\"\npath = \"x\"\ntime-zone = \"Mars/Base\"\n", ["time-zone", "Mars/Base"]),
        ("[enrich]\ngeoip = \"nowhere.mmdb\"\n", ["enrich.geoip", "nowhere.mmdb"]),
        ("[parsers]\nfolder = \"nowhere\"\n", ["nowhere", "parsers"]),
        ("data = 3\n", ["line 1", "string"]),
    ] {
        place.configure(settings);
        for command in [&["ingest", "logs"][..], &["config", "check"]] {
            let refused = place.run(command).expect(3);
            for hint in hints {
                assert!(refused.err.contains(hint), "{settings}{hint} in\n{}", refused.err);
            }
        }
    }
    assert!(!place.path("data").exists(), "nothing was begun");
    place.configure("");
    let output = place.command(&["ingest", "logs"]).env("WEIR__INDEX__RETENTION", "7").output().unwrap();
    let refused = super::place::outcome(output).expect(3);
    assert!(refused.err.contains("retention-days"), "{}", refused.err);
    let missing = place.run(&["config", "check", "--config", "nowhere.toml"]).expect(3);
    assert!(missing.err.contains("nowhere.toml"), "{}", missing.err);
}
