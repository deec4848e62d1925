//! Which actions an operation needs, and whether the caller has them ("Required permissions for Amazon S3 API
//! operations", Amazon S3 User Guide).

use super::Target;
use crate::call::Call;
use crate::error::AwsError;
use crate::policy::{Context, Identity, Subject, authorize};
use crate::state::State;
use crate::world::Bucket;

/// The actions that are not named as their operation is.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("CopyObject", "PutObject"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("DeleteBucketReplication", "PutReplicationConfiguration"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("GetBucketCors", "GetBucketCORS"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListObjects", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("PutBucketReplication", "PutReplicationConfiguration"),
    ("PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
];

/// The actions an operation needs on its own target.
pub(super) fn actions(call: &Call<'_>) -> Vec<String> {
    let version = call.request.parameter("versionId").is_some();
    let name = match call.operation {
        "GetObject" | "HeadObject" if version => "GetObjectVersion",
        "DeleteObject" if version => "DeleteObjectVersion",
        "GetObjectTagging" if version => "GetObjectVersionTagging",
        // Checked for each key.
        "DeleteObjects" => return Vec::new(),
        operation => {
            OTHER_NAMES.iter().find(|(other, _)| *other == operation).map_or(operation, |(_, action)| action)
        }
    };
    let mut actions = vec![format!("s3:{name}")];
    if call.request.header("x-amz-tagging").is_some() && call.operation == "PutObject" {
        actions.push("s3:PutObjectTagging".to_owned());
    }
    actions
}

/// The keys of a request that policies on S3 may ask for.
pub(super) fn context(call: &Call<'_>) -> Context {
    let mut context = Context::default();
    context.set("aws:RequestedRegion", call.region);
    for header in [
        "x-amz-acl",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-storage-class",
        "x-amz-copy-source",
    ] {
        if let Some(value) = call.request.header(header) {
            context.set(&format!("s3:{header}"), value);
        }
    }
    for parameter in ["prefix", "delimiter", "max-keys"] {
        if let Some(value) = call.request.parameter(parameter) {
            context.set(&format!("s3:{parameter}"), value);
        }
    }
    if let Some(value) = call.request.parameter("versionId") {
        context.set("s3:VersionId", value);
    }
    context
}

/// An error unless the caller may act on the target.
pub(super) fn permit(
    state: &State,
    call: &Call<'_>,
    target: &Target,
    bucket: &Bucket,
    action: &str,
    mut context: Context,
) -> Result<(), AwsError> {
    let about_policy =
        matches!(action, "s3:GetBucketPolicy" | "s3:PutBucketPolicy" | "s3:DeleteBucketPolicy");
    let owner_root = matches!(call.identity, Identity::Root { account } if *account == bucket.owner);
    let resource = target.arn();
    context.set("s3:ResourceAccount", &*bucket.owner);
    let subject = Subject {
        action,
        resource: &resource,
        owner: &bucket.owner,
        // However a policy denies it, the owner's root can mend it (S3 User Guide, "Bucket policies").
        policy: bucket.policy.as_ref().filter(|_| !(about_policy && owner_root)),
        policy_decides: false,
        context,
    };
    authorize(&state.world, call.now_ms, call.identity, &subject).map_err(|denial| {
        let same = call.account() == bucket.owner
            || (state.world.is_member(call.account()) && state.world.is_member(&bucket.owner));
        if same {
            let quoted = format!("\"{resource}\"");
            AwsError::new(403, "AccessDenied", denial.message(call.identity, action, &quoted))
        } else {
            denied()
        }
    })
}

/// Whether the caller may act on the target.
pub(super) fn may(state: &State, call: &Call<'_>, target: &Target, bucket: &Bucket, action: &str) -> bool {
    permit(state, call, target, bucket, action, context(call)).is_ok()
}

/// The bare denial.
pub(super) fn denied() -> AwsError {
    AwsError::new(403, "AccessDenied", "Access Denied")
}
