//! Who may encrypt replicas with the destination's key.

use super::destination::DestinationAccess;
use super::document::OwnStatement;
use crate::ids::Region;

/// What the policy of a destination's key has to allow.
#[derive(Debug, Clone, Copy)]
pub struct KeyAccess<'a> {
    pub destination: &'a DestinationAccess<'a>,
    /// Of the key and the bucket.
    pub region: &'a Region,
}

impl KeyAccess<'_> {
    /// Our statements for the key policy: only through S3, only for this bucket.
    ///
    /// The encryption context is the object's ARN, or the bucket's when source or destination has a Bucket Key (S3 User
    /// Guide, "Replicating encrypted objects"). Both are allowed: a Bucket Key may be switched on at any time, and the
    /// bucket's policy is what keeps accounts apart. A Bucket Key needs `kms:Decrypt` too.
    pub fn statements(&self) -> Vec<OwnStatement> {
        let destination = self.destination;
        let mut contexts: Vec<String> =
            destination.all_patterns().into_iter().map(|pattern| destination.objects(pattern)).collect();
        if contexts.is_empty() {
            return Vec::new();
        }
        contexts.insert(0, destination.bucket_arn());
        let via = format!("s3.{}.{}", self.region, destination.partition.dns_suffix());
        let statement = |sid: &str, principals: Vec<String>| {
            OwnStatement::allow(
                sid,
                vec!["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"],
                vec!["*".to_owned()],
            )
            .principal("AWS", principals)
            .condition("StringEquals", "kms:ViaService", vec![via.clone()])
            .condition("StringLike", "kms:EncryptionContext:aws:s3:arn", contexts.clone())
            .condition("ArnLike", "aws:PrincipalArn", destination.role_patterns())
        };
        let mut statements = vec![statement("WeirEncryptReplicas", vec!["*".to_owned()]).condition(
            "StringEquals",
            "aws:PrincipalOrgID",
            vec![destination.organization.to_string()],
        )];
        if !destination.outside.is_empty() {
            let accounts = destination.outside.iter().map(ToString::to_string).collect();
            statements.push(statement("WeirEncryptReplicasOutside", accounts));
        }
        statements
    }
}
