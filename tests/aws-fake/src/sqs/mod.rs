//! Amazon SQS ("Amazon Simple Queue Service API Reference", JSON protocol): queues, their policies, messages and
//! dead-letter queues.

mod messages;
mod queues;

use serde_json::{Value, json};

pub(crate) use self::messages::deliver;

use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Subject, authorize};
use crate::state::State;
use crate::world::{Queue, World};

/// Carries out a call.
pub(crate) fn handle(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    let input: Value = match call.request.text() {
        "" => json!({}),
        text => serde_json::from_str(text)
            .map_err(|_| AwsError::new(400, "SerializationException", "the body is not JSON"))?,
    };
    let answer = match call.operation {
        "CreateQueue" => queues::create(state, call, &input),
        "GetQueueUrl" => queues::url(state, call, &input),
        "ListQueues" => queues::list(state, call, &input),
        "GetQueueAttributes" => queues::attributes(state, call, &input),
        "SetQueueAttributes" => queues::set_attributes(state, call, &input),
        "ListQueueTags" => queues::tags(state, call, &input),
        "DeleteQueue" => queues::delete(state, call, &input),
        "SendMessage" => messages::send(state, call, &input),
        "ReceiveMessage" => messages::receive(state, call, &input),
        "DeleteMessage" => messages::delete(state, call, &input),
        "ChangeMessageVisibility" => messages::change_visibility(state, call, &input),
        "PurgeQueue" => messages::purge(state, call, &input),
        other => Err(AwsError::not_implemented("sqs", other)),
    }?;
    Ok(Reply::json(&answer).header("content-type", "application/x-amz-json-1.0"))
}

/// A queue, by where it is.
#[derive(Debug, Clone)]
struct Place {
    account: String,
    region: String,
    name: String,
}

impl Place {
    fn arn(&self) -> String {
        format!("arn:aws:sqs:{}:{}:{}", self.region, self.account, self.name)
    }

    fn url(&self) -> String {
        format!("https://sqs.{}.amazonaws.com/{}/{}", self.region, self.account, self.name)
    }

    fn key(&self) -> String {
        format!("{}/{}", self.region, self.name)
    }

    fn get<'a>(&self, world: &'a World) -> Option<&'a Queue> {
        world.accounts.get(&self.account)?.queues.get(&self.key())
    }

    fn get_mut<'a>(&self, world: &'a mut World) -> Option<&'a mut Queue> {
        let key = self.key();
        world.accounts.get_mut(&self.account)?.queues.get_mut(&key)
    }

    fn of_arn(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", "aws", "sqs", region, account, name] => Some(Self {
                account: (*account).to_owned(),
                region: (*region).to_owned(),
                name: (*name).to_owned(),
            }),
            _ => None,
        }
    }
}

/// A queue by its ARN, and the account that owns it.
pub(crate) fn find<'a>(world: &'a World, arn: &str) -> Option<(&'a str, &'a Queue)> {
    let place = Place::of_arn(arn)?;
    let (account, _) = world.accounts.get_key_value(&place.account)?;
    Some((account, place.get(world)?))
}

impl Queue {
    /// Whether its order is kept: S3 does not notify such queues.
    pub(crate) fn is_fifo(&self) -> bool {
        self.attributes.get("FifoQueue").is_some_and(|value| value == "true")
    }

    fn seconds(&self, attribute: &str, default: i64) -> i64 {
        self.attributes.get(attribute).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

fn no_queue() -> AwsError {
    AwsError::new(400, "QueueDoesNotExist", "The specified queue does not exist.")
}

/// The queue that a call's URL names, which the caller may act on.
fn target(state: &State, call: &Call<'_>, input: &Value) -> Result<Place, AwsError> {
    let url = input.get("QueueUrl").and_then(Value::as_str).ok_or_else(|| {
        AwsError::new(400, "MissingParameter", "The request must contain the parameter QueueUrl.")
    })?;
    let mut parts = url.rsplit('/');
    let (Some(name), Some(account)) = (parts.next(), parts.next()) else { return Err(no_queue()) };
    let place = Place { account: account.to_owned(), region: call.region.to_owned(), name: name.to_owned() };
    permit(state, call, &place)?;
    if place.get(&state.world).is_some() { Ok(place) } else { Err(no_queue()) }
}

fn permit(state: &State, call: &Call<'_>, place: &Place) -> Result<(), AwsError> {
    let action = format!("sqs:{}", call.operation);
    let arn = place.arn();
    let queue = place.get(&state.world);
    let subject = Subject {
        action: &action,
        resource: &arn,
        owner: &place.account,
        policy: queue.and_then(|queue| queue.policy.as_ref()),
        policy_decides: false,
        context: Context::default(),
    };
    authorize(&state.world, call.now_ms, call.identity, &subject)
        .map_err(|denial| AwsError::new(403, "AccessDenied", denial.message(call.identity, &action, &arn)))
}
