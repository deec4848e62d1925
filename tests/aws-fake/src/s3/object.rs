//! Writes of objects.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::{Target, access, announce, bucket, bucket_mut, document, invalid_argument, malformed_xml};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::state::State;
use crate::world::{Bucket, Kept, ObjectVersion, base32, hexadecimal, md5};
use crate::xml::Element;

/// The entity tag of an object that was put in one piece: the MD5 of its bytes, in quotes.
pub(crate) fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", md5(bytes))
}

/// The tags of a document.
pub(super) fn read_tags(document: &Element) -> Result<BTreeMap<String, String>, AwsError> {
    let set = document.child("TagSet").ok_or_else(malformed_xml)?;
    let mut tags = BTreeMap::new();
    for tag in set.named("Tag") {
        let key = tag.child_text("Key").filter(|key| !key.is_empty()).ok_or_else(malformed_xml)?;
        let value = tag.child_text("Value").unwrap_or_default();
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(AwsError::new(400, "InvalidTag", "Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(tags)
}

/// How an object is encrypted: by the headers, else by the bucket's default.
struct Encryption {
    algorithm: String,
    key: Option<String>,
    bucket_key: bool,
}

fn encryption(call: &Call<'_>, bucket: &Bucket) -> Encryption {
    let default = bucket.encryption.as_deref().and_then(|text| Element::parse(text).ok());
    let rule = default.as_ref().and_then(|default| default.child("Rule"));
    let by_default =
        |name: &str| rule.and_then(|rule| rule.path_text(&["ApplyServerSideEncryptionByDefault", name]));
    let header = call.request.header("x-amz-server-side-encryption");
    let algorithm = header.or_else(|| by_default("SSEAlgorithm")).unwrap_or("AES256").to_owned();
    let key = call.request.header("x-amz-server-side-encryption-aws-kms-key-id").or_else(|| {
        by_default("KMSMasterKeyID").filter(|_| header.is_none() || header == by_default("SSEAlgorithm"))
    });
    let bucket_key = call.request.header("x-amz-server-side-encryption-bucket-key-enabled").map_or_else(
        || rule.and_then(|rule| rule.child_text("BucketKeyEnabled")) == Some("true"),
        |value| value == "true",
    );
    let kms = algorithm.starts_with("aws:kms");
    Encryption { key: key.filter(|_| kms).map(str::to_owned), bucket_key: kms && bucket_key, algorithm }
}

/// A body sent in chunks with a signature each ("Signature calculations: Transferring payload in multiple chunks").
fn body(call: &Call<'_>) -> Result<Vec<u8>, AwsError> {
    let streaming =
        call.request.header("x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-"));
    if !streaming {
        return Ok(call.request.body.to_vec());
    }
    let incomplete = || AwsError::new(400, "IncompleteBody", "The request body terminated unexpectedly");
    let mut rest: &[u8] = &call.request.body;
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or_else(incomplete)?;
        let (line, after) = rest.split_at(end);
        let line = std::str::from_utf8(line).map_err(|_| incomplete())?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| incomplete())?;
        if size == 0 {
            return Ok(whole);
        }
        let chunk = after.get(2..2 + size).ok_or_else(incomplete)?;
        whole.extend_from_slice(chunk);
        rest = after.get(2 + size + 2..).ok_or_else(incomplete)?;
    }
}

pub(super) fn put(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let bytes = body(call)?;
    let tags = call.request.header("x-amz-tagging").map(|text| {
        form_urlencoded::parse(text.as_bytes()).into_owned().collect::<BTreeMap<String, String>>()
    });
    let metadata = call
        .request
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-amz-meta-")?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let content_type = call.request.header("content-type").unwrap_or("binary/octet-stream").to_owned();
    let version = ObjectVersion {
        etag: etag(&bytes),
        body: Kept::of(&bytes),
        content_type,
        metadata,
        tags: tags.unwrap_or_default(),
        ..ObjectVersion::default()
    };
    let version = write(state, call, target, version, "ObjectCreated:Put")?;
    let mut reply = Reply::empty(200).header("etag", &*version.etag);
    reply.headers.extend(version_headers(&version));
    Ok(reply)
}

