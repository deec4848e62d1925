//! Queues and their attributes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Place, no_queue, permit, target};
use crate::call::Call;
use crate::error::AwsError;
use crate::policy::Document;
use crate::state::State;
use crate::world::{Queue, ResourcePolicy};

type Answer = Result<Value, AwsError>;

/// Attributes that can be set, but for the policy.
const SETTABLE: &[&str] = &[
    "DelaySeconds",
    "FifoQueue",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

fn own(call: &Call<'_>, name: &str) -> Place {
    Place { account: call.account().to_owned(), region: call.region.to_owned(), name: name.to_owned() }
}

fn required<'a>(input: &'a Value, field: &str) -> Result<&'a str, AwsError> {
    input.get(field).and_then(Value::as_str).ok_or_else(|| {
        AwsError::new(400, "MissingParameter", format!("The request must contain the parameter {field}."))
    })
}

pub(super) fn create(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let name = required(input, "QueueName")?;
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    if stem.is_empty() || name.len() > 80 || !stem.chars().all(allowed) {
        return Err(AwsError::new(
            400,
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    let place = own(call, name);
    permit(state, call, &place)?;
    let (attributes, policy) = read(state, call, input)?;
    if let Some(existing) = place.get(&state.world) {
        let differs = attributes.iter().any(|(key, value)| existing.attributes.get(key) != Some(value));
        if differs {
            return Err(AwsError::new(
                400,
                "QueueNameExists",
                "A queue already exists with the same name and a different value for an attribute",
            ));
        }
        return Ok(json!({ "QueueUrl": place.url() }));
    }
    let tags = input.get("tags").and_then(Value::as_object).into_iter().flatten();
    let tags =
        tags.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    let queue = Queue { attributes, policy: policy.flatten(), tags, ..Queue::default() };
    let account = state.world.accounts.get_mut(call.account()).ok_or_else(no_queue)?;
    account.queues.insert(place.key(), queue);
    state.wrote(call, place.arn());
    Ok(json!({ "QueueUrl": place.url() }))
}

/// The attributes of a request; the policy is set, taken away (empty), or not mentioned.
#[expect(
    clippy::type_complexity,
    reason = "attributes, and a policy that may be set, unset or not mentioned"
)]
fn read(
    state: &State,
    call: &Call<'_>,
    input: &Value,
) -> Result<(BTreeMap<String, String>, Option<Option<ResourcePolicy>>), AwsError> {
    let mut attributes = BTreeMap::new();
    let mut policy = None;
    for (name, value) in input.get("Attributes").and_then(Value::as_object).into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        let invalid = || {
            AwsError::new(400, "InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
        };
        if name == "Policy" {
            if text.is_empty() {
                policy = Some(None);
                continue;
            }
            let document = Document::parse(text).map_err(|_| invalid())?;
            let principals = state.world.bind(&document, call.now_ms).map_err(|_| invalid())?;
            policy = Some(Some(ResourcePolicy { text: text.to_owned(), principals }));
            continue;
        }
        if !SETTABLE.contains(&name.as_str()) {
            return Err(AwsError::new(400, "InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
        if name == "RedrivePolicy" && !text.is_empty() {
            let redrive: Value = serde_json::from_str(text).map_err(|_| invalid())?;
            let arn = redrive.get("deadLetterTargetArn").and_then(Value::as_str).ok_or_else(invalid)?;
            if Place::of_arn(arn).is_none_or(|place| place.get(&state.world).is_none()) {
                return Err(AwsError::new(
                    400,
                    "InvalidParameterValue",
                    format!(
                        "Value {text} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist."
                    ),
                ));
            }
        }
        attributes.insert(name.clone(), text.to_owned());
    }
    Ok((attributes, policy))
}

pub(super) fn url(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    let mut place = own(call, required(input, "QueueName")?);
    if let Some(owner) = input.get("QueueOwnerAWSAccountId").and_then(Value::as_str) {
        owner.clone_into(&mut place.account);
    }
    permit(state, call, &place)?;
    place.get(&state.world).ok_or_else(no_queue)?;
    Ok(json!({ "QueueUrl": place.url() }))
}

pub(super) fn list(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    permit(state, call, &own(call, "*"))?;
    let prefix = input.get("QueueNamePrefix").and_then(Value::as_str).unwrap_or_default();
    let account = state.world.accounts.get(call.account());
    let urls: Vec<String> = account
        .into_iter()
        .flat_map(|account| account.queues.keys())
        .filter_map(|key| key.split_once('/'))
        .filter(|(region, name)| *region == call.region && name.starts_with(prefix))
        .map(|(_, name)| own(call, name).url())
        .collect();
    Ok(json!({ "QueueUrls": urls }))
}

pub(super) fn attributes(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    let queue = place.get(&state.world).ok_or_else(no_queue)?;
    let visible = queue.messages.iter().filter(|message| message.visible_ms <= call.now_ms).count();
    let mut all: BTreeMap<String, String> = BTreeMap::from([
        ("QueueArn".to_owned(), place.arn()),
        ("ApproximateNumberOfMessages".to_owned(), visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible".to_owned(), (queue.messages.len() - visible).to_string()),
        ("ApproximateNumberOfMessagesDelayed".to_owned(), "0".to_owned()),
        ("VisibilityTimeout".to_owned(), "30".to_owned()),
        ("MessageRetentionPeriod".to_owned(), "345600".to_owned()),
        ("MaximumMessageSize".to_owned(), "262144".to_owned()),
        ("DelaySeconds".to_owned(), "0".to_owned()),
        ("ReceiveMessageWaitTimeSeconds".to_owned(), "0".to_owned()),
        ("SqsManagedSseEnabled".to_owned(), "true".to_owned()),
    ]);
    all.extend(queue.attributes.clone());
    if let Some(policy) = &queue.policy {
        all.insert("Policy".to_owned(), crate::policy::shown(&state.world, policy));
    }
    let wanted: Vec<&str> = input
        .get("AttributeNames")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    all.retain(|name, _| wanted.contains(&"All") || wanted.contains(&name.as_str()));
    Ok(if all.is_empty() { json!({}) } else { json!({ "Attributes": all }) })
}

pub(super) fn set_attributes(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    let (attributes, policy) = read(state, call, input)?;
    let queue = place.get_mut(&mut state.world).ok_or_else(no_queue)?;
    queue.attributes.extend(attributes);
    if let Some(policy) = policy {
        queue.policy = policy;
    }
    state.wrote(call, place.arn());
    Ok(json!({}))
}

pub(super) fn tags(state: &State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    let queue = place.get(&state.world).ok_or_else(no_queue)?;
    Ok(json!({ "Tags": queue.tags }))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>, input: &Value) -> Answer {
    let place = target(state, call, input)?;
    if let Some(account) = state.world.accounts.get_mut(&place.account) {
        account.queues.remove(&place.key());
    }
    state.wrote(call, place.arn());
    Ok(json!({}))
}
