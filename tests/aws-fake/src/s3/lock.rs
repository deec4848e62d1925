//! Object Lock of a bucket ("Using S3 Object Lock", Amazon S3 User Guide).

use super::{Target, bucket, bucket_mut, document, malformed_xml, stored};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::state::State;

pub(super) fn get(state: &State, target: &Target) -> Result<Reply, AwsError> {
    stored(bucket(state, target)?.object_lock.as_ref(), || {
        AwsError::new(
            404,
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        )
    })
}

pub(super) fn put(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let wanted = document(call, "ObjectLockConfiguration")?;
    if wanted.child_text("ObjectLockEnabled") != Some("Enabled") {
        return Err(malformed_xml());
    }
    if let Some(rule) = wanted.child("Rule") {
        let default = rule.child("DefaultRetention").ok_or_else(malformed_xml)?;
        let periods = default.named("Days").chain(default.named("Years")).count();
        let mode = default.child_text("Mode");
        if periods != 1 || !matches!(mode, Some("GOVERNANCE" | "COMPLIANCE")) {
            return Err(malformed_xml());
        }
    }
    let bucket = bucket_mut(state, target)?;
    if !bucket.versioning.is_enabled() {
        return Err(AwsError::new(
            409,
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        ));
    }
    bucket.object_lock = Some(wanted.write());
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(200))
}
