//! The index and the matcher give the same answer to every query about every event.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::query::plan::check;
use crate::query::{Bound, Clause, Leaf, Matcher, Occur, Part, Query, Test};

const PATHS: &[&str] = &[
    "source.ip",
    "related.ip",
    "source.port",
    "event.created",
    "event.action",
    "message",
    "url.path",
    "user.name",
    "aws.x.y",
    "aws.x",
    "aws.z",
    "app",
    "a..b",
    "labels.k-1",
];

const TEXTS: &[&str] = &[
    "alpha",
    "Alpha",
    "alpha beta",
    "beta alpha",
    "alpha-beta gamma",
    "gamma/alpha.beta",
    "10",
    "10.5",
    "1e3",
    "-3",
    "7",
    "true",
    "",
    "---",
    "192.0.2.1",
    "192.0.2.77",
    "2001:db8::5",
    "2026-11-23",
    "2026-11-23T10:00:00Z",
    "2026-11",
    "東京 alpha",
    "É",
    "a*b?c",
    "198.51.100.7:443",
    "alphabet",
    "alpga",
    "2026",
    "now-1d",
];

const NUMBERS: &[&str] = &[
    "0",
    "7",
    "10",
    "-3",
    "10.5",
    "10.0",
    "443",
    "9007199254740993",
    "18446744073709551615",
    "1e300",
    "-2.5",
    "1700000000000",
    "9223372036854775807",
];

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        30 => prop::sample::select(TEXTS).prop_map(Value::from),
        12 => prop::sample::select(NUMBERS).prop_map(|number| serde_json::from_str(number).unwrap()),
        6 => any::<bool>().prop_map(Value::from),
        4 => Just(Value::Null),
        1 => Just(Value::from(format!("{}alpha tail", "long ".repeat(6_600)))),
        1 => Just(Value::from("x".repeat(40_000))),
        1 => Just(Value::from(format!("{}y", "x".repeat(40_000)))),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    any_scalar().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            (prop::sample::select(&["y", "k", ""][..]), inner).prop_map(|(key, value)| json!({ key: value })),
        ]
    })
}

fn any_event() -> impl Strategy<Value = Value> {
    let field = (prop::sample::select(PATHS), any_value(), any::<bool>());
    (prop::collection::vec(field, 0..8), 0..5000_i64).prop_map(|(fields, minutes)| {
        let mut event = Map::new();
        let time = jiff::Timestamp::from_second(1_795_300_000 + minutes * 60).unwrap();
        event.insert("@timestamp".to_owned(), time.to_string().into());
        for (path, value, nested) in fields {
            insert(&mut event, path, value, nested);
        }
        Value::Object(event)
    })
}

/// Under a dotted key, or nested where no value is in the way.
fn insert(event: &mut Map<String, Value>, path: &str, value: Value, nested: bool) {
    if let (true, Some((first, rest))) = (nested, path.split_once('.'))
        && let Value::Object(inner) = event.entry(first).or_insert_with(|| json!({}))
    {
        insert(inner, rest, value, nested);
        return;
    }
    event.insert(path.to_owned(), value);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(TEXTS).prop_map(str::to_owned),
        prop::sample::select(NUMBERS).prop_map(str::to_owned),
        Just("192.0.2.0/24".to_owned()),
        Just("2001:db8::/32".to_owned()),
        Just("x".repeat(40_000)),
    ]
}

