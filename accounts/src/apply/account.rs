//! The steps of one account, in their order. What fails for one bucket leaves the others of the account alone.

use super::canary::{Pending, Stage};
use super::current::{self, Verdict};
use super::error::{ApplyError, StepError};
use super::report::{Waiting, Work};
use super::run::{Did, Run, stale};
use crate::aws::Session;
use crate::discover::NoEntry;
use crate::ids::{AccountId, BucketName};
use crate::inventory::Failure;
use crate::plan::{Action, ReplicationStage, Step, Write, WriteTarget};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicUsize};

impl<'a> Run<'a> {
    /// Runs the actions of an account up to its canaries; what follows those is in the answer.
    pub(super) async fn account(
        &self,
        account: &AccountId,
        actions: Vec<&'a Action>,
    ) -> Result<(Work, Vec<Pending<'a>>), ApplyError> {
        let mut work = Work::default();
        if self.check_stop().is_err() {
            return Ok((work, Vec::new()));
        }
        let session = match self.entrance.enter(account).await {
            Ok((session, _)) => session,
            Err(NoEntry::Failed(failure)) => {
                work.failures.push(failure);
                return Ok((work, Vec::new()));
            }
            Err(NoEntry::Stop(error)) => return Err(error.into()),
        };
        let mut pending: BTreeMap<BucketName, Pending<'a>> = BTreeMap::new();
        let mut failed_buckets: BTreeSet<&BucketName> = BTreeSet::new();
        let mut role_failed = false;
        for action in actions {
            let bucket = match action.write.target() {
                WriteTarget::Bucket(bucket) => Some(bucket),
                _ => None,
            };
            // The steps of a role build on each other, and rules on the role.
            let after_role = bucket.is_none() || matches!(action.step, Step::Canary | Step::Widen);
            if bucket.is_some_and(|bucket| failed_buckets.contains(bucket)) || (role_failed && after_role) {
                continue;
            }
            if let Some(bucket) = bucket {
                if matches!(action.write, Write::PutCanaryObject { .. }) {
                    let first = Pending {
                        session: session.clone(),
                        bucket: bucket.clone(),
                        canary: action,
                        widen: Vec::new(),
                        written: AtomicU32::new(0),
                        puts: AtomicUsize::new(0),
                    };
                    pending.insert(bucket.clone(), first);
                    continue;
                }
                if let Some(waiting) = pending.get_mut(bucket) {
                    waiting.widen.push(action);
                    continue;
                }
            }
            match self.step(&session, action).await {
                Ok(did) => work.writes += usize::from(did == Did::Wrote),
                Err(StepError::Failed(failure)) => {
                    tracing::warn!(%account, code = %failure.code, text = failure.text, "step failed");
                    work.failures.push(failure);
                    match bucket {
                        Some(bucket) => {
                            failed_buckets.insert(bucket);
                        }
                        None => role_failed = true,
                    }
                }
                Err(StepError::Interrupted) => return Ok((work, Vec::new())),
                Err(StepError::Fatal(error)) => return Err(error),
            }
        }
        // Where canaries are under way, they decide.
        work.complete = true;
        Ok((work, pending.into_values().collect()))
    }

    async fn step(&self, session: &Session, action: &Action) -> Result<Did, StepError> {
        if let Write::PutBucketReplication { stage: ReplicationStage::Canary, bucket, .. } = &action.write
            && self.is_wide_already(session, action, bucket).await?
        {
            return Ok(Did::Unchanged);
        }
        self.ensure(session, action).await
    }

    /// Whether a run that was interrupted after widening had come this far: a plan from before it would narrow the
    /// rule again.
    async fn is_wide_already(
        &self,
        session: &Session,
        action: &Action,
        bucket: &BucketName,
    ) -> Result<bool, StepError> {
        let wide = self.plan.actions_in(&action.account).find(|other| {
            matches!(&other.write, Write::PutBucketReplication { stage: ReplicationStage::Wide, bucket: of, .. } if of == bucket)
        });
        let Some(wide) = wide else { return Ok(false) };
        let now = current::read(session, &wide.account, &wide.region, &wide.write)
            .await
            .map_err(|error| StepError::Failed(error.failure()))?;
        Ok(current::judge(&wide.write, &now) == Verdict::Done)
    }

    /// Takes a bucket through its canary and, if that came through, to its real rules.
    pub(super) async fn prove(
        &self,
        log_session: &Session,
        pending: &Pending<'_>,
        work: &mut Work,
    ) -> Result<Option<Waiting>, ApplyError> {
        match self.prove_steps(log_session, pending, work).await {
            Ok(waiting) => Ok(waiting),
            Err(StepError::Failed(failure)) => {
                work.failures.push(failure);
                Ok(None)
            }
            Err(StepError::Interrupted) => Ok(Some(waiting(pending, "the run was interrupted", None))),
            Err(StepError::Fatal(error)) => Err(error),
        }
    }

    async fn prove_steps(
        &self,
        log_session: &Session,
        pending: &Pending<'_>,
        work: &mut Work,
    ) -> Result<Option<Waiting>, StepError> {
        match self.advance(log_session, pending).await? {
            Stage::Waiting { until, reason } => Ok(Some(waiting(pending, &reason, until))),
            Stage::Proven(note) => {
                work.notes.extend(note);
                for action in &pending.widen {
                    let did = self.ensure(&pending.session, action).await?;
                    work.writes += usize::from(did == Did::Wrote);
                    self.read_back(&pending.session, action).await?;
                }
                Ok(None)
            }
        }
    }

    /// What was written is what is there.
    async fn read_back(&self, session: &Session, action: &Action) -> Result<(), StepError> {
        let now = current::read(session, &action.account, &action.region, &action.write)
            .await
            .map_err(|error| StepError::Failed(error.failure()))?;
        if current::judge(&action.write, &now) == Verdict::Done {
            return Ok(());
        }
        Err(StepError::Failed(Failure {
            text: format!(
                "{} of {} reads back otherwise than it was written",
                action.write.operation(),
                action.write.target()
            ),
            ..stale(action)
        }))
    }
}

fn waiting(pending: &Pending<'_>, reason: &str, until: Option<jiff::Timestamp>) -> Waiting {
    Waiting {
        bucket: pending.bucket.clone(),
        region: pending.canary.region.clone(),
        reason: reason.to_owned(),
        until,
    }
}
