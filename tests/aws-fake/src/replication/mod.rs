//! The replication of objects: when an object begins to be replicated, and what became of it.
//!
//! An object that is written under an enabled matching rule becomes PENDING. When its time has come, the replication
//! role, the policies and keys, and the state of both buckets decide: COMPLETED with a replica, or FAILED. FAILED is
//! never tried again, a replica never replicated ("Getting replication status information" and "What does Amazon S3
//! replicate?", Amazon S3 User Guide).

mod judge;

use std::collections::BTreeMap;

use serde_json::json;

pub(crate) use self::judge::{Attempt, judge};

use crate::s3::{ReplicationConfiguration, Target};
use crate::state::State;
use crate::world::{Bucket, ObjectVersion, ReplicationStatus};
use crate::xml::Element;

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    tasks: BTreeMap<(i64, u64), Task>,
    added: u64,
}

/// One version on its way.
#[derive(Debug, Clone)]
struct Task {
    bucket: String,
    key: String,
    version_id: String,
}

impl Queue {
    /// How many versions are under way.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// When the next is due, ms since 1970.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        self.tasks.keys().next().map(|(due, _)| *due)
    }

    fn add(&mut self, due_ms: i64, task: Task) {
        self.added += 1;
        self.tasks.insert((due_ms, self.added), task);
    }

    fn due(&mut self, now_ms: i64) -> Option<Task> {
        let first = self.tasks.first_entry()?;
        (first.key().0 <= now_ms).then(|| first.remove())
    }
}

/// The configuration of a bucket.
pub(crate) fn configuration(bucket: &Bucket) -> Option<ReplicationConfiguration> {
    let document = Element::parse(bucket.replication.as_deref()?).ok()?;
    ReplicationConfiguration::read(&document).ok()
}

/// Whether versioning took effect before `now_ms`. Objects written earlier may be missed ("Using versioning in S3
/// buckets": after the first enabling, wait 15 minutes before writing).
fn versioning_in_effect(state: &State, bucket: &Bucket, now_ms: i64) -> bool {
    let lag_ms = state.world.settings.versioning_lag_s * 1_000;
    bucket.versioning.is_enabled()
        && bucket.versioning.first_enabled_ms.is_none_or(|first| now_ms >= first + lag_ms)
}

/// Begins the replication of a version that is being written, if a rule wants it.
pub(crate) fn begin(state: &mut State, now_ms: i64, target: &Target, version: &mut ObjectVersion) {
    let Some(bucket) = state.world.buckets.get(&target.bucket) else { return };
    if !versioning_in_effect(state, bucket, now_ms) || version.owner != bucket.owner {
        return;
    }
    let Some(configuration) = configuration(bucket) else { return };
    let kms = version.encryption.starts_with("aws:kms");
    let wanted =
        configuration.matching(&target.key, &version.tags).into_iter().any(|rule| rule.kms_objects || !kms);
    if wanted {
        version.replication_status = Some(ReplicationStatus::Pending);
        schedule(state, now_ms, target, &version.version_id);
    }
}

/// Begins the replication of a delete marker, if a rule wants it.
pub(crate) fn begin_marker(state: &mut State, now_ms: i64, target: &Target, version_id: &str) {
    let Some(bucket) = state.world.buckets.get(&target.bucket) else { return };
    if !versioning_in_effect(state, bucket, now_ms) {
        return;
    }
    let Some(configuration) = configuration(bucket) else { return };
    let none = BTreeMap::new();
    if configuration.matching(&target.key, &none).iter().any(|rule| rule.delete_markers) {
        schedule(state, now_ms, target, version_id);
    }
}

/// Queues a version that exists already, as S3 Batch Replication does.
pub(crate) fn replicate_existing(state: &mut State, now_ms: i64, target: &Target, version_id: &str) {
    let versions =
        state.world.buckets.get_mut(&target.bucket).and_then(|bucket| bucket.objects.get_mut(&target.key));
    let found =
        versions.and_then(|versions| versions.iter_mut().find(|version| version.version_id == version_id));
    if let Some(version) = found {
        version.replication_status = Some(ReplicationStatus::Pending);
        version.failure_reason = None;
        schedule(state, now_ms, target, version_id);
    }
}

