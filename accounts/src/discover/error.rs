//! Why discovery stops: nothing has been written by then.

use crate::aws::{CallError, Kind};
use crate::codes::FailureCode;
use crate::ids::{AccountId, Arn};

/// Why the organization could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    #[error(
        "there are no AWS credentials; set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`, and try again"
    )]
    NoCredentials(#[source] Box<CallError>),
    #[error("the AWS credentials have expired; renew them, for instance with `aws sso login`, and try again")]
    Expired(#[source] Box<CallError>),
    #[error("AWS does not accept the credentials; check AWS_PROFILE and the keys, and try again")]
    BadCredentials(#[source] Box<CallError>),
    #[error("{}", not_allowed(account, arn))]
    NotAllowed {
        account: AccountId,
        arn: Arn,
        #[source]
        source: Box<CallError>,
    },
    #[error(
        "{code}: the role {role} was to be in account {expected}, but its credentials are of {found}; check `role` in accounts.toml and who answers at the endpoint: nothing was written",
        code = FailureCode::WrongAccount
    )]
    WrongAccount { role: Arn, expected: AccountId, found: AccountId },
    #[error("the organization has no root; check that its creation is complete")]
    NoRoot,
    #[error("{}", unreadable(.0))]
    Organization(#[source] Box<CallError>),
}

impl DiscoverError {
    /// What the first call of all met.
    pub fn credentials(error: CallError) -> Self {
        match error.kind {
            Kind::NoCredentials => Self::NoCredentials(Box::new(error)),
            Kind::Expired => Self::Expired(Box::new(error)),
            Kind::BadCredentials => Self::BadCredentials(Box::new(error)),
            _ => Self::Organization(Box::new(error)),
        }
    }

    /// The code of reports.
    pub fn code(&self) -> FailureCode {
        match self {
            Self::NotAllowed { .. } => FailureCode::CallerNotAllowed,
            Self::WrongAccount { .. } => FailureCode::WrongAccount,
            Self::Expired(_) => FailureCode::SessionExpired,
            Self::Organization(error) => error.code_of_report(),
            Self::NoCredentials(_) | Self::BadCredentials(_) | Self::NoRoot => FailureCode::Unexpected,
        }
    }
}

impl From<CallError> for DiscoverError {
    fn from(error: CallError) -> Self {
        match error.kind {
            Kind::NoCredentials | Kind::Expired | Kind::BadCredentials => Self::credentials(error),
            _ => Self::Organization(Box::new(error)),
        }
    }
}

/// The cause, which has the answer of AWS, is printed after it.
fn unreadable(error: &CallError) -> String {
    let failure = error.failure();
    format!("{}: the organization cannot be read; {}", failure.code, failure.cure)
}

/// The statement is that of a resource-based delegation policy (Organizations user guide, "Delegated administrator").
fn not_allowed(account: &AccountId, arn: &Arn) -> String {
    let code = FailureCode::CallerNotAllowed;
    format!(
        "{code}: the credentials are of {arn}, and account {account} may not read the organization: it is neither its \
         management account nor a delegated administrator; use credentials of the management account, or attach this \
         statement to the organization's delegation policy there:\n\
         {{\"Sid\": \"WeirDiscover\", \"Effect\": \"Allow\", \"Principal\": {{\"AWS\": \"arn:{partition}:iam::{account}:root\"}}, \
         \"Action\": [\"organizations:Describe*\", \"organizations:List*\"], \"Resource\": \"*\"}}",
        partition = arn.partition()
    )
}
