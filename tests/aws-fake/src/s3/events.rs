//! Event notifications to SQS ("Event message structure", Amazon S3 User Guide).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Target;
use crate::policy::{Context, Identity, Subject, authorize};
use crate::state::State;
use crate::world::World;
use crate::xml::Element;

/// Keys are form-encoded in events, but slashes stay.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// A queue that a notification configuration names, and which events go to it.
pub(super) struct QueueRule {
    pub(super) id: String,
    pub(super) queue: String,
    pub(super) events: Vec<String>,
    pub(super) prefix: String,
    pub(super) suffix: String,
}

impl QueueRule {
    /// The rules of a configuration.
    pub(super) fn of(configuration: &Element) -> Vec<Self> {
        configuration
            .named("QueueConfiguration")
            .map(|element| {
                let filter = |name: &str| {
                    element
                        .child("Filter")
                        .and_then(|filter| filter.child("S3Key"))
                        .into_iter()
                        .flat_map(|key| key.children.iter())
                        .find(|rule| {
                            rule.child_text("Name").is_some_and(|text| text.eq_ignore_ascii_case(name))
                        })
                        .and_then(|rule| rule.child_text("Value"))
                        .unwrap_or_default()
                        .to_owned()
                };
                Self {
                    id: element.child_text("Id").unwrap_or_default().to_owned(),
                    queue: element.child_text("Queue").unwrap_or_default().to_owned(),
                    events: element.named("Event").map(|event| event.text.clone()).collect(),
                    prefix: filter("prefix"),
                    suffix: filter("suffix"),
                }
            })
            .collect()
    }

    fn wants(&self, event: &str, key: &str) -> bool {
        let name = format!("s3:{event}");
        key.starts_with(&self.prefix)
            && key.ends_with(&self.suffix)
            && self.events.iter().any(|wanted| crate::policy::glob_matches(wanted, &name))
    }
}

/// Whether S3 may send messages about a bucket to a queue.
pub(super) fn may_send(world: &World, now_ms: i64, bucket: &str, queue: &str) -> bool {
    let Some(found) = world.buckets.get(bucket) else { return false };
    let Some((account, entry)) = crate::sqs::find(world, queue) else { return false };
    let mut context = Context::default();
    context.set("aws:SourceArn", format!("arn:aws:s3:::{bucket}"));
    context.set("aws:SourceAccount", &*found.owner);
    if let Some(organization) = world.organization_of(&found.owner) {
        context.set("aws:SourceOrgID", &*organization.id);
    }
    let subject = Subject {
        action: "sqs:SendMessage",
        resource: queue,
        owner: account,
        policy: entry.policy.as_ref(),
        policy_decides: true,
        context,
    };
    let service = Identity::Service { name: "s3.amazonaws.com".to_owned() };
    authorize(world, now_ms, &service, &subject).is_ok()
}

/// Sends the events of a key's current version, e.g. `ObjectCreated:Put`, to the queues that want them.
pub(crate) fn announce(state: &mut State, now_ms: i64, bucket: &str, key: &str, event: &str) {
    send(state, now_ms, bucket, key, event, None);
}

/// Sends the event of a replication that failed, with what is told about it.
pub(crate) fn announce_failure(state: &mut State, now_ms: i64, source: &Target, data: &Value) {
    let event = "Replication:OperationFailedReplication";
    send(state, now_ms, &source.bucket, &source.key, event, Some(data));
}

fn send(state: &mut State, now_ms: i64, bucket: &str, key: &str, event: &str, replication: Option<&Value>) {
    let Some(found) = state.world.buckets.get(bucket) else { return };
    let Some(configuration) = found.notification.as_deref().and_then(|text| Element::parse(text).ok()) else {
        return;
    };
    let Some(version) = found.objects.get(key).and_then(|versions| versions.last()) else { return };
    let rules: Vec<QueueRule> = QueueRule::of(&configuration);
    let mut messages = Vec::new();
    for rule in rules.into_iter().filter(|rule| rule.wants(event, key)) {
        let encoded = utf8_percent_encode(key, RESERVED).to_string().replace(' ', "+");
        let mut object = json!({
            "key": encoded,
            "sequencer": format!("{:016X}", found.written),
        });
        if let Some(fields) = object.as_object_mut() {
            if !version.delete_marker {
                fields.insert("size".to_owned(), version.body.size().into());
                fields.insert("eTag".to_owned(), version.etag.clone().into());
            }
            if version.version_id != "null" {
                fields.insert("versionId".to_owned(), version.version_id.clone().into());
            }
        }
        let mut record = json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": found.region,
            "eventTime": crate::clock::iso_ms(now_ms),
            "eventName": event,
            "userIdentity": { "principalId": format!("AWS:{}", found.owner) },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": "fake", "x-amz-id-2": "fake" },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": rule.id,
                "bucket": {
                    "name": bucket,
                    "ownerIdentity": { "principalId": found.owner },
                    "arn": format!("arn:aws:s3:::{bucket}"),
                },
                "object": object,
            },
        });
        if let (Some(data), Some(record)) = (replication, record.as_object_mut()) {
            record.insert("replicationEventData".to_owned(), data.clone());
        }
        let body = json!({ "Records": [record] });
        messages.push((rule.queue, body.to_string()));
    }
    for (queue, body) in messages {
        // What the queue's policy no longer allows is lost, as with AWS.
        if may_send(&state.world, now_ms, bucket, &queue) {
            crate::sqs::deliver(&mut state.world, now_ms, &queue, body);
        }
    }
}
