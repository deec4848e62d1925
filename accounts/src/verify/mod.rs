//! Proves, at any time, that every log bucket replicates: a canary goes the whole way. And shows what has arrived.
//!
//! Whoever made the roles and rules (this program, CloudFormation or Terraform), the proof is the same.

mod coverage;

pub use self::coverage::Coverage;

use crate::apply::{ApplyError, Journal, prove_buckets};
use crate::audit::Audit;
use crate::discover::{Entrance, NoEntry};
use crate::ids::{AccountId, BucketName, Region};
use crate::inventory::Failure;
use crate::plan::{BucketPlan, Plan, PlannedState, Severity};
use crate::progress::Progress;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// How to verify.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// Wait for replicas up to 15 minutes, instead of half a minute.
    pub wait: bool,
    /// Write canaries; without, only what has arrived is shown.
    pub canaries: bool,
    pub stop: &'a AtomicBool,
    pub progress: &'a Progress,
}

/// The proof of an organization.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proof {
    pub time: Timestamp,
    /// Sorted by account and bucket.
    pub buckets: Vec<BucketProof>,
    /// Accounts that could not be looked at.
    pub failures: Vec<(AccountId, Failure)>,
}

/// The proof of one bucket.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BucketProof {
    pub account: AccountId,
    pub name: String,
    pub region: Region,
    pub bucket: BucketName,
    pub destination: BucketName,
    #[serde(flatten)]
    pub path: PathProof,
    /// What has arrived, by prefix.
    pub coverage: Vec<Coverage>,
}

/// Whether the path from source to destination works.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "path", rename_all = "kebab-case")]
pub enum PathProof {
    /// A canary's replica was seen.
    Proven {
        note: Option<Failure>,
    },
    /// A canary is on its way.
    Waiting {
        reason: String,
    },
    Failed {
        failure: Failure,
    },
    /// The bucket is not as accounts.toml says, so there is nothing to prove.
    NotOnboarded {
        reason: String,
    },
    /// Canaries were not asked for.
    NotTried,
}

impl Proof {
    /// Whether every bucket is proven, and every account could be looked at.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
            && self
                .buckets
                .iter()
                .all(|bucket| matches!(bucket.path, PathProof::Proven { .. } | PathProof::NotTried))
    }
}

/// Verifies the buckets of `plan`, which was made from what is there now.
///
/// # Errors
/// When the log account cannot be entered, or canaries cannot be recorded.
pub async fn verify(
    entrance: &Entrance<'_>,
    plan: &Plan,
    folder: &Path,
    manner: Manner<'_>,
) -> Result<Proof, ApplyError> {
    let log_session = match entrance.enter(&plan.log_account).await {
        Ok((session, _)) => session,
        Err(NoEntry::Failed(failure)) => return Err(ApplyError::LogAccount(failure)),
        Err(NoEntry::Stop(error)) => return Err(error.into()),
    };
    let onboarded: Vec<&BucketPlan> =
        plan.buckets.iter().filter(|bucket| bucket.state == PlannedState::Unchanged).collect();
    let mut paths: BTreeMap<(AccountId, BucketName), PathProof> = BTreeMap::new();
    if manner.canaries {
        let journal = Journal::open(folder)?;
        let audit = Audit::open(folder)?;
        paths = prove_buckets(entrance, plan, &onboarded, &log_session, &journal, &audit, manner).await?;
    }
    manner.progress.begin("looking for objects", plan.buckets.len());
    let log_account = &plan.log_account;
    let at_once = entrance.desired.limits.accounts_at_once.max(1) as usize;
    let mut looks = stream::iter(plan.buckets.iter().enumerate())
        .map(|(place, bucket)| {
            let log_session = &log_session;
            async move { (place, coverage::of(log_session, log_account, bucket).await) }
        })
        .buffer_unordered(at_once);
    let mut covered: BTreeMap<usize, Vec<Coverage>> = BTreeMap::new();
    while let Some((place, coverage)) = looks.next().await {
        manner.progress.advance("");
        covered.insert(place, coverage);
    }
    drop(looks);
    manner.progress.finish();
    let names: BTreeMap<&AccountId, &str> =
        plan.accounts.iter().map(|account| (&account.id, account.name.as_str())).collect();
    let buckets = plan.buckets.iter().enumerate().map(|(place, bucket)| {
        let key = (bucket.account.clone(), bucket.bucket.clone());
        let path = match bucket.state {
            PlannedState::Unchanged => paths.remove(&key).unwrap_or(PathProof::NotTried),
            state => PathProof::NotOnboarded { reason: not_onboarded(plan, bucket, state) },
        };
        BucketProof {
            account: bucket.account.clone(),
            name: names.get(&bucket.account).copied().unwrap_or_default().to_owned(),
            region: bucket.region.clone(),
            bucket: bucket.bucket.clone(),
            destination: bucket.destination.clone(),
            path,
            coverage: covered.remove(&place).unwrap_or_default(),
        }
    });
    Ok(Proof {
        time: entrance.connection.clock().now(),
        buckets: buckets.collect(),
        failures: unreadable(plan),
    })
}

/// Why there is nothing to prove.
fn not_onboarded(plan: &Plan, bucket: &BucketPlan, state: PlannedState) -> String {
    let finding = plan.findings.iter().find(|finding| {
        finding.severity <= Severity::Refused
            && finding.account.as_ref() == Some(&bucket.account)
            && finding.resource.as_deref().is_none_or(|resource| resource == bucket.bucket.as_str())
    });
    match (state, finding) {
        (PlannedState::Refused, Some(finding)) => format!("{}: {}", finding.code, finding.text),
        _ => "it is not as accounts.toml says; see `weir accounts plan`".into(),
    }
}

/// Accounts without a bucket in the plan that were refused as a whole.
fn unreadable(plan: &Plan) -> Vec<(AccountId, Failure)> {
    plan.findings
        .iter()
        .filter(|finding| finding.severity <= Severity::Refused)
        .filter_map(|finding| {
            let account = finding.account.clone()?;
            let has_bucket = plan.buckets.iter().any(|bucket| bucket.account == account);
            (!has_bucket).then(|| {
                let failure = Failure {
                    code: finding.code,
                    resource: finding.resource.clone(),
                    region: finding.region.clone(),
                    text: finding.text.clone(),
                    cure: finding.cure.clone(),
                };
                (account, failure)
            })
        })
        .collect()
}
