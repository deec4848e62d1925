//! One call of an operation: by whom, in which region, when.

use std::fmt;

use crate::http::HttpRequest;
use crate::policy::Identity;

/// The services of the fake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Service {
    Organizations,
    Sts,
    Iam,
    Kms,
    Sqs,
    S3,
    S3Control,
}

impl Service {
    /// The service that a SigV4 scope names, at a path.
    pub(crate) fn of_scope(name: &str, path: &str) -> Option<Self> {
        Some(match name {
            "organizations" => Self::Organizations,
            "sts" => Self::Sts,
            "iam" => Self::Iam,
            "kms" => Self::Kms,
            "sqs" => Self::Sqs,
            "s3" if path.starts_with("/v20180820/") => Self::S3Control,
            "s3" => Self::S3,
            _ => return None,
        })
    }

    /// Its name in faults and counts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Organizations => "organizations",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Kms => "kms",
            Self::Sqs => "sqs",
            Self::S3 => "s3",
            Self::S3Control => "s3control",
        }
    }

    /// Whether it has one endpoint for all regions.
    pub(crate) fn is_global(self) -> bool {
        matches!(self, Self::Organizations | Self::Iam)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) service: Service,
    /// The name of the operation in the service's API Reference.
    pub(crate) operation: &'a str,
    /// The region of the endpoint, as signed.
    pub(crate) region: &'a str,
    pub(crate) identity: &'a Identity,
    pub(crate) now_ms: i64,
    pub(crate) request: &'a HttpRequest,
}

impl Call<'_> {
    /// The account that calls.
    pub(crate) fn account(&self) -> &str {
        self.identity.account()
    }
}
