//! The commands one by one: what they print, and how they end.

use super::ingest::mixed;
use super::logs::{FLOW_HEADER, balanced, flow, flow_key, trail_key, visits};
use super::place::{Place, counts};
use serde_json::Value;
use std::collections::BTreeSet;

fn filled() -> Place {
    let place = Place::new();
    mixed(&place);
    place.ingest();
    place
}

#[test]
fn a_wrong_command_line_is_refused() {
    let place = Place::new();
    for arguments in [
        &["ingest"][..],
        &["ingest", "logs", "--jsn"],
        &["search"],
        &["dmup", "x"],
        &["search", "*", "--limit", "few"],
    ] {
        let refused = place.run(arguments).expect(2);
        assert!(refused.err.contains("error") && refused.out.is_empty(), "{arguments:?}: {}", refused.err);
    }
    assert!(place.run(&["ingest", "logs", "--jsn"]).err.contains("--json"), "a suggestion");
    for arguments in
        [&["--help"][..], &["--version"], &["ingest", "--help"], &["quarantine", "replay", "--help"]]
    {
        assert!(!place.run(arguments).expect(0).out.is_empty());
    }
    assert!(place.run(&["ingest", "nowhere"]).expect(1).err.contains("nowhere"));
    assert!(place.run(&["search", "a:("]).expect(1).err.contains("error"));
    let unknown = place.run(&["dump", "weir.toml", "--log-type", "vpcflw"]).expect(1);
    assert!(unknown.err.contains("vpcflow"), "{}", unknown.err);
}

#[test]
fn dump_writes_one_document_a_line_and_counts_what_is_malformed() {
    let place = Place::new();
    let path = place.log(&flow_key("a"), format!("{FLOW_HEADER}{}{}no flow\n{}", flow(1), flow(1), flow(2)));
    let file = path.to_str().unwrap();
    let dumped = place.run(&["dump", file]).expect(0);
    assert!(dumped.err.contains("4 frames: 3 parsed, 0 skipped, 1 malformed"), "{}", dumped.err);
    let documents = dumped.json_lines();
    assert_eq!(documents.len(), 3);
    assert!(documents.iter().all(|document| document["event"].get("original").is_none()));
    assert_eq!(documents[2]["source"]["ip"], "10.0.0.2");

    let with_original = place.run(&["dump", file, "--original"]).expect(0).json_lines();
    assert_eq!(with_original[2]["event"]["original"], flow(2).trim_end());

    // A bulk body: an action with its id, then the document, and ids of equal lines differ.
    place.run(&["dump", file, "--format", "bulk", "--output", "body.ndjson"]).expect(0);
    let body = std::fs::read_to_string(place.path("body.ndjson")).unwrap();
    assert!(body.ends_with('\n'));
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<&Value> = lines.iter().step_by(2).collect();
    let ids: BTreeSet<&str> = actions.iter().map(|action| action["index"]["_id"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), actions.len(), ids.len()), (6, 3, 3));
    assert!(
        actions.iter().all(|action| action["index"]["_index"].as_str().unwrap().ends_with("-2026-01-15"))
    );
    let bodies: Vec<Value> = lines.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!(bodies, documents);
    // Again: byte for byte the same.
    place.run(&["dump", file, "--format", "bulk", "--output", "again.ndjson"]).expect(0);
    assert_eq!(std::fs::read_to_string(place.path("again.ndjson")).unwrap(), body);

    let named = place.log("somewhere.txt", balanced(200));
    let unrouted = place.run(&["dump", named.to_str().unwrap()]).expect(0);
    assert!(unrouted.out.is_empty() && unrouted.err.contains("--log-type"), "{}", unrouted.err);
    assert_eq!(
        place.run(&["dump", named.to_str().unwrap(), "--log-type", "alb"]).expect(0).json_lines().len(),
        1
    );
    assert!(!place.path("data").exists(), "a dump needs no data folder");
}

