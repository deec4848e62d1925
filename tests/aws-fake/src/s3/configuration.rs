//! The configurations of a bucket that are kept as they are put.

use super::{Target, bucket, bucket_mut, document, invalid_argument, malformed_xml, stored};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::policy::Identity;
use crate::state::State;
use crate::world::PublicAccessBlock;
use crate::xml::Element;

pub(super) fn get_versioning(state: &State, target: &Target) -> Result<Reply, AwsError> {
    let versioning = &bucket(state, target)?.versioning;
    let mut answer = Element::new("VersioningConfiguration");
    if let Some(status) = &versioning.status {
        answer = answer.text("Status", &**status);
    }
    if versioning.mfa_delete {
        answer = answer.text("MfaDelete", "Enabled");
    }
    Ok(Reply::s3(&answer))
}

pub(super) fn put_versioning(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let wanted = document(call, "VersioningConfiguration")?;
    if wanted.unknown_child(&["Status", "MfaDelete"]).is_some() {
        return Err(malformed_xml());
    }
    let status = match wanted.child_text("Status") {
        Some(status @ ("Enabled" | "Suspended")) => status.to_owned(),
        Some(_) => return Err(malformed_xml()),
        None => {
            return Err(AwsError::new(
                400,
                "IllegalVersioningConfigurationException",
                "The Versioning element must be specified",
            ));
        }
    };
    let mfa_delete = match wanted.child_text("MfaDelete") {
        None => None,
        Some("Enabled") => Some(true),
        Some("Disabled") => Some(false),
        Some(_) => return Err(malformed_xml()),
    };
    let root = matches!(call.identity, Identity::Root { .. });
    let has_mfa = call.request.header("x-amz-mfa").is_some();
    let now_ms = call.now_ms;
    let bucket = bucket_mut(state, target)?;
    // "Configuring MFA delete" (Amazon S3 User Guide): only the root user, with a device, changes versioning then.
    if (bucket.versioning.mfa_delete || mfa_delete.is_some()) && !(root && has_mfa) {
        return Err(AwsError::new(403, "AccessDenied", "Mfa Authentication must be used for this request"));
    }
    if status == "Suspended" && bucket.object_lock.is_some() {
        return Err(AwsError::new(
            409,
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        ));
    }
    if status == "Suspended" && bucket.replication.is_some() {
        return Err(AwsError::new(
            409,
            "InvalidBucketState",
            "A replication configuration is present on this bucket, so the versioning state cannot be changed.",
        ));
    }
    if status == "Enabled" && bucket.versioning.status.is_none() {
        bucket.versioning.first_enabled_ms = Some(now_ms);
    }
    bucket.versioning.status = Some(status);
    if let Some(mfa_delete) = mfa_delete {
        bucket.versioning.mfa_delete = mfa_delete;
    }
    state.wrote(call, &*target.bucket);
    Ok(Reply::empty(200))
}

