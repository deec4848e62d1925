//! Decisions over a small world: an organization of a management account and two members, and a stranger.

use super::*;
use crate::world::Account;

const WORLD: &str = r#"{
  "settings": {"iam_lag_s": 10},
  "organization": {
    "id": "o-test", "management_account": "100000000000",
    "units": {"ou-a": {"name": "a", "parent": "r-ab12", "policies": ["p-FullAWSAccess", "p-deny"]}},
    "policies": {"p-deny": {"name": "deny", "content": {"Version":"2012-10-17","Statement":[
      {"Sid":"NoDelete","Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]}}}
  },
  "accounts": {
    "100000000000": {"parent": "r-ab12", "roles": {"admin": {"trust": {}, "inline_policies": {"p":
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}}}}},
    "111111111111": {"parent": "ou-a", "roles": {"weir-replication": {"path": "/weir/", "inline_policies": {"p":
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}}}, "empty": {}}},
    "222222222222": {"parent": "r-ab12", "roles": {"weir-replication": {"path": "/weir/", "inline_policies": {"p":
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}}}}},
    "999999999999": {"roles": {"weir-replication": {"path": "/weir/", "inline_policies": {"p":
      {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}}}}}
  }
}"#;

/// The policy of constant size: each account writes below its own id.
const DESTINATION: &str = r#"{"Version":"2012-10-17","Statement":[{
  "Sid":"WeirReplicate","Effect":"Allow","Principal":"*","Action":"s3:ReplicateObject",
  "Resource":"arn:aws:s3:::logs/AWSLogs/${aws:PrincipalAccount}/*",
  "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-test"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/weir/*"}}}]}"#;

fn world() -> World {
    World::from_json(WORLD.as_bytes()).unwrap()
}

fn role(world: &World, account: &str, name: &str) -> Identity {
    Identity::Role {
        account: account.to_owned(),
        name: name.to_owned(),
        unique_id: world.accounts[account].roles[name].unique_id.clone(),
        session: "s".to_owned(),
        session_policy: None,
    }
}

fn ask(
    world: &World,
    identity: &Identity,
    owner: &str,
    policy: Option<&str>,
    action: &str,
    resource: &str,
) -> Result<(), (Source, bool)> {
    let policy = policy.map(ResourcePolicy::of);
    let subject = Subject {
        action,
        resource,
        owner,
        policy: policy.as_ref(),
        policy_decides: action.starts_with("kms:"),
        context: Context::default(),
    };
    authorize(world, 1_000_000, identity, &subject).map_err(|denial| (denial.source, denial.explicit))
}

#[test]
fn a_destination_policy_of_constant_size_isolates_accounts() {
    let world = world();
    let check = |account: &str, key: &str| {
        let identity = role(&world, account, "weir-replication");
        let resource = format!("arn:aws:s3:::logs/AWSLogs/{key}/x");
        ask(&world, &identity, "222222222222", Some(DESTINATION), "s3:ReplicateObject", &resource)
    };
    assert_eq!(check("111111111111", "111111111111"), Ok(()));
    assert_eq!(check("111111111111", "222222222222"), Err((Source::Resource, false)));
    // Outside of the organization there is no aws:PrincipalOrgID.
    assert_eq!(check("999999999999", "999999999999"), Err((Source::Resource, false)));
}

#[test]
fn the_own_account_needs_one_side_and_another_both() {
    let world = world();
    let empty = role(&world, "111111111111", "empty");
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
    let object = "arn:aws:s3:::b/k";
    assert_eq!(ask(&world, &empty, "111111111111", Some(open), "s3:GetObject", object), Ok(()));
    assert_eq!(
        ask(&world, &empty, "222222222222", Some(open), "s3:GetObject", object),
        Err((Source::Identity, false))
    );
    let full = role(&world, "111111111111", "weir-replication");
    assert_eq!(ask(&world, &full, "111111111111", None, "s3:GetObject", object), Ok(()));
    assert_eq!(
        ask(&world, &full, "222222222222", None, "s3:GetObject", object),
        Err((Source::Resource, false))
    );
    let delegated = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
    assert_eq!(ask(&world, &full, "222222222222", Some(delegated), "s3:GetObject", object), Ok(()));
    assert_eq!(
        ask(&world, &empty, "111111111111", Some(delegated), "s3:GetObject", object),
        Err((Source::Identity, false))
    );
}

#[test]
fn service_control_policies_deny_members_but_not_the_management_account() {
    let mut world = world();
    let full = role(&world, "111111111111", "weir-replication");
    let bucket = "arn:aws:s3:::b";
    assert_eq!(
        ask(&world, &full, "111111111111", None, "s3:DeleteBucket", bucket),
        Err((Source::ServiceControl, true))
    );
    let admin = role(&world, "100000000000", "admin");
    assert_eq!(ask(&world, &admin, "100000000000", None, "s3:DeleteBucket", bucket), Ok(()));
    let mut linked = world.clone();
    let account = linked.accounts.get_mut("111111111111").unwrap();
    account.roles.get_mut("weir-replication").unwrap().path =
        "/aws-service-role/s3.amazonaws.com/".to_owned();
    assert_eq!(ask(&linked, &full, "111111111111", None, "s3:DeleteBucket", bucket), Ok(()));
    // Every level must allow.
    world.organization.as_mut().unwrap().root_policies.clear();
    assert_eq!(
        ask(&world, &full, "111111111111", None, "s3:GetObject", "arn:aws:s3:::b/k"),
        Err((Source::ServiceControl, false))
    );
    let root = Identity::Root { account: "222222222222".to_owned() };
    assert_eq!(
        ask(&world, &root, "222222222222", None, "s3:GetObject", "arn:aws:s3:::b/k"),
        Err((Source::ServiceControl, false))
    );
}

#[test]
fn a_key_policy_must_allow_whatever_the_owner_says() {
    let world = world();
    let admin = role(&world, "100000000000", "admin");
    let key = "arn:aws:kms:eu-west-1:100000000000:key/k";
    let other = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"kms:*","Resource":"*"}]}"#;
    let own = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::100000000000:root"},"Action":"kms:*","Resource":"*"}]}"#;
    assert_eq!(
        ask(&world, &admin, "100000000000", Some(other), "kms:Encrypt", key),
        Err((Source::Resource, false))
    );
    assert_eq!(ask(&world, &admin, "100000000000", Some(own), "kms:Encrypt", key), Ok(()));
}

#[test]
fn a_role_that_was_created_again_is_another_principal() {
    let mut world = world();
    let arn = "arn:aws:iam::111111111111:role/weir/weir-replication";
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{arn}"}},"Action":"s3:*","Resource":"*"}}]}}"#
    );
    let document = Document::parse(&text).unwrap();
    let policy = ResourcePolicy { principals: world.bind(&document, 1_000_000).unwrap(), text };
    assert_eq!(crate::policy::shown(&world, &policy), policy.text);
    let decide = |world: &World, policy: &ResourcePolicy| {
        let identity = role(world, "111111111111", "weir-replication");
        let subject = Subject {
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/k",
            owner: "222222222222",
            policy: Some(policy),
            policy_decides: false,
            context: Context::default(),
        };
        authorize(world, 1_000_000, &identity, &subject).is_ok()
    };
    assert!(decide(&world, &policy));
    let before = {
        let account: &mut Account = world.accounts.get_mut("111111111111").unwrap();
        let found = account.roles.get_mut("weir-replication").unwrap();
        std::mem::replace(&mut found.unique_id, "AROANEW".to_owned())
    };
    assert!(!decide(&world, &policy));
    let shown = crate::policy::shown(&world, &policy);
    assert!(shown.contains(&before) && !shown.contains(arn), "{shown}");
}

#[test]
fn a_session_policy_and_a_boundary_limit() {
    let mut world = world();
    let limited = Identity::Role {
        account: "222222222222".to_owned(),
        name: "weir-replication".to_owned(),
        unique_id: world.accounts["222222222222"].roles["weir-replication"].unique_id.clone(),
        session: "s".to_owned(),
        session_policy: Some(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:List*","Resource":"*"}]}"#
                .to_owned(),
        ),
    };
    let object = "arn:aws:s3:::b/k";
    assert_eq!(
        ask(&world, &limited, "222222222222", None, "s3:GetObject", object),
        Err((Source::Session, false))
    );
    assert_eq!(ask(&world, &limited, "222222222222", None, "s3:ListBucket", "arn:aws:s3:::b"), Ok(()));
    let account = world.accounts.get_mut("222222222222").unwrap();
    account.roles.get_mut("weir-replication").unwrap().permissions_boundary =
        Some("arn:aws:iam::aws:policy/AWSOrganizationsReadOnlyAccess".to_owned());
    let full = role(&world, "222222222222", "weir-replication");
    assert_eq!(
        ask(&world, &full, "222222222222", None, "s3:GetObject", object),
        Err((Source::Boundary, false))
    );
}

#[test]
fn changes_of_a_role_take_effect_after_the_lag() {
    let mut world = world();
    let account = world.accounts.get_mut("111111111111").unwrap();
    let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let inline = BTreeMap::from([("p".to_owned(), ResourcePolicy::of(allow))]);
    account.roles.get_mut("empty").unwrap().inline_policies.change(995_000, inline);
    let identity = role(&world, "111111111111", "empty");
    let decide = |now_ms: i64| {
        let subject = Subject {
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/k",
            owner: "111111111111",
            policy: None,
            policy_decides: false,
            context: Context::default(),
        };
        authorize(&world, now_ms, &identity, &subject).is_ok()
    };
    assert_eq!((decide(1_000_000), decide(1_005_000)), (false, true));
}
