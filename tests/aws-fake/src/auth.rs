//! Who calls: from the SigV4 `Authorization` header and the session token.
//!
//! The signature itself is not verified: the fake knows no secrets. What the header says of the key, the region and
//! the service is taken as true ("AWS Signature Version 4 for API requests", IAM User Guide).

use std::collections::HashMap;

use crate::call::Service;
use crate::error::AwsError;
use crate::http::HttpRequest;
use crate::policy::Identity;
use crate::world::{AccountState, World, is_opt_in};

/// What the `Authorization` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// Reads the header, if there is one.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        let header = request.header("authorization")?;
        let rest = header
            .strip_prefix("AWS4-HMAC-SHA256")
            .or_else(|| header.strip_prefix("AWS4-ECDSA-P256-SHA256"))?;
        let credential = rest.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
        let mut parts = credential.split('/');
        let access_key = parts.next()?.to_owned();
        let _date = parts.next()?;
        let region = parts.next()?.to_owned();
        let service = parts.next()?.to_owned();
        Some(Self { access_key, region, service })
    }
}

/// Temporary credentials that STS gave.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) identity: Identity,
    pub(crate) token: String,
    pub(crate) expires_ms: i64,
    /// Whether the token came from the global endpoint and is not valid in opt-in regions.
    pub(crate) global: bool,
}

/// What can be wrong with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    Missing,
    UnknownKey,
    WrongToken,
    Expired,
    RegionDisabled,
}

/// Finds the caller.
pub(crate) fn identify(
    world: &World,
    sessions: &HashMap<String, Session>,
    now_ms: i64,
    service: Service,
    scope: Option<&Scope>,
    request: &HttpRequest,
) -> Result<Identity, AwsError> {
    find(world, sessions, now_ms, service, scope, request).map_err(|problem| problem.error(service))
}

fn find(
    world: &World,
    sessions: &HashMap<String, Session>,
    now_ms: i64,
    service: Service,
    scope: Option<&Scope>,
    request: &HttpRequest,
) -> Result<Identity, Problem> {
    let scope = scope.ok_or(Problem::Missing)?;
    let token = request.header("x-amz-security-token");
    let identity = if let Some(session) = sessions.get(&scope.access_key) {
        if token != Some(session.token.as_str()) {
            return Err(Problem::WrongToken);
        }
        if now_ms >= session.expires_ms {
            return Err(Problem::Expired);
        }
        if session.global && is_opt_in(&scope.region) && !service.is_global() {
            return Err(Problem::WrongToken);
        }
        session.identity.clone()
    } else {
        let found = world.accounts.iter().find_map(|(id, account)| {
            account.access_keys.get(&scope.access_key).map(|key| (id, account, key))
        });
        let (id, account, key) = found.ok_or(Problem::UnknownKey)?;
        if token != key.session_token.as_deref() {
            return Err(Problem::WrongToken);
        }
        if key.expires_ms.is_some_and(|expires| now_ms >= expires) {
            return Err(Problem::Expired);
        }
        match key.principal.split_once('/') {
            None => Identity::Root { account: id.clone() },
            Some(("user", name)) => Identity::User { account: id.clone(), name: name.to_owned() },
            Some((_, name)) => Identity::Role {
                account: id.clone(),
                name: name.to_owned(),
                unique_id: account.roles.get(name).map(|role| role.unique_id.clone()).unwrap_or_default(),
                session: "fixed".to_owned(),
                session_policy: None,
            },
        }
    };
    let state = world.accounts.get(identity.account()).map(|account| account.state);
    if !matches!(state, Some(AccountState::Active | AccountState::PendingClosure)) {
        return Err(Problem::UnknownKey);
    }
    if !service.is_global() && !world.region_enabled(identity.account(), &scope.region) {
        return Err(Problem::RegionDisabled);
    }
    Ok(identity)
}

impl Problem {
    /// The error of a service: query services, JSON services and S3 each have codes of their own ("Common errors" of
    /// each API Reference; "Error responses", Amazon S3 API Reference).
    fn error(self, service: Service) -> AwsError {
        let json = matches!(service, Service::Organizations | Service::Kms | Service::Sqs);
        let s3 = matches!(service, Service::S3 | Service::S3Control);
        let invalid = "The security token included in the request is invalid.";
        match self {
            Self::Missing if s3 => AwsError::new(403, "AccessDenied", "Access Denied"),
            Self::Missing if json => {
                AwsError::new(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
            }
            Self::Missing => {
                AwsError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
            }
            Self::UnknownKey if s3 => AwsError::new(
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
            Self::WrongToken | Self::RegionDisabled if s3 => {
                AwsError::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
            }
            Self::Expired if s3 => AwsError::new(400, "ExpiredToken", "The provided token has expired."),
            Self::Expired if json => AwsError::new(
                400,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            Self::Expired => {
                AwsError::new(403, "ExpiredToken", "The security token included in the request is expired")
            }
            Self::UnknownKey | Self::WrongToken | Self::RegionDisabled if json => {
                AwsError::new(400, "UnrecognizedClientException", invalid)
            }
            Self::UnknownKey | Self::WrongToken | Self::RegionDisabled => {
                AwsError::new(403, "InvalidClientTokenId", invalid)
            }
        }
    }
}
