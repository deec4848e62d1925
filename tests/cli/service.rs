//! `weir run`: health, search and metrics; files that grow and rotate; ends of every kind; parsers that change.

use super::logs::{FLOW_HEADER, flow, flow_key, flows, gzip, visit, visits};
use super::place::{Place, Running};
use crate::support::component::with_manifest;
use crate::support::{parser, root};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any look at the sources takes on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Two looks and more.
const LOOKS: Duration = Duration::from_millis(2_500);

const SOURCES: &str = "[[source]]\nname = \"live\"\npath = \"live\"\nfollow = true\n\
                       [[source]]\nname = \"whole\"\npath = \"logs\"\n";

/// A running service.
struct Service {
    running: Running,
    address: String,
}

impl Service {
    fn start(place: &Place) -> Self {
        let mut command = place.command(&["run"]);
        command.env("WEIR__SERVE__LISTEN", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut errors = running.0.stderr.take().unwrap();
        // Read on, or the service would wait for room in the pipe.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}"));
        Service { running, address: address.to_owned() }
    }

    /// Status and body of a GET.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn search(&self, parameters: &str) -> Value {
        let (status, body) = self.get(&format!("/api/search?{parameters}"));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn total(&self) -> u64 {
        self.search("q=*&limit=0")["total"].as_u64().unwrap()
    }

    /// Waits until so many events are found, and a little longer, so that one too many would show.
    fn settle(&self, expected: u64) {
        wait(|| self.total() >= expected, || format!("{} of {expected} events", self.total()));
        std::thread::sleep(LOOKS);
        assert_eq!(self.total(), expected);
    }

    /// A counter's value; 0 before it was ever counted.
    fn metric(&self, name: &str) -> u64 {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, 200);
        let value = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// SIGTERM; the exit code.
    fn stop(mut self) -> Option<i32> {
        let id = self.running.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.running.0.wait().unwrap().code()
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.running.0.kill().unwrap();
        self.running.0.wait().unwrap();
    }
}

fn wait(done: impl Fn() -> bool, what: impl Fn() -> String) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "after {PATIENCE:?}: {}", what());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn live() -> Place {
    let place = Place::with(SOURCES);
    std::fs::create_dir(place.path("live")).unwrap();
    place
}

