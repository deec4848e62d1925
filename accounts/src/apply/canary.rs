//! The proof of a path: an object under a tiny prefix, and its replica.
//!
//! An object that S3 could not replicate is never tried again, so real logs wait until a canary came through. Where it
//! did not, the rule stays as small as it is.

use super::error::StepError;
use super::journal::{Event, WrittenCanary};
use super::run::Run;
use crate::aws::{Bucket, CallError, S3Read, S3Write, Session};
use crate::codes::FailureCode;
use crate::ids::BucketName;
use crate::inventory::{Failure, ReplicationStatus};
use crate::plan::{Action, Write};
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// After versioning is enabled for the first time, objects are to be written only then (S3 user guide, "Enabling
/// versioning on buckets").
const VERSIONING_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// What replication time control promises; most objects take seconds.
const REPLICA_WAIT: SignedDuration = SignedDuration::from_mins(15);
/// A canary that is written before IAM has spread the role fails for good.
const ROLE_WAIT: SignedDuration = SignedDuration::from_secs(15);
/// A rule that was put a moment ago may not be in force when an object arrives.
const RULE_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// Canaries that are written before giving up on a young role or rule.
const CANARIES: u32 = 4;

/// A bucket whose canary is to be written or seen.
#[derive(Debug)]
pub(super) struct Pending<'a> {
    pub(super) session: Session,
    pub(super) bucket: BucketName,
    pub(super) canary: &'a Action,
    /// What follows the proof.
    pub(super) widen: Vec<&'a Action>,
    /// Canaries written in this run.
    pub(super) written: AtomicU32,
    /// Objects that S3 took, until the report has them.
    pub(super) puts: AtomicUsize,
}

/// How far a canary is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its replica was seen. A note, when something beside our path is wrong.
    Proven(Option<Failure>),
    Waiting {
        until: Option<Timestamp>,
        reason: String,
    },
}

/// The parts of the write, and both buckets.
struct Path<'a> {
    source: Bucket,
    destination: Bucket,
    name: &'a BucketName,
    key_prefix: &'a str,
    rule_id: &'a str,
}

