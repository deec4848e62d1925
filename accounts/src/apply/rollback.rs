//! Puts one account back to what it was before the last run that wrote in it, from the documents that the journal kept.
//!
//! Each write is undone in the opposite order, and only while what is there is still what that run wrote: a change that
//! somebody made since is not lost with ours.

use super::current::{self, Verdict};
use super::error::ApplyError;
use super::journal::{Event, Journal, Undo};
use crate::audit::{Audit, AuditLine, Outcome};
use crate::aws::{Bucket, CallError, Iam, Kms, S3Write, Session};
use crate::codes::FailureCode;
use crate::discover::{Entrance, NoEntry};
use crate::ids::{AccountId, BucketName};
use crate::inventory::{Failure, Versioning};
use crate::plan::{ReplicationStage, Write};
use std::path::Path;

/// What became of a rollback.
#[derive(Debug, Default)]
pub struct RolledBack {
    /// What was put back, newest first: operation and resource.
    pub undone: Vec<(String, String)>,
    /// What was left as it is, and why.
    pub failures: Vec<Failure>,
}

/// Puts `account` back.
///
/// # Errors
/// When the account cannot be entered, or what is done cannot be recorded.
pub async fn roll_back(
    entrance: &Entrance<'_>,
    folder: &Path,
    account: &AccountId,
) -> Result<RolledBack, ApplyError> {
    let journal = Journal::open(folder)?;
    let audit = Audit::open(folder)?;
    let undo = Journal::undo(folder, account)?;
    let mut outcome = RolledBack::default();
    let Some(run) = undo.first().map(|undo| undo.run.clone()) else { return Ok(outcome) };
    let session = match entrance.enter(account).await {
        Ok((session, _)) => session,
        Err(NoEntry::Failed(failure)) => {
            outcome.failures.push(failure);
            return Ok(outcome);
        }
        Err(NoEntry::Stop(error)) => return Err(error.into()),
    };
    let clock = entrance.connection.clock();
    for step in undo.iter().rev() {
        // A canary is an object among others, and stays.
        if matches!(step.write, Write::PutCanaryObject { .. }) {
            continue;
        }
        let now = match current::read(&session, account, &step.region, &step.write).await {
            Ok(now) => now,
            Err(error) => {
                outcome.failures.push(error.failure());
                continue;
            }
        };
        match judge(step, &now) {
            Verdict::Done => continue,
            Verdict::Stale => {
                outcome.failures.push(changed_since(step, account));
                continue;
            }
            Verdict::Write => {}
        }
        let answer = put_back(&session, account, step).await;
        let line = AuditLine {
            time: clock.now(),
            run: format!("{run}-rollback"),
            caller: entrance.caller.arn.to_string(),
            account: account.clone(),
            region: step.region.clone(),
            service: step.write.service().to_owned(),
            operation: format!("undo {}", step.write.operation()),
            resource: step.write.target().to_string(),
            before: now.0,
            after: step.before.clone(),
            outcome: match &answer {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Failed { code: error.code_of_report(), text: error.to_string() },
            },
        };
        audit.add(&line).await?;
        match answer {
            Ok(()) => {
                outcome.undone.push((step.write.operation().to_owned(), step.write.target().to_string()));
            }
            Err(error) => outcome.failures.push(error.failure()),
        }
    }
    if outcome.failures.is_empty() {
        let event = Event::RolledBack { time: clock.now(), run, account: account.clone() };
        journal.add(event).await?;
    }
    Ok(outcome)
}

/// Done when it is as before already; to be written when it is as the run left it.
fn judge(step: &Undo, now: &current::Current) -> Verdict {
    if now.0 == step.before {
        return Verdict::Done;
    }
    match current::judge(&step.write, now) {
        Verdict::Done => Verdict::Write,
        // The narrow rule was followed by the wide one, which is undone already or was never put.
        Verdict::Write => Verdict::Done,
        Verdict::Stale => match &step.write {
            Write::PutBucketReplication { stage: ReplicationStage::Canary, .. } => Verdict::Write,
            _ => Verdict::Stale,
        },
    }
}

