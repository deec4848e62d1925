//! The language as a whole: what queries mean, what is refused and how, and that every tree reads back as itself.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn canonical(text: &str) -> String {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

fn event() -> Value {
    json!({
        "@timestamp": "2026-11-23T10:15:30.5Z",
        "message": "Failed password for invalid user admin from 203.0.113.7 port 52414 ssh2",
        "event": {"action": "ConsoleLogin", "outcome": "failure", "created": "2026-11-23", "duration": 1_500_000},
        "source": {"ip": "203.0.113.7", "port": 52414, "bytes": "1024"},
        "destination.ip": "2001:db8::15",
        "related": {"ip": ["203.0.113.7", "10.1.2.3"], "user": ["admin", "root"]},
        "user_agent": {"original": "curl/8.1 (x86_64)"},
        "url": {"path": "/admin/login", "full": "https://www.example.com/admin/login?next=1"},
        "tags": [],
        "user": {"name": "Admin", "email": null},
        "aws": {
            "cloudtrail": {"read_only": true, "version": "1.08", "mfa.used": "No", "count": 3, "empty": "", "cost": 2.5},
            "resources": [{"ARN": "arn:aws:iam::111122223333:role/ops"}, {"ARN": "arn:aws:s3:::logs"}]
        },
        "when": "2026-11-20T08:00:00Z"
    })
}

fn matches(query: &str, event: &Value) -> bool {
    let query = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    Matcher::new(&query).unwrap().matches(event)
}

#[test]
fn structure() {
    for (text, expected) in [
        ("", "*:*"),
        (" * ", "*:*"),
        ("*:*", "*:*"),
        ("a b", "(a OR b)"),
        ("a OR b AND c", "(a OR (b AND c))"),
        ("a b && c || d", "(a OR (b AND c) OR d)"),
        ("NOT a AND b", "((NOT a) AND b)"),
        ("a NOT b", "(a -b)"),
        ("a OR NOT b", "(a OR (NOT b))"),
        ("+a -b c", "(+a -b c)"),
        ("a !b", "(a -b)"),
        ("-a", "(NOT a)"),
        ("+a", "a"),
        ("-a OR b", "(-a b)"),
        ("+-a b", "(+(NOT a) b)"),
        ("f:(a OR -b)", "(f:a -f:b)"),
        ("f:(a g:b)", "(f:a OR g:b)"),
        ("f:( a AND (b c) )^2", "(f:a AND (f:b OR f:c))"),
        ("f : a", "f:a"),
        ("f:*", "f:*"),
        ("f:[* TO *]", "f:*"),
        ("_exists_:f.g", "f.g:*"),
        ("f:a^2.5", "f:a"),
        ("\"a b\"^2", "a\\ b"),
        ("message:\"a b\"~3", "message:\"a b\"~3"),
        ("f:{1 TO *]", "f:{\"1\" TO *]"),
        ("f:>=5 AND f:<\"6 7\"", "(f:[\"5\" TO *] AND f:[* TO \"6 7\"})"),
        ("f:(>5 AND <=6)", "(f:{\"5\" TO *] AND f:[* TO \"6\"])"),
        ("source.ip:10.0.0.0/8", "source.ip:10.0.0.0\\/8"),
        ("source.ip:2001:db8::1", "source.ip:2001\\:db8\\:\\:1"),
        ("source.ip:(fe80::1 10.0.0.0\\/8)", "(source.ip:fe80\\:\\:1 OR source.ip:10.0.0.0\\/8)"),
        ("url.path:/admin/login", "url.path:\\/admin\\/login"),
        ("f:/ab+\\/c/", "f:/ab+\\/c/"),
        ("f:/a\\d b/ c", "(f:/a\\d b/ OR c)"),
        ("f:a*b\\*c?", "f:a*b\\*c?"),
        ("admn~1", "admn~1"),
        ("admn~", "admn~"),
        ("~home/a~b", "~home\\/a~b"),
        ("a\\ b\\u0041", "a\\ bA"),
        ("\\AND AND \\NOT", "(\\AND AND \\NOT)"),
        ("f:-5", "f:\\-5"),
        ("and or not", "(and OR or OR not)"),
        ("arn:aws:iam", "arn:aws\\:iam"),
    ] {
        // `~` alone is written escaped; what counts is that the spelling reads back as the same tree.
        assert_eq!(canonical(text).replace("\\~", "~"), expected, "{text}");
        assert_eq!(canonical(&canonical(text)), canonical(text), "{text}");
    }
}