/// Adds text to the end of a followed file.
fn append(place: &Place, name: &str, text: &str) {
    let path = place.path("live").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Every page that was visited, each exactly once.
fn assert_pages(place: &Place, expected: u32) {
    let pages: Vec<String> = place
        .search("url.path:*")
        .iter()
        .map(|event| event["url"]["path"].as_str().unwrap().to_owned())
        .collect();
    let different: BTreeSet<&String> = pages.iter().collect();
    let wanted: Vec<String> = (0..expected).map(|number| format!("/page/{number}")).collect();
    assert_eq!(different, wanted.iter().collect());
    assert_eq!(pages.len(), wanted.len(), "none twice");
    let archived: BTreeSet<_> = place.archived().iter().map(|row| row.document_id).collect();
    assert_eq!((archived.len(), place.archived().len()), (wanted.len(), wanted.len()));
    assert!(place.records().iter().all(|record| record.unexplained() == 0));
}

#[test]
fn the_service_answers_health_search_and_metrics() {
    let place = live();
    place.log(&flow_key("a"), flows(0..50));
    let service = Service::start(&place);
    assert_eq!(service.get("/healthz"), (200, "ok\n".to_owned()));
    wait(|| service.get("/readyz").0 == 200, || service.get("/readyz").1);
    service.settle(50);
    let found = service.search("q=source.ip:10.0.0.0%2F29&limit=3&top=event.dataset&histogram=1");
    assert_eq!((found["total"].as_u64(), found["hits"].as_array().unwrap().len()), (Some(8), 3));
    assert_eq!(found["top"][0], serde_json::json!({ "value": "aws.vpcflow", "count": 8 }));
    let bars = found["histogram"].as_array().unwrap();
    assert_eq!(bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum::<u64>(), 8);
    assert_eq!(service.metric("weir_events_total{outcome=\"indexed\"}"), 50);
    assert_eq!(service.metric("weir_frames_total{outcome=\"parsed\"}"), 50);
    assert_eq!(service.metric("weir_unexplained_total"), 0);
    for wrong in
        ["q=source.ip:(", "q=*&limit=abc", "q=*&nonsense=1", "q=*&from=yesterdayish", "q=*&limit=10000000"]
    {
        let (status, body) = service.get(&format!("/api/search?{wrong}"));
        assert_eq!(status, 400, "{wrong}: {body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert!(problem["error"].as_str().is_some_and(|text| text.len() > 20), "{wrong}: {body}");
    }
    let (status, body) = service.get("/nowhere");
    assert!(status == 404 && body.contains("/api/search"), "{body}");
    // Another process reads beside it, and none writes.
    assert_eq!(place.count("*"), 50);
    assert!(place.run(&["archive", "list"]).expect(0).out.contains("log_type=vpcflow"));
    let busy = place.run(&["ingest", "logs"]).expect(1);
    assert!(busy.err.contains("data"), "{}", busy.err);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn beyond_loopback_a_token_is_asked_for() {
    let place = Place::with("[serve]\ntoken = \"0123456789abcdef\"\n");
    let service = Service::start(&place);
    assert_eq!((service.get("/healthz").0, service.get("/metrics").0), (200, 401));
    assert_eq!(service.get("/api/search?q=*").0, 401);
    let shown = place.run(&["config", "show"]).expect(0).out;
    assert!(!shown.contains("0123456789abcdef"), "{shown}");
    assert_eq!(service.stop(), Some(0));
    let mut command = place.command(&["run"]);
    command.env("WEIR__SERVE__LISTEN", "0.0.0.0:0").env("WEIR__SERVE__TOKEN", "short");
    let refused = super::place::outcome(command.output().unwrap()).expect(3);
    assert!(refused.err.contains("token"), "{}", refused.err);
}

#[test]
fn a_followed_file_is_not_read_whole_besides() {
    let place = live();
    append(&place, "nginx-access.log", &(visit(0) + &visit(1)));
    let service = Service::start(&place);
    service.settle(2);
    assert_eq!(service.stop(), Some(0));
    for again in [&["ingest", "live"][..], &["ingest", "--again", "live"]] {
        let refused = place.run(again).expect(1);
        assert!(refused.err.contains("nginx-access.log: `weir run` follows this file"), "{}", refused.err);
    }
    assert_pages(&place, 2);
}

#[test]
fn a_lost_data_folder_ends_it_with_an_error() {
    let place = live();
    place.log("web/nginx-access.log", visit(0));
    let mut service = Service::start(&place);
    service.settle(1);
    std::fs::remove_dir_all(place.path("data")).unwrap();
    place.log("web/nginx-access-2.log", visit(1));
    let started = Instant::now();
    let ended = loop {
        match service.running.0.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => panic!("it goes on without a data folder"),
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    assert_eq!(ended.code(), Some(1), "a process that no longer reads must not look healthy");
    // And goes on when it is started again.
    let service = Service::start(&place);
    service.settle(2);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_file_that_grows_and_rotates_is_read_once() {
    let place = live();
    append(&place, "nginx-access.log", &visits(0..5));
    let service = Service::start(&place);
    service.settle(5);
    // Half a line waits for its other half.
    let next = visit(5);
    append(&place, "nginx-access.log", &next[..30]);
    std::thread::sleep(LOOKS);
    assert_eq!(service.total(), 5);
    append(&place, "nginx-access.log", &(next[30..].to_owned() + &visits(6..10)));
    service.settle(10);

    // Renamed, written to under its new name by a server that has not been told yet, and followed by a new one.
    let at = place.path("live").join("nginx-access.log");
    std::fs::rename(&at, place.path("live").join("nginx-access.log.1")).unwrap();
    append(&place, "nginx-access.log.1", &visits(10..12));
    append(&place, "nginx-access.log", &visits(12..15));
    service.settle(15);
    append(&place, "nginx-access.log.1", &visit(15));
    append(&place, "nginx-access.log", &visit(16));
    service.settle(17);

    // Twice renamed between two looks.
    std::fs::rename(
        place.path("live").join("nginx-access.log.1"),
        place.path("live").join("nginx-access.log.2"),
    )
    .unwrap();
    std::fs::rename(&at, place.path("live").join("nginx-access.log.1")).unwrap();
    append(&place, "nginx-access.log", &visits(17..20));
    service.settle(20);
    // What grows counts by what it gained.
    for name in ["weir_events_total{outcome=\"indexed\"}", "weir_frames_total{outcome=\"parsed\"}"] {
        assert_eq!(service.metric(name), 20, "{name}");
    }
    assert_eq!((service.metric("weir_objects_total"), service.metric("weir_unexplained_total")), (3, 0));
    assert_eq!(service.stop(), Some(0));
    assert_pages(&place, 20);
}

#[test]
fn a_file_that_is_copied_and_truncated_is_read_once() {
    let place = live();
    append(&place, "nginx-access.log", &visits(0..30));
    let service = Service::start(&place);
    service.settle(30);
    append(&place, "nginx-access.log", &visits(30..32));
    let at = place.path("live").join("nginx-access.log");
    // At once, and with looks between the copy and the cut.
    std::fs::copy(&at, place.path("live").join("nginx-access.log.1")).unwrap();
    File::options().write(true).open(&at).unwrap().set_len(0).unwrap();
    append(&place, "nginx-access.log", &visits(32..60));
    service.settle(60);
    std::fs::rename(
        place.path("live").join("nginx-access.log.1"),
        place.path("live").join("nginx-access.log.2"),
    )
    .unwrap();
    std::fs::copy(&at, place.path("live").join("nginx-access.log.1")).unwrap();
    std::thread::sleep(LOOKS);
    File::options().write(true).open(&at).unwrap().set_len(0).unwrap();
    append(&place, "nginx-access.log", &visits(60..100));
    service.settle(100);
    assert_eq!(service.stop(), Some(0));
    assert_pages(&place, 100);
}

#[test]
fn a_file_that_is_compressed_after_rotation_is_read_once() {
    let place = live();
    let at = place.path("live").join("nginx-access.log");
    let compressed = |name: &str, text: &[u8]| {
        std::fs::write(place.path("live").join(name), gzip(text)).unwrap();
    };
    append(&place, "nginx-access.log", &visits(0..40));
    let service = Service::start(&place);
    service.settle(40);
    // Rotated and compressed between two looks, with lines that nobody read before.
    append(&place, "nginx-access.log", &visits(40..43));
    compressed("nginx-access.log.1.gz", &std::fs::read(&at).unwrap());
    std::fs::write(&at, visits(43..50)).unwrap();
    service.settle(50);
    assert_eq!(service.stop(), Some(0));
    // The same while nobody looks.
    append(&place, "nginx-access.log", &visits(50..52));
    std::fs::rename(
        place.path("live").join("nginx-access.log.1.gz"),
        place.path("live").join("nginx-access.log.2.gz"),
    )
    .unwrap();
    compressed("nginx-access.log.1.gz", &std::fs::read(&at).unwrap());
    std::fs::write(&at, visits(52..55)).unwrap();
    // Of a time before Weir.
    compressed("nginx-access.log.3.gz", visits(55..60).as_bytes());
    let service = Service::start(&place);
    service.settle(60);
    assert_eq!(service.stop(), Some(0));
    assert_pages(&place, 60);
}

#[test]
fn a_truncated_file_with_the_same_header_is_read_from_its_beginning() {
    let place = live();
    append(&place, "vpcflowlogs/flow.log", FLOW_HEADER);
    let service = Service::start(&place);
    std::thread::sleep(LOOKS);
    append(&place, "vpcflowlogs/flow.log", &(flow(1) + &flow(2)));
    service.settle(2);
    std::fs::write(place.path("live/vpcflowlogs/flow.log"), FLOW_HEADER).unwrap();
    std::thread::sleep(LOOKS);
    append(&place, "vpcflowlogs/flow.log", &flow(3));
    service.settle(3);
    append(&place, "vpcflowlogs/flow.log", &flow(4));
    service.settle(4);
    assert_eq!(service.stop(), Some(0));
    assert!(place.records().iter().all(|record| record.unexplained() == 0));
}

#[test]
fn a_single_line_without_its_end_is_read_when_nobody_writes_to_it_any_more() {
    let place = live();
    append(&place, "nginx-access.log", visit(0).trim_end());
    let file = File::options().write(true).open(place.path("live/nginx-access.log")).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_mins(1)).unwrap();
    let service = Service::start(&place);
    service.settle(1);
    append(&place, "nginx-access.log", &("\n".to_owned() + &visit(1)));
    service.settle(2);
    assert_eq!(service.stop(), Some(0));
    assert_pages(&place, 2);
}

#[test]
fn after_any_end_it_goes_on_where_it_was() {
    let place = live();
    place.log(&flow_key("whole"), flows(0..1));
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 0;
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(14) {
                append(&place, "nginx-access.log", &visits(number..number + 3));
                number += 3;
                std::thread::sleep(Duration::from_millis(20));
            }
            number
        });
        std::thread::sleep(Duration::from_millis(300));
        for (round, milliseconds) in [1_700, 2_300, 900, 3_100, 1_300].into_iter().enumerate() {
            let service = Service::start(&place);
            std::thread::sleep(Duration::from_millis(milliseconds));
            if round % 2 == 0 { service.kill() } else { assert_eq!(service.stop(), Some(0)) }
        }
        writer.join().unwrap()
    });
    let service = Service::start(&place);
    service.settle(u64::from(written) + 1);
    assert_eq!(service.stop(), Some(0));
    // One flow among the visits.
    std::fs::remove_dir_all(place.logs()).unwrap();
    assert_eq!(place.count("event.dataset:aws.vpcflow"), 1);
    assert_eq!(place.count("url.path:*"), u64::from(written));
    let archived: Vec<_> = place.archived().iter().map(|row| row.document_id).collect();
    assert_eq!(archived.len(), written as usize + 1);
    assert_eq!(archived.iter().collect::<BTreeSet<_>>().len(), archived.len());
    let records = place.records();
    assert!(records.iter().all(|record| record.unexplained() == 0), "{records:?}");
    let paths: BTreeSet<String> = place
        .search("url.path:*")
        .iter()
        .map(|event| event["url"]["path"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(paths.len(), written as usize, "each page once");
}

#[test]
fn the_header_of_a_growing_file_stays_in_force() {
    let place = live();
    append(&place, "vpcflowlogs/flow.log", &format!("{FLOW_HEADER}{}", flow(1)));
    let service = Service::start(&place);
    service.settle(1);
    append(&place, "vpcflowlogs/flow.log", &flow(2));
    service.settle(2);
    assert_eq!(service.search("q=source.ip:10.0.0.2")["total"], 1);
    service.kill();
    append(&place, "vpcflowlogs/flow.log", &flow(3));
    let service = Service::start(&place);
    service.settle(3);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_changed_component_is_taken_up_and_a_broken_one_is_not() {
    let place = live();
    let folder = place.path("parsers");
    std::fs::create_dir(&folder).unwrap();
    let cache = crate::support::host::shared_cache();
    place.configure(&format!("{SOURCES}[parsers]\nfolder = \"parsers\"\ncache = \"{}\"\n", cache.display()));
    let put = |bytes: &[u8]| {
        std::fs::write(folder.join("new"), bytes).unwrap();
        std::fs::rename(folder.join("new"), folder.join("nginx-access.wasm")).unwrap();
    };
    let component = parser("nginx-access");
    put(&component);
    let service = Service::start(&place);
    append(&place, "nginx-access.log", &visit(0));
    place.log("nginx-access-whole.log", visit(1));
    service.settle(2);

    let manifest = std::fs::read_to_string(root().join("parsers-wasm/nginx-access/parser.toml")).unwrap();
    let changed = manifest.replace("version = \"0.1.0\"", "version = \"0.9.9\"");
    put(&with_manifest(&component, &changed));
    wait(
        || service.metric("weir_parser_reloads_total{outcome=\"loaded\"}") > 0,
        || "the change is not seen".to_owned(),
    );
    append(&place, "nginx-access.log", &visit(2));
    service.settle(3);
    let version = |page: u32| {
        service.search(&format!("q=url.path:%22/page/{page}%22"))["hits"][0]["weir"]["parser"]["version"]
            .clone()
    };
    assert_eq!((version(0), version(2)), ("0.1.0".into(), "0.9.9".into()));

    put(b"\0asm this is no component");
    wait(
        || service.metric("weir_parser_reloads_total{outcome=\"refused\"}") > 0,
        || "not refused".to_owned(),
    );
    append(&place, "nginx-access.log", &visit(3));
    service.settle(4);
    assert_eq!(version(3), "0.9.9");
    assert_eq!(service.get("/healthz").0, 200);
    assert_eq!(service.stop(), Some(0));
    // A start with a broken component is refused by name.
    let refused = place.run(&["parser", "list"]).expect(3);
    assert!(refused.err.contains("nginx-access.wasm"), "{}", refused.err);
}
