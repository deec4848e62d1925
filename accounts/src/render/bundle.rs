//! The bundle: exact documents, and a script for each account that puts them with the AWS CLI.
//!
//! The scripts keep what applying promises: the account is checked, a document that moved since is refused, the canary's
//! replica is seen before a rule widens, and a second run changes nothing.

use super::cli_json;
use super::output::Rendered;
use super::wanted::Covered;
use crate::ids::{AccountId, BucketName};
use crate::plan::{Action, DocumentChange, Plan, ReplicationStage, Write};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

/// Functions that the scripts share.
const STEPS: &str = include_str!("steps.sh");

/// Writes a folder for each account that has writes which no template does.
pub(super) fn write(plan: &Plan, covered: &Covered, rendered: &mut Rendered) {
    let mut accounts: BTreeMap<&AccountId, Vec<&Action>> = BTreeMap::new();
    for action in plan.actions.iter().filter(|action| !covered.has(&action.write)) {
        accounts.entry(&action.account).or_default().push(action);
    }
    if accounts.is_empty() {
        return;
    }
    rendered.add("bundle/steps.sh", STEPS);
    for (account, actions) in accounts {
        let mut script = Script { account, actions: &actions, lines: Vec::new(), left_out: BTreeSet::new() };
        for action in &actions {
            script.add(action, rendered);
        }
        rendered.add_script(format!("bundle/{account}/run.sh"), script.text());
    }
}

struct Script<'a> {
    account: &'a AccountId,
    actions: &'a [&'a Action],
    lines: Vec<String>,
    /// Buckets whose replication no script puts.
    left_out: BTreeSet<BucketName>,
}

/// The form that the CLI takes a document in.
type Convert = fn(&str) -> Result<Value, Unwritable>;

/// Why a document cannot be put with the CLI.
type Unwritable = Box<dyn Error + Send + Sync>;

impl Script<'_> {
    fn add(&mut self, action: &Action, rendered: &mut Rendered) {
        let region = &action.region;
        match &action.write {
            Write::PutBucketVersioning { bucket, .. } => {
                self.lines.push(format!("versioning {bucket} {region}"));
            }
            Write::PutBucketOwnershipControls { bucket, .. } => {
                self.lines.push(format!("ownership {bucket} {region}"));
            }
            Write::PutPublicAccessBlock { bucket, .. } => {
                self.lines.push(format!("public_access_block {bucket} {region}"));
            }
            // Without its rule a canary would wait in vain.
            Write::PutCanaryObject { bucket, .. } if self.left_out.contains(bucket) => {}
            Write::PutCanaryObject { bucket, key_prefix, .. } => {
                self.lines.push(format!("canary {bucket} {region} {}", quoted(key_prefix)));
            }
            Write::PutBucketPolicy { bucket, document } => {
                self.replace(action, "bucket-policy", bucket.as_str(), document, policy, rendered);
            }
            Write::PutKeyPolicy { key, document } => {
                self.replace(action, "key-policy", key.as_str(), document, policy, rendered);
            }
            Write::PutBucketReplication { bucket, document, .. } => {
                let convert: Convert = |text| Ok(cli_json::replication(text)?);
                self.replace(action, "replication", bucket.as_str(), document, convert, rendered);
            }
            Write::PutBucketLifecycleConfiguration { bucket, document } => {
                let convert: Convert = |text| Ok(cli_json::lifecycle(text)?);
                self.replace(action, "lifecycle", bucket.as_str(), document, convert, rendered);
            }
            Write::PutBucketNotificationConfiguration { bucket, document } => {
                let convert: Convert = |text| Ok(cli_json::notifications(text)?);
                self.replace(action, "notification", bucket.as_str(), document, convert, rendered);
            }
            // Roles are in the templates; a plan of onboarding removes nothing.
            Write::CreateRole { .. }
            | Write::UpdateAssumeRolePolicy { .. }
            | Write::PutRolePolicy { .. }
            | Write::DeleteBucketPolicy { .. }
            | Write::DeleteBucketReplication { .. }
            | Write::DeleteRolePolicy { .. }
            | Write::DeleteRole { .. } => self.note(
                rendered,
                &format!("{} of {}", action.write.operation(), action.write.target()),
                "is in no template and no script; do it with `weir accounts apply`",
            ),
        }
    }

    /// Puts a document where another, or none, is expected.
    fn replace(
        &mut self,
        action: &Action,
        kind: &str,
        target: &str,
        document: &DocumentChange,
        convert: Convert,
        rendered: &mut Rendered,
    ) {
        let before = document.before.as_deref().map(convert).transpose();
        let (before, after) = match before.and_then(|before| Ok((before, convert(&document.after)?))) {
            Ok(documents) => documents,
            Err(error) => {
                if let Write::PutBucketReplication { bucket, .. } = &action.write {
                    self.left_out.insert(bucket.clone());
                }
                self.note(
                    rendered,
                    &format!("the {kind} of {target}"),
                    &format!("is left out: {}", causes(&*error)),
                );
                return;
            }
        };
        let short = target.rsplit('/').next().unwrap_or(target);
        let folder = format!("bundle/{}", self.account);
        let final_name = format!("{kind}-{short}.json");
        let canary_name = format!("{kind}-{short}-canary.json");
        let stage = match &action.write {
            Write::PutBucketReplication { stage, .. } => Some(*stage),
            _ => None,
        };
        let follows = |wanted: ReplicationStage| {
            self.actions.iter().any(|other| {
                matches!(&other.write, Write::PutBucketReplication { bucket, stage, .. }
                    if *stage == wanted && bucket.as_str() == target)
            })
        };
        let (name, later) = match stage {
            Some(ReplicationStage::Canary) => {
                (canary_name, follows(ReplicationStage::Wide).then_some(final_name))
            }
            _ => (final_name, None),
        };
        let before = match before {
            // The document of the stage before, which is written already.
            Some(_) if stage == Some(ReplicationStage::Wide) && follows(ReplicationStage::Canary) => {
                format!("{kind}-{short}-canary.json")
            }
            Some(before) => {
                rendered.add_json(format!("{folder}/{kind}-{short}-before.json"), &before);
                format!("{kind}-{short}-before.json")
            }
            None => "-".to_owned(),
        };
        rendered.add_json(format!("{folder}/{name}"), &after);
        if !document.carried.is_empty() {
            self.lines.push(format!("# carries through: {}", document.carried.join(", ").replace('\n', " ")));
        }
        let later = later.map_or_else(String::new, |later| format!(" {later}"));
        self.lines.push(format!("replace {kind} {target} {} {before} {name}{later}", action.region));
    }

    fn note(&self, rendered: &mut Rendered, what: &str, why: &str) {
        rendered.is_partial = true;
        rendered.notes.push(format!("account {}: {what} {why}", self.account));
    }

    fn text(&self) -> String {
        format!(
            "#!/usr/bin/env bash\n# What no template can do in account {account} without owning what others put there.\n# Run it with credentials of that account.\n\ncd \"$(dirname \"${{BASH_SOURCE[0]}}\")\"\n. ../steps.sh\nbegin {account}\n\n{}\n\nend\n",
            self.lines.join("\n"),
            account = self.account,
        )
    }
}

fn policy(text: &str) -> Result<Value, Unwritable> {
    Ok(serde_json::from_str(text)?)
}

/// A word that the shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// An error with its causes, in one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