/// The operations of this module.
pub(super) fn handle(state: &mut State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let absent = |code: &'static str, message: &'static str| move || AwsError::new(404, code, message);
    match call.operation {
        "GetBucketEncryption" => {
            let default = Element::new("ServerSideEncryptionConfiguration").with(
                Element::new("Rule")
                    .with(Element::new("ApplyServerSideEncryptionByDefault").text("SSEAlgorithm", "AES256"))
                    .text("BucketKeyEnabled", "false"),
            );
            let encryption = bucket(state, target)?.encryption.clone().unwrap_or_else(|| default.write());
            stored(Some(&encryption), super::malformed_xml)
        }
        "PutBucketEncryption" => {
            let wanted = document(call, "ServerSideEncryptionConfiguration")?;
            check_encryption(&wanted)?;
            bucket_mut(state, target)?.encryption = Some(wanted.write());
            Ok(done(state, call, target, 200))
        }
        "DeleteBucketEncryption" => {
            bucket_mut(state, target)?.encryption = None;
            Ok(done(state, call, target, 204))
        }
        "GetBucketLifecycleConfiguration" => stored(
            bucket(state, target)?.lifecycle.as_ref(),
            absent("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        ),
        "PutBucketLifecycleConfiguration" => {
            let wanted = document(call, "LifecycleConfiguration")?;
            let kept = check_lifecycle(state, &target.bucket, wanted)?;
            bucket_mut(state, target)?.lifecycle = Some(kept.write());
            Ok(done(state, call, target, 200))
        }
        "DeleteBucketLifecycle" => {
            bucket_mut(state, target)?.lifecycle = None;
            Ok(done(state, call, target, 204))
        }
        "GetBucketOwnershipControls" => {
            let ownership = bucket(state, target)?.ownership.as_ref().ok_or_else(absent(
                "OwnershipControlsNotFoundError",
                "The bucket ownership controls were not found",
            ))?;
            let rule = Element::new("Rule").text("ObjectOwnership", &**ownership);
            Ok(Reply::s3(&Element::new("OwnershipControls").with(rule)))
        }
        "PutBucketOwnershipControls" => {
            let wanted = document(call, "OwnershipControls")?;
            let rules: Vec<_> = wanted.named("Rule").collect();
            let ownership = match rules.as_slice() {
                [rule] => rule.child_text("ObjectOwnership").unwrap_or_default(),
                _ => return Err(malformed_xml()),
            };
            if !["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"].contains(&ownership) {
                return Err(malformed_xml());
            }
            bucket_mut(state, target)?.ownership = Some(ownership.to_owned());
            Ok(done(state, call, target, 200))
        }
        "DeleteBucketOwnershipControls" => {
            bucket_mut(state, target)?.ownership = None;
            Ok(done(state, call, target, 204))
        }
        "GetPublicAccessBlock" => {
            let block = bucket(state, target)?.public_access_block.ok_or_else(absent(
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            ))?;
            Ok(Reply::s3(&show_block(block)))
        }
        "PutPublicAccessBlock" => {
            let wanted = document(call, "PublicAccessBlockConfiguration")?;
            let flag =
                |name: &str| wanted.child_text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
            let block = PublicAccessBlock {
                block_public_acls: flag("BlockPublicAcls"),
                ignore_public_acls: flag("IgnorePublicAcls"),
                block_public_policy: flag("BlockPublicPolicy"),
                restrict_public_buckets: flag("RestrictPublicBuckets"),
            };
            bucket_mut(state, target)?.public_access_block = Some(block);
            Ok(done(state, call, target, 200))
        }
        "DeletePublicAccessBlock" => {
            bucket_mut(state, target)?.public_access_block = None;
            Ok(done(state, call, target, 204))
        }
        "GetBucketRequestPayment" => {
            let payer = if bucket(state, target)?.requester_pays { "Requester" } else { "BucketOwner" };
            Ok(Reply::s3(&Element::new("RequestPaymentConfiguration").text("Payer", payer)))
        }
        "PutBucketRequestPayment" => {
            let wanted = document(call, "RequestPaymentConfiguration")?;
            let pays = match wanted.child_text("Payer") {
                Some("Requester") => true,
                Some("BucketOwner") => false,
                _ => return Err(malformed_xml()),
            };
            bucket_mut(state, target)?.requester_pays = pays;
            Ok(done(state, call, target, 200))
        }
        "GetBucketLogging" => {
            let none = Element::new("BucketLoggingStatus").write();
            stored(Some(bucket(state, target)?.logging.as_ref().unwrap_or(&none)), malformed_xml)
        }
        "PutBucketLogging" => {
            let wanted = document(call, "BucketLoggingStatus")?;
            check_logging(state, target, &wanted)?;
            let logging = wanted.child("LoggingEnabled").is_some().then(|| wanted.write());
            bucket_mut(state, target)?.logging = logging;
            Ok(done(state, call, target, 200))
        }
        "GetBucketTagging" => {
            let tags = &bucket(state, target)?.tags;
            if tags.is_empty() {
                return Err(AwsError::new(404, "NoSuchTagSet", "The TagSet does not exist"));
            }
            let tags = tags
                .iter()
                .map(|(key, value)| Element::new("Tag").text("Key", &**key).text("Value", &**value));
            Ok(Reply::s3(&Element::new("Tagging").with(Element::new("TagSet").all(tags))))
        }
        "PutBucketTagging" => {
            let wanted = document(call, "Tagging")?;
            let tags = super::object::read_tags(&wanted)?;
            bucket_mut(state, target)?.tags = tags;
            Ok(done(state, call, target, 204))
        }
        "DeleteBucketTagging" => {
            bucket_mut(state, target)?.tags.clear();
            Ok(done(state, call, target, 204))
        }
        "GetBucketAcl" => {
            let owner = super::buckets::owner(state, &bucket(state, target)?.owner);
            let mut grantee = owner.clone();
            "Grantee".clone_into(&mut grantee.name);
            let grant = Element::new("Grant").with(grantee).text("Permission", "FULL_CONTROL");
            let acl = Element::new("AccessControlPolicy")
                .with(owner)
                .with(Element::new("AccessControlList").with(grant));
            let document = acl.document(crate::xml::S3_NAMESPACE).replace(
                "<Grantee>",
                "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">",
            );
            Ok(Reply::xml(&document))
        }
        other => Err(AwsError::not_implemented("s3", other)),
    }
}

fn done(state: &mut State, call: &Call<'_>, target: &Target, status: u16) -> Reply {
    state.wrote(call, &*target.bucket);
    Reply::empty(status)
}

fn show_block(block: PublicAccessBlock) -> Element {
    Element::new("PublicAccessBlockConfiguration")
        .text("BlockPublicAcls", block.block_public_acls.to_string())
        .text("IgnorePublicAcls", block.ignore_public_acls.to_string())
        .text("BlockPublicPolicy", block.block_public_policy.to_string())
        .text("RestrictPublicBuckets", block.restrict_public_buckets.to_string())
}

fn check_encryption(wanted: &Element) -> Result<(), AwsError> {
    let rules: Vec<_> = wanted.named("Rule").collect();
    let [rule] = rules.as_slice() else { return Err(malformed_xml()) };
    let Some(default) = rule.child("ApplyServerSideEncryptionByDefault") else { return Ok(()) };
    match (default.child_text("SSEAlgorithm"), default.child_text("KMSMasterKeyID")) {
        (Some("AES256"), None) | (Some("aws:kms" | "aws:kms:dsse"), _) => Ok(()),
        (Some("AES256"), Some(_)) => Err(invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )),
        _ => Err(malformed_xml()),
    }
}

/// "PutBucketLifecycleConfiguration": at most 1,000 rules, unique ids, each with a status and an action. Absent ids
/// are made up.
fn check_lifecycle(state: &State, bucket: &str, mut wanted: Element) -> Result<Element, AwsError> {
    let count = wanted.named("Rule").count();
    if count == 0 || wanted.unknown_child(&["Rule"]).is_some() {
        return Err(malformed_xml());
    }
    if count > 1_000 {
        return Err(super::invalid_request(
            "The number of lifecycle rules must not exceed the allowed limit of 1000 rules",
        ));
    }
    let actions = [
        "Expiration",
        "Transition",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransition",
        "AbortIncompleteMultipartUpload",
    ];
    let mut ids = std::collections::BTreeSet::new();
    for (index, rule) in wanted.children.iter_mut().enumerate() {
        if rule
            .unknown_child(
                &["ID", "Filter", "Prefix", "Status"].into_iter().chain(actions).collect::<Vec<_>>(),
            )
            .is_some()
            || !matches!(rule.child_text("Status"), Some("Enabled" | "Disabled"))
            || rule.child("Filter").is_some() == rule.child("Prefix").is_some()
        {
            return Err(malformed_xml());
        }
        if !actions.iter().any(|action| rule.child(action).is_some()) {
            return Err(super::invalid_request("At least one action needs to be specified in a rule"));
        }
        let days = rule
            .named("NoncurrentVersionExpiration")
            .filter_map(|action| action.child_text("NoncurrentDays"));
        if days
            .chain(rule.path_text(&["Expiration", "Days"]))
            .any(|days| !days.parse::<u32>().is_ok_and(|days| days > 0))
        {
            return Err(invalid_argument("'Days' must be a positive integer"));
        }
        if rule.child_text("ID").is_none_or(str::is_empty) {
            let id = crate::world::base32(
                24,
                state.world.settings.seed,
                &["lifecycle", bucket, &index.to_string()],
            );
            rule.children.retain(|child| child.name != "ID");
            rule.children.insert(0, Element::of("ID", id));
        }
        let id = rule.child_text("ID").unwrap_or_default();
        if id.len() > 255 {
            return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
        }
        if !ids.insert(id.to_owned()) {
            return Err(invalid_argument(format!(
                "Rule ID must be unique. Found same ID for more than one rule: {id}"
            )));
        }
    }
    Ok(wanted)
}

/// The target of server access logs is in the same account and region ("Logging requests with server access logging",
/// Amazon S3 User Guide).
fn check_logging(state: &State, target: &Target, wanted: &Element) -> Result<(), AwsError> {
    let Some(enabled) = wanted.child("LoggingEnabled") else { return Ok(()) };
    let source = bucket(state, target)?;
    let name = enabled.child_text("TargetBucket").ok_or_else(malformed_xml)?;
    let invalid = |message: &str| AwsError::new(400, "InvalidTargetBucketForLogging", message);
    let found = state.world.buckets.get(name).filter(|found| found.owner == source.owner);
    let found = found
        .ok_or_else(|| invalid("The target bucket for logging does not exist or is not owned by you"))?;
    if found.region != source.region {
        return Err(AwsError::new(
            403,
            "CrossLocationLoggingProhibited",
            "Cross S3 location logging not allowed.",
        ));
    }
    Ok(())
}
