//! Calls to AWS: one narrow trait per service, with the calls that onboarding makes and no other.
//!
//! [`Connection`] holds what the process shares (the HTTP connections, the caller's credentials, the pace towards
//! Organizations and STS), [`Session`] what one account has of its own: its credentials, its retry quota, the Regions of
//! its buckets. One account that is throttled or denied therefore costs the others nothing.
//!
//! Everything that a call can meet is sorted in [`CallError`]; what may succeed a moment later is tried again here, so
//! that the steps above see an answer or a reason.

mod credentials;
mod error;
mod failure;
mod iam;
mod kms;
mod organizations;
mod pace;
mod raw;
mod s3;
mod s3control;
mod session;
mod sqs;
mod sts;

pub use error::{Call, CallError, Kind};
pub use iam::Iam;
pub use kms::{KeyFacts, Kms};
pub use organizations::{AccountFacts, OrganizationFacts, Organizations, OuFacts, PolicyFacts, RootFacts};
pub use s3::{Bucket, BucketFacts, Calls as S3, EncryptionFacts, ObjectFacts, S3Read, S3Write};
pub use s3control::S3Control;
pub use session::{Connection, NoRegion, Options, Session};
pub use sqs::Sqs;
pub use sts::{CallerFacts, Sts};
