//! Buckets themselves.

use super::{Target, bucket, invalid_argument, malformed_xml, no_such_bucket};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::{Context, Subject, authorize};
use crate::state::State;
use crate::world::{Bucket, Versioning};
use crate::xml::Element;

/// An error unless the caller's own policies allow an action on something that is not a bucket yet.
fn permit_own(state: &State, call: &Call<'_>, action: &str, resource: &str) -> Result<(), AwsError> {
    let mut context = Context::default();
    context.set("aws:RequestedRegion", call.region);
    let subject =
        Subject { action, resource, owner: call.account(), policy: None, policy_decides: false, context };
    authorize(&state.world, call.now_ms, call.identity, &subject)
        .map_err(|denial| AwsError::new(403, "AccessDenied", denial.message(call.identity, action, resource)))
}

pub(super) fn list(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    permit_own(state, call, "s3:ListAllMyBuckets", "*")?;
    let most = match call.request.parameter("max-buckets") {
        None => 10_000,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|most| (1..=10_000).contains(most))
            .ok_or_else(|| invalid_argument("max-buckets must be between 1 and 10000"))?,
    };
    let region = call.request.parameter("bucket-region");
    let prefix = call.request.parameter("prefix").unwrap_or_default();
    let after = call.request.parameter("continuation-token").unwrap_or_default();
    let paged = ["max-buckets", "bucket-region", "prefix", "continuation-token"]
        .into_iter()
        .any(|name| call.request.parameter(name).is_some());
    let mut shown = Vec::new();
    let mut next = None;
    for (name, bucket) in &state.world.buckets {
        let wanted = bucket.owner == call.account()
            && region.is_none_or(|region| region == bucket.region)
            && name.starts_with(prefix)
            && name.as_str() > after;
        if !wanted {
            continue;
        }
        if shown.len() == most {
            next = shown.last().cloned();
            break;
        }
        shown.push(name.clone());
    }
    let buckets =
        shown.iter().filter_map(|name| state.world.buckets.get_key_value(name)).map(|(name, bucket)| {
            let element = Element::new("Bucket")
                .text("Name", &**name)
                .text("CreationDate", crate::clock::iso_ms(bucket.created_ms));
            if paged { element.text("BucketRegion", &*bucket.region) } else { element }
        });
    let mut answer = Element::new("ListAllMyBucketsResult")
        .with(owner(state, call.account()))
        .with(Element::new("Buckets").all(buckets));
    if let Some(next) = next {
        answer = answer.text("ContinuationToken", next);
    }
    Ok(Reply::s3(&answer))
}

/// An owner, by canonical id.
pub(super) fn owner(state: &State, account: &str) -> Element {
    Element::new("Owner").text("ID", super::object::canonical_id(state, account))
}

pub(super) fn create(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    permit_own(state, call, "s3:CreateBucket", &target.arn())?;
    check_name(&target.bucket)?;
    let constraint = match call.request.text() {
        "" => None,
        text => {
            let element = Element::parse(text).map_err(|_| malformed_xml())?;
            if element.name != "CreateBucketConfiguration" {
                return Err(malformed_xml());
            }
            element.child_text("LocationConstraint").filter(|text| !text.is_empty()).map(str::to_owned)
        }
    };
    match (call.region, constraint.as_deref()) {
        ("us-east-1", None) => {}
        ("us-east-1", Some("us-east-1")) => {
            return Err(AwsError::new(
                400,
                "InvalidLocationConstraint",
                "The specified location-constraint is not valid",
            ));
        }
        (region, Some(constraint)) if region == constraint => {}
        (_, other) => {
            return Err(AwsError::new(
                400,
                "IllegalLocationConstraintException",
                format!(
                    "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                    other.unwrap_or("unspecified")
                ),
            ));
        }
    }
    if let Some(existing) = state.world.buckets.get(&target.bucket) {
        let (code, message) = if existing.owner == call.account() {
            (
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            )
        } else {
            (
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
            )
        };
        return Err(AwsError::new(409, code, message).field("BucketName", &*target.bucket));
    }
    let mut bucket = Bucket::new(call.account(), call.region);
    bucket.created_ms = call.now_ms;
    if let Some(ownership) = call.request.header("x-amz-object-ownership") {
        bucket.ownership = Some(ownership.to_owned());
    }
    if call
        .request
        .header("x-amz-bucket-object-lock-enabled")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        bucket.versioning = Versioning { first_enabled_ms: Some(call.now_ms), ..Versioning::enabled() };
        let lock = Element::new("ObjectLockConfiguration").text("ObjectLockEnabled", "Enabled");
        bucket.object_lock = Some(lock.write());
    }
    state.world.buckets.insert(target.bucket.clone(), bucket);
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(200).header("location", format!("/{}", target.bucket)))
}

/// "Bucket naming rules" (Amazon S3 User Guide).
fn check_name(name: &str) -> Result<(), AwsError> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(allowed)
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if fits {
        Ok(())
    } else {
        Err(AwsError::new(400, "InvalidBucketName", "The specified bucket is not valid."))
    }
}

pub(super) fn head(state: &State, target: &Target) -> Result<Reply, AwsError> {
    let bucket = bucket(state, target)?;
    Ok(Reply::empty(200).header("x-amz-bucket-region", &*bucket.region))
}

pub(super) fn location(state: &State, target: &Target) -> Result<Reply, AwsError> {
    let bucket = bucket(state, target)?;
    let region = if bucket.region == "us-east-1" { "" } else { &bucket.region };
    Ok(Reply::s3(&Element::of("LocationConstraint", region)))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    if !bucket(state, target)?.objects.is_empty() {
        return Err(AwsError::new(
            409,
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
        ));
    }
    state.world.buckets.remove(&target.bucket).ok_or_else(|| no_such_bucket(&target.bucket))?;
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(204))
}