#[test]
fn what_is_nested_as_deep_as_may_be_reads_back() {
    let negated = |depth: usize| format!("{}a", "NOT ".repeat(depth));
    let listed = |depth: usize| format!("{}c{}", "NOT (a AND ".repeat(depth), ")".repeat(depth));
    for text in [negated(50), listed(25), format!("{}a{}", "(".repeat(150), ")".repeat(150))] {
        assert_eq!(canonical(&canonical(&text)), canonical(&text), "{text}");
    }
    for text in [negated(51), listed(26), negated(100_000), "(".repeat(30_000)] {
        assert!(parse(&text).unwrap_err().to_string().contains("deep") || text.len() > 32 * 1024, "{text}");
    }
}

#[test]
fn errors_name_the_place_and_the_cure() {
    for (text, column, part) in [
        ("a AND", 6, "the query ends where a term was expected"),
        ("AND a", 1, "found AND where a term was expected"),
        ("a OR OR b", 6, "found OR"),
        ("(a", 1, "never closed"),
        ("a)", 2, "found ')'"),
        ("()", 2, "found ')' where a term was expected"),
        ("f:", 3, "the query ends where a value was expected"),
        (":x", 1, "found ':'"),
        ("\"abc", 1, "never closed"),
        ("f:[1 TO", 8, "the query ends where a bound was expected"),
        ("f:[1 5]", 6, "TO was expected"),
        ("[1 TO 5]", 1, "a range without a field"),
        ("f:[1 TO 5", 8, "never closed"),
        (">5", 1, "a range without a field"),
        ("f:>", 4, "a value to compare with was expected"),
        ("source.*:x", 1, "a wildcard in a field's name"),
        ("x\\", 2, "a backslash at the end"),
        ("a~9", 2, "a distance of 9"),
        ("a^", 2, "'^' without a number"),
        ("\"a b\"~99", 6, "a phrase's distance"),
        ("x source.ip:foo", 3, "source.ip holds IP addresses, and \"foo\" is none"),
        ("source.ip:10.0.0.0/33", 1, "is none"),
        ("source.ip:1*", 1, "a wildcard on source.ip"),
        ("source.port:44*", 1, "a pattern on source.port, which holds numbers"),
        ("source.port:https", 1, "\"https\" is none"),
        ("event.created:yesterday", 1, "is no date"),
        ("message:[a TO b]", 1, "a range of message, which is full text"),
        ("f:/(/", 1, "is no regular expression"),
        ("*-*", 1, "a wildcard without a letter or digit"),
        ("\"a b\" a-b~1", 7, "~ behind 2 words"),
        ("f\u{1}:x", 1, "in a field's name"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.column, Some(column), "{text}: {error}");
        let message = error.to_string();
        assert!(message.contains(part), "{text}: {message}");
        assert!(
            message.starts_with(&format!("query, column {column}: ")) && message.contains("; "),
            "{message}"
        );
    }
}

#[test]
fn a_hostile_query_is_refused() {
    assert!(parse(&"(".repeat(10_000)).is_err());
    assert!(parse(&format!("{}a", "NOT ".repeat(5_000))).is_err());
    assert!(parse(&"a ".repeat(parse::MAXIMUM_LEAVES + 1)).is_err());
    assert!(parse(&"a".repeat(parse::MAXIMUM_LENGTH + 1)).is_err());
    assert!(parse(&"a ".repeat(parse::MAXIMUM_LEAVES)).is_ok());
}

#[test]
fn now_needs_a_clock() {
    let query = parse("@timestamp:>now-1h").unwrap();
    assert!(Matcher::new(&query).unwrap_err().to_string().contains("without a clock"));
    let now = instant_from_text("2026-11-23T11:00:00Z");
    assert!(Matcher::from_plan(&Plan::new(&query, now).unwrap()).unwrap().matches(&event()));
    assert!(Matcher::new(&parse("_id:00000000000000000000000000000000").unwrap()).is_err());
}