pub(super) fn copy(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let header = call.request.header("x-amz-copy-source").unwrap_or_default();
    let decoded = percent_decode_str(header).decode_utf8_lossy().into_owned();
    let (path, wanted) = match decoded.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (decoded.as_str(), None),
    };
    let source = Target::of(path);
    let from = bucket(state, &source)?;
    access::permit(state, call, &source, from, "s3:GetObject", access::context(call))?;
    let versions = from.objects.get(&source.key);
    let found = versions.and_then(|versions| match wanted {
        Some(wanted) => versions.iter().find(|version| version.version_id == wanted),
        None => versions.last(),
    });
    let found = found
        .filter(|version| !version.delete_marker)
        .ok_or_else(|| super::read::no_such_key(&source.key))?;
    let version = ObjectVersion {
        etag: found.etag.clone(),
        body: found.body.clone(),
        content_type: found.content_type.clone(),
        metadata: found.metadata.clone(),
        tags: found.tags.clone(),
        ..ObjectVersion::default()
    };
    let version = write(state, call, target, version, "ObjectCreated:Copy")?;
    let answer = Element::new("CopyObjectResult")
        .text("ETag", &*version.etag)
        .text("LastModified", crate::clock::iso_ms(version.modified_ms));
    let mut reply = Reply::s3(&answer);
    reply.headers.extend(version_headers(&version));
    Ok(reply)
}

