//! The policy of a bucket ("Bucket policies for Amazon S3" and "PutBucketPolicy").

use super::{Target, access, bucket, bucket_mut};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Document, PolicyProblem, Statement, glob_matches, shown};
use crate::state::State;
use crate::world::ResourcePolicy;
use crate::xml::Element;

/// The most bytes of a policy ("Bucket policies for Amazon S3": 20 KB).
const LARGEST: usize = 20_480;

/// Keys that name who asks or from where: with a fixed value of one of them, a statement for everyone is not public
/// ("Blocking public access to your Amazon S3 storage", "The meaning of public").
const NOT_PUBLIC: &[&str] = &[
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceip",
    "aws:userid",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];

/// Actions on objects rather than on buckets, as globs.
const ON_OBJECTS: &[&str] = &[
    "s3:abortmultipartupload",
    "s3:bypassgovernanceretention",
    "s3:deleteobject*",
    "s3:getobject*",
    "s3:initiatereplication",
    "s3:listmultipartuploadparts",
    "s3:objectowneroverridetobucketowner",
    "s3:putobject*",
    "s3:replicate*",
    "s3:restoreobject",
];

pub(super) fn get(state: &State, target: &Target) -> Result<Reply, AwsError> {
    let policy = bucket(state, target)?.policy.as_ref().ok_or_else(|| {
        AwsError::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist")
            .field("BucketName", &*target.bucket)
    })?;
    let body = shown(&state.world, policy).into_bytes();
    Ok(Reply { status: 200, headers: Vec::new(), body }.header("content-type", "application/json"))
}

pub(super) fn put(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let text = call.request.text();
    // White space does not count.
    let compact =
        serde_json::from_str::<serde_json::Value>(text).map_or(text.len(), |value| value.to_string().len());
    if compact > LARGEST {
        return Err(malformed(format!("Policies must be no larger than {LARGEST} bytes")));
    }
    if !text.starts_with('{') {
        return Err(malformed("Policies must be valid JSON and the first byte must be '{'"));
    }
    let document = Document::parse(text).map_err(|problem| match problem {
        PolicyProblem::NotJson => malformed("This policy contains invalid Json"),
        PolicyProblem::Missing(field) => malformed(format!("Missing required field {field}")),
        PolicyProblem::Syntax(what) => malformed("Invalid policy syntax.").field("Detail", what),
        PolicyProblem::DuplicateSid(sid) => {
            malformed(format!("Statement IDs (SID) in a single policy must be unique. Found {sid} twice"))
        }
        PolicyProblem::Version => malformed("The policy must contain a valid version string"),
    })?;
    for statement in &document.statements {
        check(statement, &target.bucket)?;
    }
    let principals = state.world.bind(&document, call.now_ms).map_err(|name| {
        malformed("Invalid principal in policy").field("Detail", format!("\"AWS\" : \"{name}\""))
    })?;
    let blocked = bucket(state, target)?.public_access_block.is_some_and(|block| block.block_public_policy);
    if blocked && is_public(&document) {
        return Err(access::denied());
    }
    bucket_mut(state, target)?.policy = Some(ResourcePolicy { text: text.to_owned(), principals });
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(204))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    bucket_mut(state, target)?.policy = None;
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(204))
}

pub(super) fn status(state: &State, target: &Target) -> Result<Reply, AwsError> {
    let policy = bucket(state, target)?
        .policy
        .as_ref()
        .ok_or_else(|| AwsError::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist"))?;
    let public = Document::parse(&policy.text).is_ok_and(|document| is_public(&document));
    Ok(Reply::s3(&Element::new("PolicyStatus").text("IsPublic", public.to_string())))
}

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "MalformedPolicy", message)
}

fn check(statement: &Statement, bucket: &str) -> Result<(), AwsError> {
    if statement.principal.is_none() && statement.not_principal.is_none() {
        return Err(malformed("Missing required field Principal"));
    }
    if statement.resource.is_empty() && statement.not_resource.is_empty() {
        return Err(malformed("Missing required field Resource"));
    }
    let of_bucket = format!("arn:aws:s3:::{bucket}");
    let (mut objects, mut itself) = (false, false);
    for resource in statement.resource.iter().chain(&statement.not_resource) {
        if *resource == of_bucket || resource == &format!("{of_bucket}*") {
            itself = true;
            objects |= resource.ends_with('*');
        } else if resource
            .strip_prefix(&of_bucket)
            .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
        {
            objects = true;
        } else {
            return Err(malformed("Policy has invalid resource").field("Detail", &**resource));
        }
    }
    for action in &statement.action {
        let action = action.to_ascii_lowercase();
        if action == "*" || action == "s3:*" {
            continue;
        }
        if !action.starts_with("s3:") {
            return Err(malformed("Policy has invalid action").field("Detail", action));
        }
        let on_objects = ON_OBJECTS.iter().any(|glob| glob_matches(glob, &action));
        let wild = action.contains('*') || action.contains('?');
        if !wild && ((on_objects && !objects) || (!on_objects && !itself)) {
            return Err(
                malformed("Action does not apply to any resource(s) in statement").field("Detail", action)
            );
        }
    }
    Ok(())
}

/// Whether a policy opens a bucket to everyone.
fn is_public(document: &Document) -> bool {
    document.statements.iter().any(|statement| {
        let everyone = statement.principal.as_ref().is_some_and(|principals| principals.everyone)
            || statement.not_principal.is_some();
        statement.allows
            && everyone
            && !statement.conditions.iter().any(|(operator, key, values)| {
                let operator = operator.to_ascii_lowercase();
                let positive =
                    !operator.contains("not") && !operator.ends_with("ifexists") && operator != "null";
                let fixed = values
                    .iter()
                    .all(|value| !value.contains("${") && (!value.contains('*') || is_arn_of_account(value)));
                positive && fixed && NOT_PUBLIC.contains(&key.to_ascii_lowercase().as_str())
            })
    })
}

/// A wildcard in the resource part of an ARN does not open it: the account is fixed.
fn is_arn_of_account(value: &str) -> bool {
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, _, _, account, _] if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
}
