//! Which operation a request calls.

use crate::call::Service;
use crate::http::HttpRequest;

/// The name of the operation in the service's API Reference; `Unknown` if there is none.
pub(super) fn of(service: Service, request: &HttpRequest) -> String {
    match service {
        Service::Organizations | Service::Kms | Service::Sqs => request
            .header("x-amz-target")
            .and_then(|target| target.rsplit_once('.'))
            .map_or_else(unknown, |(_, operation)| operation.to_owned()),
        Service::Sts | Service::Iam => request
            .form()
            .into_iter()
            .find(|(name, _)| name == "Action")
            .map_or_else(unknown, |(_, operation)| operation),
        Service::S3 => s3(request).to_owned(),
        Service::S3Control => s3_control(request).to_owned(),
    }
}

fn unknown() -> String {
    "Unknown".to_owned()
}

/// Sub-resources of a bucket: parameter, and the operations of GET, PUT and DELETE.
const OF_BUCKETS: &[(&str, &str, &str, &str)] = &[
    ("accelerate", "GetBucketAccelerateConfiguration", "", ""),
    ("acl", "GetBucketAcl", "PutBucketAcl", ""),
    ("cors", "GetBucketCors", "", ""),
    ("encryption", "GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"),
    (
        "lifecycle",
        "GetBucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
    ),
    ("location", "GetBucketLocation", "", ""),
    ("logging", "GetBucketLogging", "PutBucketLogging", ""),
    ("notification", "GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration", ""),
    ("object-lock", "GetObjectLockConfiguration", "PutObjectLockConfiguration", ""),
    (
        "ownershipControls",
        "GetBucketOwnershipControls",
        "PutBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
    ),
    ("policy", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
    ("policyStatus", "GetBucketPolicyStatus", "", ""),
    ("publicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"),
    ("replication", "GetBucketReplication", "PutBucketReplication", "DeleteBucketReplication"),
    ("requestPayment", "GetBucketRequestPayment", "PutBucketRequestPayment", ""),
    ("tagging", "GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"),
    ("versioning", "GetBucketVersioning", "PutBucketVersioning", ""),
    ("versions", "ListObjectVersions", "", ""),
];

fn s3(request: &HttpRequest) -> &'static str {
    let path = request.path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let method = request.method.as_str();
    if bucket.is_empty() {
        return if method == "GET" { "ListBuckets" } else { "Unknown" };
    }
    let has = |name: &str| request.parameter(name).is_some();
    if key.is_empty() {
        if let Some((_, get, put, delete)) = OF_BUCKETS.iter().find(|(parameter, ..)| has(parameter)) {
            let operation = match method {
                "GET" => get,
                "PUT" => put,
                "DELETE" => delete,
                _ => "",
            };
            return if operation.is_empty() { "Unknown" } else { operation };
        }
        return match method {
            "GET" if request.parameter("list-type") == Some("2") => "ListObjectsV2",
            "GET" => "ListObjects",
            "HEAD" => "HeadBucket",
            "PUT" => "CreateBucket",
            "DELETE" => "DeleteBucket",
            "POST" if has("delete") => "DeleteObjects",
            _ => "Unknown",
        };
    }
    let tagging = has("tagging");
    let unsupported = [
        "uploads",
        "uploadId",
        "acl",
        "retention",
        "legal-hold",
        "select",
        "restore",
        "torrent",
        "attributes",
    ];
    if unsupported.into_iter().any(has) {
        return "Unknown";
    }
    match method {
        "GET" if tagging => "GetObjectTagging",
        "PUT" if tagging => "PutObjectTagging",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" if request.header("x-amz-copy-source").is_some() => "CopyObject",
        "PUT" => "PutObject",
        "DELETE" if !tagging => "DeleteObject",
        _ => "Unknown",
    }
}

fn s3_control(request: &HttpRequest) -> &'static str {
    let path = request.path.trim_start_matches("/v20180820/");
    match (request.method.as_str(), path.split('/').collect::<Vec<_>>().as_slice()) {
        ("POST", ["jobs"]) => "CreateJob",
        ("GET", ["jobs"]) => "ListJobs",
        ("GET", ["jobs", _]) => "DescribeJob",
        ("POST", ["jobs", _, "status"]) => "UpdateJobStatus",
        ("GET", ["configuration", "publicAccessBlock"]) => "GetPublicAccessBlock",
        _ => "Unknown",
    }
}
