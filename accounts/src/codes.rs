//! What can go wrong between an organization and its log account: every code that a report or a plan can hold.
//!
//! The codes are stable: scripts match on them. `docs/onboarding.md` lists them with their cures.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a condition reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The run ends before its next write.
    Run,
    /// The account, or one bucket of it, is left out; the others go on.
    Account,
    /// Nothing is left out: it is said, retried or waited for.
    Nothing,
}

macro_rules! failure_codes {
    ($($(#[$documentation:meta])* $variant:ident = ($text:literal, $case:expr, $reach:ident),)*) => {
        /// A failure, a refusal or a warning, by name. The number of [`FailureCode::case`] is that of the failure list
        /// in `docs/onboarding.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FailureCode {
            $($(#[$documentation])* #[serde(rename = $text)] $variant,)*
        }

        impl FailureCode {
            /// All of them, in the order of their cases.
            pub const ALL: &'static [FailureCode] = &[$(FailureCode::$variant,)*];

            /// As reports and `--json` write it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(FailureCode::$variant => $text,)*
                }
            }

            /// The number in the failure list, 1 to 44. None for what was added later.
            pub fn case(self) -> Option<u8> {
                match self {
                    $(FailureCode::$variant => $case,)*
                }
            }

            /// How far it reaches.
            pub fn reach(self) -> Reach {
                match self {
                    $(FailureCode::$variant => Reach::$reach,)*
                }
            }
        }
    };
}

failure_codes! {
    /// The caller is neither in the management account nor a delegated administrator.
    CallerNotAllowed = ("CALLER_NOT_ALLOWED", Some(1), Run),
    /// Organizations answered "too many requests"; the page is asked for again.
    OrganizationsThrottled = ("ORGANIZATIONS_THROTTLED", Some(2), Nothing),
    /// The account is suspended, closing or not yet active.
    AccountNotActive = ("ACCOUNT_NOT_ACTIVE", Some(3), Account),
    /// The role to assume does not exist.
    RoleMissing = ("ROLE_MISSING", Some(4), Account),
    /// The role exists, but its trust policy or external ID does not fit.
    RoleDenied = ("ROLE_DENIED", Some(5), Account),
    /// Assuming a role led into another account than the one asked for.
    WrongAccount = ("WRONG_ACCOUNT", Some(6), Run),
    /// STS answered "too many requests"; the pace goes down.
    StsThrottled = ("STS_THROTTLED", Some(7), Nothing),
    /// A Region is not opted in, in the member or in the log account.
    RegionDisabled = ("REGION_DISABLED", Some(8), Account),
    /// A service control policy denies an action that is needed.
    ScpDeny = ("SCP_DENY", Some(9), Account),
    /// A control of Control Tower denies replication across Regions.
    CrossRegionDenied = ("CROSS_REGION_DENIED", Some(10), Account),
    /// The destination bucket is Control Tower's own, whose policy may not be changed.
    ControlTowerBucket = ("CONTROL_TOWER_BUCKET", Some(11), Run),
    /// A bucket is not there.
    BucketGone = ("BUCKET_GONE", Some(12), Account),
    /// A bucket of that name belongs to another account.
    OwnerMismatch = ("OWNER_MISMATCH", Some(12), Account),
    /// A bucket is in another Region than assumed; the call is sent there.
    WrongRegion = ("WRONG_REGION", Some(13), Nothing),
    /// The source bucket is not versioned; the plan enables it.
    SourceUnversioned = ("SOURCE_UNVERSIONED", Some(14), Nothing),
    /// A person has to do it, such as a change that MFA delete guards.
    Manual = ("MANUAL", Some(15), Account),
    /// The destination bucket is not versioned, and versioning is not ours to enable.
    DestinationUnversioned = ("DESTINATION_UNVERSIONED", Some(16), Run),
    /// Replication rules of others are there; they are carried through.
    ForeignRules = ("FOREIGN_RULES", Some(17), Nothing),
    /// A role of others is on the replication configuration and cannot serve our rule as it is.
    Conflict = ("CONFLICT", Some(18), Account),
    /// The replication configuration has rules of the first version; converting changes what they do.
    RulesOfVersion1 = ("V1_RULES", Some(19), Account),
    /// The replication configuration would break a limit of S3: rules, ids or priorities.
    RuleLimit = ("RULE_LIMIT", Some(20), Account),
    /// Two rules for the same destination overlap; the priority decides.
    RuleOverlap = ("RULE_OVERLAP", Some(21), Nothing),
    /// Keys do not tell the accounts apart, so one account could overwrite another's logs.
    CollisionRisk = ("COLLISION_RISK", Some(22), Account),
    /// The source has Object Lock, the destination has not.
    ObjectLockMissing = ("OBJECT_LOCK_MISSING", Some(23), Account),
    /// A KMS key is disabled, in another Region, or one that only AWS may grant on.
    KmsKeyUnusable = ("KMS_KEY_UNUSABLE", Some(24), Account),
    /// A condition names an object's encryption context where a Bucket Key sends the bucket's.
    BucketKeyContext = ("BUCKET_KEY_CONTEXT", Some(25), Account),
    /// A bucket policy or key policy would be larger than AWS takes.
    PolicyTooLarge = ("POLICY_TOO_LARGE", Some(26), Account),
    /// A statement of others denies what replication needs.
    PolicyDeny = ("POLICY_DENY", Some(27), Account),
    /// The world changed since the plan was made.
    StalePlan = ("STALE_PLAN", Some(28), Run),
    /// A statement names a role that was deleted and made anew; AWS shows its unique id instead.
    StalePrincipal = ("STALE_PRINCIPAL", Some(29), Nothing),
    /// S3 was busy with another change of the bucket; the call is repeated.
    OperationAborted = ("OPERATION_ABORTED", Some(30), Nothing),
    /// A new role was not usable within a minute.
    RoleNotUsable = ("ROLE_NOT_USABLE", Some(31), Account),
    /// The run was interrupted; the journal knows how far it came.
    Interrupted = ("INTERRUPTED", Some(32), Run),
    /// Credentials ran out; the role is assumed again.
    SessionExpired = ("SESSION_EXPIRED", Some(33), Nothing),
    /// The canary object was not replicated: its status is FAILED.
    CanaryFailed = ("CANARY_FAILED", Some(34), Account),
    /// The canary object is still PENDING after 15 minutes.
    Slow = ("SLOW", Some(35), Account),
    /// Our replica is there, yet the object's status is FAILED because of another destination.
    OtherDestinationFailed = ("OTHER_DESTINATION_FAILED", Some(36), Nothing),
    /// The source bucket holds replicas, which S3 does not replicate again.
    SourceIsReplica = ("SOURCE_IS_REPLICA", Some(37), Account),
    /// The account left the organization.
    LeftOrganization = ("LEFT_ORGANIZATION", Some(38), Account),
    /// Off-boarding leaves rules of others in place.
    ForeignRulesKept = ("FOREIGN_RULES_KEPT", Some(39), Nothing),
    /// Versioning was suspended after onboarding.
    VersioningSuspended = ("VERSIONING_SUSPENDED", Some(40), Account),
    /// The account is outside the organization and named one by one in the bucket policy.
    OutsideOrganization = ("OUTSIDE_ORGANIZATION", Some(41), Nothing),
    /// The destination bucket is Requester Pays, which replication across accounts does not support.
    RequesterPays = ("REQUESTER_PAYS", Some(42), Run),
    /// Objects of the source bucket may belong to other accounts; those are not replicated.
    ForeignObjects = ("FOREIGN_OBJECTS", Some(43), Nothing),
    /// The inline policies of a role would be longer than IAM takes.
    RolePolicyTooLarge = ("ROLE_POLICY_TOO_LARGE", Some(44), Account),
    /// A document cannot be read and written back unchanged.
    CannotRoundTrip = ("CANNOT_ROUND_TRIP", None, Account),
    /// The same logs arrive twice, as an organization trail delivers them centrally.
    DoubleIngestion = ("DOUBLE_INGESTION", None, Nothing),
    /// AWS denies a call, and no policy that we know of says why.
    AccessDenied = ("ACCESS_DENIED", None, Account),
    /// The destination's queue is not told of new objects.
    NotificationMissing = ("NOTIFICATION_MISSING", None, Account),
    /// The predicted replication would fail: a permission is missing.
    ReplicationDenied = ("REPLICATION_DENIED", None, Account),
    /// A bucket has no destination for its Region.
    NoDestination = ("NO_DESTINATION", None, Account),
    /// The source bucket is the destination bucket, or in its account.
    SourceIsDestination = ("SOURCE_IS_DESTINATION", None, Nothing),
    /// Nothing in the account fits accounts.toml.
    NothingSelected = ("NOTHING_SELECTED", None, Nothing),
    /// Sampled keys lie outside of what is replicated.
    KeysOutsidePrefix = ("KEYS_OUTSIDE_PREFIX", None, Nothing),
    /// Any other answer of AWS; the text names it.
    Unexpected = ("UNEXPECTED", None, Account),
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_has_a_code_and_every_code_a_text_of_its_own() {
        let cases: BTreeSet<u8> = FailureCode::ALL.iter().filter_map(|code| code.case()).collect();
        assert_eq!(cases, (1..=44).collect());
        let texts: BTreeSet<&str> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), FailureCode::ALL.len());
        for code in FailureCode::ALL {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
        }
    }

    #[test]
    fn the_documentation_lists_every_code_with_its_case() {
        let documentation = include_str!("../../docs/onboarding.md");
        for code in FailureCode::ALL {
            let case = code.case().map_or_else(String::new, |case| format!("{case} "));
            assert!(documentation.contains(&format!("\n| {case}| `{code}` | ")), "{code}");
        }
    }
}
