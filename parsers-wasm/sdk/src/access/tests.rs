//! Lines of access logs and what stands in them.

use super::*;

type Parts<'a> = [Option<&'a str>; 5];

fn prefix(text: &str) -> Parts<'_> {
    let Prefix { virtual_host, forwarded, address, ident, user } = Prefix::split(text);
    [virtual_host, forwarded, address, ident, user]
}

#[test]
fn what_stands_before_the_time() {
    let cases: [(&str, Parts<'_>); 15] = [
        ("192.0.2.1 - -", [None, None, Some("192.0.2.1"), None, None]),
        ("192.0.2.1 - ana", [None, None, Some("192.0.2.1"), None, Some("ana")]),
        ("192.0.2.1 bob ana", [None, None, Some("192.0.2.1"), Some("bob"), Some("ana")]),
        ("192.0.2.1 - ana maria", [None, None, Some("192.0.2.1"), None, Some("ana maria")]),
        ("192.0.2.1 - \"\"", [None, None, Some("192.0.2.1"), None, None]),
        ("192.0.2.1 -", [None, None, Some("192.0.2.1"), None, None]),
        ("- - -", [None; 5]),
        ("a.example:443 192.0.2.1 - -", [Some("a.example:443"), None, Some("192.0.2.1"), None, None]),
        ("a.example 192.0.2.1 -", [Some("a.example"), None, Some("192.0.2.1"), None, None]),
        (
            "a.example 192.0.2.1 bob ana",
            [Some("a.example"), None, Some("192.0.2.1"), Some("bob"), Some("ana")],
        ),
        ("10.0.0.1, 192.0.2.1 - -", [None, None, Some("10.0.0.1, 192.0.2.1"), None, None]),
        (
            "\"10.0.0.1, 192.0.2.1\" 10.0.0.9 - -",
            [None, Some("10.0.0.1, 192.0.2.1"), Some("10.0.0.9"), None, None],
        ),
        (
            "a.example 10.0.0.1, 10.0.0.2 10.0.0.9 - -",
            [Some("a.example"), Some("10.0.0.1, 10.0.0.2"), Some("10.0.0.9"), None, None],
        ),
        (
            "a.example \"192.0.2.1\" 10.0.0.9 - -",
            [Some("a.example"), Some("192.0.2.1"), Some("10.0.0.9"), None, None],
        ),
        ("unix: - -", [None, None, Some("unix:"), None, None]),
    ];
    for (text, expected) in cases {
        assert_eq!(prefix(text), expected, "{text}");
    }
}

#[test]
fn times_are_found_behind_brackets() {
    assert_eq!(split_time("a - b [x] [15/Jan/2026:1] c"), Some(("a - b [x]", "15/Jan/2026:1", " c")));
    assert_eq!(split_time("[2026-01-15T10:00:00Z] c"), Some(("", "2026-01-15T10:00:00Z", " c")));
    for text in ["", "a", "[", "[1", "a[15/Jan/2026]", "a [15/Jan/2026"] {
        assert_eq!(split_time(text), None, "{text}");
    }
}

#[test]
fn forwarded_lists_are_lists_of_addresses() {
    assert!(is_list("192.0.2.1") && is_list("unknown, 192.0.2.1:99,2001:db8::1"));
    assert!(!is_list("") && !is_list("unknown") && !is_list("0.75") && !is_list("192.0.2.1, x"));
    assert_eq!(client_of("10.0.0.1, 192.0.2.1"), Some("192.0.2.1"));
    assert_eq!(client_of("unknown, 10.0.0.1, fd00::1"), Some("10.0.0.1"));
    assert_eq!(client_of("unknown"), None);
    for (address, public) in [
        ("100.64.0.1", false),
        ("100.128.0.1", true),
        ("169.254.1.1", false),
        ("172.31.0.1", false),
        ("172.32.0.1", true),
        ("::1", false),
        ("fe80::1", false),
        ("2001:db8::1", true),
        ("x", false),
    ] {
        assert_eq!(is_public(address), public, "{address}");
    }
}