/// Writes a version: encrypts, versions, begins its replication and announces it.
fn write(
    state: &mut State,
    call: &Call<'_>,
    target: &Target,
    mut version: ObjectVersion,
    event: &str,
) -> Result<ObjectVersion, AwsError> {
    if target.key.len() > 1_024 {
        return Err(AwsError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    let bucket = bucket(state, target)?;
    let enforced = bucket.ownership.as_deref().is_none_or(|ownership| ownership == "BucketOwnerEnforced");
    let acl = call.request.header("x-amz-acl");
    if enforced && acl.is_some_and(|acl| acl != "bucket-owner-full-control" && acl != "private") {
        return Err(AwsError::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    if call.request.header("if-none-match") == Some("*") && bucket.current(&target.key).is_some() {
        return Err(AwsError::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        ));
    }
    let given = bucket.ownership.as_deref() == Some("BucketOwnerPreferred")
        && acl == Some("bucket-owner-full-control");
    version.owner = if enforced || given { bucket.owner.clone() } else { call.account().to_owned() };
    let encryption = encryption(call, bucket);
    version.encryption = encryption.algorithm;
    version.bucket_key = encryption.bucket_key;
    if version.encryption.starts_with("aws:kms") {
        let key = crate::kms::resolve_for_s3(&state.world, encryption.key.as_deref(), bucket, call.account());
        crate::kms::permit_s3(state, call, &key, target, version.bucket_key, "kms:GenerateDataKey")?;
        version.kms_key = Some(key);
    }
    call.request.header("x-amz-storage-class").unwrap_or("STANDARD").clone_into(&mut version.storage_class);
    version.modified_ms = call.now_ms;
    version.version_id = next_version_id(state, target)?;
    crate::replication::begin(state, call.now_ms, target, &mut version);
    let bucket = bucket_mut(state, target)?;
    place(bucket, &target.key, version.clone());
    announce(state, call.now_ms, &target.bucket, &target.key, event);
    state.wrote(call, format!("{}/{}", target.bucket, target.key));
    Ok(version)
}

fn next_version_id(state: &mut State, target: &Target) -> Result<String, AwsError> {
    let seed = state.world.settings.seed;
    let bucket = bucket_mut(state, target)?;
    bucket.written += 1;
    Ok(version_id(seed, &target.bucket, bucket))
}

/// The id of the version that is being written.
fn version_id(seed: u64, name: &str, bucket: &Bucket) -> String {
    if bucket.versioning.is_enabled() {
        base32(32, seed, &["version", name, &bucket.written.to_string()])
    } else {
        "null".to_owned()
    }
}

/// Puts a version in its place; one without an id takes the place of an earlier one without.
fn place(bucket: &mut Bucket, key: &str, version: ObjectVersion) {
    let versions = bucket.objects.entry(key.to_owned()).or_default();
    if version.version_id == "null" {
        versions.retain(|earlier| earlier.version_id != "null");
    }
    versions.push(version);
}

/// Places a replica, which keeps the version id of its source.
pub(crate) fn place_replica(bucket: &mut Bucket, key: &str, version: ObjectVersion) {
    bucket.written += 1;
    let versions = bucket.objects.entry(key.to_owned()).or_default();
    versions.retain(|earlier| earlier.version_id != version.version_id);
    versions.push(version);
}

/// The headers that tell of a version.
pub(super) fn version_headers(version: &ObjectVersion) -> Vec<(String, String)> {
    let mut headers = vec![("x-amz-server-side-encryption".to_owned(), version.encryption.clone())];
    if version.version_id != "null" {
        headers.push(("x-amz-version-id".to_owned(), version.version_id.clone()));
    }
    if let Some(key) = &version.kms_key {
        headers.push(("x-amz-server-side-encryption-aws-kms-key-id".to_owned(), key.clone()));
    }
    if version.bucket_key {
        headers.push(("x-amz-server-side-encryption-bucket-key-enabled".to_owned(), "true".to_owned()));
    }
    headers
}

pub(super) fn put_tags(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let tags = read_tags(&document(call, "Tagging")?)?;
    let key = target.key.clone();
    let versions = bucket_mut(state, target)?.objects.get_mut(&key);
    let version = versions
        .and_then(|versions| versions.last_mut())
        .filter(|version| !version.delete_marker)
        .ok_or_else(|| super::read::no_such_key(&key))?;
    version.tags = tags;
    state.wrote(call, format!("{}/{key}", target.bucket));
    Ok(Reply::empty(200))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let wanted = call.request.parameter("versionId").map(str::to_owned);
    let outcome = remove(state, call, target, wanted.as_deref())?;
    let mut reply = Reply::empty(204);
    if let Some(id) = outcome.version_id {
        reply = reply.header("x-amz-version-id", id);
    }
    if outcome.marker {
        reply = reply.header("x-amz-delete-marker", "true");
    }
    Ok(reply)
}

struct Removal {
    marker: bool,
    version_id: Option<String>,
}

fn remove(
    state: &mut State,
    call: &Call<'_>,
    target: &Target,
    wanted: Option<&str>,
) -> Result<Removal, AwsError> {
    let now_ms = call.now_ms;
    let seed = state.world.settings.seed;
    let removal = if let Some(wanted) = wanted {
        let bucket = bucket_mut(state, target)?;
        if bucket.versioning.mfa_delete && call.request.header("x-amz-mfa").is_none() {
            return Err(AwsError::new(
                403,
                "AccessDenied",
                "Mfa Authentication must be used for this request",
            ));
        }
        let mut marker = false;
        if let Some(versions) = bucket.objects.get_mut(&target.key) {
            marker = versions.iter().any(|version| version.version_id == wanted && version.delete_marker);
            versions.retain(|version| version.version_id != wanted);
            if versions.is_empty() {
                bucket.objects.remove(&target.key);
            }
        }
        Removal { marker, version_id: Some(wanted.to_owned()) }
    } else {
        let bucket = bucket_mut(state, target)?;
        if bucket.versioning.status.is_none() {
            bucket.objects.remove(&target.key);
            Removal { marker: false, version_id: None }
        } else {
            bucket.written += 1;
            let id = version_id(seed, &target.bucket, bucket);
            let marker = ObjectVersion {
                version_id: id.clone(),
                modified_ms: now_ms,
                delete_marker: true,
                owner: bucket.owner.clone(),
                ..ObjectVersion::default()
            };
            place(bucket, &target.key, marker);
            crate::replication::begin_marker(state, now_ms, target, &id);
            announce(state, now_ms, &target.bucket, &target.key, "ObjectRemoved:DeleteMarkerCreated");
            Removal { marker: true, version_id: Some(id) }
        }
    };
    state.wrote(call, format!("{}/{}", target.bucket, target.key));
    Ok(removal)
}

pub(super) fn delete_many(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let wanted = document(call, "Delete")?;
    let objects: Vec<_> = wanted.named("Object").collect();
    if objects.is_empty() || objects.len() > 1_000 {
        return Err(malformed_xml());
    }
    let quiet = wanted.child_text("Quiet") == Some("true");
    let mut answer = Element::new("DeleteResult");
    for object in objects {
        let key = object.child_text("Key").ok_or_else(|| invalid_argument("Key is missing"))?;
        let version = object.child_text("VersionId");
        let of_key = Target { bucket: target.bucket.clone(), key: key.to_owned() };
        let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        let found = bucket(state, target)?;
        let outcome = access::permit(state, call, &of_key, found, action, access::context(call))
            .and_then(|()| remove(state, call, &of_key, version));
        match outcome {
            Ok(_) if quiet => {}
            Ok(removal) => {
                let mut deleted = Element::new("Deleted").text("Key", key);
                if removal.marker && version.is_none() {
                    deleted = deleted
                        .text("DeleteMarker", "true")
                        .text("DeleteMarkerVersionId", removal.version_id.unwrap_or_default());
                } else if let Some(version) = version {
                    deleted = deleted.text("VersionId", version);
                }
                answer = answer.with(deleted);
            }
            Err(error) => {
                let failed = Element::new("Error")
                    .text("Key", key)
                    .text("Code", &*error.code)
                    .text("Message", &*error.message);
                answer = answer.with(failed);
            }
        }
    }
    Ok(Reply::s3(&answer))
}

/// The canonical id of an account's owner.
pub(super) fn canonical_id(state: &State, account: &str) -> String {
    hexadecimal(64, state.world.settings.seed, &["canonical", account])
}
