//! Log types whose keys are alike, told apart by how their objects begin.

use super::logs::{flow, flow_key, flows, gzip};
use super::place::{Place, assert_balanced, counts};
use serde_json::Value;

const HEADER: &str = "version resource-type account-id tgw-id srcaddr dstaddr srcport dstport protocol packets bytes \
                      start end log-status packets-lost-no-route\n";
const RECORD: &str = "6 TransitGateway 111122223333 tgw-0a1b2c3d4e5f60718 10.0.0.7 10.1.0.9 40000 443 6 10 1200 \
                      1768467600 1768467660 OK 0\n";

#[test]
fn transit_gateway_objects_under_the_keys_of_flow_logs_find_their_parser() {
    let place = Place::new();
    place.log(&flow_key("gateway"), gzip((HEADER.to_owned() + RECORD + RECORD).as_bytes()));
    place.log(&flow_key("network"), flows(0..3));
    place.log(&flow_key("headerless"), gzip(flow(7).as_bytes()));

    let totals = place.ingest();
    assert_balanced(&totals);
    assert_eq!(counts(&totals, ["parsed", "quarantined", "indexed"]), [6, 0, 6]);
    assert_eq!(place.count("event.dataset:aws.tgwflow"), 2);
    assert_eq!(place.count("event.dataset:aws.vpcflow"), 4);
    // What an object turned out to be is remembered: nothing is read again.
    assert_eq!(counts(&place.ingest(), ["indexed", "duplicates"]), [6, 6]);

    let explain = |more: &[&str]| -> Value {
        let key = flow_key("gateway");
        let arguments = [&["route", "explain", &key, "--json"], more].concat();
        place.run(&arguments).expect(0).json_lines().remove(0)
    };
    assert_eq!(explain(&["--header", HEADER.trim_end()])["log_type"], "tgwflow");
    let unsaid = explain(&[]);
    assert_eq!(unsaid["log_type"], "vpcflow");
    let considered = unsaid["considered"].as_array().unwrap();
    let reason = considered.iter().find(|one| one["log_type"] == "tgwflow").unwrap()["reason"].to_string();
    assert!(reason.contains("a header like"), "{reason}");
}

#[test]
fn a_configured_route_and_a_log_type_asked_for_overrule_the_header() {
    let place = Place::with("[[route]]\nprefix = \"AWSLogs/\"\nlog-type = \"vpcflow\"\n");
    let path = place.log(&flow_key("gateway"), (HEADER.to_owned() + RECORD).as_bytes());
    assert_eq!(counts(&place.ingest(), ["parsed"]), [1]);
    assert_eq!(place.count("event.dataset:aws.vpcflow"), 1);
    let dumped = place.run(&["dump", path.to_str().unwrap(), "--log-type", "tgwflow"]).expect(0).json_lines();
    assert_eq!(dumped[0]["event"]["dataset"], "aws.tgwflow");
}
