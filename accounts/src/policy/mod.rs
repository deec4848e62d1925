//! IAM policy documents: read, merged by Sid, built, and asked what they allow.
//!
//! Contract: statements of others leave a merge byte for byte as they came. AWS replaces whole documents, so a
//! statement that we would not carry through exactly would be lost or changed in somebody's bucket. Ours are known by
//! their Sid: `Weir` and an upper-case letter.

mod canonical;
mod destination;
mod document;
mod key;
mod merge;
mod predict;
mod reasons;
mod role;
pub mod simulate;
#[cfg(test)]
mod tests;

pub use self::canonical::{
    BUCKET_POLICY_BYTES, INLINE_POLICY_CHARACTERS, KEY_POLICY_BYTES, canonical_policy, counted_characters,
    equivalent, same_json,
};
pub use self::destination::DestinationAccess;
pub use self::document::{
    CarriedStatement, OwnStatement, PolicyDocument, PolicyError, VERSION, own_document, own_statements_text,
};
pub use self::key::KeyAccess;
pub use self::merge::{Merged, is_ours, merge, remove};
pub use self::predict::{DestinationSide, FailureReason, Prediction, ReplicationPath, SourceSide, predict};
pub use self::reasons::{PolicyOf, Reason, reasons};
pub use self::role::{
    BATCH_PREFIX, INLINE_POLICY_NAME, RoleBucket, inline_policy, role_description, split_into_roles,
    trust_policy,
};
