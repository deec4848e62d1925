//! Components that are not even loaded, each with what is wrong and where.

use crate::support::component::{manifest, with_manifest, with_section};
use crate::support::guest;
use crate::support::host::{TestHost, full, shared_cache};

fn refusal_with(component: Vec<u8>, settings: &str) -> String {
    match TestHost::open(&[("odd", component)], settings, &shared_cache()) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => full(&error),
    }
}

fn refusal(component: Vec<u8>) -> String {
    refusal_with(component, "")
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts.iter().chain(&["odd.wasm"]) {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn an_import_is_refused_by_its_name() {
    assert_says(&refusal(guest("asks-for-clock")), &["imports `wasi:clocks/wall-clock@0.2.0`", "remove"]);
}

#[test]
fn a_component_without_a_manifest_is_refused() {
    assert_says(&refusal(guest("no-manifest")), &["`weir:manifest`"]);
    let plain = with_manifest(&guest("no-manifest"), &manifest("plain", "0.1.0", "0.1.0"));
    assert!(TestHost::open(&[("odd", plain)], "", &shared_cache()).is_ok());
}

#[test]
fn another_contract_is_refused_by_its_manifest_and_by_its_exports() {
    assert_says(&refusal(guest("old-contract")), &["speaks contract 0.0.1"]);
    let lie = with_manifest(&guest("old-contract"), &manifest("old-contract", "0.1.0", "0.1.0"));
    assert_says(&refusal(lie), &["does not export the parser interface of contract 0.1.0"]);
}

#[test]
fn a_manifest_is_checked() {
    let with = |text: &str| refusal(with_manifest(&guest("no-manifest"), text));
    let good = manifest("plain", "0.1.0", "0.1.0");
    assert_says(&with("manifest = "), &["manifest"]);
    assert_says(&with(&good.replace("manifest = 1", "manifest = 2")), &["format 2"]);
    assert_says(&with(&good.replace("\"plain\"", "\"../plain\"")), &["\"../plain\""]);
    assert_says(&with(&good.replace("[framing]", "nonsense = 1\n[framing]")), &["manifest"]);
    assert_says(&with(&good.replace("\"lines\"", "\"xml-element\"\nelement = \"Event\"")), &["xml-element"]);
    // Whoever reads the first and whoever reads the last would see two different parsers.
    let twice = with_section(&guest("hostile"), "weir:manifest", good.as_bytes());
    assert_says(&refusal(twice), &["more than one"]);
}

#[test]
fn what_is_no_component_is_refused() {
    assert_says(&refusal(b"not wasm".to_vec()), &["not a WebAssembly component"]);
    assert_says(&refusal(Vec::new()), &["not a WebAssembly component"]);
    assert_says(&refusal(b"\0asm\x01\0\0\0".to_vec()), &["core module"]);
    let whole = guest("hostile");
    assert_says(&refusal(whole[..whole.len() / 2].to_vec()), &["not a WebAssembly component"]);
    // Its sections can be listed and its manifest read, but its code is none.
    let mut broken = whole;
    let middle = broken.len() / 2;
    broken[middle - 512..middle + 512].fill(0xff);
    assert_says(&refusal(broken), &[]);
}

#[test]
fn a_component_over_the_size_limit_is_not_read() {
    let size = guest("hostile").len();
    assert_says(
        &refusal_with(guest("hostile"), "[limits]\ncomponent-bytes = 1000\n"),
        &[&format!("{size} bytes"), "1000"],
    );
}

#[test]
fn a_memory_that_begins_above_every_limit_is_refused() {
    assert_says(&refusal_with(guest("large-start"), "[limits]\nmemory-bytes = 16777216\n"), &["memory"]);
}

#[test]
fn two_parsers_of_one_log_type_are_refused() {
    let components = [("first", guest("hostile")), ("second", guest("hostile"))];
    let Err(error) = TestHost::open(&components, "", &shared_cache()) else { panic!("accepted") };
    let message = full(&error);
    assert!(["first.wasm", "second.wasm", "hostile"].iter().all(|part| message.contains(part)), "{message}");
}
