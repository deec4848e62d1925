//! Messages: sent, received, hidden for a while, moved to a dead-letter queue after too many receipts.

use serde_json::{Value, json};

use super::{Place, no_queue, target};
use crate::call::Call;
use crate::error::AwsError;
use crate::state::State;
use crate::world::{Message, Queue, World, hexadecimal, md5};

type Answer = Result<Value, AwsError>;

fn add(queue: &mut Queue, seed: u64, place: &Place, now_ms: i64, body: String) -> String {
    queue.sent += 1;
    let digits = hexadecimal(12, seed, &["message", &place.arn(), &queue.sent.to_string()]);
    let id = format!("00000000-0000-4000-8000-{digits}");
    let visible_ms = now_ms + queue.seconds("DelaySeconds", 0) * 1_000;
    queue.messages.push_back(Message {
        id: id.clone(),
        body,
        sent_ms: now_ms,
        visible_ms,
        ..Message::default()
    });
    id
}

/// Puts a message of a service into a queue, if the queue is there.
pub(crate) fn deliver(world: &mut World, now_ms: i64, arn: &str, body: String) {
    let seed = world.settings.seed;
    let Some(place) = Place::of_arn(arn) else { return };
    if let Some(queue) = place.get_mut(world) {
        add(queue, seed, &place, now_ms, body);
    }
}

pub(super) fn send(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    let body = input.get("MessageBody").and_then(Value::as_str).unwrap_or_default().to_owned();
    if body.is_empty() {
        return Err(AwsError::new(
            400,
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        ));
    }
    let seed = state.world.settings.seed;
    let queue = place.get_mut(&mut state.world).ok_or_else(no_queue)?;
    let md5 = md5(body.as_bytes());
    let id = add(queue, seed, &place, call.now_ms, body);
    state.wrote(call, place.arn());
    Ok(json!({ "MessageId": id, "MD5OfMessageBody": md5 }))
}

pub(super) fn receive(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    let number = |field: &str| input.get(field).and_then(Value::as_i64);
    let most = number("MaxNumberOfMessages").unwrap_or(1);
    if !(1..=10).contains(&most) {
        return Err(AwsError::new(
            400,
            "InvalidParameterValue",
            format!(
                "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
            ),
        ));
    }
    let seed = state.world.settings.seed;
    let queue = place.get_mut(&mut state.world).ok_or_else(no_queue)?;
    let hidden_ms =
        number("VisibilityTimeout").unwrap_or_else(|| queue.seconds("VisibilityTimeout", 30)) * 1_000;
    let redrive = redrive(queue);
    let (mut shown, mut dead) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(message) = queue.messages.get_mut(at) {
        if shown.len() as i64 >= most {
            break;
        }
        if message.visible_ms > call.now_ms {
            at += 1;
            continue;
        }
        if redrive.as_ref().is_some_and(|(_, receipts)| message.received >= *receipts) {
            dead.extend(queue.messages.remove(at));
            continue;
        }
        message.received += 1;
        message.visible_ms = call.now_ms + hidden_ms;
        message.receipt = hexadecimal(64, seed, &["receipt", &message.id, &message.received.to_string()]);
        shown.push(json!({
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "Body": message.body,
            "MD5OfBody": md5(message.body.as_bytes()),
            "Attributes": {
                "ApproximateReceiveCount": message.received.to_string(),
                "SentTimestamp": message.sent_ms.to_string(),
                "SenderId": place.account,
            },
        }));
        at += 1;
    }
    if let Some(target) = redrive.and_then(|(target, _)| target.get_mut(&mut state.world)) {
        for message in dead {
            target.messages.push_back(Message { visible_ms: call.now_ms, received: 0, ..message });
        }
    }
    Ok(if shown.is_empty() { json!({}) } else { json!({ "Messages": shown }) })
}

/// Where messages go that were received too often, and how often that is.
fn redrive(queue: &Queue) -> Option<(Place, u32)> {
    let policy: Value = serde_json::from_str(queue.attributes.get("RedrivePolicy")?).ok()?;
    let most = policy.get("maxReceiveCount")?;
    let most = most.as_u64().or_else(|| most.as_str()?.parse().ok())?;
    Some((Place::of_arn(policy.get("deadLetterTargetArn")?.as_str()?)?, u32::try_from(most).ok()?))
}

fn receipt<'a>(queue: &'a mut Queue, input: &Value) -> Result<&'a mut Message, AwsError> {
    let wanted = input.get("ReceiptHandle").and_then(Value::as_str).unwrap_or_default();
    queue
        .messages
        .iter_mut()
        .find(|message| !wanted.is_empty() && message.receipt == wanted)
        .ok_or_else(|| AwsError::new(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid."))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    let queue = place.get_mut(&mut state.world).ok_or_else(no_queue)?;
    let id = receipt(queue, input)?.id.clone();
    queue.messages.retain(|message| message.id != id);
    Ok(json!({}))
}

pub(super) fn change_visibility(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    let seconds = input.get("VisibilityTimeout").and_then(Value::as_i64).unwrap_or(0);
    let queue = place.get_mut(&mut state.world).ok_or_else(no_queue)?;
    receipt(queue, input)?.visible_ms = call.now_ms + seconds * 1_000;
    Ok(json!({}))
}

pub(super) fn purge(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    place.get_mut(&mut state.world).ok_or_else(no_queue)?.messages.clear();
    Ok(json!({}))
}