#[test]
fn every_kind_of_query_finds_what_it_should() {
    let place = filled();
    for (query, expected) in [
        ("*", 16),
        ("event.dataset:aws.cloudtrail", 3),
        ("event.action:GetUser", 2),
        ("event.action:(GetUser OR CreateAccessKey)", 3),
        ("event.action:Create*", 1),
        ("event.action:Get?ser", 2),
        ("source.ip:203.0.113.0/24", 7),
        ("source.ip:203.0.113.0/24 AND NOT event.dataset:aws.cloudtrail", 4),
        ("source.ip:[10.0.0.2 TO 10.0.0.3]", 3),
        ("http.response.status_code:503", 1),
        ("http.response.status_code:[500 TO 599]", 1),
        ("http.response.status_code:>=500", 1),
        ("http.response.status_code:{200 TO 503}", 0),
        ("url.path:\"/page/1\"", 2),
        ("user.name:(oracle OR ana)", 6),
        ("_exists_:user.name", 7),
        ("aws.cloudtrail.eventName:CreateAccessKey", 1),
        ("\"Failed password\"", 4),
        ("NOT event.dataset:*", 0),
        ("(event.dataset:aws.vpcflow AND destination.port:443) OR event.action:CreateAccessKey", 5),
        ("user.name:nobody", 0),
    ] {
        assert_eq!(place.count(query), expected, "{query}");
    }
}

#[test]
fn search_shows_counts_and_bounds_in_time() {
    let place = filled();
    let shown = place.run(&["search", "*", "--limit", "5", "--json"]).expect(0).json_lines();
    let times: Vec<&str> = shown.iter().map(|event| event["@timestamp"].as_str().unwrap()).collect();
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted_by(|newer, older| newer >= older), "newest first: {times:?}");
    assert_eq!(place.search("*").len(), 16);

    let top = place.run(&["search", "*", "--top", "event.dataset", "--json"]).expect(0).json_lines();
    assert_eq!(top.iter().map(|row| row["count"].as_u64().unwrap()).sum::<u64>(), 16);
    assert!(top.is_sorted_by(|more, less| more["count"].as_u64() >= less["count"].as_u64()), "{top:?}");
    let flows = top.iter().find(|row| row["value"] == "aws.vpcflow").unwrap();
    assert_eq!((&flows["field"], &flows["count"]), (&"event.dataset".into(), &4.into()));

    let bars = place.run(&["search", "*", "--histogram", "--json"]).expect(0).json_lines();
    assert_eq!(bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum::<u64>(), 16);
    assert!(place.run(&["search", "*", "--histogram", "--top", "user.name"]).expect(0).out.contains('█'));

    let between = |from: &str, to: &str| {
        place
            .run(&["search", "event.dataset:aws.cloudtrail", "--from", from, "--to", to, "--json"])
            .expect(0)
            .json_lines()
            .len()
    };
    assert_eq!(between("2026-01-15", "2026-01-16"), 3);
    assert_eq!(between("2026-01-15T09:01:00Z", "2026-01-15T09:02:00Z"), 1, "the end is not part of it");
    assert_eq!(between("2026-01-15T10:01:00+01:00", "2026-01-15T23:00:00Z"), 2);
    assert_eq!(between("2026-01-16", "now"), 0);
    assert!(place.run(&["search", "*", "--from", "someday"]).expect(1).err.contains("someday"));
}

#[test]
fn the_ledger_shows_every_object() {
    let place = filled();
    let shown = place.run(&["ledger", "show", "--json"]).expect(0).json_lines();
    assert_eq!(shown.len(), 7, "six objects and the totals");
    assert_eq!(counts(&shown[6], ["objects", "frames", "events", "unexplained"]), [6, 18, 16, 0]);
    let flows = place.run(&["ledger", "show", "--log-type", "vpcflow", "--json"]).expect(0).json_lines();
    assert_eq!(counts(&flows[1], ["objects", "parsed", "quarantined"]), [1, 4, 1]);
    let of_prefix = place.run(&["ledger", "show", "--prefix", "web/", "--json"]).expect(0).json_lines();
    assert_eq!(of_prefix.len(), 2);
    assert_eq!(place.run(&["ledger", "show", "--unbalanced", "--json"]).expect(0).json_lines().len(), 1);
    let table = place.run(&["ledger", "show"]).expect(0).out;
    assert!(table.contains("notes/minutes.txt") && table.contains("nothing unexplained"), "{table}");
}

#[test]
fn quarantined_frames_are_listed_and_shown() {
    let place = filled();
    let listed = place.run(&["quarantine", "list", "--json"]).expect(0).json_lines();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].to_string().contains("vpcflow"), "{listed:?}");
    assert!(place.run(&["quarantine", "list", "--kind", "damaged", "--json"]).expect(0).out.is_empty());
    assert!(place.run(&["quarantine", "list"]).expect(0).out.contains("_mixed.log.gz"));
}

