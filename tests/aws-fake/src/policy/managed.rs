//! Managed policies: those of an account, and the few of AWS that onboarding meets.

use super::Document;
use crate::world::World;

/// The document of an AWS managed policy ("AWS managed policy reference").
pub(crate) fn aws_managed(arn: &str) -> Option<&'static str> {
    Some(match arn.strip_prefix("arn:aws:iam::aws:policy/")? {
        "AdministratorAccess" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#
        }
        "ReadOnlyAccess" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","iam:Get*","iam:List*","kms:Describe*","kms:Get*","kms:List*","organizations:Describe*","organizations:List*","sqs:Get*","sqs:List*","sqs:Receive*"],"Resource":"*"}]}"#
        }
        "AWSOrganizationsReadOnlyAccess" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["organizations:Describe*","organizations:List*"],"Resource":"*"}]}"#
        }
        "AWSDenyAll" => {
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#
        }
        _ => return None,
    })
}

/// A managed policy by its ARN; `None` if there is none.
pub(crate) fn managed_document(world: &World, arn: &str) -> Option<Document> {
    if let Some(text) = aws_managed(arn) {
        return Document::parse(text).ok();
    }
    let rest = arn.strip_prefix("arn:aws:iam::")?;
    let (account, path) = rest.split_once(":policy/")?;
    let policy = world.accounts.get(account)?.managed_policies.get(path)?;
    Document::parse(&policy.text).ok()
}
