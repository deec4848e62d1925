//! `event.category` and `event.type` of an API call.
//!
//! There are far too many calls to list. What a call does is told by the verb that its name begins with; what it does
//! it to, by the service, and for a few services by the name.

use weir_parser_sdk::{Category, Type};

/// A category, and one or two types that ECS allows for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    pub(crate) category: Category,
    pub(crate) types: Types,
}

/// One or two types.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Types {
    types: [Type; 2],
    count: usize,
}

impl Types {
    fn one(kind: Type) -> Self {
        Types { types: [kind, kind], count: 1 }
    }

    pub(crate) fn as_slice(&self) -> &[Type] {
        self.types.get(..self.count).unwrap_or_default()
    }
}

fn one(category: Category, kind: Type) -> Classes {
    Classes { category, types: Types::one(kind) }
}

/// What the verb of a call says it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Read,
    Create,
    Change,
    Delete,
    /// No verb of the table. An action of data or of the service's own, if it says that it is not read-only.
    Other,
}

/// Classifies the call `name` of the service `source` (`eventSource`).
pub(crate) fn classify(source: &str, name: &str, read_only: Option<bool>) -> Classes {
    let service = source.strip_suffix(".amazonaws.com").unwrap_or(source);
    let deed = deed(name, read_only);
    match service {
        "signin" => sign_in(name),
        "sts"
            if name.starts_with("AssumeRole") || matches!(name, "GetFederationToken" | "GetSessionToken") =>
        {
            one(Category::Authentication, Type::Start)
        }
        "sso" | "sso-oauth"
            if matches!(name, "Authenticate" | "Federate" | "GetRoleCredentials" | "CreateToken") =>
        {
            one(Category::Authentication, Type::Start)
        }
        "sso" if name == "Logout" => one(Category::Authentication, Type::End),
        "cognito-idp" if is_cognito_sign_in(name) => one(Category::Authentication, Type::Start),
        "iam" | "sts" | "sso" | "sso-directory" | "identitystore" | "cognito-idp" | "ds" => iam(name, deed),
        "s3" if is_object_call(name) => one(Category::File, kind(deed)),
        "dynamodb" | "rds-data" | "redshift-data" | "athena" | "timestream" if is_data_call(name) => {
            let changes = !matches!(deed, Deed::Read | Deed::Other) || read_only == Some(false);
            one(Category::Database, if changes { Type::Change } else { Type::Access })
        }
        _ => match deed {
            Deed::Other if read_only == Some(true) => one(Category::Api, Type::Access),
            Deed::Other if read_only == Some(false) => one(Category::Api, Type::Change),
            Deed::Other => one(Category::Api, Type::Info),
            deed => one(Category::Configuration, kind(deed)),
        },
    }
}

fn kind(deed: Deed) -> Type {
    match deed {
        Deed::Read => Type::Access,
        Deed::Create => Type::Creation,
        Deed::Change => Type::Change,
        Deed::Delete => Type::Deletion,
        Deed::Other => Type::Info,
    }
}

fn sign_in(name: &str) -> Classes {
    match name {
        "ExitRole" | "Logout" | "SignOut" => one(Category::Authentication, Type::End),
        "CheckMfa" | "CredentialChallenge" => one(Category::Authentication, Type::Info),
        "PasswordUpdated" | "PasswordRecoveryCompleted" => {
            Classes { category: Category::Iam, types: Types { types: [Type::User, Type::Change], count: 2 } }
        }
        "PasswordRecoveryRequested" => one(Category::Iam, Type::User),
        _ => one(Category::Authentication, Type::Start),
    }
}

