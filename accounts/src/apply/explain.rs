//! Why a canary failed, from the documents as they are now.
//!
//! S3 tells a reason in an event that few subscribe to. The plan's simulator answers from what is read: the account, the
//! log account and the organization's policies may all have moved since the plan.

use super::run::Run;
use crate::discover::{reread, surroundings};
use crate::ids::{AccountId, BucketName};
use crate::plan::{self, Finding, Severity};

impl Run<'_> {
    /// What speaks against replication from the bucket, policy and statement by name.
    pub(super) async fn why_it_failed(&self, account: &AccountId, bucket: &BucketName) -> String {
        let surroundings = self
            .surroundings
            .get_or_init(|| async {
                match surroundings(self.entrance.connection, self.entrance.desired).await {
                    Ok(read) => Some(read),
                    Err(error) => {
                        tracing::warn!(%error, "cannot read again why a canary failed");
                        None
                    }
                }
            })
            .await;
        let unknown = || "what is there now could not be read again".to_owned();
        let Some(surroundings) = surroundings else { return unknown() };
        let Ok(inventory) = reread(&self.entrance, surroundings, account).await else { return unknown() };
        let now = plan::build(&inventory, self.entrance.desired);
        let about_bucket = |finding: &&Finding| {
            matches!(finding.severity, Severity::Refused | Severity::Warning)
                && finding.account.as_ref() == Some(account)
                && finding.resource.as_deref() == Some(bucket.as_str())
                && finding.text.starts_with("replication from bucket")
        };
        let found: Vec<&str> =
            now.findings.iter().filter(about_bucket).map(|finding| finding.text.as_str()).collect();
        if !found.is_empty() {
            return format!("as the policies are now, {}", found.join("; "));
        }
        // What the plan would put back is what somebody took away.
        let moved: Vec<String> = now
            .actions
            .iter()
            .filter(|action| {
                super::is_in_log_account(action.step) || action.step == plan::Step::ReplicationRole
            })
            .map(|action| action.write.target().to_string())
            .collect();
        if moved.is_empty() {
            "the policies as they are now would let it through".to_owned()
        } else {
            format!("not as the plan left them any more: {}", moved.join(", "))
        }
    }
}
