//! The replication configuration of a bucket ("PutBucketReplication"). What replication then does is another module.

use super::{ReplicationConfiguration, Target, bucket, bucket_mut, document, invalid_request, stored};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Subject, authorize};
use crate::state::State;
use crate::world::base32;
use crate::xml::Element;

pub(super) fn get(state: &State, target: &Target) -> Result<Reply, AwsError> {
    stored(bucket(state, target)?.replication.as_ref(), || {
        AwsError::new(
            404,
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        )
    })
}

pub(super) fn put(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let mut wanted = document(call, "ReplicationConfiguration")?;
    let configuration = ReplicationConfiguration::read(&wanted)?;
    let source = bucket(state, target)?;
    if !source.versioning.is_enabled() {
        return Err(invalid_request(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        ));
    }
    may_pass(state, call, &configuration.role, &source.owner)?;
    for rule in &configuration.rules {
        let destination = &rule.destination;
        if destination.bucket == target.bucket {
            return Err(invalid_request("Destination bucket must not be the same as the source bucket"));
        }
        let found = state.world.buckets.get(&destination.bucket);
        let found = found.ok_or_else(|| invalid_request("Destination bucket must exist."))?;
        if !found.versioning.is_enabled() {
            return Err(invalid_request("Destination bucket must have versioning enabled."));
        }
        if destination.account.as_ref().is_some_and(|account| *account != found.owner) {
            return Err(invalid_request("Account must be the owner of the destination bucket"));
        }
        // The key of the replicas is not looked at: S3 answers 200 even for one that cannot be ("Replicating
        // encrypted objects", Amazon S3 User Guide).
    }
    let seed = state.world.settings.seed;
    let rules = wanted.children.iter_mut().filter(|child| child.name == "Rule");
    for (index, rule) in rules.enumerate() {
        if rule.child_text("ID").is_none_or(str::is_empty) {
            let id = base32(24, seed, &["rule", &target.bucket, &index.to_string()]);
            rule.children.retain(|child| child.name != "ID");
            rule.children.insert(0, Element::of("ID", id));
        }
    }
    bucket_mut(state, target)?.replication = Some(wanted.write());
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(200))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    bucket_mut(state, target)?.replication = None;
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(204))
}

/// The caller must be allowed to pass the role to S3, and the role must be in the bucket's account.
///
/// Stricter than AWS documents: a role that is not there, or not yet, cannot be passed either.
fn may_pass(state: &State, call: &Call<'_>, role: &str, owner: &str) -> Result<(), AwsError> {
    let well_formed = role.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    let Some((account, _)) = well_formed else {
        return Err(super::invalid_argument("Invalid role ARN."));
    };
    let mut context = Context::default();
    context.set("iam:PassedToService", "s3.amazonaws.com");
    let subject = Subject {
        action: "iam:PassRole",
        resource: role,
        owner: account,
        policy: None,
        policy_decides: false,
        context,
    };
    let denied = |reason: &str| {
        let message = format!(
            "User: {} is not authorized to perform: iam:PassRole on resource: {role} {reason}",
            call.identity.arn()
        );
        AwsError::new(403, "AccessDenied", message)
    };
    if account != owner {
        return Err(denied("because the role is in another account"));
    }
    authorize(&state.world, call.now_ms, call.identity, &subject)
        .map_err(|denial| denied(&denial.reason("iam:PassRole")))?;
    let in_effect = call.now_ms - state.world.settings.iam_lag_s * 1_000;
    let there = state.world.role(role).is_some_and(|(_, role)| role.created_ms <= in_effect);
    if there { Ok(()) } else { Err(denied("because the role does not exist")) }
}