#[test]
fn routes_are_explained_by_the_rules_that_ingest_uses() {
    let place = Place::with(
        "[[route]]\nprefix = \"exports/\"\nlog-type = \"alb\"\nteam = \"shop\"\n[[route]]\nkey = 'private'\nlog-type = \"none\"\n",
    );
    let explain = |arguments: &[&str]| {
        let mut all = vec!["route", "explain", "--json"];
        all.extend(arguments);
        place.run(&all).expect(0).json_lines().remove(0)
    };
    let trail = explain(&[&trail_key("x")]);
    assert_eq!(
        (&trail["log_type"], &trail["account"], &trail["region"]),
        (&"cloudtrail".into(), &"111122223333".into(), &"eu-west-1".into())
    );
    let configured = explain(&["exports/a/b.log"]);
    assert_eq!((&configured["log_type"], &configured["team"]), (&"alb".into(), &"shop".into()));
    assert!(configured["reason"].as_str().unwrap().contains("[[route]]"), "{configured}");
    assert_eq!(explain(&["private/nginx-access.log"])["log_type"], Value::Null);
    assert_eq!(explain(&["firehose/x.gz", "--log-group", "/aws/cloudtrail"])["log_type"], "cloudtrail");
    assert!(place.run(&["route", "explain", "what/is/this"]).expect(0).out.contains("no parser"));

    place.log("exports/a.log", balanced(200));
    place.log("private/nginx-access.log", visits(0..3));
    assert_eq!(counts(&place.ingest(), ["parsed", "unrouted"]), [1, 1]);
    assert_eq!(place.archived()[0].parser_name, "alb");
}

