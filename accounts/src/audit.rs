//! The audit log: every write to AWS, with what was there and what was put, as JSON lines. Never credentials.

use crate::codes::FailureCode;
use crate::ids::{AccountId, Region};
use crate::lines::{Lines, LinesError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    pub time: Timestamp,
    /// The run that wrote.
    pub run: String,
    /// Who asked: the ARN of the caller.
    pub caller: String,
    pub account: AccountId,
    pub region: Region,
    /// `s3`, `iam` or `kms`.
    pub service: String,
    /// The name of the operation in the API reference.
    pub operation: String,
    /// The bucket, role or key.
    pub resource: String,
    /// What was there: a document or a value; null when there was none.
    pub before: Option<String>,
    /// What was put; null when it was removed.
    pub after: Option<String>,
    pub outcome: Outcome,
}

/// How the write ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Done,
    Failed { code: FailureCode, text: String },
}

/// The audit log of a data folder.
#[derive(Debug)]
pub struct Audit(Lines);

/// The name of the file.
pub const FILE_NAME: &str = "audit.jsonl";

impl Audit {
    /// Opens the log of a data folder.
    pub fn open(folder: &Path) -> Result<Self, LinesError> {
        Lines::open(&folder.join(FILE_NAME)).map(Self)
    }

    /// Adds a write; returns when it is on the disk.
    pub async fn add(&self, line: &AuditLine) -> Result<(), LinesError> {
        self.0.append(line).await
    }
}
