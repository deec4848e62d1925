//! What the steps of a run share, and the one way in which anything is written.

use super::current::{self, Current, Verdict};
use super::error::StepError;
use super::journal::{Event, Journal};
use crate::audit::{Audit, AuditLine, Outcome};
use crate::aws::{CallError, Kind, Session};
use crate::clock::Clock;
use crate::codes::FailureCode;
use crate::discover::{Entrance, Surroundings};
use crate::ids::AccountId;
use crate::inventory::Failure;
use crate::plan::{Action, Plan, Write, WriteTarget};
use crate::progress::Progress;
use jiff::SignedDuration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the steps of a run share.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// The name of the run in the journal and the audit log.
    pub(super) id: String,
    pub(super) entrance: Entrance<'a>,
    pub(super) plan: &'a Plan,
    pub(super) journal: &'a Journal,
    pub(super) audit: &'a Audit,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: &'a AtomicBool,
    pub(super) progress: &'a Progress,
    /// Stay until every canary is through.
    pub(super) wait: bool,
    /// A canary that came through before proves nothing: write another.
    pub(super) anew: bool,
    /// Until then a canary that is late gets another look: the last run may be long ago.
    pub(super) looks_until: std::time::Instant,
    /// What is around every member, read when the first canary fails; none where it cannot be read.
    pub(super) surroundings: tokio::sync::OnceCell<Option<Surroundings>>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Did {
    Wrote,
    Unchanged,
}

/// A role is usable within seconds; seldom, a minute. By AWS's clock, which is IAM's.
const ROLE_PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// Seconds between two tries; the last is repeated.
const ROLE_PAUSES: [u64; 9] = [1, 1, 2, 2, 3, 3, 4, 4, 5];
/// No fewer tries, should AWS's clock jump meanwhile.
const ROLE_TRIES: usize = 4;
/// After this, a denial has nothing to do with the age of a role.
const ROLE_IS_NEW: SignedDuration = SignedDuration::from_mins(5);