fn any_leaf() -> impl Strategy<Value = Query> {
    let bound = || {
        prop_oneof![
            Just(Bound::Open),
            any_text().prop_map(Bound::Including),
            any_text().prop_map(Bound::Excluding),
        ]
    };
    let glob = (any_text(), 0..4_usize, any::<bool>()).prop_map(|(text, cut, any)| {
        let cut = text.char_indices().nth(cut).map_or(text.len(), |(offset, _)| offset);
        let (start, end) = text.split_at(cut);
        let middle = if any { Part::Any } else { Part::One };
        let parts = [Part::Text(start.to_owned()), middle, Part::Text(end.chars().skip(1).collect())];
        Test::Wildcard(parts.into_iter().filter(|part| *part != Part::Text(String::new())).collect())
    });
    let test = prop_oneof![
        6 => any_text().prop_map(|text| Test::Text { text, slop: 0 }),
        1 => (any_text(), 0..4_u32).prop_map(|(text, slop)| Test::Text { text, slop }),
        3 => glob,
        1 => prop::sample::select(&["al.*", "[a-z]+", "alpha( beta)?", ".*", "(?i)ALPHA", "1.*|2.*"][..])
            .prop_map(|pattern| Test::Regex(pattern.to_owned())),
        1 => (prop::sample::select(TEXTS), proptest::option::of(1..3_u8))
            .prop_map(|(text, distance)| Test::Fuzzy { text: text.to_owned(), distance }),
        5 => (bound(), bound()).prop_map(|(lower, upper)| Test::Range { lower, upper }),
        2 => Just(Test::Exists),
    ];
    let path = prop_oneof![
        4 => prop::sample::select(PATHS).prop_map(|path| Some(path.to_owned())),
        1 => prop::sample::select(&["@timestamp", "source", "aws", "related", "none", "a.", "app.k", "app.y"][..])
            .prop_map(|path| Some(path.to_owned())),
        2 => Just(None),
    ];
    (path, test).prop_filter_map("answerable", |(field, test)| {
        if field.is_none() && matches!(test, Test::Exists | Test::Range { .. }) {
            return None;
        }
        let leaf = Leaf { field, test };
        (check(&leaf).is_ok() && Plan::new(&Query::Leaf(leaf.clone()), None).is_ok())
            .then_some(Query::Leaf(leaf))
    })
}

fn any_query() -> impl Strategy<Value = Query> {
    any_leaf().prop_recursive(3, 12, 3, |inner| {
        let occur = prop_oneof![Just(Occur::Should), Just(Occur::Must), Just(Occur::MustNot)];
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::Or),
            inner.clone().prop_map(|query| Query::Not(Box::new(query))),
            prop::collection::vec((occur, inner), 2..4).prop_map(|clauses| {
                Query::Clauses(clauses.into_iter().map(|(occur, query)| Clause { occur, query }).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_index_answers_as_the_matcher_does(
        documents in prop::collection::vec(any_event(), 1..60),
        queries in prop::collection::vec(any_query(), 100),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let index = EmbeddedIndex::open(dir.path(), settings()).unwrap();
        let writer = index.writer().unwrap();
        let events: Vec<Event> =
            documents.iter().zip(0..).map(|(json, number)| Event::new(number, number % 3, json)).collect();
        // Over two segments of one day and one of another, and with something deleted.
        let (early, late) = events.split_at(events.len() / 2);
        prop_assert!(add(&writer, DAY, early).refused.is_empty());
        writer.commit().unwrap();
        add(&writer, DAY, &events[..1]);
        writer.delete_frames(Some(DAY), &[events[0].reference().frame]).unwrap();
        add(&writer, DAY, &events[..early.len().min(1)]);
        let (some, rest) = late.split_at(late.len() / 2);
        add(&writer, DAY, some);
        add(&writer, date(2026, 11, 24), rest);
        writer.commit().unwrap();

        for query in queries {
            let matcher = Matcher::new(&query).unwrap();
            let expected: BTreeSet<[u8; 16]> = events
                .iter()
                .zip(&documents)
                .filter(|(_, json)| matcher.matches(json))
                .map(|(event, _)| id(event.number))
                .collect();
            let found = index.search(&SearchRequest::new(Plan::new(&query, None).unwrap())).unwrap();
            prop_assert_eq!(found.total, found.hits.len() as u64 + found.total.saturating_sub(50));
            let request = SearchRequest { limit: 1000, ..SearchRequest::new(Plan::new(&query, None).unwrap()) };
            let found: BTreeSet<[u8; 16]> =
                index.search(&request).unwrap().hits.into_iter().map(|hit| hit.id).collect();
            let different: Vec<&Value> = events
                .iter()
                .zip(&documents)
                .filter(|(event, _)| expected.contains(&id(event.number)) != found.contains(&id(event.number)))
                .map(|(_, json)| json)
                .collect();
            prop_assert!(different.is_empty(), "{query}: {} expected, {} found; {different:?}", expected.len(),
                found.len());
        }
    }
}
