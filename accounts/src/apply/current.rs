//! What is there now, and whether a write still fits it.
//!
//! AWS has no compare-and-swap for these documents: reading right before writing is what keeps a change that somebody
//! made since the plan from being overwritten.

use crate::aws::{Bucket, CallError, Iam, Kms, S3Read, Session};
use crate::ids::{AccountId, Region};
use crate::inventory::{ObjectOwnership, PublicAccessBlock, Versioning};
use crate::plan::{Write, WriteTarget};
use crate::{policy, replication};

/// What a write would replace, as text: a document, or a value as the plan's JSON has it. None when nothing is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Current(pub(super) Option<String>);

/// Whether to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is as it shall be.
    Done,
    /// It is as it was planned against.
    Write,
    /// Somebody changed it since.
    Stale,
}

/// Reads what `write` would replace.
pub(super) async fn read(
    session: &Session,
    account: &AccountId,
    region: &Region,
    write: &Write,
) -> Result<Current, CallError> {
    let text = match write.target() {
        WriteTarget::Bucket(name) => {
            let bucket = Bucket { name: name.clone(), owner: account.clone(), region: region.clone() };
            read_bucket(session, &bucket, write).await?
        }
        WriteTarget::Key(key) => {
            let at = key.region().unwrap_or_else(|| region.clone());
            Some(session.kms(&at).policy(key).await?)
        }
        WriteTarget::Role(_) => read_role(session, write).await?,
    };
    Ok(Current(text))
}

async fn read_bucket(session: &Session, bucket: &Bucket, write: &Write) -> Result<Option<String>, CallError> {
    let s3 = session.s3();
    match write {
        Write::PutBucketVersioning { .. } => {
            let (versioning, _) = s3.versioning(bucket).await?;
            Ok(Some(word(&versioning)))
        }
        Write::PutBucketOwnershipControls { .. } => Ok(s3.ownership(bucket).await?.as_ref().map(word)),
        Write::PutPublicAccessBlock { .. } => Ok(s3.public_access_block(bucket).await?.as_ref().map(word)),
        Write::PutBucketPolicy { .. } | Write::DeleteBucketPolicy { .. } => s3.policy(bucket).await,
        Write::PutBucketLifecycleConfiguration { .. } => s3.lifecycle(bucket).await,
        Write::PutBucketNotificationConfiguration { .. } => s3.notifications(bucket).await,
        Write::PutBucketReplication { .. } | Write::DeleteBucketReplication { .. } => {
            s3.replication(bucket).await
        }
        // A canary replaces nothing.
        _ => Ok(None),
    }
}

async fn read_role(session: &Session, write: &Write) -> Result<Option<String>, CallError> {
    let iam = session.iam();
    match write {
        Write::CreateRole { name, .. }
        | Write::UpdateAssumeRolePolicy { name, .. }
        | Write::DeleteRole { name, .. } => iam.trust_policy(name).await,
        Write::PutRolePolicy { name, policy_name, .. }
        | Write::DeleteRolePolicy { name, policy_name, .. } => iam.role_policy(name, policy_name).await,
        _ => Ok(None),
    }
}

/// Whether the write is still to be made.
pub(super) fn judge(write: &Write, current: &Current) -> Verdict {
    let current = current.0.as_deref();
    let values = |before: Option<String>, after: String| {
        if current == Some(after.as_str()) {
            Verdict::Done
        } else if current == before.as_deref() {
            Verdict::Write
        } else {
            Verdict::Stale
        }
    };
    match write {
        Write::PutBucketVersioning { change, .. } => {
            let never = change.before.is_none().then(|| word(&Versioning::Unversioned));
            values(change.before.as_ref().map(word).or(never), word(&change.after))
        }
        Write::PutBucketOwnershipControls { change, .. } => {
            values(change.before.as_ref().map(word), word(&change.after))
        }
        Write::PutPublicAccessBlock { change, .. } => {
            values(change.before.as_ref().map(word), word(&change.after))
        }
        Write::PutBucketPolicy { document, .. }
        | Write::PutKeyPolicy { document, .. }
        | Write::UpdateAssumeRolePolicy { document, .. }
        | Write::PutRolePolicy { document, .. } => {
            put(current, document.before.as_deref(), &document.after, policy::equivalent)
        }
        Write::PutBucketReplication { document, .. }
        | Write::PutBucketLifecycleConfiguration { document, .. }
        | Write::PutBucketNotificationConfiguration { document, .. } => {
            put(current, document.before.as_deref(), &document.after, replication::same_xml)
        }
        Write::DeleteBucketPolicy { before, .. } | Write::DeleteRolePolicy { before, .. } => {
            remove(current, before, policy::equivalent)
        }
        Write::DeleteRole { before_trust_policy, .. } => {
            remove(current, before_trust_policy, policy::equivalent)
        }
        Write::DeleteBucketReplication { before, .. } => remove(current, before, replication::same_xml),
        Write::CreateRole { trust_policy, .. } => put(current, None, trust_policy, policy::equivalent),
        Write::PutCanaryObject { .. } => Verdict::Write,
    }
}

fn put(current: Option<&str>, before: Option<&str>, after: &str, same: fn(&str, &str) -> bool) -> Verdict {
    match (current, before) {
        (Some(current), _) if same(current, after) => Verdict::Done,
        (None, None) => Verdict::Write,
        (Some(current), Some(before)) if same(current, before) => Verdict::Write,
        _ => Verdict::Stale,
    }
}

fn remove(current: Option<&str>, before: &str, same: fn(&str, &str) -> bool) -> Verdict {
    match current {
        None => Verdict::Done,
        Some(current) if same(current, before) => Verdict::Write,
        Some(_) => Verdict::Stale,
    }
}

