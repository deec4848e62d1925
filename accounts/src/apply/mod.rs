//! Carries out a plan, and nothing else.
//!
//! What makes it safe to stop at any moment and to run again: every write reads first and is left out when done
//! already; the journal knows what AWS does not tell; the log account comes before the members that depend on it, and
//! after them when they leave; a rule reaches real logs only after an object went the whole way. Accounts are worked on
//! side by side, and one that fails is a line in the report.

mod account;
mod canary;
mod current;
mod error;
mod explain;
mod journal;
mod prove;
mod report;
mod rollback;
mod run;
pub mod view;

pub(crate) use self::current::plain_word;
pub use self::error::ApplyError;
pub use self::journal::{Journal, JournalError};
pub(crate) use self::prove::prove_buckets;
pub use self::report::{AccountOutcome, AccountReport, Report, Waiting};
pub use self::rollback::{RolledBack, roll_back};

use self::canary::Pending;
use self::error::StepError;
use self::report::Work;
use self::run::{Did, Run};
use crate::audit::Audit;
use crate::aws::{Session, Sts};
use crate::codes::FailureCode;
use crate::discover::{Entrance, NoEntry};
use crate::ids::AccountId;
use crate::plan::{Action, Plan, Purpose, Severity, Step};
use crate::progress::Progress;
use futures_util::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// Stay until every canary is through, instead of leaving that to the next run.
    pub wait: bool,
    /// Set by a signal: the write under way is finished, and nothing more is begun.
    pub stop: &'a AtomicBool,
    pub progress: &'a Progress,
}

/// A run that does not wait still gives canaries this long: most replicas arrive within seconds.
const GRACE: SignedDuration = SignedDuration::from_secs(30);
/// A canary that is late when a run begins is not called slow before this.
const LOOKS: SignedDuration = SignedDuration::from_secs(10);
/// Between two looks at canaries.
const POLL: Duration = Duration::from_secs(2);

/// Carries out `plan`, with journal and audit log in `folder`.
///
/// # Errors
/// When nothing may be written, when the log account cannot be brought into shape, or when what was done can no longer
/// be recorded.
pub async fn apply(
    entrance: &Entrance<'_>,
    plan: &Plan,
    folder: &Path,
    manner: Manner<'_>,
) -> Result<Report, ApplyError> {
    if let Some(stop) = plan.findings.iter().find(|finding| finding.severity == Severity::Stop) {
        return Err(ApplyError::Stopped(format!("{}: {}; {}", stop.code, stop.text, stop.cure)));
    }
    let journal = Journal::open(folder)?;
    let audit = Audit::open(folder)?;
    let clock = entrance.connection.clock();
    let run = Run {
        id: run_id(clock.now()),
        entrance: entrance.clone(),
        plan,
        journal: &journal,
        audit: &audit,
        clock,
        stop: manner.stop,
        progress: manner.progress,
        wait: manner.wait,
        anew: false,
        looks_until: std::time::Instant::now() + LOOKS.unsigned_abs(),
        surroundings: tokio::sync::OnceCell::new(),
    };
    if let Some(interrupted) = journal.interrupted() {
        let code = FailureCode::Interrupted;
        tracing::info!(%code, run = interrupted, "the last run was interrupted; this one goes on from there");
    }
    let began =
        journal::Event::RunBegan { time: run.clock.now(), run: run.id.clone(), actions: plan.actions.len() };
    journal.add(began).await?;
    let outcome = run.all().await;
    manner.progress.finish();
    let interrupted = run.check_stop().is_err();
    if !interrupted {
        journal.add(journal::Event::RunEnded { time: run.clock.now(), run: run.id.clone() }).await?;
    }
    let report = Report::new(run.id.clone(), plan, outcome?, interrupted);
    let now = run.clock.now();
    drop(run);
    if report.is_converged() {
        // A journal that cannot be made shorter is as good as before.
        if let Err(error) = journal.compact(folder, now) {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot make the journal shorter");
        }
    }
    Ok(report)
}

/// The time, and something that tells two runs of one second apart.
fn run_id(now: Timestamp) -> String {
    format!("{}-{:x}", now.strftime("%Y%m%dT%H%M%S"), std::process::id())
}

impl<'a> Run<'a> {
    async fn all(&self) -> Result<BTreeMap<AccountId, Work>, ApplyError> {
        let mut work = BTreeMap::new();
        let (log_account, members): (Vec<&'a Action>, Vec<&'a Action>) =
            self.plan.actions.iter().partition(|action| is_in_log_account(action.step));
        let log_session = match self.entrance.enter(&self.plan.log_account).await {
            Ok((session, _)) => session,
            Err(NoEntry::Failed(failure)) => return Err(ApplyError::LogAccount(failure)),
            Err(NoEntry::Stop(error)) => return Err(error.into()),
        };
        self.preflight(&log_session, &log_account).await?;
        if self.plan.purpose == Purpose::Onboard {
            self.log_account(&log_session, &log_account, &mut work).await?;
            self.members(&log_session, members, &mut work).await?;
        } else {
            self.members(&log_session, members, &mut work).await?;
            // The statements stay as long as a member still relies on them.
            if work.values().all(|done| done.failures.is_empty()) {
                self.log_account(&log_session, &log_account, &mut work).await?;
            }
        }
        Ok(work)
    }