/// ECS has no `access` in the category `iam`. Roles and policies are `admin`, users and groups have their own type.
fn iam(name: &str, deed: Deed) -> Classes {
    if matches!(deed, Deed::Read | Deed::Other) {
        return one(Category::Iam, Type::Info);
    }
    let has = |part: &str| contains(name, part);
    let subject = if has("Group") {
        Type::Group
    } else if has("User") || has("Password") || has("LoginProfile") || has("AccessKey") || has("MFADevice") {
        Type::User
    } else {
        Type::Admin
    };
    // The account's password policy is no user's password.
    let subject = if has("AccountPasswordPolicy") { Type::Admin } else { subject };
    // What is made for or taken from a user changes the user.
    let change = match name {
        "CreateUser" | "CreateGroup" | "DeleteUser" | "DeleteGroup" => kind(deed),
        _ if subject == Type::Admin => kind(deed),
        _ => Type::Change,
    };
    Classes { category: Category::Iam, types: Types { types: [subject, change], count: 2 } }
}

/// For short texts; the standard library's search prepares itself for long ones.
fn contains(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

fn is_cognito_sign_in(name: &str) -> bool {
    name.ends_with("InitiateAuth") || name.ends_with("RespondToAuthChallenge") || name.starts_with("Login")
}

/// Calls on objects rather than on their bucket.
fn is_object_call(name: &str) -> bool {
    let about_bucket = contains(name, "Bucket")
        || name == "PutObjectLockConfiguration"
        || name == "GetObjectLockConfiguration";
    !about_bucket && (contains(name, "Object") || contains(name, "Upload") || name == "ListParts")
}

/// Calls on rows rather than on their table.
fn is_data_call(name: &str) -> bool {
    contains(name, "Item")
        || contains(name, "Statement")
        || contains(name, "Records")
        || contains(name, "QueryResults")
        || matches!(name, "Query" | "Scan" | "StartQueryExecution" | "ExecuteTransaction" | "ExecuteSql")
}

/// What the verb says; `BatchGetItem` and `AdminDeleteUser` have theirs behind a word that is none.
fn deed(name: &str, read_only: Option<bool>) -> Deed {
    let (mut verb, mut rest) = first_word(name);
    if matches!(verb, "Batch" | "Admin" | "Bulk" | "Transact") {
        (verb, rest) = first_word(rest);
    }
    let deed = match verb {
        "Get" | "List" | "Describe" | "Head" | "Lookup" | "Search" | "Query" | "Scan" | "Select" | "Read"
        | "View" | "Check" | "Download" | "Preview" | "Test" | "Validate" | "Verify" | "Simulate"
        | "Estimate" | "Count" | "Discover" | "Filter" | "Poll" | "Resolve" | "Retrieve" | "Decode"
        | "Detect" | "Evaluate" | "Find" | "Access" | "Is" => Deed::Read,
        "Create" | "Run" | "Allocate" | "Register" | "Import" | "Issue" | "Launch" | "Provision" | "Copy"
        | "Clone" | "Restore" | "Upload" | "Publish" | "Purchase" | "Initiate" | "Open" => Deed::Create,
        "Delete" | "Terminate" | "Deregister" | "Release" | "Purge" | "Unregister" | "Destroy" | "Empty"
        | "Deprovision" => Deed::Delete,
        "Put" | "Update" | "Modify" | "Attach" | "Detach" | "Add" | "Remove" | "Set" | "Enable"
        | "Disable" | "Associate" | "Disassociate" | "Change" | "Reset" | "Tag" | "Untag" | "Start"
        | "Stop" | "Reboot" | "Authorize" | "Revoke" | "Grant" | "Replace" | "Move" | "Rotate"
        | "Schedule" | "Cancel" | "Accept" | "Reject" | "Apply" | "Assign" | "Unassign" | "Activate"
        | "Deactivate" | "Promote" | "Failover" | "Resize" | "Suspend" | "Resume" | "Lock" | "Unlock"
        | "Merge" | "Sync" | "Transfer" | "Leave" | "Invite" | "Write" | "Complete" | "Abort"
        | "Configure" | "Upgrade" | "Edit" | "Extend" | "Increase" | "Decrease" | "Join" | "Subscribe"
        | "Unsubscribe" | "Share" | "Unshare" | "Resync" | "Connect" | "Disconnect" | "Swap" => Deed::Change,
        _ => Deed::Other,
    };
    // PartiQL's verb does not say whether its statement changes anything.
    match (deed, read_only) {
        (Deed::Read, Some(false)) if rest.is_empty() => Deed::Other,
        (deed, _) => deed,
    }
}

/// The first word of a name in CamelCase, and what follows it.
fn first_word(name: &str) -> (&str, &str) {
    let end = name
        .bytes()
        .skip(1)
        .position(|byte| byte.is_ascii_uppercase())
        .map_or(name.len(), |position| position + 1);
    name.split_at_checked(end).unwrap_or((name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(source: &str, name: &str, read_only: Option<bool>) -> (Category, Vec<Type>) {
        let classes = classify(source, name, read_only);
        (classes.category, classes.types.as_slice().to_vec())
    }

    #[test]
    fn calls_are_classified_by_service_and_verb() {
        use Category::{Api, Authentication, Configuration, Database, File, Iam};
        for (source, name, category, types) in [
            ("signin.amazonaws.com", "ConsoleLogin", Authentication, &[Type::Start][..]),
            ("signin.amazonaws.com", "ExitRole", Authentication, &[Type::End]),
            ("signin.amazonaws.com", "PasswordUpdated", Iam, &[Type::User, Type::Change]),
            ("sts.amazonaws.com", "AssumeRoleWithSAML", Authentication, &[Type::Start]),
            ("sts.amazonaws.com", "GetCallerIdentity", Iam, &[Type::Info]),
            ("iam.amazonaws.com", "CreateUser", Iam, &[Type::User, Type::Creation]),
            ("iam.amazonaws.com", "CreateAccessKey", Iam, &[Type::User, Type::Change]),
            ("iam.amazonaws.com", "AddUserToGroup", Iam, &[Type::Group, Type::Change]),
            ("iam.amazonaws.com", "DeleteRole", Iam, &[Type::Admin, Type::Deletion]),
            ("iam.amazonaws.com", "UpdateAccountPasswordPolicy", Iam, &[Type::Admin, Type::Change]),
            ("iam.amazonaws.com", "ListUsers", Iam, &[Type::Info]),
            ("s3.amazonaws.com", "GetObject", File, &[Type::Access]),
            ("s3.amazonaws.com", "DeleteObjects", File, &[Type::Deletion]),
            ("s3.amazonaws.com", "PutBucketPolicy", Configuration, &[Type::Change]),
            ("dynamodb.amazonaws.com", "BatchGetItem", Database, &[Type::Access]),
            ("dynamodb.amazonaws.com", "PutItem", Database, &[Type::Change]),
            ("dynamodb.amazonaws.com", "DescribeTable", Configuration, &[Type::Access]),
            ("ec2.amazonaws.com", "RunInstances", Configuration, &[Type::Creation]),
            ("ec2.amazonaws.com", "TerminateInstances", Configuration, &[Type::Deletion]),
            ("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", Configuration, &[Type::Change]),
            ("lambda.amazonaws.com", "Invoke", Api, &[Type::Info]),
            ("", "", Api, &[Type::Info]),
        ] {
            assert_eq!(classes(source, name, None), (category, types.to_vec()), "{source} {name}");
        }
        assert_eq!(classes("kms.amazonaws.com", "Decrypt", Some(true)), (Api, vec![Type::Access]));
        assert_eq!(classes("bedrock.amazonaws.com", "InvokeModel", Some(false)), (Api, vec![Type::Change]));
    }

    #[test]
    fn words_end_before_capitals() {
        assert_eq!(first_word("DescribeInstances"), ("Describe", "Instances"));
        assert_eq!(first_word("Query"), ("Query", ""));
        assert_eq!(first_word(""), ("", ""));
        assert_eq!(first_word("éA"), ("é", "A"));
    }
}