impl Run<'_> {
    pub(super) fn check_stop(&self) -> Result<(), StepError> {
        if self.stop.load(Ordering::Relaxed) { Err(StepError::Interrupted) } else { Ok(()) }
    }

    /// Brings one thing into shape: reads what is there, writes if that is what was planned against, and says so in
    /// the journal before and in the audit log after.
    pub(super) async fn ensure(&self, session: &Session, action: &Action) -> Result<Did, StepError> {
        self.check_stop()?;
        let now = current::read(session, &action.account, &action.region, &action.write)
            .await
            .map_err(|error| StepError::Failed(error.failure()))?;
        match current::judge(&action.write, &now) {
            Verdict::Done => return Ok(Did::Unchanged),
            Verdict::Stale => return Err(StepError::Failed(stale(action))),
            Verdict::Write => {}
        }
        self.write(session, action, now).await?;
        Ok(Did::Wrote)
    }

    /// Writes, come what may be there.
    pub(super) async fn write(
        &self,
        session: &Session,
        action: &Action,
        now: Current,
    ) -> Result<(), StepError> {
        self.journal
            .add(Event::Writing {
                time: self.clock.now(),
                run: self.id.clone(),
                account: action.account.clone(),
                region: action.region.clone(),
                action: action.id.clone(),
                write: Box::new(action.write.clone()),
                before: now.0.clone(),
            })
            .await?;
        let written = self.perform(session, action).await;
        self.account_for(action, now.0, current::after(&action.write), &written).await?;
        written.map_err(|error| StepError::Failed(self.failure(action, &error)))?;
        self.journal
            .add(Event::Wrote {
                time: self.clock.now(),
                run: self.id.clone(),
                account: action.account.clone(),
                action: action.id.clone(),
            })
            .await?;
        Ok(())
    }

    /// Adds a line to the audit log.
    pub(super) async fn account_for(
        &self,
        action: &Action,
        before: Option<String>,
        after: Option<String>,
        written: &Result<(), CallError>,
    ) -> Result<(), StepError> {
        let outcome = match written {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Failed { code: error.code_of_report(), text: error.to_string() },
        };
        let line = AuditLine {
            time: self.clock.now(),
            run: self.id.clone(),
            caller: self.entrance.caller.arn.to_string(),
            account: action.account.clone(),
            region: action.region.clone(),
            service: action.write.service().to_owned(),
            operation: action.write.operation().to_owned(),
            resource: action.write.target().to_string(),
            before,
            after,
            outcome,
        };
        Ok(self.audit.add(&line).await?)
    }

    /// Makes the call; where a role of ours is so new that IAM may not have spread it, patiently.
    async fn perform(&self, session: &Session, action: &Action) -> Result<(), CallError> {
        // Asked once: what was new at first keeps its patience, whatever the clock does meanwhile.
        let role_is_new = needs_role(&action.write) && self.role_is_new(&action.account);
        let patience_began = self.clock.now();
        let mut tries = 0;
        loop {
            let answer = current::perform(session, &action.account, &action.region, &action.write).await;
            let Err(error) = answer else { return Ok(()) };
            let may_be_new =
                role_is_new && matches!(error.kind, Kind::Denied | Kind::Rejected | Kind::NotFound);
            if !may_be_new {
                return Err(error);
            }
            tries += 1;
            if tries >= ROLE_TRIES && self.clock.now().duration_since(patience_began) >= ROLE_PATIENCE {
                return Err(error.not_yet());
            }
            tracing::debug!(call = %error.call, kind = %error.kind, "the role may be too new; call again");
            let pause = ROLE_PAUSES.get(tries - 1).or(ROLE_PAUSES.last()).copied().unwrap_or(5);
            self.clock.sleep(Duration::from_secs(pause)).await;
        }
    }

    /// Whether we changed a role in the account a moment ago.
    pub(super) fn role_is_new(&self, account: &AccountId) -> bool {
        self.journal
            .role_changed(account)
            .is_some_and(|changed| self.clock.now().duration_since(changed) < ROLE_IS_NEW)
    }

    /// Where replication across Regions is what a policy of the organization denies, the way out is another one.
    fn failure(&self, action: &Action, error: &CallError) -> Failure {
        let failure = error.failure();
        let Write::PutBucketReplication { bucket, .. } = &action.write else { return failure };
        let crosses = self.plan.buckets.iter().any(|planned| {
            planned.bucket == *bucket
                && planned.account == action.account
                && planned.region != planned.destination_region
        });
        if failure.code == FailureCode::ScpDeny && crosses {
            return Failure {
                code: FailureCode::CrossRegionDenied,
                cure: format!("name a destination bucket in {} in accounts.toml", action.region),
                ..failure
            };
        }
        failure
    }
}

/// Writes that fail while a role is too new.
fn needs_role(write: &Write) -> bool {
    matches!(write, Write::PutBucketReplication { .. }) || matches!(write.target(), WriteTarget::Role(_))
}

/// Somebody changed it since the plan was made.
pub(super) fn stale(action: &Action) -> Failure {
    Failure {
        code: FailureCode::StalePlan,
        resource: Some(action.write.target().to_string()),
        region: Some(action.region.clone()),
        text: format!(
            "{} of {} in account {} changed since the plan was made",
            subject(&action.write),
            action.write.target(),
            action.account
        ),
        cure: "make the plan again with `weir accounts plan`".into(),
    }
}

/// What a write is about, in words.
fn subject(write: &Write) -> &'static str {
    match write {
        Write::PutBucketVersioning { .. } => "the versioning",
        Write::PutBucketOwnershipControls { .. } => "the object ownership",
        Write::PutPublicAccessBlock { .. } => "the public access block",
        Write::PutBucketPolicy { .. } | Write::DeleteBucketPolicy { .. } => "the bucket policy",
        Write::PutBucketLifecycleConfiguration { .. } => "the lifecycle configuration",
        Write::PutBucketNotificationConfiguration { .. } => "the notification configuration",
        Write::PutBucketReplication { .. } | Write::DeleteBucketReplication { .. } => {
            "the replication configuration"
        }
        Write::PutCanaryObject { .. } => "the canary",
        Write::PutKeyPolicy { .. } => "the key policy",
        Write::CreateRole { .. } | Write::UpdateAssumeRolePolicy { .. } | Write::DeleteRole { .. } => {
            "the trust policy"
        }
        Write::PutRolePolicy { .. } | Write::DeleteRolePolicy { .. } => "the inline policy",
    }
}