#[test]
fn parsers_are_listed_and_pass_their_own_fixtures() {
    let place = Place::new();
    let listed = place.run(&["parser", "list", "--json"]).expect(0).json_lines();
    let names: Vec<&str> = listed.iter().map(|parser| parser["name"].as_str().unwrap()).collect();
    for name in ["alb", "app-json", "cloudtrail", "linux-secure", "nginx-access", "vpcflow", "waf"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(
        listed
            .iter()
            .all(|parser| parser["digest"].as_str().unwrap().len() == 64 && parser["waiting"] == false)
    );
    let tested = place.run(&["parser", "test", "alb", "vpcflow", "--json"]).expect(0).json_lines();
    assert!(tested.len() > 4 && tested.iter().all(|row| row["problem"].is_null()), "{tested:?}");
    assert!(place.run(&["parser", "test", "nothing"]).expect(1).err.contains("known"));
    let measured =
        place.run(&["parser", "bench", "alb", "--seconds", "0.1", "--json"]).expect(0).json_lines();
    assert!(measured[0]["events_per_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_configuration_in_force_is_shown_and_checked() {
    let place = Place::with(
        "[index]\nretention-days = 3\n[serve]\ntoken = \"0123456789abcdef\"\n[[source]]\nname = \"a\"\npath = \"later\"\n",
    );
    let checked = place.run(&["config", "check"]).expect(0).out;
    assert!(checked.contains("the configuration is right") && checked.contains("later"), "{checked}");
    let shown = place.command(&["config", "show"]).env("WEIR__INDEX__RETENTION_DAYS", "9").output().unwrap();
    let shown = super::place::outcome(shown).expect(0).out;
    assert!(shown.contains("retention-days = 9") && !shown.contains("0123456789abcdef"), "{shown}");
    // What is shown can be read again.
    place.configure(&shown);
    let again = place.run(&["config", "show", "--json"]).expect(0).json_lines();
    assert_eq!(
        (&again[0]["index"]["retention-days"], &again[0]["source"][0]["name"]),
        (&9.into(), &"a".into())
    );
    place.configure("[[redact]]\nfields = [\"user.email\"]\naction = \"remove\"\nlog-types = [\"wfa\"]\n");
    let misspelt = place.run(&["config", "check"]).expect(3);
    assert!(misspelt.err.contains("`wfa`") && misspelt.err.contains("redact"), "{}", misspelt.err);
    place.configure("[[route]]\nkey = 'x'\nlog-type = \"nothing\"\n");
    assert!(place.run(&["config", "check"]).expect(3).err.contains("nothing"));
}

#[test]
fn looking_needs_no_parsers_and_makes_no_data_folder() {
    let place = filled();
    let looks = [
        &["search", "*"][..],
        &["ledger", "show"],
        &["quarantine", "list"],
        &["archive", "list"],
        &["archive", "join"],
    ];
    place.configure("[parsers]\nfolder = \"nowhere\"\n");
    for look in looks {
        assert!(!place.run(look).expect(0).out.is_empty(), "{look:?}");
    }
    place.run(&["ingest", "logs"]).expect(3);
    place.configure("");
    for look in looks.iter().chain(&[&["quarantine", "replay"][..], &["quarantine", "show", "0"]]) {
        let misspelt = place.run(&[look, &["--data", "dta"][..]].concat()).expect(1);
        assert!(
            misspelt.err.contains("dta") && misspelt.err.contains("--data"),
            "{look:?}: {}",
            misspelt.err
        );
        assert!(!place.path("dta").exists(), "{look:?}");
    }
}

#[test]
fn a_query_may_begin_with_a_hyphen() {
    let place = filled();
    assert_eq!(place.count("-event.dataset:aws.cloudtrail"), 13);
    assert_eq!(place.run(&["search", "-event.dataset:*", "--json"]).expect(0).out, "");
    assert!(place.run(&["search", "*", "--jsn"]).expect(2).err.contains("--json"), "a suggestion");
}

#[test]
fn a_log_cannot_steer_the_terminal() {
    let place = Place::new();
    let user = "\u{1b}[2Jroot\u{7}";
    place.log(&trail_key("steering").replace(".gz", ""), super::logs::trail(&["GetUser"], user));
    place.log("web/\u{1b}[31mnginx-access.log", "\u{1b}]0;mine\u{7}\n");
    for command in [
        &["ingest", "logs"][..],
        &["search", "*"],
        &["search", "*", "--top", "user.name"],
        &["ledger", "show"],
        &["quarantine", "list"],
        &["dump", "logs/web/\u{1b}[31mnginx-access.log", "--output", "out"],
    ] {
        let shown = place.run(command).expect(0);
        assert!(!(shown.out + &shown.err).contains(['\u{1b}', '\u{7}']), "{command:?}");
    }
    // Machines get what was there.
    let found = place.run(&["search", "event.action:GetUser", "--json"]).expect(0).json_lines();
    assert_eq!(found[0]["user"]["name"], user);
}

/// `weir ledger show --json | head`: the end of the pipe is no failure, least of all a panic.
#[test]
fn a_reader_that_has_enough_ends_a_command_without_an_error() {
    let place = Place::new();
    for number in 0..300 {
        place.log(&format!("web/{number}/nginx-access.log"), format!("no access log line {number}\n"));
    }
    place.run(&["ingest", "logs", "--json"]).expect(0);
    for arguments in [
        &["ledger", "show", "--json"][..],
        &["quarantine", "list", "--json"],
        &["search", "*", "--json"],
        &["parser", "list"],
        &["config", "show"],
        &["route", "explain", "x"],
        &["ingest", "logs"],
    ] {
        let mut command = place.command(arguments);
        let mut child = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = super::place::outcome(child.wait_with_output().unwrap()).expect(0);
        assert_eq!(ended.err, "", "{arguments:?}");
    }
}

#[test]
fn dump_says_when_its_file_changed_while_it_was_read() {
    let place = Place::new();
    let path = place.log(&flow_key("growing"), super::logs::flows(0..20_000));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let dumped = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                std::io::Write::write_all(&mut file, b"x").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let dumped = place.run(&["dump", path.to_str().unwrap()]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        dumped
    });
    let dumped = dumped.expect(1);
    assert!(dumped.err.contains("changed while it was read"), "{}", dumped.err);
}

#[test]
fn dump_reads_pipes_and_never_empties_its_own_input() {
    let place = Place::new();
    let path = place.log(&flow_key("piped"), super::logs::flows(0..2_000));
    let whole = place.run(&["dump", path.to_str().unwrap()]).expect(0);
    for name in ["-", "/dev/stdin"] {
        let mut command = place.command(&["dump", name, "--log-type", "vpcflow"]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut pipe, &std::fs::read(&path).unwrap()).unwrap();
        drop(pipe);
        let piped = super::place::outcome(child.wait_with_output().unwrap()).expect(0);
        assert_eq!(piped.out.lines().count(), whole.out.lines().count(), "{name}");
    }
    let before = std::fs::read(&path).unwrap();
    let link = place.path("link");
    std::fs::hard_link(&path, &link).unwrap();
    for output in [&path, &link] {
        let refused =
            place.run(&["dump", path.to_str().unwrap(), "--output", output.to_str().unwrap()]).expect(1);
        assert!(refused.err.contains("is the file that is read"), "{}", refused.err);
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    if std::path::Path::new("/dev/full").exists() {
        place.run(&["dump", path.to_str().unwrap(), "--output", "/dev/full"]).expect(5);
    }
}
