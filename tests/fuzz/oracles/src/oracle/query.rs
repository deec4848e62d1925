//! The query language: reading, printing back, and asking an event.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::query::{Matcher, Plan, Query, parse};

/// 2026-11-23T10:20:00Z, nanoseconds since 1970.
const NOW: i64 = 1_795_429_200_000_000_000;

/// Characters in a query; what is printed may be more, and need not read back then.
const LONGEST: usize = 32 * 1024;

static EVENT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "@timestamp": "2026-11-23T10:15:30.5Z",
        "message": "Failed password for invalid user admin from 203.0.113.7 port 52414 ssh2",
        "event": {"action": "ConsoleLogin", "outcome": "failure", "created": "2026-11-23", "duration": 1_500_000},
        "source": {"ip": "203.0.113.7", "port": 52414, "bytes": "1024"},
        "destination.ip": "2001:db8::15",
        "related": {"ip": ["203.0.113.7", "10.1.2.3"], "user": ["admin", "root"]},
        "url": {"path": "/admin/login", "full": "https://www.example.com/admin/login?next=1"},
        "tags": [],
        "user": {"name": "Admin", "email": null},
        "aws": {
            "cloudtrail": {"read_only": true, "version": "1.08", "mfa.used": "No", "empty": "", "cost": 2.5},
            "resources": [{"ARN": "arn:aws:iam::111122223333:role/ops"}, {"ARN": "arn:aws:s3:::logs"}]
        }
    })
});

/// The input is a query, and behind a NUL the event to ask, if there is one.
pub fn query(data: &[u8]) {
    let (text, event) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], serde_json::from_slice(&data[at + 1..]).ok()),
        None => (data, None),
    };
    let event: &Value = event.as_ref().unwrap_or(&EVENT);
    let text = String::from_utf8_lossy(text);
    let query = match parse(&text) {
        Ok(query) => query,
        Err(error) => {
            let characters = text.chars().count();
            assert!(error.column.is_none_or(|column| (1..=characters + 1).contains(&column)), "{error:?}");
            assert!(!error.found.is_empty() && !error.hint.is_empty(), "{error:?}");
            return;
        }
    };
    let printed = query.to_string();
    match parse(&printed) {
        Err(_) if printed.chars().count() > LONGEST => {}
        Ok(again) => assert_eq!(again, query, "{printed} reads back as another query"),
        Err(error) => panic!("{printed} does not read back: {error}"),
    }
    let _ = Plan::new(&query, Some(NOW)).map(|plan| Matcher::from_plan(&plan));
    let Ok(matcher) = Matcher::new(&query) else { return };
    let matched = matcher.matches(event);
    let ask = |query: &Query| Matcher::new(query).expect("made of what was accepted").matches(event);
    assert_eq!(ask(&Query::Not(Box::new(query.clone()))), !matched, "NOT {printed}");
    assert_eq!(ask(&Query::And(vec![query.clone(), Query::All])), matched, "{printed} AND *");
    assert_eq!(ask(&Query::Or(vec![query.clone(), query.clone()])), matched, "{printed} twice");
}