/// A value as JSON writes it: equal values give equal texts.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The same without quotes, for people.
pub(crate) fn plain_word<T: serde::Serialize>(value: &T) -> String {
    word(value).trim_matches('"').to_owned()
}

/// What the write leaves, as the audit log has it.
pub(super) fn after(write: &Write) -> Option<String> {
    match write {
        Write::PutBucketVersioning { change, .. } => Some(word(&change.after)),
        Write::PutBucketOwnershipControls { change, .. } => Some(word(&change.after)),
        Write::PutPublicAccessBlock { change, .. } => Some(word(&change.after)),
        Write::CreateRole { trust_policy, .. } => Some(trust_policy.clone()),
        Write::DeleteBucketPolicy { .. }
        | Write::DeleteBucketReplication { .. }
        | Write::DeleteRolePolicy { .. }
        | Write::DeleteRole { .. }
        | Write::PutCanaryObject { .. } => None,
        _ => write.document().map(|(document, _)| document.after.clone()),
    }
}

/// The value that a snapshot holds, read back.
pub(super) fn from_word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Makes the write.
pub(super) async fn perform(
    session: &Session,
    account: &AccountId,
    region: &Region,
    write: &Write,
) -> Result<(), CallError> {
    use crate::aws::S3Write;
    let bucket = |name: &crate::ids::BucketName| Bucket {
        name: name.clone(),
        owner: account.clone(),
        region: region.clone(),
    };
    let s3 = session.s3();
    let iam = session.iam();
    match write {
        Write::PutBucketVersioning { bucket: name, change } => match change.after {
            Versioning::Enabled => s3.enable_versioning(&bucket(name)).await,
            Versioning::Suspended | Versioning::Unversioned => s3.suspend_versioning(&bucket(name)).await,
        },
        Write::PutBucketOwnershipControls { bucket: name, change } => {
            s3.put_ownership(&bucket(name), change.after).await
        }
        Write::PutPublicAccessBlock { bucket: name, change } => {
            s3.put_public_access_block(&bucket(name), change.after).await
        }
        Write::PutBucketPolicy { bucket: name, document } => {
            s3.put_policy(&bucket(name), &document.after).await
        }
        Write::DeleteBucketPolicy { bucket: name, .. } => s3.delete_policy(&bucket(name)).await,
        Write::PutBucketLifecycleConfiguration { bucket: name, document } => {
            s3.put_lifecycle(&bucket(name), &document.after).await
        }
        Write::PutBucketNotificationConfiguration { bucket: name, document } => {
            s3.put_notifications(&bucket(name), &document.after).await
        }
        Write::PutBucketReplication { bucket: name, document, .. } => {
            s3.put_replication(&bucket(name), &document.after).await
        }
        Write::DeleteBucketReplication { bucket: name, .. } => s3.delete_replication(&bucket(name)).await,
        Write::PutCanaryObject { bucket: name, key_prefix, .. } => {
            s3.put_object(&bucket(name), key_prefix, "").await
        }
        Write::PutKeyPolicy { key, document } => {
            let at = key.region().unwrap_or_else(|| region.clone());
            session.kms(&at).put_policy(key, &document.after).await
        }
        Write::CreateRole { path, name, trust_policy, description, tags, .. } => {
            iam.create_role(path, name, trust_policy, description, tags).await
        }
        Write::UpdateAssumeRolePolicy { name, document, .. } => {
            iam.put_trust_policy(name, &document.after).await
        }
        Write::PutRolePolicy { name, policy_name, document, .. } => {
            iam.put_role_policy(name, policy_name, &document.after).await
        }
        Write::DeleteRolePolicy { name, policy_name, .. } => iam.delete_role_policy(name, policy_name).await,
        Write::DeleteRole { name, .. } => iam.delete_role(name).await,
    }
}

/// Values that a snapshot may hold for a bucket.
pub(super) fn ownership(text: &str) -> Option<ObjectOwnership> {
    from_word(text)
}

/// The same for the public access block.
pub(super) fn public_access_block(text: &str) -> Option<PublicAccessBlock> {
    from_word(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Change, DocumentChange};

    fn versioning(before: Option<Versioning>, current: Option<Versioning>) -> Verdict {
        let write = Write::PutBucketVersioning {
            bucket: "logs".parse().unwrap(),
            change: Change { before, after: Versioning::Enabled },
        };
        judge(&write, &Current(current.as_ref().map(word)))
    }

    #[test]
    fn a_write_is_made_once_and_not_over_somebodys_change() {
        use Versioning::{Enabled, Suspended, Unversioned};
        assert_eq!(versioning(Some(Unversioned), Some(Unversioned)), Verdict::Write);
        assert_eq!(versioning(None, Some(Unversioned)), Verdict::Write);
        assert_eq!(versioning(Some(Unversioned), Some(Enabled)), Verdict::Done);
        assert_eq!(versioning(Some(Unversioned), Some(Suspended)), Verdict::Stale);
    }

    #[test]
    fn documents_are_compared_by_what_they_say() {
        let statement = |sid: &str| {
            format!(
                r#"{{"Version": "2012-10-17", "Statement": [{{"Sid": "{sid}", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}]}}"#
            )
        };
        let write = Write::PutBucketPolicy {
            bucket: "logs".parse().unwrap(),
            document: DocumentChange {
                before: Some(statement("Old")),
                after: statement("New"),
                carried: Vec::new(),
            },
        };
        let judged = |text: Option<String>| judge(&write, &Current(text));
        assert_eq!(judged(Some(statement("Old").replace(' ', ""))), Verdict::Write);
        assert_eq!(judged(Some(statement("New"))), Verdict::Done);
        assert_eq!(judged(Some(statement("Else"))), Verdict::Stale);
        assert_eq!(judged(None), Verdict::Stale);
    }
}
