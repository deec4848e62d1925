//! The notification configuration of a bucket ("PutBucketNotificationConfiguration"): S3 proves each destination with
//! a test message when the configuration is put.

use serde_json::json;

use super::events::{QueueRule, may_send};
use super::{Target, bucket, bucket_mut, document, invalid_argument, malformed_xml, stored};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::glob_matches;
use crate::state::State;
use crate::world::base32;
use crate::xml::Element;

/// The events that exist, as far as queues are concerned.
const EVENTS: &[&str] = &[
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectTagging:*",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationReplicatedAfterThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleTransition",
];

pub(super) fn get(state: &State, target: &Target) -> Result<Reply, AwsError> {
    let none = Element::new("NotificationConfiguration").write();
    stored(Some(bucket(state, target)?.notification.as_ref().unwrap_or(&none)), malformed_xml)
}

pub(super) fn put(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let mut wanted = document(call, "NotificationConfiguration")?;
    let known = [
        "QueueConfiguration",
        "TopicConfiguration",
        "CloudFunctionConfiguration",
        "EventBridgeConfiguration",
    ];
    if wanted.unknown_child(&known).is_some() {
        return Err(malformed_xml());
    }
    let seed = state.world.settings.seed;
    for (index, rule) in wanted.children.iter_mut().enumerate() {
        let events: Vec<_> = rule.named("Event").map(|event| event.text.clone()).collect();
        let is_queue = rule.name == "QueueConfiguration";
        if rule.name != "EventBridgeConfiguration" && events.is_empty() {
            return Err(malformed_xml());
        }
        if let Some(unknown) = events.iter().find(|event| !EVENTS.contains(&event.as_str())) {
            return Err(invalid_argument("The event is not supported for notifications")
                .field("ArgumentName", "Event")
                .field("ArgumentValue", &**unknown));
        }
        if is_queue && rule.child_text("Id").is_none_or(str::is_empty) {
            let id = base32(24, seed, &["notification", &target.bucket, &index.to_string()]);
            rule.children.retain(|child| child.name != "Id");
            rule.children.insert(0, Element::of("Id", id));
        }
    }
    let rules = QueueRule::of(&wanted);
    for (index, rule) in rules.iter().enumerate() {
        for other in rules.iter().take(index) {
            if overlap(rule, other) {
                return Err(invalid_argument(
                    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.",
                ));
            }
        }
    }
    let skip = call.request.header("x-amz-skip-destination-validation") == Some("true");
    let region = &bucket(state, target)?.region;
    for rule in &rules {
        let named = |message: &str| {
            invalid_argument(message)
                .field("ArgumentName1", &*rule.queue)
                .field("ArgumentValue1", "Permissions on the destination queue do not allow S3 to publish notifications from this bucket")
        };
        let parts: Vec<&str> = rule.queue.split(':').collect();
        match parts.as_slice() {
            ["arn", "aws", "sqs", at, _, _] if *at == region.as_str() => {}
            ["arn", "aws", "sqs", _, _, _] => {
                return Err(named(
                    "The notification destination service region is not valid for the bucket location constraint",
                ));
            }
            _ => return Err(invalid_argument("The ARN could not be parsed").field("ArgumentName", "Queue")),
        }
        if crate::sqs::find(&state.world, &rule.queue).is_some_and(|(_, queue)| queue.is_fifo()) {
            return Err(named("SQS FIFO queues are not supported"));
        }
        if !skip && !may_send(&state.world, call.now_ms, &target.bucket, &rule.queue) {
            return Err(named("Unable to validate the following destination configurations"));
        }
    }
    let test = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": crate::clock::iso_ms(call.now_ms),
        "Bucket": target.bucket,
        "RequestId": "fake",
        "HostId": "fake",
    });
    if !skip {
        for rule in &rules {
            crate::sqs::deliver(&mut state.world, call.now_ms, &rule.queue, test.to_string());
        }
    }
    let kept = (!wanted.children.is_empty()).then(|| wanted.write());
    bucket_mut(state, target)?.notification = kept;
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(200))
}

fn overlap(one: &QueueRule, other: &QueueRule) -> bool {
    let events = one.events.iter().any(|event| {
        other.events.iter().any(|against| glob_matches(event, against) || glob_matches(against, event))
    });
    let prefixes = one.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&one.prefix);
    let suffixes = one.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&one.suffix);
    events && prefixes && suffixes
}
