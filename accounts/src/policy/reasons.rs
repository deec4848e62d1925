//! Why each permission that we ask for is needed: what a reviewer of the policies reads, and a test enforces.

/// Whose policy an action is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyOf {
    /// The role that S3 replicates with, in every member.
    ReplicationRole,
    /// The bucket policy of a destination.
    DestinationBucket,
    /// The key policy of a destination.
    DestinationKey,
    /// The role that `weir accounts` assumes in every member.
    MemberRole,
    /// The role that it assumes in the log account.
    LogAccountRole,
    /// Whoever runs it, in the management account or a delegated administrator.
    Caller,
}

/// An action and what breaks without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    pub action: &'static str,
    pub why: &'static str,
    /// Whether it changes anything.
    pub writes: bool,
}

const fn read(action: &'static str, why: &'static str) -> Reason {
    Reason { action, why, writes: false }
}

const fn write(action: &'static str, why: &'static str) -> Reason {
    Reason { action, why, writes: true }
}

const REPLICATION_ROLE: &[Reason] = &[
    read("s3:GetReplicationConfiguration", "S3 reads the rules that it carries out"),
    read("s3:ListBucket", "S3 looks for versions of the source bucket"),
    read("s3:GetObjectVersionForReplication", "S3 reads the object, also one encrypted with KMS"),
    read("s3:GetObjectVersionAcl", "S3 reads the ACL, without which it does not replicate the object"),
    read("s3:GetObjectVersionTagging", "S3 reads the object's tags"),
    write("s3:ReplicateObject", "S3 writes the replica"),
    write("s3:ReplicateTags", "S3 writes the replica's tags"),
    write("s3:ObjectOwnerOverrideToBucketOwner", "the log account owns the replica, as the rule says"),
    read("s3:GetBucketVersioning", "S3 checks that the destination is versioned"),
    read("s3:GetObjectRetention", "a source with Object Lock: S3 reads the retention"),
    read("s3:GetObjectLegalHold", "a source with Object Lock: S3 reads the legal hold"),
    read("kms:Decrypt", "S3 reads objects encrypted with the source's key, and checks a Bucket Key"),
    write("kms:Encrypt", "S3 encrypts the replica with the destination's key"),
    write(
        "kms:GenerateDataKey",
        "S3 encrypts a replica whose source was not encrypted with KMS, or with a Bucket Key",
    ),
    write("s3:InitiateReplication", "existing objects: S3 Batch Replication starts their replication"),
    write("s3:PutInventoryConfiguration", "existing objects: S3 makes the list of objects itself"),
    read("s3:GetObject", "existing objects: S3 Batch Operations reads the list"),
    read("s3:GetObjectVersion", "existing objects: S3 Batch Operations reads the list's version"),
    write("s3:PutObject", "existing objects: S3 Batch Operations writes list and report"),
];

const DESTINATION_BUCKET: &[Reason] = &[
    write("s3:ReplicateObject", "the bucket lets the replica in"),
    write("s3:ReplicateTags", "the bucket lets the replica's tags in"),
    write("s3:ObjectOwnerOverrideToBucketOwner", "the bucket takes ownership of the replica"),
    read("s3:GetBucketVersioning", "the bucket lets S3 check its versioning"),
];

const DESTINATION_KEY: &[Reason] = &[
    write("kms:Encrypt", "the key encrypts the replica"),
    write(
        "kms:GenerateDataKey",
        "the key encrypts a replica whose source was not encrypted with KMS, or with a Bucket Key",
    ),
    read("kms:Decrypt", "a Bucket Key is checked before it is used"),
];