impl Run<'_> {
    /// Takes a canary as far as it goes now.
    pub(super) async fn advance(
        &self,
        log_session: &Session,
        pending: &Pending<'_>,
    ) -> Result<Stage, StepError> {
        self.check_stop()?;
        let Some(path) = self.path(pending.canary) else {
            return Ok(Stage::Proven(None));
        };
        let account = &pending.canary.account;
        let canary = match self.journal.canary(account, path.name, path.rule_id) {
            Some(canary) if canary.replicated && !self.anew => return Ok(Stage::Proven(None)),
            Some(canary) if !canary.replicated => canary,
            _ => match self.not_before(pending, &path) {
                Some(waiting) => return Ok(waiting),
                None => self.write_canary(pending, &path).await?,
            },
        };
        let replica = log_session.s3().object(&path.destination, &canary.key).await.map_err(failed)?;
        let original = pending.session.s3().object(&path.source, &canary.key).await.map_err(failed)?;
        let Some(original) = original else {
            // A kill came between the journal and the object.
            self.put(pending, &path, &canary.key).await?;
            return Ok(waiting_for_replica(&canary));
        };
        let is_replica = replica.is_some_and(|replica| {
            // A service that does not tell, tells by having the object at all.
            replica.replication_status.is_none_or(|status| status == ReplicationStatus::Replica)
        });
        match original.replication_status {
            status if is_replica => {
                self.journal
                    .add(Event::CanaryReplicated {
                        time: self.clock.now(),
                        account: account.clone(),
                        bucket: path.name.clone(),
                        rule_id: path.rule_id.to_owned(),
                    })
                    .await?;
                let other = (status == Some(ReplicationStatus::Failed)).then(|| other_failed(&path, &canary));
                Ok(Stage::Proven(other))
            }
            Some(ReplicationStatus::Failed) => self.after_failure(pending, &path, &canary).await,
            None => self.after_no_rule(pending, &path, &canary).await,
            Some(_)
                if self.clock.now().duration_since(canary.written) > REPLICA_WAIT
                    && std::time::Instant::now() >= self.looks_until =>
            {
                Err(StepError::Failed(slow(&path, &canary)))
            }
            Some(_) => Ok(waiting_for_replica(&canary)),
        }
    }

    fn path<'a>(&self, action: &'a Action) -> Option<Path<'a>> {
        let Write::PutCanaryObject { bucket, key_prefix, destination, destination_region, rule_id } =
            &action.write
        else {
            return None;
        };
        Some(Path {
            source: Bucket {
                name: bucket.clone(),
                owner: action.account.clone(),
                region: action.region.clone(),
            },
            destination: Bucket {
                name: destination.clone(),
                owner: self.plan.log_account.clone(),
                region: destination_region.clone(),
            },
            name: bucket,
            key_prefix,
            rule_id,
        })
    }

    /// Why a canary must not be written yet.
    fn not_before(&self, pending: &Pending<'_>, path: &Path<'_>) -> Option<Stage> {
        let account = &pending.canary.account;
        let now = self.clock.now();
        let versioning = self.journal.versioning_enabled(account, path.name).map(|time| {
            (
                time.saturating_add(VERSIONING_WAIT),
                "versioning was enabled; S3 asks for 15 minutes before objects",
            )
        });
        let role = self.journal.role_changed(account).map(|time| {
            (time.saturating_add(ROLE_WAIT), "the replication role is new; IAM needs some seconds")
        });
        [versioning, role]
            .into_iter()
            .flatten()
            .filter_map(|(until, reason)| until.ok().map(|until| (until, reason)))
            .filter(|(until, _)| *until > now)
            .max_by_key(|(until, _)| *until)
            .map(|(until, reason)| Stage::Waiting { until: Some(until), reason: reason.to_owned() })
    }

    async fn write_canary(&self, pending: &Pending<'_>, path: &Path<'_>) -> Result<WrittenCanary, StepError> {
        pending.written.fetch_add(1, Ordering::Relaxed);
        let written = self.clock.now();
        // A key of its own each time: a replica from before proves nothing about now.
        let stamp = written.strftime("%Y%m%dT%H%M%SZ");
        let number = pending.written.load(Ordering::Relaxed);
        let key = format!("{}{stamp}-{}-{number}", path.key_prefix, self.id);
        let account = pending.canary.account.clone();
        self.journal
            .add(Event::CanaryWritten {
                time: written,
                account,
                bucket: path.name.clone(),
                rule_id: path.rule_id.to_owned(),
                key: key.clone(),
            })
            .await?;
        self.put(pending, path, &key).await?;
        Ok(WrittenCanary { rule_id: path.rule_id.to_owned(), key, written, replicated: false })
    }

    async fn put(&self, pending: &Pending<'_>, path: &Path<'_>, key: &str) -> Result<(), StepError> {
        let body = "Weir wrote this object to prove that this bucket replicates. It can be deleted.\n";
        let answer = pending.session.s3().put_object(&path.source, key, body).await;
        self.account_for(pending.canary, None, Some(key.to_owned()), &answer).await?;
        answer.map_err(failed)?;
        pending.puts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// S3 gave up on the object. Once more where the role was so young that this was to be expected.
    async fn after_failure(
        &self,
        pending: &Pending<'_>,
        path: &Path<'_>,
        canary: &WrittenCanary,
    ) -> Result<Stage, StepError> {
        self.drop_canary(pending, path).await?;
        let account = &pending.canary.account;
        if self.role_is_new(account) && pending.written.load(Ordering::Relaxed) < CANARIES {
            let until = self.clock.now().saturating_add(ROLE_WAIT).ok();
            return Ok(Stage::Waiting {
                until,
                reason: "the replication role was too new; another canary follows".into(),
            });
        }
        let why = self.why_it_failed(account, path.name).await;
        Err(StepError::Failed(Failure {
            code: FailureCode::CanaryFailed,
            resource: Some(path.name.to_string()),
            region: Some(path.source.region.clone()),
            text: format!(
                "S3 could not replicate the canary {} of {} to {}: its replication status is FAILED; {why}",
                canary.key, path.name, path.destination.name
            ),
            cure: format!(
                "the rule was not widened; mend what is named, or else see the failureReason of the event \
                 s3:Replication:OperationFailedReplication of {}; then run it again",
                path.name
            ),
        }))
    }

    /// No rule applied to the object when it was written. Once more where the rule may not have been in force.
    async fn after_no_rule(
        &self,
        pending: &Pending<'_>,
        path: &Path<'_>,
        canary: &WrittenCanary,
    ) -> Result<Stage, StepError> {
        let age = self.clock.now().duration_since(canary.written);
        if age < RULE_WAIT {
            return Ok(waiting_for_replica(canary));
        }
        self.drop_canary(pending, path).await?;
        if pending.written.load(Ordering::Relaxed) < CANARIES {
            return Ok(Stage::Waiting {
                until: None,
                reason: "no rule applied to the canary; another follows".into(),
            });
        }
        Err(StepError::Failed(Failure {
            code: FailureCode::CanaryFailed,
            resource: Some(path.name.to_string()),
            region: Some(path.source.region.clone()),
            text: format!("no replication rule of {} applied to the canary {}", path.name, canary.key),
            cure: format!("check that the rule {} is there and enabled; then run it again", path.rule_id),
        }))
    }

    async fn drop_canary(&self, pending: &Pending<'_>, path: &Path<'_>) -> Result<(), StepError> {
        let event = Event::CanaryDropped {
            time: self.clock.now(),
            account: pending.canary.account.clone(),
            bucket: path.name.clone(),
        };
        Ok(self.journal.add(event).await?)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: CallError) -> StepError {
    StepError::Failed(error.failure())
}

fn waiting_for_replica(canary: &WrittenCanary) -> Stage {
    let until = canary.written.saturating_add(REPLICA_WAIT).ok();
    Stage::Waiting { until, reason: format!("the replica of {} is on its way", canary.key) }
}

fn slow(path: &Path<'_>, canary: &WrittenCanary) -> Failure {
    Failure {
        code: FailureCode::Slow,
        resource: Some(path.name.to_string()),
        region: Some(path.source.region.clone()),
        text: format!("the canary {} of {} has been PENDING for more than 15 minutes", canary.key, path.name),
        cure: "S3 is behind, and goes on; the rule was not widened: run it again later".into(),
    }
}

fn other_failed(path: &Path<'_>, canary: &WrittenCanary) -> Failure {
    Failure {
        code: FailureCode::OtherDestinationFailed,
        resource: Some(path.name.to_string()),
        region: Some(path.source.region.clone()),
        text: format!(
            "the replica of {} is in {}, yet its status is FAILED: a rule of others has another destination that failed",
            canary.key, path.destination.name
        ),
        cure: format!("nothing to do for Weir; tell the owner of the other rules of {}", path.name),
    }
}
