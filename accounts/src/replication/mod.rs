//! Replication configurations, and the other XML documents of buckets that are replaced as a whole.
//!
//! Contract: rules of others leave a change as they came, element by element, whether or not we know their elements.
//! Ours are known by their ID, which begins with `weir/`. The documents are kept as trees of elements rather than as
//! types: a type drops what it does not know, and S3 would then delete it.

mod element;
mod lifecycle;
mod merge;
mod notification;
mod rule;
#[cfg(test)]
mod tests;

pub use self::element::{Element, XmlError, same_xml};
pub use self::lifecycle::{LIFECYCLE_RULE_ID, expire_noncurrent, keep_lifecycle_of_others};
pub use self::merge::{
    Merged, Overlap, ReplicationConfiguration, ReplicationError, RoleOnConfiguration, Stages, remove, stages,
};
pub use self::notification::{announce_to_queue, announces_to, stop_announcing};
pub use self::rule::{MAX_RULES, RULE_ID_PREFIX, RuleSettings, WantedRules, is_ours, rule_id};
