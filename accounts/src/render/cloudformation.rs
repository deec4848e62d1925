//! CloudFormation: what it can do without touching what others own.

use super::RenderError;
use super::output::Rendered;
use super::wanted::{Covered, Document, Wanted, WantedDestination, WantedMember, WantedRole};
use crate::desired::ROLE_PATH;
use crate::inventory::EncryptionAlgorithm;
use crate::policy::{INLINE_POLICY_NAME, role_description};
use serde_json::{Map, Value, json};

/// CloudFormation takes templates of 1 MB from a bucket; what is left is for StackSets' own additions.
const TEMPLATE_BYTES: usize = 900_000;

/// CloudFormation takes 500 resources in a template.
const TEMPLATE_RESOURCES: usize = 480;

/// Writes the templates. The answer is what they do.
pub(super) fn write(wanted: &Wanted<'_>, rendered: &mut Rendered) -> Result<Covered, RenderError> {
    let mut covered = Covered::default();
    for destination in &wanted.destinations {
        if let Some(template) = log_account(wanted, destination, &mut covered)? {
            rendered.add_json(format!("log-account-{}.json", destination.region), &template);
        }
        note_existing_policy(destination, rendered);
    }
    for (number, template) in members(wanted, &mut covered)?.iter().enumerate() {
        rendered.add_json(format!("members-{}.json", number + 1), template);
    }
    for member in &wanted.members {
        for role in member.roles.iter().filter(|role| role.exists && role.trust.is_some()) {
            rendered.notes.push(format!(
                "the role {} is there already: unless a stack of this StackSet made it, import it into the stack (`aws cloudformation create-change-set --change-set-type IMPORT`), as creating it would fail",
                role.arn
            ));
        }
    }
    Ok(covered)
}

/// The JSON of a policy.
pub(super) fn policy(text: &str, resource: &dyn std::fmt::Display) -> Result<Value, RenderError> {
    serde_json::from_str(text).map_err(|source| RenderError::Json { resource: resource.to_string(), source })
}

fn managed_tags() -> Value {
    json!([{ "Key": "weir:managed", "Value": "true" }])
}

/// The stack for one Region of the log account; none when nothing is left to a stack.
fn log_account(
    wanted: &Wanted<'_>,
    destination: &WantedDestination<'_>,
    covered: &mut Covered,
) -> Result<Option<Value>, RenderError> {
    let name = &destination.bucket.name;
    let mut resources = Map::new();
    if destination.is_missing {
        resources.insert("Bucket".to_owned(), bucket(destination));
        covered.add_bucket("PutBucketNotificationConfiguration", name);
    }
    if let Some(document) = destination.policy.filter(|document| !document.carries) {
        let bucket = if destination.is_missing { json!({ "Ref": "Bucket" }) } else { json!(name) };
        resources.insert(
            "BucketPolicy".to_owned(),
            json!({
                "Type": "AWS::S3::BucketPolicy",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": { "Bucket": bucket, "PolicyDocument": policy(document.text, name)? },
            }),
        );
        covered.add_bucket("PutBucketPolicy", name);
    }
    if resources.is_empty() {
        return Ok(None);
    }
    Ok(Some(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("Weir, account {}: the destination of {}", wanted.log_account, destination.region),
        "Resources": resources,
    })))
}

/// A bucket that is not there yet, as `weir accounts` wants destinations.
fn bucket(destination: &WantedDestination<'_>) -> Value {
    let encryption = &destination.bucket.encryption;
    let default = match (&encryption.key, encryption.algorithm) {
        (Some(key), EncryptionAlgorithm::SseKms | EncryptionAlgorithm::DsseKms) => {
            json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key })
        }
        _ => json!({ "SSEAlgorithm": "AES256" }),
    };
    let mut properties = json!({
        "BucketName": destination.bucket.name,
        "VersioningConfiguration": { "Status": "Enabled" },
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true,
            "IgnorePublicAcls": true,
            "BlockPublicPolicy": true,
            "RestrictPublicBuckets": true,
        },
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                { "ServerSideEncryptionByDefault": default, "BucketKeyEnabled": encryption.bucket_key },
            ],
        },
        "LifecycleConfiguration": {
            "Rules": [{
                "Id": "noncurrent-versions",
                "Status": "Enabled",
                "NoncurrentVersionExpiration": { "NoncurrentDays": 30 },
                "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 },
            }],
        },
        "Tags": managed_tags(),
    });
    if let (Some(queue), Some(fields)) = (destination.queue, properties.as_object_mut()) {
        let configuration =
            json!({ "QueueConfigurations": [{ "Event": "s3:ObjectCreated:*", "Queue": queue }] });
        fields.insert("NotificationConfiguration".to_owned(), configuration);
    }
    json!({
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    })
}

