//! A strict fake of the AWS services that onboarding calls: Organizations, STS, IAM, KMS, SQS, S3 and S3 Control.
//!
//! Strict: it validates as AWS does, merges nothing by itself, lets changes of IAM take effect late, and replicates
//! objects only where roles, policies, keys and buckets allow it. The README has the form of a world, the control
//! endpoint and, for each strictness, the AWS document that describes it.
//!
//! It shares no code with what it tests: its own evaluation of policies, its own XML.

mod auth;
pub mod builder;
mod call;
mod clock;
mod error;
mod faults;
mod http;
mod iam;
mod kms;
pub mod oracle;
mod organizations;
mod policy;
mod replication;
mod s3;
mod s3control;
mod server;
mod sqs;
mod state;
mod sts;
mod world;
mod xml;

pub use self::faults::{Fault, Faults, Latency, Selector, Throttle};
pub use self::server::{Fake, Server};
pub use self::world::{
    AccessKey, Account, AccountState, Bucket, Eventual, FULL_AWS_ACCESS, Kept, Key, KeyState, Message,
    ObjectVersion, Organization, OrganizationalUnit, PublicAccessBlock, Queue, ReplicationStatus,
    ResourcePolicy, Role, ServiceControlPolicy, Settings, User, Versioning, World, WorldError,
};
