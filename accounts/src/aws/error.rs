//! What a call to AWS answered, sorted by what can be done about it.

use crate::ids::{AccountId, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::fmt;

/// One call, as messages and the audit log name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service's prefix in IAM actions: `s3`, `iam`, `kms`, `organizations`, `sqs`, `sts`.
    pub service: &'static str,
    /// The name of the operation in the API reference.
    pub operation: &'static str,
    /// Whose account it acts in; `None` before it is known.
    pub account: Option<AccountId>,
    pub region: Region,
    /// The bucket, role, key or policy.
    pub resource: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} of {}", self.service, self.operation, self.resource)?;
        if let Some(account) = &self.account {
            write!(f, " in account {account}")?;
        }
        write!(f, " ({})", self.region)
    }
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {kind}: {message}")]
pub struct CallError {
    /// Boxed, as an error should cost little where there is none.
    pub call: Box<Call>,
    pub kind: Kind,
    /// The error code that the service sent.
    pub code: Option<String>,
    /// What the service said.
    pub message: String,
    /// What support at AWS asks for.
    pub request_id: Option<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too many calls: slower.
    Throttled,
    /// Somebody else changes the same thing: again.
    Busy,
    /// A role or its policy is too new: again, for a while.
    NotYet,
    /// A policy of the organization denies it: for good.
    DeniedByOrganization { policy: &'static str },
    /// A policy denies it, or none allows it.
    Denied,
    /// The bucket is in this Region.
    WrongRegion(Region),
    /// There is no such thing.
    NotFound,
    /// There is one already.
    Exists,
    /// The session is over.
    Expired,
    /// The credentials are not valid here.
    BadCredentials,
    /// There are no credentials.
    NoCredentials,
    /// The account has not opted in to the Region.
    RegionDisabled,
    /// The bucket belongs to another account than expected.
    OwnerMismatch,
    /// The service refuses the request itself.
    Rejected,
    /// The service failed.
    ServiceFault,
    /// There was no answer.
    Unreachable,
    /// This program refuses to send or to believe it.
    Ours,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled => f.write_str("throttled"),
            Self::Busy => f.write_str("another change is under way"),
            Self::NotYet => f.write_str("not usable yet"),
            Self::DeniedByOrganization { policy } => write!(f, "denied by a {policy}"),
            Self::Denied => f.write_str("access denied"),
            Self::WrongRegion(region) => write!(f, "it is in {region}"),
            Self::NotFound => f.write_str("not found"),
            Self::Exists => f.write_str("exists already"),
            Self::Expired => f.write_str("the session has expired"),
            Self::BadCredentials => f.write_str("the credentials are not valid"),
            Self::NoCredentials => f.write_str("no credentials"),
            Self::RegionDisabled => f.write_str("the Region is not enabled"),
            Self::OwnerMismatch => f.write_str("another account owns it"),
            Self::Rejected => f.write_str("refused"),
            Self::ServiceFault => f.write_str("the service failed"),
            Self::Unreachable => f.write_str("no answer"),
            Self::Ours => f.write_str("not sent"),
        }
    }
}

impl CallError {
    /// Something that this program found wrong about a call.
    pub fn ours(call: Call, message: impl Into<String>) -> Self {
        Self {
            call: Box::new(call),
            kind: Kind::Ours,
            code: None,
            message: message.into(),
            request_id: None,
            source: None,
        }
    }

    /// The same without a cause, of another kind.
    pub(super) fn of_kind(call: Call, kind: Kind, message: impl Into<String>) -> Self {
        Self {
            call: Box::new(call),
            kind,
            code: None,
            message: message.into(),
            request_id: None,
            source: None,
        }
    }