    /// Looks at everything in the log account before the first write anywhere: what moved there since the plan concerns
    /// every member.
    async fn preflight(&self, session: &Session, actions: &[&Action]) -> Result<(), ApplyError> {
        for action in actions {
            let now = current::read(session, &action.account, &action.region, &action.write)
                .await
                .map_err(|error| ApplyError::LogAccount(error.failure()))?;
            if current::judge(&action.write, &now) == current::Verdict::Stale {
                let failure = run::stale(action);
                return Err(ApplyError::Stale { text: failure.text, cure: failure.cure });
            }
        }
        Ok(())
    }

    /// The log account, one step after the other: what fails here would fail for every member.
    async fn log_account(
        &self,
        session: &Session,
        actions: &[&Action],
        work: &mut BTreeMap<AccountId, Work>,
    ) -> Result<(), ApplyError> {
        self.progress.begin("log account", actions.len());
        for action in actions {
            self.progress.advance(action.write.operation());
            let done = work.entry(action.account.clone()).or_default();
            match self.ensure(session, action).await {
                Ok(did) => done.writes += usize::from(did == Did::Wrote),
                Err(StepError::Failed(failure)) => return Err(ApplyError::LogAccountStep(failure)),
                Err(StepError::Interrupted) => return Ok(()),
                Err(StepError::Fatal(error)) => return Err(error),
            }
        }
        if let Some(done) = work.get_mut(&self.plan.log_account) {
            done.complete = true;
        }
        Ok(())
    }

    /// The members, side by side; then their canaries.
    async fn members(
        &self,
        log_session: &Session,
        actions: Vec<&'a Action>,
        work: &mut BTreeMap<AccountId, Work>,
    ) -> Result<(), ApplyError> {
        let mut by_account: BTreeMap<&AccountId, Vec<&'a Action>> = BTreeMap::new();
        for action in actions {
            by_account.entry(&action.account).or_default().push(action);
        }
        self.progress.begin("accounts", by_account.len());
        let mut running = stream::iter(by_account)
            .map(|(account, actions)| async move { (account, self.account(account, actions).await) })
            .buffer_unordered(self.at_once());
        let mut pending = Vec::new();
        let mut fatal = None;
        while let Some((account, outcome)) = running.next().await {
            self.progress.advance(account.as_str());
            match outcome {
                Ok((done, waiting)) => {
                    work.insert(account.clone(), done);
                    pending.extend(waiting);
                }
                // What is under way comes to its end; nothing more is begun.
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    fatal = fatal.or(Some(error));
                }
            }
        }
        match fatal {
            Some(error) => Err(error),
            None => self.canaries(log_session, pending, work).await,
        }
    }

    /// Looks at the canaries of all accounts, round after round.
    async fn canaries(
        &self,
        log_session: &Session,
        mut pending: Vec<Pending<'a>>,
        work: &mut BTreeMap<AccountId, Work>,
    ) -> Result<(), ApplyError> {
        self.progress.begin("canaries", pending.len());
        let grace_ends = std::time::Instant::now() + GRACE.unsigned_abs();
        while !pending.is_empty() {
            let mut round = stream::iter(pending)
                .map(|pending| async move {
                    let mut done = Work::default();
                    let waiting = self.prove(log_session, &pending, &mut done).await;
                    (pending, done, waiting)
                })
                .buffer_unordered(self.at_once());
            let mut waiting = Vec::new();
            while let Some((bucket, done, outcome)) = round.next().await {
                let account = work.entry(bucket.canary.account.clone()).or_default();
                account.writes += done.writes + bucket.puts.swap(0, Ordering::Relaxed);
                account.failures.extend(done.failures);
                account.notes.extend(done.notes);
                match outcome? {
                    Some(reason) => waiting.push((bucket, reason)),
                    None => self.progress.advance(bucket.canary.account.as_str()),
                }
            }
            drop(round);
            let soonest = waiting.iter().filter_map(|(_, waiting)| waiting.until).min();
            let in_vain = soonest.is_some_and(|until| {
                // A replica may come at any time before; versioning has a fixed end.
                waiting.iter().all(|(_, waiting)| !waiting.reason.contains("on its way"))
                    && until.duration_since(self.clock.now()) > GRACE
            });
            let give_up = !self.wait && (in_vain || std::time::Instant::now() >= grace_ends);
            if waiting.is_empty() || give_up || self.check_stop().is_err() {
                for (bucket, reason) in waiting {
                    work.entry(bucket.canary.account.clone()).or_default().waiting.push(reason);
                }
                return Ok(());
            }
            self.progress.say(&format!("{} canaries on their way", waiting.len()));
            tokio::time::sleep(POLL).await;
            // Keeps the credentials and the clock right while nothing else is asked.
            if let Err(error) = log_session.sts().caller_identity().await {
                tracing::warn!(%error, "cannot ask for the time; trying again");
            }
            pending = waiting.into_iter().map(|(bucket, _)| bucket).collect();
        }
        Ok(())
    }

    fn at_once(&self) -> usize {
        self.entrance.desired.limits.accounts_at_once.max(1) as usize
    }
}

fn is_in_log_account(step: Step) -> bool {
    matches!(
        step,
        Step::DestinationBucket
            | Step::DestinationKey
            | Step::DestinationPolicy
            | Step::DestinationNotifications
            | Step::RemoveStatements
    )
}