#[test]
fn what_matches() {
    for query in [
        "*",
        "admin",
        "ADMIN",
        "203.0.113.7",
        "example.com",
        "\"invalid user\"",
        "\"invalid admin\"~1",
        "fail*",
        "203.0.113.*",
        "ww?.exam*",
        "/fail(ed|ure)/",
        "pasword~1",
        "52414",
        "message:FAILED",
        "message:\"password for\"",
        "message:pass*",
        "message:52414",
        "event.action:ConsoleLogin",
        "event.action:Console*",
        "event.action:/Console.*/",
        "event.action:ConsoleLogon~1",
        "event.action:(GetObject OR ConsoleLogin)",
        "source.port:52414",
        "source.port:[52000 TO 53000]",
        "source.port:>=52414 AND source.port:<52415",
        "source.bytes:1024",
        "source.bytes:>1000",
        "source.ip:203.0.113.7",
        "source.ip:203.0.113.0/24",
        "source.ip:203.0.113.0\\/24",
        "source.ip:\"203.0.113.0/24\"",
        "source.ip:203.0.113.*",
        "source.ip:[203.0.113.0 TO 203.0.113.255]",
        "source.ip:\"::ffff:203.0.113.7\"",
        "destination.ip:2001:db8::/32",
        "destination.ip:\"2001:DB8:0::15\"",
        "related.ip:10.0.0.0/8",
        "related.user:root",
        "user_agent.original:\"curl/8.1 (x86_64)\"",
        "user_agent.original:curl",
        "user_agent.original:curl*",
        "url.path:/admin/login",
        "url.full:example",
        "aws.cloudtrail.read_only:true",
        "aws.cloudtrail.version:1.08",
        "aws.cloudtrail.version:[1 TO 2]",
        "aws.cloudtrail.mfa.used:No",
        "aws.cloudtrail.count:3",
        "aws.cloudtrail.count:3.0",
        "aws.cloudtrail.cost:{2 TO 2.5]",
        "aws.cloudtrail.empty:\"\"",
        "aws.cloudtrail.empty:*",
        "aws.resources.ARN:*role*",
        "aws.resources.ARN:arn:aws:s3:::logs",
        "aws:*",
        "_exists_:aws.cloudtrail",
        "@timestamp:2026-11-23",
        "@timestamp:[2026-11-23T10:15 TO 2026-11-23T10:15]",
        "@timestamp:>2026-11-22 AND @timestamp:<2026-11-24",
        "event.created:[2026-11 TO *}",
        "event.created:\"2026-11-23||/M\"",
        "event.duration:1500000",
        "when:[2026-11-20 TO 2026-11-20]",
        "when:>2026-11-19",
        "when:[2026 TO 2026-12-01]",
        "event.action:[Co TO Cp]",
        "NOT event.outcome:success",
        "event.outcome:(+failure -success)",
        "nothing OR admin",
        "nothing admin",
        "+admin nothing",
    ] {
        assert!(matches(query, &event()), "{query}");
    }
}

#[test]
fn what_does_not_match() {
    for query in [
        "nothing",
        "adm",
        "\"user invalid\"",
        "\"admin 203\"",
        "message:\"--\"",
        "event.action:consolelogin",
        "event.action:Console",
        "event.action:/Console/",
        "Event.action:ConsoleLogin",
        "source.port:[1 TO 1024]",
        "source.ip:10.0.0.0/8",
        "source.ip:203.0.113.8",
        "source.ip:{203.0.113.7 TO *]",
        "destination.ip:203.0.113.0/24",
        "user_agent.original:wget",
        "tags:*",
        "user.email:*",
        "aws.cloudtrail.read_only:false",
        "aws.cloudtrail.mfa:No",
        "aws.resources:arn",
        "@timestamp:2026-11-24",
        "@timestamp:>2026-11-23",
        "@timestamp:<2026-11-23",
        "event.created:{2026-11-23 TO *]",
        "when:>2026-11-20",
        "when:[10 TO 20]",
        "+admin +nothing",
        "admin AND NOT admin",
        "admin -failed",
        "-admin",
        "NOT *",
    ] {
        assert!(!matches(query, &event()), "{query}");
    }
}

