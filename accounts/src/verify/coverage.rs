//! The last object that arrived under each prefix.
//!
//! Listing goes from the first key on, and the last is wanted: log keys have folders for the date, so of those only the
//! last is opened.

use crate::aws::{Bucket, CallError, S3Read, Session};
use crate::ids::AccountId;
use crate::inventory::ObjectSample;
use crate::plan::BucketPlan;
use serde::Serialize;

/// What arrived under one prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Coverage {
    pub prefix: String,
    /// The newest object that was found; none when there is none.
    pub last_key: Option<String>,
    /// RFC 3339.
    pub last_seen: Option<String>,
    /// Whether everything was looked at: a prefix may have more folders than are opened.
    pub complete: bool,
    /// Why the destination could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Calls to list one prefix at most.
const CALLS: u32 = 60;
/// Keys of a page.
const PAGE: u16 = 1_000;

/// What arrived of one bucket.
pub(super) async fn of(session: &Session, log_account: &AccountId, planned: &BucketPlan) -> Vec<Coverage> {
    let bucket = Bucket {
        name: planned.destination.clone(),
        owner: log_account.clone(),
        region: planned.destination_region.clone(),
    };
    let mut all = Vec::new();
    for prefix in &planned.prefixes {
        let coverage = match last(session, &bucket, prefix, &planned.canary_prefix).await {
            Ok((last, complete)) => Coverage {
                prefix: prefix.clone(),
                last_key: last.as_ref().map(|last| last.key.clone()),
                last_seen: last.and_then(|last| last.last_modified),
                complete,
                failure: None,
            },
            Err(error) => Coverage {
                prefix: prefix.clone(),
                last_key: None,
                last_seen: None,
                complete: false,
                failure: Some(error.to_string()),
            },
        };
        all.push(coverage);
    }
    all
}

/// The newest object under `prefix`, canaries aside, and whether all was looked at.
async fn last(
    session: &Session,
    bucket: &Bucket,
    prefix: &str,
    canary_prefix: &str,
) -> Result<(Option<ObjectSample>, bool), CallError> {
    let s3 = session.s3();
    let mut newest: Option<ObjectSample> = None;
    let mut waiting = vec![prefix.to_owned()];
    let mut calls = 0;
    while let Some(folder) = waiting.pop() {
        if folder.starts_with(canary_prefix) {
            continue;
        }
        if calls >= CALLS {
            return Ok((newest, false));
        }
        calls += 1;
        let below = s3.folders(bucket, &folder).await?;
        if below.is_empty() {
            let mut after: Option<String> = None;
            loop {
                calls += 1;
                let page = s3.keys(bucket, &folder, after.as_deref(), PAGE).await?;
                let is_last = page.len() < usize::from(PAGE);
                after = page.last().map(|last| last.key.clone());
                for sample in page {
                    if !sample.key.starts_with(canary_prefix) && is_newer(&sample, newest.as_ref()) {
                        newest = Some(sample);
                    }
                }
                if is_last || calls >= CALLS {
                    break;
                }
            }
        } else {
            waiting.extend(to_open(below));
        }
    }
    Ok((newest, true))
}

fn is_newer(sample: &ObjectSample, than: Option<&ObjectSample>) -> bool {
    than.is_none_or(|than| sample.last_modified > than.last_modified)
}

/// Of folders for a part of a date, the last; else all.
fn to_open(folders: Vec<String>) -> Vec<String> {
    let is_date = |folder: &String| {
        let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        matches!(name.len(), 2 | 4) && name.bytes().all(|byte| byte.is_ascii_digit())
    };
    if folders.iter().all(is_date) { folders.into_iter().max().into_iter().collect() } else { folders }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_dates_only_the_last_is_opened() {
        let folders = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(to_open(folders(&["a/2025/", "a/2026/"])), folders(&["a/2026/"]));
        assert_eq!(to_open(folders(&["a/01/", "a/11/"])), folders(&["a/11/"]));
        let regions = folders(&["a/eu-central-1/", "a/eu-west-1/"]);
        assert_eq!(to_open(regions.clone()), regions);
        // Account ids are digits, too, and no date.
        let accounts = folders(&["AWSLogs/111111111111/", "AWSLogs/222222222222/"]);
        assert_eq!(to_open(accounts.clone()), accounts);
    }
}