    /// Sorts what the SDK says.
    pub(super) fn from_sdk<E>(call: Call, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        // An identity that could not be had is a failed call of its own, somewhere below.
        if let Some(inner) = find::<Self>(&error) {
            return Self {
                call: inner.call.clone(),
                kind: inner.kind.clone(),
                code: inner.code.clone(),
                message: inner.message.clone(),
                request_id: inner.request_id.clone(),
                source: None,
            };
        }
        if let Some(credentials) = find::<CredentialsError>(&error) {
            let message = innermost(credentials);
            let kind = match credentials {
                CredentialsError::CredentialsNotLoaded(_) => Kind::NoCredentials,
                _ if says_expired(&message) => Kind::Expired,
                _ => Kind::BadCredentials,
            };
            return Self {
                call: Box::new(call),
                kind,
                code: None,
                message,
                request_id: None,
                source: Some(error.into()),
            };
        }
        let (code, said) = match &error {
            SdkError::ServiceError(answer) => {
                (answer.err().code().map(str::to_owned), answer.err().message().map(str::to_owned))
            }
            _ => (None, None),
        };
        let raw = error.raw_response();
        let status = raw.map(|raw| raw.status().as_u16());
        let header = |name: &str| raw.and_then(|raw| raw.headers().get(name)).map(str::to_owned);
        let request_id = header("x-amzn-requestid").or_else(|| header("x-amz-request-id"));
        let region = header("x-amz-bucket-region").and_then(|region| region.parse::<Region>().ok());
        let message = said.unwrap_or_else(|| innermost(&error));
        let kind = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => Kind::Unreachable,
            SdkError::ConstructionFailure(_) => Kind::Ours,
            _ => classify(&call, code.as_deref(), status, &message, region),
        };
        Self { call: Box::new(call), kind, code, message, request_id, source: Some(error.into()) }
    }

    /// The same, of something that was too new until patience ended.
    #[must_use]
    pub fn not_yet(self) -> Self {
        Self { kind: Kind::NotYet, ..self }
    }

    /// Whether there is just no such thing.
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// Whether the error code is this one.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// What the codes of the seven services mean to us. Sources: the "Common errors" and "Errors" sections of the services'
/// API references, and "Error responses" of the S3 API reference.
fn classify(
    call: &Call,
    code: Option<&str>,
    status: Option<u16>,
    message: &str,
    region: Option<Region>,
) -> Kind {
    let code = code.unwrap_or_default();
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "SlowDown"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "PriorRequestNotComplete" => Kind::Throttled,
        "OperationAborted"
        | "ConcurrentModification"
        | "ConcurrentModificationException"
        | "ConditionalRequestConflict" => Kind::Busy,
        "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" => {
            region.map_or(Kind::Rejected, Kind::WrongRegion)
        }
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => Kind::Expired,
        "RegionDisabledException" | "OptInRequired" | "IllegalLocationConstraintException" => {
            Kind::RegionDisabled
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "AuthFailure"
        | "IncompleteSignature"
        | "InvalidSignatureException" => Kind::BadCredentials,
        "AccessDenied"
        | "AccessDeniedException"
        | "AccessDeniedForDependencyException"
        | "UnauthorizedOperation"
        | "AllAccessDisabled"
        | "AuthorizationError" => denied(message),
        "EntityAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "BucketAlreadyExists"
        | "AlreadyExistsException" => Kind::Exists,
        _ if code.starts_with("NoSuch")
            || code.ends_with("NotFound")
            || code.ends_with("NotFoundError")
            || code.ends_with("NotFoundException")
            || code == "ReplicationConfigurationNotFoundError"
            || code == "AWS.SimpleQueueService.NonExistentQueue"
            || code == "QueueDoesNotExist" =>
        {
            Kind::NotFound
        }
        "" => by_status(call, status, message, region),
        "NotImplemented" => Kind::Rejected,
        _ if status.is_some_and(|status| status >= 500) => Kind::ServiceFault,
        _ => Kind::Rejected,
    }
}

/// HEAD requests answer without a body, so without a code.
fn by_status(call: &Call, status: Option<u16>, message: &str, region: Option<Region>) -> Kind {
    match (status, region) {
        (Some(301 | 307 | 400), Some(region)) if region != call.region => Kind::WrongRegion(region),
        (Some(403), _) => denied(message),
        (Some(404), _) => Kind::NotFound,
        (Some(409), _) => Kind::Busy,
        (Some(429), _) => Kind::Throttled,
        (Some(500..), _) => Kind::ServiceFault,
        _ => Kind::Rejected,
    }
}

/// Whose denial it is: the "access denied error messages" page of the IAM user guide lists the texts.
fn denied(message: &str) -> Kind {
    let message = message.to_ascii_lowercase();
    for policy in ["service control policy", "resource control policy"] {
        if message.contains(policy) {
            return Kind::DeniedByOrganization { policy };
        }
    }
    Kind::Denied
}

fn says_expired(message: &str) -> bool {
    message.to_ascii_lowercase().contains("expired")
}

/// An error and what is below it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The first cause of this type.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref::<T>())
}

/// The text of the last cause: the SDK's own outer texts only say that something failed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, status: u16, message: &str) -> Kind {
        let call = Call {
            service: "s3",
            operation: "PutBucketVersioning",
            account: None,
            region: "eu-west-1".parse().unwrap(),
            resource: "logs".into(),
        };
        classify(
            &call,
            Some(code).filter(|code| !code.is_empty()),
            Some(status),
            message,
            Some("eu-central-1".parse().unwrap()),
        )
    }

    #[test]
    fn codes_are_sorted_by_what_can_be_done() {
        for (code, status, expected) in [
            ("SlowDown", 503, Kind::Throttled),
            ("OperationAborted", 409, Kind::Busy),
            ("PermanentRedirect", 301, Kind::WrongRegion("eu-central-1".parse().unwrap())),
            ("NoSuchBucket", 404, Kind::NotFound),
            ("ServerSideEncryptionConfigurationNotFoundError", 404, Kind::NotFound),
            ("NoSuchEntity", 404, Kind::NotFound),
            ("EntityAlreadyExists", 409, Kind::Exists),
            ("MalformedPolicy", 400, Kind::Rejected),
            ("ExpiredToken", 400, Kind::Expired),
            ("", 301, Kind::WrongRegion("eu-central-1".parse().unwrap())),
            ("", 404, Kind::NotFound),
            ("", 403, Kind::Denied),
            ("InternalError", 500, Kind::ServiceFault),
        ] {
            assert_eq!(kind(code, status, ""), expected, "{code} {status}");
        }
    }

    #[test]
    fn a_denial_names_the_policy_of_the_organization() {
        let said = "User: arn:aws:sts::111122223333:assumed-role/weir-onboarding/weir is not authorized to perform: \
                    s3:PutBucketVersioning on resource: \"arn:aws:s3:::logs\" with an explicit deny in a service control policy";
        assert_eq!(
            kind("AccessDenied", 403, said),
            Kind::DeniedByOrganization { policy: "service control policy" }
        );
        assert_eq!(kind("AccessDenied", 403, "Access Denied"), Kind::Denied);
    }
}
