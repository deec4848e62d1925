//! Amazon S3 Control ("CreateJob", Amazon S3 API Reference): S3 Batch Replication jobs.

use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Identity, Subject, authorize};
use crate::s3::Target;
use crate::state::State;
use crate::world::{ReplicationStatus, hexadecimal};
use crate::xml::Element;

const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";

/// Carries out a call.
pub(crate) fn handle(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    let account = call.request.header("x-amz-account-id").unwrap_or_default();
    if account != call.account() {
        return Err(AwsError::new(403, "AccessDenied", "Access Denied"));
    }
    match call.operation {
        "CreateJob" => create(state, call),
        "DescribeJob" => describe(state, call),
        other => Err(AwsError::not_implemented("s3control", other)),
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "InvalidRequest", message)
}

fn permit(
    state: &State,
    call: &Call<'_>,
    action: &str,
    resource: &str,
    context: Context,
) -> Result<(), AwsError> {
    let subject =
        Subject { action, resource, owner: call.account(), policy: None, policy_decides: false, context };
    authorize(&state.world, call.now_ms, call.identity, &subject)
        .map_err(|denial| AwsError::new(403, "AccessDenied", denial.message(call.identity, action, resource)))
}

/// A job that replicates what exists: its manifest is generated from the bucket, its operation is `S3ReplicateObject`.
fn create(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    permit(state, call, "s3:CreateJob", "*", Context::default())?;
    let malformed = || AwsError::new(400, "MalformedXML", "The XML you provided was not well-formed");
    let job = Element::parse(call.request.text()).map_err(|_| malformed())?;
    if job.name != "CreateJobRequest" {
        return Err(malformed());
    }
    let role = job.child_text("RoleArn").filter(|role| !role.is_empty()).ok_or_else(malformed)?.to_owned();
    let token =
        job.child_text("ClientRequestToken").filter(|token| !token.is_empty()).ok_or_else(malformed)?;
    if job.child_text("Priority").and_then(|text| text.parse::<u32>().ok()).is_none() {
        return Err(malformed());
    }
    if job.child("Operation").and_then(|operation| operation.child("S3ReplicateObject")).is_none() {
        return Err(AwsError::not_implemented("s3control", "jobs other than S3ReplicateObject"));
    }
    let mut context = Context::default();
    context.set("iam:PassedToService", "batchoperations.s3.amazonaws.com");
    permit(state, call, "iam:PassRole", &role, context)?;
    let generator = job.child("ManifestGenerator").and_then(|part| part.child("S3JobManifestGenerator"));
    let generator =
        generator.ok_or_else(|| invalid("The fake takes manifests from S3JobManifestGenerator alone"))?;
    let arn = generator.child_text("SourceBucket").ok_or_else(malformed)?;
    let name = arn.strip_prefix("arn:aws:s3:::").ok_or_else(|| invalid("SourceBucket must be an ARN"))?;
    let bucket = state
        .world
        .buckets
        .get(name)
        .filter(|bucket| bucket.owner == call.account() && bucket.region == call.region)
        .ok_or_else(|| invalid("The source bucket must exist in the account and region of the job"))?;
    if bucket.replication.is_none() {
        return Err(invalid("The source bucket must have a replication configuration"));
    }
    let id = {
        let digits = hexadecimal(32, state.world.settings.seed, &["job", call.account(), token]);
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    };
    let answer = Element::new("CreateJobResult").text("JobId", &*id).document(NAMESPACE);
    if state.writes.iter().any(|write| write.operation == "CreateJob" && write.resource == id) {
        // The same token is the same job.
        return Ok(Reply::xml(&answer));
    }
    if trusts_batch_operations(state, call, &role) {
        let wanted = chosen(bucket, generator.child("Filter"));
        for (key, version) in wanted {
            let target = Target { bucket: name.to_owned(), key };
            crate::replication::replicate_existing(state, call.now_ms, &target, &version);
        }
    }
    state.wrote(call, id);
    Ok(Reply::xml(&answer))
}

/// Batch Operations, not S3, assumes the job's role.
fn trusts_batch_operations(state: &State, call: &Call<'_>, role: &str) -> bool {
    let in_effect = call.now_ms - state.world.settings.iam_lag_s * 1_000;
    let Some((account, found)) = state.world.role(role) else { return false };
    let mut context = Context::default();
    context.set("aws:SourceAccount", call.account());
    let subject = Subject {
        action: "sts:AssumeRole",
        resource: role,
        owner: account,
        policy: Some(found.trust.at(in_effect)),
        policy_decides: true,
        context,
    };
    let service = Identity::Service { name: "batchoperations.s3.amazonaws.com".to_owned() };
    authorize(&state.world, call.now_ms, &service, &subject).is_ok()
}

/// The versions of a manifest: those eligible for replication whose status is wanted.
fn chosen(bucket: &crate::world::Bucket, filter: Option<&Element>) -> Vec<(String, String)> {
    let statuses: Vec<&str> = filter
        .and_then(|filter| filter.child("ObjectReplicationStatuses"))
        .into_iter()
        .flat_map(|list| list.children.iter())
        .map(|status| status.text.as_str())
        .collect();
    let status_of = |version: &crate::world::ObjectVersion| match version.replication_status {
        None => "NONE",
        Some(ReplicationStatus::Failed) => "FAILED",
        Some(ReplicationStatus::Completed) => "COMPLETED",
        Some(ReplicationStatus::Replica) => "REPLICA",
        Some(ReplicationStatus::Pending) => "PENDING",
    };
    bucket
        .objects
        .iter()
        .flat_map(|(key, versions)| versions.iter().map(move |version| (key, version)))
        .filter(|(_, version)| !version.delete_marker && version.version_id != "null")
        .filter(|(_, version)| {
            let status = status_of(version);
            status != "PENDING" && (statuses.is_empty() || statuses.contains(&status))
        })
        .map(|(key, version)| (key.clone(), version.version_id.clone()))
        .collect()
}

fn describe(state: &State, call: &Call<'_>) -> Result<Reply, AwsError> {
    permit(state, call, "s3:DescribeJob", "*", Context::default())?;
    let id = call.request.path.rsplit('/').next().unwrap_or_default();
    let known = state.writes.iter().any(|write| {
        write.operation == "CreateJob" && write.resource == id && write.account == call.account()
    });
    if !known {
        return Err(AwsError::new(404, "NoSuchJob", "The specified job does not exist"));
    }
    let status = if state.replication.len() == 0 { "Complete" } else { "Active" };
    let job = Element::new("Job").text("JobId", id).text("Status", status);
    Ok(Reply::xml(&Element::new("DescribeJobResult").with(job).document(NAMESPACE)))
}
