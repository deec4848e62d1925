//! Reads of objects.

use super::object::version_headers;
use super::{Target, access, bucket};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::state::State;
use crate::world::ObjectVersion;
use crate::xml::Element;

pub(super) fn no_such_key(key: &str) -> AwsError {
    AwsError::new(404, "NoSuchKey", "The specified key does not exist.").field("Key", key)
}

/// The version a call asks for. Whoever may not list the bucket is denied what is not there.
fn find<'a>(state: &'a State, call: &Call<'_>, target: &Target) -> Result<&'a ObjectVersion, AwsError> {
    let bucket = bucket(state, target)?;
    let versions = bucket.objects.get(&target.key);
    let wanted = call.request.parameter("versionId");
    let found = versions.and_then(|versions| match wanted {
        Some(wanted) => versions.iter().find(|version| version.version_id == wanted),
        None => versions.last(),
    });
    let absent = || {
        let whole = Target { bucket: target.bucket.clone(), key: String::new() };
        if !access::may(state, call, &whole, bucket, "s3:ListBucket") {
            access::denied()
        } else if let Some(wanted) = wanted {
            AwsError::new(404, "NoSuchVersion", "The specified version does not exist.")
                .field("Key", &*target.key)
                .field("VersionId", wanted)
        } else {
            no_such_key(&target.key)
        }
    };
    let version = found.ok_or_else(absent)?;
    if version.delete_marker {
        let error = if wanted.is_some() {
            AwsError::new(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )
        } else {
            absent()
        };
        return Err(error
            .header("x-amz-delete-marker", "true")
            .header("x-amz-version-id", &*version.version_id));
    }
    Ok(version)
}

pub(super) fn get(state: &State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let version = find(state, call, target)?;
    if let Some(key) = &version.kms_key {
        crate::kms::permit_s3(state, call, key, target, version.bucket_key, "kms:Decrypt")?;
    }
    let body = if call.operation == "HeadObject" { Vec::new() } else { version.body.bytes() };
    let mut reply = Reply { status: 200, headers: Vec::new(), body }
        .header("etag", &*version.etag)
        .header("last-modified", crate::clock::http_date(version.modified_ms))
        .header("accept-ranges", "bytes")
        .header("content-length", version.body.size().to_string());
    let content_type =
        if version.content_type.is_empty() { "binary/octet-stream" } else { &version.content_type };
    reply = reply.header("content-type", content_type);
    reply.headers.extend(version_headers(version));
    if let Some(status) = version.replication_status {
        reply = reply.header("x-amz-replication-status", status.as_str());
    }
    if version.storage_class != "STANDARD" && !version.storage_class.is_empty() {
        reply = reply.header("x-amz-storage-class", &*version.storage_class);
    }
    if !version.tags.is_empty() {
        reply = reply.header("x-amz-tagging-count", version.tags.len().to_string());
    }
    for (name, value) in &version.metadata {
        reply = reply.header(&format!("x-amz-meta-{name}"), &**value);
    }
    Ok(reply)
}

pub(super) fn tags(state: &State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let version = find(state, call, target)?;
    let tags = version
        .tags
        .iter()
        .map(|(key, value)| Element::new("Tag").text("Key", &**key).text("Value", &**value));
    Ok(Reply::s3(&Element::new("Tagging").with(Element::new("TagSet").all(tags))))
}
