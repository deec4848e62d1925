//! Amazon S3 ("Amazon S3 API Reference"), path style.
//!
//! Every call on a bucket passes the same gate: the bucket exists, is in the region of the endpoint, belongs to the
//! expected owner, and the caller may do it.

mod access;
mod buckets;
mod configuration;
mod events;
mod listing;
mod lock;
mod notification;
mod object;
mod policy;
mod read;
mod replication;
mod rule;

use percent_encoding::percent_decode_str;

pub(crate) use self::events::{announce, announce_failure};
pub(crate) use self::object::{etag, place_replica};
pub(crate) use self::rule::{ReplicationConfiguration, Rule};

use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::state::State;
use crate::world::{AccountState, Bucket};
use crate::xml::Element;

/// The bucket and key a call is about.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) bucket: String,
    /// Empty for the bucket itself.
    pub(crate) key: String,
}

impl Target {
    fn of(path: &str) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self { bucket: decode(bucket), key: decode(key) }
    }

    fn arn(&self) -> String {
        if self.key.is_empty() {
            format!("arn:aws:s3:::{}", self.bucket)
        } else {
            format!("arn:aws:s3:::{}/{}", self.bucket, self.key)
        }
    }
}

/// Carries out a call.
pub(crate) fn handle(state: &mut State, call: &Call<'_>) -> Result<Reply, AwsError> {
    let target = Target::of(&call.request.path);
    match call.operation {
        "ListBuckets" => return buckets::list(state, call),
        "CreateBucket" => return buckets::create(state, call, &target),
        "Unknown" => {
            return Err(AwsError::not_implemented(
                "s3",
                &format!("{} {}", call.request.method, call.request.path),
            ));
        }
        _ => {}
    }
    gate(state, call, &target)?;
    match call.operation {
        "HeadBucket" => buckets::head(state, &target),
        "DeleteBucket" => buckets::delete(state, call, &target),
        "GetBucketLocation" => buckets::location(state, &target),
        "GetBucketVersioning" => configuration::get_versioning(state, &target),
        "PutBucketVersioning" => configuration::put_versioning(state, call, &target),
        "GetBucketReplication" => replication::get(state, &target),
        "PutBucketReplication" => replication::put(state, call, &target),
        "DeleteBucketReplication" => replication::delete(state, call, &target),
        "GetBucketPolicy" => policy::get(state, &target),
        "PutBucketPolicy" => policy::put(state, call, &target),
        "DeleteBucketPolicy" => policy::delete(state, call, &target),
        "GetBucketPolicyStatus" => policy::status(state, &target),
        "GetBucketNotificationConfiguration" => notification::get(state, &target),
        "PutBucketNotificationConfiguration" => notification::put(state, call, &target),
        "GetObjectLockConfiguration" => lock::get(state, &target),
        "PutObjectLockConfiguration" => lock::put(state, call, &target),
        "ListObjectsV2" => listing::objects(state, call, &target),
        "ListObjectVersions" => listing::versions(state, call, &target),
        "PutObject" => object::put(state, call, &target),
        "CopyObject" => object::copy(state, call, &target),
        "GetObject" | "HeadObject" => read::get(state, call, &target),
        "GetObjectTagging" => read::tags(state, call, &target),
        "PutObjectTagging" => object::put_tags(state, call, &target),
        "DeleteObject" => object::delete(state, call, &target),
        "DeleteObjects" => object::delete_many(state, call, &target),
        _ => configuration::handle(state, call, &target),
    }
}

/// What every call on a bucket must pass.
fn gate(state: &State, call: &Call<'_>, target: &Target) -> Result<(), AwsError> {
    let bucket = bucket(state, target)?;
    let anywhere = call.operation == "GetBucketLocation" && call.region == "us-east-1";
    if bucket.region != call.region && !anywhere {
        return Err(AwsError::new(
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
        )
        .field("Endpoint", format!("{}.s3.{}.amazonaws.com", target.bucket, bucket.region))
        .field("Bucket", &*target.bucket)
        .header("x-amz-bucket-region", &*bucket.region));
    }
    let closed = state
        .world
        .accounts
        .get(&bucket.owner)
        .is_none_or(|account| matches!(account.state, AccountState::Suspended | AccountState::Closed));
    if closed {
        return Err(AwsError::new(403, "AllAccessDisabled", "All access to this object has been disabled"));
    }
    let expected = call.request.header("x-amz-expected-bucket-owner");
    if expected.is_some_and(|expected| expected != bucket.owner) {
        return Err(access::denied());
    }
    if bucket.requester_pays
        && call.account() != bucket.owner
        && call.request.header("x-amz-request-payer") != Some("requester")
    {
        return Err(access::denied());
    }
    for action in access::actions(call) {
        access::permit(state, call, target, bucket, &action, access::context(call))?;
    }
    Ok(())
}

/// A bucket that must be there.
fn bucket<'a>(state: &'a State, target: &Target) -> Result<&'a Bucket, AwsError> {
    state.world.buckets.get(&target.bucket).ok_or_else(|| no_such_bucket(&target.bucket))
}

/// The same, to be changed.
fn bucket_mut<'a>(state: &'a mut State, target: &Target) -> Result<&'a mut Bucket, AwsError> {
    state.world.buckets.get_mut(&target.bucket).ok_or_else(|| no_such_bucket(&target.bucket))
}

fn no_such_bucket(name: &str) -> AwsError {
    AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").field("BucketName", name)
}

fn malformed_xml() -> AwsError {
    AwsError::new(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

fn invalid_request(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidRequest", message)
}

fn invalid_argument(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidArgument", message)
}

/// The body as a document with a root of this name.
fn document(call: &Call<'_>, root: &str) -> Result<Element, AwsError> {
    Element::parse(call.request.text()).ok().filter(|element| element.name == root).ok_or_else(malformed_xml)
}

/// Answers a stored document.
fn stored(document: Option<&String>, absent: impl FnOnce() -> AwsError) -> Result<Reply, AwsError> {
    let text = document.ok_or_else(absent)?;
    let element = Element::parse(text)
        .map_err(|_| AwsError::new(500, "InternalError", "a stored document is damaged"))?;
    Ok(Reply::s3(&element))
}
