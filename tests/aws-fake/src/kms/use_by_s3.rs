//! The use of keys by S3 on behalf of a caller ("Using server-side encryption with AWS KMS keys", Amazon S3 User Guide).

use super::key_arn;
use crate::call::Call;
use crate::error::AwsError;
use crate::policy::{Context, Subject, authorize};
use crate::s3::Target;
use crate::state::State;
use crate::world::{Bucket, KeyState, World};

/// The ARN of the key that a name stands for: a key id or alias within an account and region, or an ARN of either.
pub(crate) fn resolve(
    world: &World,
    named: &str,
    account: &str,
    region: &str,
    aliases: bool,
) -> Option<String> {
    let (account, region, resource) = match named.strip_prefix("arn:aws:kms:") {
        Some(rest) => {
            let mut parts = rest.splitn(3, ':');
            let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
            (account, region, resource.to_owned())
        }
        None if named.starts_with("alias/") => (account, region, named.to_owned()),
        None => (account, region, format!("key/{named}")),
    };
    let keys = &world.accounts.get(account)?.keys;
    if let Some(id) = resource.strip_prefix("key/") {
        return keys.get(id).filter(|key| key.region == region).map(|key| key_arn(account, &key.region, id));
    }
    let mut named =
        keys.iter().filter(|(_, key)| aliases && key.region == region && key.aliases.contains(&resource));
    named.next().map(|(id, _)| key_arn(account, region, id))
}

/// The ARN of the key that encrypts an object. A key that does not exist keeps the name it was given, so that its use
/// fails.
pub(crate) fn resolve_for_s3(world: &World, named: Option<&str>, bucket: &Bucket, caller: &str) -> String {
    let region = &bucket.region;
    match named {
        Some(named) => resolve(world, named, caller, region, true).unwrap_or_else(|| named.to_owned()),
        // Without a key, the AWS managed one of the account that writes.
        None => resolve(world, "alias/aws/s3", caller, region, true)
            .unwrap_or_else(|| format!("arn:aws:kms:{region}:{caller}:alias/aws/s3")),
    }
}

/// The keys that a key policy may ask for when S3 uses a key for an object of a bucket.
pub(crate) fn context_of_s3(region: &str, caller: &str, target: &Target, bucket_key: bool) -> Context {
    let mut context = Context::default();
    context.set("kms:ViaService", format!("s3.{region}.amazonaws.com"));
    context.set("kms:CallerAccount", caller);
    let arn = if bucket_key {
        format!("arn:aws:s3:::{}", target.bucket)
    } else {
        format!("arn:aws:s3:::{}/{}", target.bucket, target.key)
    };
    context.set("kms:EncryptionContext:aws:s3:arn", arn);
    context.set_all("kms:EncryptionContextKeys", vec!["aws:s3:arn".to_owned()]);
    context
}

/// An error unless a caller may use a key through S3.
pub(crate) fn permit_s3(
    state: &State,
    call: &Call<'_>,
    key: &str,
    target: &Target,
    bucket_key: bool,
    action: &str,
) -> Result<(), AwsError> {
    if key.ends_with(":alias/aws/s3") {
        // The managed key of an account that has none yet: S3 makes it, for that account alone.
        return Ok(());
    }
    let denied = |message: String| AwsError::new(403, "AccessDenied", message);
    let Some((owner, found)) = state.world.key(key) else {
        return Err(AwsError::new(400, "KMS.NotFoundException", format!("Invalid keyId '{key}'")));
    };
    if found.state != KeyState::Enabled {
        return Err(AwsError::new(400, "KMS.DisabledException", format!("{key} is disabled.")));
    }
    if found.region != call.region {
        return Err(AwsError::new(400, "KMS.NotFoundException", format!("Invalid arn {}", found.region)));
    }
    if found.aws_managed {
        return if owner == call.account() { Ok(()) } else { Err(denied("Access Denied".to_owned())) };
    }
    let subject = Subject {
        action,
        resource: key,
        owner,
        policy: Some(&found.policy),
        policy_decides: true,
        context: context_of_s3(call.region, call.account(), target, bucket_key),
    };
    authorize(&state.world, call.now_ms, call.identity, &subject)
        .map_err(|denial| denied(denial.message(call.identity, action, key)))
}
