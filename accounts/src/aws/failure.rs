//! From an answer of AWS to the code, the text and the cure of a report.

use super::error::{CallError, Kind};
use crate::codes::FailureCode;
use crate::inventory::Failure;

impl CallError {
    /// As reports have it.
    pub fn failure(&self) -> Failure {
        let code = self.code_of_report();
        Failure {
            code,
            resource: Some(self.call.resource.clone()),
            region: Some(self.call.region.clone()),
            text: self.text(),
            cure: self.cure(code),
        }
    }

    /// The code of a report.
    pub fn code_of_report(&self) -> FailureCode {
        let service = self.call.service;
        let is_member = self.call.account.is_some();
        match &self.kind {
            Kind::Throttled if service == "organizations" => FailureCode::OrganizationsThrottled,
            Kind::Throttled if service == "sts" => FailureCode::StsThrottled,
            Kind::Busy if service == "s3" => FailureCode::OperationAborted,
            Kind::NotYet => FailureCode::RoleNotUsable,
            Kind::DeniedByOrganization { .. } => FailureCode::ScpDeny,
            Kind::Denied if self.call.operation == "AssumeRole" => FailureCode::RoleDenied,
            Kind::Denied if service == "organizations" => FailureCode::CallerNotAllowed,
            Kind::Denied if self.message.to_ascii_lowercase().contains("mfa") => FailureCode::Manual,
            Kind::Denied => FailureCode::AccessDenied,
            Kind::WrongRegion(_) => FailureCode::WrongRegion,
            Kind::NotFound if self.call.operation == "AssumeRole" => FailureCode::RoleMissing,
            Kind::NotFound if service == "organizations" => FailureCode::CallerNotAllowed,
            Kind::NotFound if service == "s3" => FailureCode::BucketGone,
            Kind::NotFound if service == "kms" => FailureCode::KmsKeyUnusable,
            Kind::Expired => FailureCode::SessionExpired,
            Kind::RegionDisabled => FailureCode::RegionDisabled,
            // A token that is good at home and refused elsewhere: that Region is not opted in to.
            Kind::BadCredentials if is_member && service != "sts" => FailureCode::RegionDisabled,
            Kind::OwnerMismatch => FailureCode::OwnerMismatch,
            _ => FailureCode::Unexpected,
        }
    }

    fn text(&self) -> String {
        let code = self.code.as_deref().map_or(String::new(), |code| format!("{code}: "));
        let request = self.request_id.as_deref().map_or(String::new(), |id| format!(" (request {id})"));
        format!("{}: {}: {code}{}{request}", self.call, self.kind, self.message)
    }

    fn cure(&self, code: FailureCode) -> String {
        let call = &self.call;
        let account = call.account.as_ref().map_or("the account", |account| account.as_str());
        let action = format!("{}:{}", call.service, call.operation);
        match code {
            FailureCode::RoleMissing => format!(
                "create the role {} in {account}, for instance with the StackSet that `weir accounts render` writes",
                call.resource
            ),
            FailureCode::RoleDenied => format!(
                "let the trust policy of {} name the caller and the external ID of accounts.toml; if the role does not \
                 exist (AWS does not tell which), create it with the StackSet that `weir accounts render` writes",
                call.resource
            ),
            FailureCode::ScpDeny => format!(
                "exempt the role from the policy for {action}, or exclude {account} in accounts.toml; it is not tried again"
            ),
            FailureCode::CallerNotAllowed => {
                "run it in the management account, or delegate organizations:Describe* and organizations:List* to this \
                 account"
                    .into()
            }
            FailureCode::RegionDisabled => {
                format!("enable {} in account {account}, or leave the Region out in accounts.toml", call.region)
            }
            FailureCode::BucketGone => {
                format!("check the name {}; a bucket that was deleted leaves the plan by itself", call.resource)
            }
            FailureCode::OwnerMismatch => {
                format!("name a bucket of {account}: another account owns {}", call.resource)
            }
            FailureCode::KmsKeyUnusable => format!("check that the key {} exists in {}", call.resource, call.region),
            FailureCode::AccessDenied => format!("allow {action} on {} to the role that was assumed", call.resource),
            FailureCode::RoleNotUsable => "run it again: IAM spreads changes within minutes".into(),
            FailureCode::OperationAborted => "run it again when the other change of the bucket is done".into(),
            FailureCode::StsThrottled => "run it again, or lower assume-role-per-second in accounts.toml".into(),
            FailureCode::OrganizationsThrottled => {
                "run it again, or lower organizations-per-second in accounts.toml".into()
            }
            FailureCode::SessionExpired => "renew the credentials of the caller and run it again".into(),
            FailureCode::Manual => {
                "ask the holder of the MFA device to make the change; then run it again".into()
            }
            _ => match self.kind {
                Kind::Unreachable => "check the network and the endpoint, and run it again".into(),
                Kind::Throttled => "run it again, or lower accounts-at-once in accounts.toml".into(),
                Kind::ServiceFault => "run it again; if it stays, ask AWS with the request's id".into(),
                Kind::BadCredentials | Kind::NoCredentials => "check the credentials of the caller".into(),
                _ => format!("read what {} said above and mend it; then run it again", call.service),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Call;
    use super::*;

    fn failure(service: &'static str, operation: &'static str, kind: Kind) -> Failure {
        let call = Call {
            service,
            operation,
            account: Some("111111111111".parse().unwrap()),
            region: "eu-west-1".parse().unwrap(),
            resource: "thing".into(),
        };
        CallError::of_kind(call, kind, "it said so").failure()
    }

    #[test]
    fn the_code_names_what_a_person_can_do() {
        for (service, operation, kind, code) in [
            ("sts", "AssumeRole", Kind::Denied, FailureCode::RoleDenied),
            ("sts", "AssumeRole", Kind::Throttled, FailureCode::StsThrottled),
            ("organizations", "ListRoots", Kind::Denied, FailureCode::CallerNotAllowed),
            ("s3", "PutBucketVersioning", Kind::Denied, FailureCode::AccessDenied),
            ("s3", "PutBucketVersioning", Kind::DeniedByOrganization { policy: "SCP" }, FailureCode::ScpDeny),
            ("s3", "GetBucketVersioning", Kind::NotFound, FailureCode::BucketGone),
            ("s3", "PutBucketReplication", Kind::Busy, FailureCode::OperationAborted),
            ("s3", "ListBuckets", Kind::BadCredentials, FailureCode::RegionDisabled),
            ("kms", "DescribeKey", Kind::NotFound, FailureCode::KmsKeyUnusable),
        ] {
            let failure = failure(service, operation, kind);
            assert_eq!(failure.code, code);
            assert!(
                failure.text.contains("111111111111") && failure.text.contains("thing"),
                "{}",
                failure.text
            );
            assert!(!failure.cure.is_empty());
        }
    }
}