#[test]
fn no_phrase_reaches_into_the_next_value() {
    let event = json!({"message": ["one two", "three four"], "a": "five", "b": "six"});
    assert!(matches("\"one two\"", &event) && matches("message:\"three four\"", &event));
    for query in ["\"two three\"~10", "message:\"two three\"~10", "\"five six\"~10"] {
        assert!(!matches(query, &event), "{query}");
    }
}

#[test]
fn odd_events_are_no_danger() {
    let odd =
        json!({"": {"": 1}, "a.": {"b": "x"}, ".": "y", "big": 1e300, "deep": [[[["z"]]]], "a": {".b": "w"}});
    for query in ["a..b:x", "a..b:w", ".:*", ".:y", ".:1", "big:>1e299", "deep:z", "z"] {
        assert!(matches(query, &odd), "{query}");
    }
    for event in [json!(null), json!([1]), json!("text")] {
        assert!(matches("*", &event) && !matches("text", &event));
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9]{1,8}",
        "[-+!():^\\[\\]\"{}~*?/&|<>= \\\\a-c]{1,6}",
        Just("AND".to_owned()),
        Just("TO".to_owned()),
        "\\PC{1,4}",
    ]
}

fn any_field() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        "[a-z]{1,4}(\\.[a-z@_-]{1,4}){0,2}".prop_map(Some),
        "[a-z:() *?\\\\]{1,4}x".prop_map(Some),
        Just(Some("NOT".to_owned())),
    ]
}

fn any_leaf() -> impl Strategy<Value = Query> {
    let bound = prop_oneof![
        Just(Bound::Open),
        any_text().prop_map(Bound::Including),
        any_text().prop_map(Bound::Excluding)
    ];
    let test = prop_oneof![
        any_text().prop_map(|text| Test::Text { text, slop: 0 }),
        any_text().prop_map(|text| Test::Text { text, slop: 0 }),
        (any_text(), any_text())
            .prop_map(|(a, b)| { Test::Wildcard(vec![Part::Text(a), Part::Any, Part::One, Part::Text(b)]) }),
        "[a-c]{1,3}(/[a-c.]{1,3}| \\\\d)?".prop_map(Test::Regex),
        ("[a-z]{2,5}", proptest::option::of(1..3u8))
            .prop_map(|(text, distance)| Test::Fuzzy { text, distance }),
        (bound.clone(), bound).prop_map(|(lower, upper)| Test::Range { lower, upper }),
        Just(Test::Exists),
    ];
    (any_field(), test).prop_filter_map("readable", |(field, test)| {
        let without_field = field.is_none() && matches!(test, Test::Exists | Test::Range { .. });
        let open = matches!(&test, Test::Range { lower: Bound::Open, upper: Bound::Open });
        let leaf = Leaf { field, test };
        (!without_field && !open && plan::check(&leaf).is_ok()).then_some(Query::Leaf(leaf))
    })
}

fn any_query() -> impl Strategy<Value = Query> {
    any_leaf().prop_recursive(4, 24, 4, |inner| {
        let occur = prop_oneof![Just(Occur::Should), Just(Occur::Must), Just(Occur::MustNot)];
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::Or),
            inner.clone().prop_map(|query| Query::Not(Box::new(query))),
            prop::collection::vec((occur, inner), 2..4).prop_map(|clauses| {
                let mut clauses: Vec<Clause> =
                    clauses.into_iter().map(|(occur, query)| Clause { occur, query }).collect();
                clauses[0].occur =
                    if clauses[1].occur == Occur::Should { Occur::Must } else { clauses[0].occur };
                Query::Clauses(clauses)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_tree_reads_back_as_itself(query in any_query()) {
        let text = query.to_string();
        let read = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(read, query, "{}", text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_syntax_panics(text in "[-+!():^\\[\\]\"{}~*?/&|<>= \\\\aN0TOR.]{0,30}") {
        if let Ok(query) = parse(&text) {
            let spelt = query.to_string();
            prop_assert_eq!(parse(&spelt).map_err(|error| TestCaseError::fail(format!("{spelt}: {error}")))?, query);
        }
    }
}
