//! `/_fake/`: how a test loads a world, moves the clock, sets faults and sees what was done.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Fake;
use crate::http::{HttpRequest, Reply};
use crate::state::State;
use crate::world::World;

/// `POST /_fake/clock`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ClockChange {
    advance_s: Option<f64>,
    set_ms: Option<i64>,
    speed: Option<f64>,
}

/// Answers a request to the control endpoint.
pub(super) fn handle(fake: &Fake, request: &HttpRequest) -> Reply {
    let what = request.path.trim_start_matches("/_fake/");
    match (request.method.as_str(), what) {
        ("GET", "ready") => Reply::json(&json!({})),
        ("POST", "world") => answer(World::from_json(&request.body).map(|world| {
            let mut state = fake.lock();
            *state = State::new(world);
            json!({ "accounts": state.world.accounts.len(), "buckets": state.world.buckets.len() })
        })),
        ("PATCH", "world") => answer(patch(&mut fake.lock(), &request.body).map(|()| json!({}))),
        ("GET", "world") => {
            let mut state = fake.lock();
            let now_ms = state.clock.now_ms();
            state.settle(now_ms);
            let mut value = serde_json::to_value(&state.world).unwrap_or_default();
            if request.parameter("canonical").is_some() {
                without_times(&mut value);
            }
            Reply::json(&value)
        }
        ("GET", "clock") => {
            let state = fake.lock();
            Reply::json(&clock(&state))
        }
        ("POST", "clock") => answer(serde_json::from_slice::<ClockChange>(&request.body).map(|change| {
            let mut state = fake.lock();
            if let Some(speed) = change.speed {
                state.clock.set_speed(speed);
            }
            if let Some(now_ms) = change.set_ms {
                state.clock.set(now_ms);
            }
            if let Some(seconds) = change.advance_s {
                state.clock.advance((seconds * 1_000.0) as i64);
            }
            let now_ms = state.clock.now_ms();
            state.settle(now_ms);
            clock(&state)
        })),
        ("GET", "faults") => Reply::json(&serde_json::to_value(&fake.lock().faults).unwrap_or_default()),
        ("POST", "faults") => answer(serde_json::from_slice(&request.body).map(|faults| {
            fake.lock().faults = faults;
            json!({})
        })),
        ("GET", "writes") => {
            let from: usize = request.parameter("from").and_then(|text| text.parse().ok()).unwrap_or(1);
            let state = fake.lock();
            let writes: Vec<_> = state.writes.iter().filter(|write| write.number >= from).collect();
            Reply::json(&json!({ "count": state.writes.len(), "held": state.is_held(), "writes": writes }))
        }
        ("GET", "requests") => Reply::json(&serde_json::to_value(&fake.lock().counts).unwrap_or_default()),
        ("DELETE", "requests") => {
            fake.lock().counts = crate::state::Counts::default();
            Reply::json(&json!({}))
        }
        _ => {
            failed(404, &format!("{} /_fake/{what} is not known; see the README of the fake", request.method))
        }
    }
}

fn clock(state: &State) -> Value {
    let now_ms = state.clock.now_ms();
    json!({
        "now_ms": now_ms,
        "now": crate::clock::iso(now_ms),
        "speed": state.clock.speed(),
        "replication_pending": state.replication.len(),
        "next_replication_ms": state.replication.next_ms(),
    })
}

/// Applies a JSON merge patch (RFC 7396) to the world; sessions, clock, faults and replication under way stay.
fn patch(state: &mut State, body: &[u8]) -> Result<(), crate::world::WorldError> {
    let change: Value = serde_json::from_slice(body)?;
    let mut value = serde_json::to_value(&state.world)?;
    merge(&mut value, change);
    let mut world: World = serde_json::from_value(value)?;
    world.complete()?;
    world.keep_counters_of(&state.world);
    state.world = world;
    Ok(())
}

fn merge(target: &mut Value, change: Value) {
    let Value::Object(change) = change else {
        *target = change;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else { return };
    for (key, value) in change {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Takes away what differs between two runs that end alike: times, messages, and ids of versions.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !key.ends_with("_ms") && key != "version_id" && key != "messages");
            object.values_mut().for_each(without_times);
        }
        Value::Array(list) => list.iter_mut().for_each(without_times),
        _ => {}
    }
}

fn answer<E: std::fmt::Display>(outcome: Result<Value, E>) -> Reply {
    outcome.map_or_else(|error| failed(400, &error.to_string()), |value| Reply::json(&value))
}

fn failed(status: u16, message: &str) -> Reply {
    Reply { status, ..Reply::json(&json!({ "error": message })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_as_the_rfc_does() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut value, json!({"a": {"b": null, "e": {"f": 1}}, "d": [2]}));
        assert_eq!(value, json!({"a": {"c": 2, "e": {"f": 1}}, "d": [2]}));
    }
}