const MEMBER_ROLE: &[Reason] = &[
    read("s3:ListAllMyBuckets", "finds the account's buckets"),
    read("s3:GetBucketLocation", "finds a bucket's Region"),
    read("s3:ListBucket", "looks at some keys, for layout and coverage"),
    read("s3:GetBucketVersioning", "replication needs it enabled"),
    read("s3:GetReplicationConfiguration", "rules of others are carried through, and ours read back"),
    read("s3:GetEncryptionConfiguration", "objects encrypted with KMS need more permissions"),
    read(
        "s3:GetBucketObjectLockConfiguration",
        "a destination without Object Lock cannot take replicas of such a bucket",
    ),
    read("s3:GetBucketOwnershipControls", "objects of other accounts are not replicated"),
    read("s3:GetLifecycleConfiguration", "lifecycle rules of others are carried through"),
    read("s3:GetBucketPolicy", "a statement may deny what replication needs"),
    read("s3:GetBucketLogging", "tells where server access logs go"),
    read("s3:GetObject", "reads the replication status of canaries and samples"),
    read("s3:GetObjectVersion", "reads the replication status of one version of a canary"),
    write("s3:PutBucketVersioning", "replication needs it enabled"),
    write("s3:PutLifecycleConfiguration", "lets old versions go, once versioning is enabled"),
    write("s3:PutReplicationConfiguration", "puts and removes our rules"),
    write("s3:PutObject", "writes canaries under the canary prefix"),
    read("iam:GetRole", "the replication role is compared with what it should be"),
    read("iam:ListRolePolicies", "finds inline policies, which count against a quota"),
    read("iam:GetRolePolicy", "predicts whether replication works"),
    read("iam:ListAttachedRolePolicies", "predicts whether replication works with a role of others"),
    read("iam:GetPolicy", "finds the version of an attached policy that is in force"),
    read("iam:GetPolicyVersion", "predicts whether replication works with a role of others"),
    write("iam:CreateRole", "makes the replication role"),
    write("iam:TagRole", "marks the replication role as managed"),
    write("iam:UpdateAssumeRolePolicy", "mends the replication role's trust policy"),
    write("iam:PutRolePolicy", "gives the replication role its permissions"),
    write("iam:DeleteRolePolicy", "off-boarding takes them back"),
    write("iam:DeleteRole", "off-boarding removes the replication role"),
    write("iam:PassRole", "S3 asks for it when a replication configuration names a role"),
    write("kms:GenerateDataKey", "writes canaries where the bucket encrypts with a key of KMS"),
    read("kms:DescribeKey", "finds whether the source's key can be used"),
    read("kms:GetKeyPolicy", "predicts whether the replication role may decrypt"),
    write("s3:CreateJob", "existing objects: starts S3 Batch Replication"),
    read("s3:DescribeJob", "existing objects: follows the job"),
];

const LOG_ACCOUNT_ROLE: &[Reason] = &[
    read("s3:GetBucketLocation", "finds whether the bucket is where accounts.toml says"),
    read("s3:ListBucket", "looks for replicas, and for trails that deliver centrally"),
    read("s3:GetObject", "reads the replica of a canary"),
    read("s3:GetObjectVersion", "reads one version of the replica of a canary"),
    read("s3:GetBucketVersioning", "replication needs it enabled"),
    read("s3:GetBucketOwnershipControls", "replicas are to belong to the log account"),
    read("s3:GetBucketPublicAccessBlock", "the bucket is never public"),
    read("s3:GetBucketPolicy", "statements of others are carried through"),
    read("s3:GetEncryptionConfiguration", "tells the key of the bucket"),
    read("s3:GetBucketObjectLockConfiguration", "replicas of locked objects need it"),
    read("s3:GetBucketRequestPayment", "a Requester Pays bucket takes no replicas of other accounts"),
    read("s3:GetBucketNotification", "new objects are announced to a queue"),
    read("s3:GetLifecycleConfiguration", "lifecycle rules are shown, and kept"),
    read("s3:GetReplicationConfiguration", "a chain of replications breaks"),
    write("s3:PutBucketVersioning", "replication needs it enabled"),
    write("s3:PutBucketOwnershipControls", "replicas belong to the log account"),
    write("s3:PutBucketPublicAccessBlock", "the bucket is never public"),
    write("s3:PutBucketPolicy", "lets members replicate"),
    write("s3:DeleteBucketPolicy", "off-boarding removes a policy that held nothing but our statements"),
    write("s3:PutBucketNotification", "announces new objects to the queue"),
    read("kms:DescribeKey", "finds whether the key can be used"),
    read("kms:GetKeyPolicy", "statements of others are carried through"),
    write("kms:PutKeyPolicy", "lets members encrypt replicas"),
    read("sqs:GetQueueUrl", "finds the queue by its name"),
    read("sqs:GetQueueAttributes", "finds whether the bucket may announce new objects"),
];

const CALLER: &[Reason] = &[
    read("organizations:DescribeOrganization", "finds the organization and its management account"),
    read("organizations:ListRoots", "starts the walk of the tree"),
    read("organizations:ListOrganizationalUnitsForParent", "finds the units of the tree"),
    read("organizations:ListAccountsForParent", "tells the unit of each account in one call per unit"),
    read("organizations:ListAccounts", "finds every account and its state"),
    read("organizations:ListTagsForResource", "selects accounts by tag"),
    read("organizations:ListPolicies", "finds the organization's policies"),
    read("organizations:ListPoliciesForTarget", "predicts what a policy denies"),
    read("organizations:ListTargetsForPolicy", "predicts what a policy denies, in one call per policy"),
    read("organizations:DescribePolicy", "predicts what a policy denies"),
    write("sts:AssumeRole", "enters the members and the log account"),
];

/// The actions of a policy, each with its reason.
pub fn reasons(of: PolicyOf) -> &'static [Reason] {
    match of {
        PolicyOf::ReplicationRole => REPLICATION_ROLE,
        PolicyOf::DestinationBucket => DESTINATION_BUCKET,
        PolicyOf::DestinationKey => DESTINATION_KEY,
        PolicyOf::MemberRole => MEMBER_ROLE,
        PolicyOf::LogAccountRole => LOG_ACCOUNT_ROLE,
        PolicyOf::Caller => CALLER,
    }
}
