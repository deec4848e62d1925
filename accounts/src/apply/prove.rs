//! Canaries for buckets that are onboarded, written anew each time: what `verify` rests on.

use super::canary::{Pending, Stage};
use super::error::{ApplyError, StepError};
use super::journal::Journal;
use super::run::Run;
use super::{GRACE, LOOKS, POLL, run_id};
use crate::audit::Audit;
use crate::aws::{Session, Sts};
use crate::discover::{Entrance, NoEntry};
use crate::ids::{AccountId, BucketName};
use crate::plan::{Action, BucketPlan, Plan, Step, Write};
use crate::verify::{Manner, PathProof};
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicUsize};

/// The name of the proof in the journal, in the place of a rule: it asks about all rules together.
const ANY_RULE: &str = "verify";

type Paths = BTreeMap<(AccountId, BucketName), PathProof>;

/// Sends a canary through each bucket.
pub(crate) async fn prove_buckets(
    entrance: &Entrance<'_>,
    plan: &Plan,
    buckets: &[&BucketPlan],
    log_session: &Session,
    journal: &Journal,
    audit: &Audit,
    manner: Manner<'_>,
) -> Result<Paths, ApplyError> {
    let clock = entrance.connection.clock();
    let run = Run {
        id: run_id(clock.now()),
        entrance: entrance.clone(),
        plan,
        journal,
        audit,
        clock,
        stop: manner.stop,
        progress: manner.progress,
        wait: manner.wait,
        anew: true,
        looks_until: std::time::Instant::now() + LOOKS.unsigned_abs(),
        surroundings: tokio::sync::OnceCell::new(),
    };
    let actions: Vec<Action> = buckets.iter().map(|bucket| canary(bucket)).collect();
    let mut by_account: BTreeMap<&AccountId, Vec<&Action>> = BTreeMap::new();
    for action in &actions {
        by_account.entry(&action.account).or_default().push(action);
    }
    manner.progress.begin("canaries", actions.len());
    let at_once = entrance.desired.limits.accounts_at_once.max(1) as usize;
    let mut paths = Paths::new();
    let mut pending = Vec::new();
    let mut entering = stream::iter(by_account)
        .map(|(account, actions)| async move { (entrance.enter(account).await, actions) })
        .buffer_unordered(at_once);
    while let Some((entered, actions)) = entering.next().await {
        for action in actions {
            let Write::PutCanaryObject { bucket, .. } = &action.write else { continue };
            match &entered {
                Ok((session, _)) => pending.push(Pending {
                    session: session.clone(),
                    bucket: bucket.clone(),
                    canary: action,
                    widen: Vec::new(),
                    written: AtomicU32::new(0),
                    puts: AtomicUsize::new(0),
                }),
                Err(NoEntry::Failed(failure)) => {
                    let failed = PathProof::Failed { failure: failure.clone() };
                    paths.insert((action.account.clone(), bucket.clone()), failed);
                }
                Err(NoEntry::Stop(error)) => return Err(ApplyError::Stopped(error.to_string())),
            }
        }
    }
    drop(entering);
    rounds(&run, log_session, pending, at_once, &mut paths).await?;
    Ok(paths)
}

async fn rounds(
    run: &Run<'_>,
    log_session: &Session,
    mut pending: Vec<Pending<'_>>,
    at_once: usize,
    paths: &mut Paths,
) -> Result<(), ApplyError> {
    let ends = std::time::Instant::now() + GRACE.unsigned_abs();
    while !pending.is_empty() {
        let mut round = stream::iter(pending)
            .map(|pending| async move { (run.advance(log_session, &pending).await, pending) })
            .buffer_unordered(at_once);
        let mut waiting = Vec::new();
        while let Some((stage, bucket)) = round.next().await {
            let key = (bucket.canary.account.clone(), bucket.bucket.clone());
            let path = match stage {
                Ok(Stage::Proven(note)) => PathProof::Proven { note },
                Ok(Stage::Waiting { reason, .. }) => {
                    waiting.push(bucket);
                    PathProof::Waiting { reason }
                }
                Err(StepError::Failed(failure)) => PathProof::Failed { failure },
                Err(StepError::Interrupted) => {
                    PathProof::Waiting { reason: "the run was interrupted".into() }
                }
                Err(StepError::Fatal(error)) => return Err(error),
            };
            if !matches!(path, PathProof::Waiting { .. }) {
                run.progress.advance(key.0.as_str());
            }
            paths.insert(key, path);
        }
        drop(round);
        if waiting.is_empty() || (!run.wait && std::time::Instant::now() >= ends) || run.check_stop().is_err()
        {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
        if let Err(error) = log_session.sts().caller_identity().await {
            tracing::warn!(%error, "cannot ask for the time; trying again");
        }
        pending = waiting;
    }
    Ok(())
}

fn canary(bucket: &BucketPlan) -> Action {
    Action::new(
        Step::Canary,
        bucket.account.clone(),
        bucket.region.clone(),
        Write::PutCanaryObject {
            bucket: bucket.bucket.clone(),
            key_prefix: bucket.canary_prefix.clone(),
            destination: bucket.destination.clone(),
            destination_region: bucket.destination_region.clone(),
            rule_id: ANY_RULE.to_owned(),
        },
    )
}