fn schedule(state: &mut State, now_ms: i64, target: &Target, version_id: &str) {
    let due_ms = now_ms + state.world.settings.replication_s * 1_000;
    let task =
        Task { bucket: target.bucket.clone(), key: target.key.clone(), version_id: version_id.to_owned() };
    state.replication.add(due_ms, task);
}

impl State {
    /// Carries out what is due.
    pub(crate) fn settle(&mut self, now_ms: i64) {
        let mut waiting = Vec::new();
        while let Some(task) = self.replication.due(now_ms) {
            if self.carry_out_replication(&task, now_ms).is_none() {
                waiting.push(task);
            }
        }
        // An outage keeps objects PENDING; they are tried again later.
        let later = now_ms + self.world.settings.replication_s.max(1) * 1_000;
        for task in waiting {
            self.replication.add(later, task);
        }
    }

    /// `None` if a destination cannot be reached for now.
    fn carry_out_replication(&mut self, task: &Task, now_ms: i64) -> Option<()> {
        let target = Target { bucket: task.bucket.clone(), key: task.key.clone() };
        let Some(version) = self.version(task) else { return Some(()) };
        let version = version.clone();
        let source = self.world.buckets.get(&task.bucket)?;
        let Some(configuration) = configuration(source) else {
            self.finish(task, Some("SrcBucketReplicationConfigMissing"));
            return Some(());
        };
        let kms = version.encryption.starts_with("aws:kms");
        let rules: Vec<_> = configuration
            .matching(&task.key, &version.tags)
            .into_iter()
            .filter(|rule| if version.delete_marker { rule.delete_markers } else { rule.kms_objects || !kms })
            .collect();
        if rules.is_empty() {
            self.finish(task, Some("SrcObjectNotEligible"));
            return Some(());
        }
        let paused = &self.world.settings.unreachable_destinations;
        if rules.iter().any(|rule| paused.contains(&rule.destination.bucket)) {
            return None;
        }
        let mut failure = None;
        let mut failed = Vec::new();
        let mut replicas = Vec::new();
        for rule in rules {
            let attempt =
                Attempt { now_ms, source: &target, version: &version, role: &configuration.role, rule };
            match judge(&self.world, &attempt) {
                Ok(replica) => replicas.push((rule.destination.bucket.clone(), replica)),
                Err(reason) => {
                    failure = failure.or(Some(reason));
                    failed.push((rule.id.clone(), rule.destination.bucket.clone(), rule.metrics, reason));
                }
            }
        }
        for (destination, replica) in replicas {
            if let Some(bucket) = self.world.buckets.get_mut(&destination) {
                crate::s3::place_replica(bucket, &task.key, replica);
                let event = if version.delete_marker {
                    "ObjectRemoved:DeleteMarkerCreated"
                } else {
                    "ObjectCreated:Put"
                };
                crate::s3::announce(self, now_ms, &destination, &task.key, event);
            }
        }
        self.finish(task, failure);
        for (rule, destination, metrics, reason) in failed {
            // Failures are told of rules with metrics alone.
            if metrics && !version.delete_marker {
                let data = json!({
                    "replicationRuleId": rule,
                    "destinationBucket": format!("arn:aws:s3:::{destination}"),
                    "s3Operation": "OBJECT_PUT",
                    "requestTime": crate::clock::iso_ms(version.modified_ms),
                    "failureReason": reason,
                });
                crate::s3::announce_failure(self, now_ms, &target, &data);
            }
        }
        Some(())
    }

    fn version(&self, task: &Task) -> Option<&ObjectVersion> {
        let versions = self.world.buckets.get(&task.bucket)?.objects.get(&task.key)?;
        versions.iter().find(|version| version.version_id == task.version_id)
    }

    /// With several destinations, one that fails makes the whole FAILED.
    fn finish(&mut self, task: &Task, failure: Option<&'static str>) {
        let versions =
            self.world.buckets.get_mut(&task.bucket).and_then(|bucket| bucket.objects.get_mut(&task.key));
        let version = versions
            .and_then(|versions| versions.iter_mut().find(|version| version.version_id == task.version_id))
            .filter(|version| !version.delete_marker);
        if let Some(version) = version {
            let status =
                if failure.is_some() { ReplicationStatus::Failed } else { ReplicationStatus::Completed };
            version.replication_status = Some(status);
            version.failure_reason = failure.map(str::to_owned);
        }
    }
}