async fn put_back(session: &Session, account: &AccountId, step: &Undo) -> Result<(), CallError> {
    let bucket = |name: &BucketName| Bucket {
        name: name.clone(),
        owner: account.clone(),
        region: step.region.clone(),
    };
    let (s3, iam) = (session.s3(), session.iam());
    let before = step.before.as_deref();
    match &step.write {
        // A bucket that was versioned once can only be suspended.
        Write::PutBucketVersioning { bucket: name, .. } => {
            match before.and_then(current::from_word::<Versioning>) {
                Some(Versioning::Enabled) => s3.enable_versioning(&bucket(name)).await,
                _ => s3.suspend_versioning(&bucket(name)).await,
            }
        }
        Write::PutBucketOwnershipControls { bucket: name, .. } => match before.and_then(current::ownership) {
            Some(ownership) => s3.put_ownership(&bucket(name), ownership).await,
            None => s3.delete_ownership(&bucket(name)).await,
        },
        Write::PutPublicAccessBlock { bucket: name, .. } => {
            match before.and_then(current::public_access_block) {
                Some(block) => s3.put_public_access_block(&bucket(name), block).await,
                None => s3.delete_public_access_block(&bucket(name)).await,
            }
        }
        Write::PutBucketPolicy { bucket: name, .. } | Write::DeleteBucketPolicy { bucket: name, .. } => {
            match before {
                Some(policy) => s3.put_policy(&bucket(name), policy).await,
                None => s3.delete_policy(&bucket(name)).await,
            }
        }
        Write::PutBucketLifecycleConfiguration { bucket: name, .. } => match before {
            Some(xml) => s3.put_lifecycle(&bucket(name), xml).await,
            None => s3.delete_lifecycle(&bucket(name)).await,
        },
        Write::PutBucketNotificationConfiguration { bucket: name, .. } => {
            s3.put_notifications(&bucket(name), before.unwrap_or("<NotificationConfiguration/>")).await
        }
        Write::PutBucketReplication { bucket: name, .. }
        | Write::DeleteBucketReplication { bucket: name, .. } => match before {
            Some(xml) => s3.put_replication(&bucket(name), xml).await,
            None => s3.delete_replication(&bucket(name)).await,
        },
        Write::PutCanaryObject { .. } => Ok(()),
        Write::PutKeyPolicy { key, .. } => {
            let at = key.region().unwrap_or_else(|| step.region.clone());
            match before {
                Some(policy) => session.kms(&at).put_policy(key, policy).await,
                // A key always has a policy, so there was one.
                None => Ok(()),
            }
        }
        Write::CreateRole { name, .. } => iam.delete_role(name).await,
        Write::UpdateAssumeRolePolicy { name, .. } => match before {
            Some(policy) => iam.put_trust_policy(name, policy).await,
            None => Ok(()),
        },
        Write::PutRolePolicy { name, policy_name, .. }
        | Write::DeleteRolePolicy { name, policy_name, .. } => match before {
            Some(policy) => iam.put_role_policy(name, policy_name, policy).await,
            None => iam.delete_role_policy(name, policy_name).await,
        },
        // The role was empty by then; its policies are put back by the steps before it.
        Write::DeleteRole { role, name, .. } => match (before, role_path(role)) {
            (Some(trust_policy), Some(path)) => {
                iam.create_role(&path, name, trust_policy, crate::policy::role_description(), &tags()).await
            }
            _ => Ok(()),
        },
    }
}

/// The path in a role's ARN.
fn role_path(role: &crate::ids::Arn) -> Option<crate::ids::RolePath> {
    let (path, _) = role.resource().strip_prefix("role")?.rsplit_once('/')?;
    format!("{path}/").parse().ok()
}

/// What we mark our roles with.
fn tags() -> std::collections::BTreeMap<String, String> {
    [("weir:managed".to_owned(), "true".to_owned())].into()
}

fn changed_since(step: &Undo, account: &AccountId) -> Failure {
    let resource = step.write.target().to_string();
    Failure {
        code: FailureCode::StalePlan,
        region: Some(step.region.clone()),
        text: format!(
            "{} of {resource} in account {account} was changed by somebody since run {}, and stays as it is",
            step.write.operation(),
            step.run
        ),
        cure: format!("put {resource} back by hand; the audit log has what was there before"),
        resource: Some(resource),
    }
}
