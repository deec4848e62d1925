//! The fake, spoken to with the AWS SDKs for Rust over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod control;
mod iam;
mod kms;
mod organizations;
mod replication;
mod s3;
mod s3_validation;
mod scale;
mod sqs;
mod sts;
mod support;