fn note_existing_policy(destination: &WantedDestination<'_>, rendered: &mut Rendered) {
    let name = &destination.bucket.name;
    match destination.policy {
        Some(Document { carries: true, .. }) => rendered.notes.push(format!(
            "the policy of bucket {name} has statements of others, which a stack would own and could delete: where it has to change, the bundle puts it"
        )),
        Some(Document { exists: true, .. }) => rendered.notes.push(format!(
            "bucket {name} has a policy already: unless your stack made it, import it (`aws cloudformation create-change-set --change-set-type IMPORT`), as creating it would fail"
        )),
        _ => {}
    }
}

/// The StackSet's templates: every account finds its own roles by its id. More than one when one would be too large.
fn members(wanted: &Wanted<'_>, covered: &mut Covered) -> Result<Vec<Value>, RenderError> {
    let mut templates = Vec::new();
    let mut conditions = Map::new();
    let mut resources = Map::new();
    let mut size = 0;
    for member in wanted.members.iter().filter(|member| !member.roles.is_empty()) {
        let (condition, own) = member_resources(member)?;
        let bytes: usize = own.iter().map(|(_, resource)| bytes_in_template(resource)).sum();
        let is_full = size + bytes > TEMPLATE_BYTES || resources.len() + own.len() > TEMPLATE_RESOURCES;
        if is_full && !resources.is_empty() {
            templates
                .push(members_template(&std::mem::take(&mut conditions), std::mem::take(&mut resources)));
            size = 0;
        }
        size += bytes;
        conditions.insert(condition, json!({ "Fn::Equals": [{ "Ref": "AWS::AccountId" }, member.id] }));
        resources.extend(own);
        for role in &member.roles {
            for operation in ["CreateRole", "UpdateAssumeRolePolicy", "PutRolePolicy"] {
                covered.add(operation, &role.arn);
            }
        }
    }
    if !resources.is_empty() {
        templates.push(members_template(&conditions, resources));
    }
    Ok(templates)
}

/// What a resource takes in the file: its lines are indented, its name and its condition's come on top.
fn bytes_in_template(resource: &Value) -> usize {
    let text = format!("{resource:#}");
    text.len() + 4 * text.lines().count() + 256
}

fn members_template(conditions: &Map<String, Value>, mut resources: Map<String, Value>) -> Value {
    // A stack must have a resource also in an account that joined later and has none here.
    resources.insert("Nothing".to_owned(), json!({ "Type": "AWS::CloudFormation::WaitConditionHandle" }));
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Weir, members: the roles that S3 replicates logs with. Roles are global: deploy it in one Region.",
        "Conditions": conditions,
        "Resources": resources,
    })
}

fn member_resources(member: &WantedMember<'_>) -> Result<(String, Vec<(String, Value)>), RenderError> {
    let condition = format!("Account{}", member.id);
    let mut resources = Vec::new();
    for (number, role) in member.roles.iter().enumerate() {
        let resource = role_resource(role, &condition)?;
        resources.push((format!("Role{}No{}", member.id, number + 1), resource));
    }
    Ok((condition, resources))
}

fn role_resource(role: &WantedRole<'_>, condition: &str) -> Result<Value, RenderError> {
    let document = policy(role.policy, role.arn)?;
    let Some(trust) = role.trust else {
        return Ok(json!({
            "Type": "AWS::IAM::RolePolicy",
            "Condition": condition,
            "Properties": { "RoleName": role.name, "PolicyName": INLINE_POLICY_NAME, "PolicyDocument": document },
        }));
    };
    Ok(json!({
        "Type": "AWS::IAM::Role",
        "Condition": condition,
        // Rules whose role is gone lose objects; off-boarding removes both.
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "RoleName": role.name,
            "Path": ROLE_PATH,
            "Description": role_description(),
            "AssumeRolePolicyDocument": policy(trust, role.arn)?,
            "Policies": [{ "PolicyName": INLINE_POLICY_NAME, "PolicyDocument": document }],
            "Tags": managed_tags(),
        },
    }))
}
