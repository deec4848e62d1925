"""Every template: lint, and the reason of every permission."""

import pathlib
import re
import subprocess
import sys

import pytest
from support import GOLDENS, ROOT, TEMPLATES, as_list, template

NAMES = sorted(path.name for path in TEMPLATES.glob("*.yaml"))

# Whoever may do this with any resource may do it with everything: such statements say why.
ANY_RESOURCE = {
    ("member-role.yaml", "FindBuckets"),
    ("member-role.yaml", "ReplicateExistingObjects"),
    ("hosts.yaml", "SignInToTheRegistry"),
    ("drift.yaml", "SignInToTheRegistry"),
    ("drift.yaml", "ReadTheOrganization"),
    # In a key's policy it means the key itself.
    ("log-account.yaml", "AdministerByPoliciesOfThisAccount"),
    ("log-account.yaml", "WeirEncryptReplicas"),
}

# Statements that deny, or that leave the decision to another policy.
ANY_ACTION = {
    ("log-account.yaml", "DenyInsecureTransport"),
    ("log-account.yaml", "AdministerByPoliciesOfThisAccount"),
    ("opensearch.yaml", "AdministratorsAndDashboards"),
}


def policies(value, path=()):
    """Every policy document of a template."""
    if isinstance(value, dict):
        if "Statement" in value and "Version" in value:
            yield value
        for name, item in value.items():
            yield from policies(item, (*path, name))
    elif isinstance(value, list):
        for item in value:
            yield from policies(item, path)


def all_statements(name):
    for policy in policies(template(name)):
        for statement in as_list(policy["Statement"]):
            # A statement that is there on a condition: the first of its alternatives.
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def test_there_are_templates():
    assert len(NAMES) >= 8


def test_cfn_lint_finds_nothing():
    paths = [*map(str, sorted(TEMPLATES.glob("*.yaml")))]
    paths += [str(path) for path in sorted((GOLDENS / "cloudformation").glob("*.json")) if path.name != "rendered.json"]
    # W1100 and the like are about people's templates: the rendered JSON is for programs.
    ran = subprocess.run([pathlib.Path(sys.executable).with_name("cfn-lint"), *paths], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(paths) > len(NAMES), "what `render` writes is linted too"


@pytest.mark.parametrize("name", NAMES)
def test_every_action_says_why_it_is_needed(name):
    lines = (TEMPLATES / name).read_text().splitlines()
    explained = {}
    for line in lines:
        found = re.fullmatch(r"\s*- ([a-z0-9-]+:[A-Za-z*]+)( # (.+))?", line)
        if found:
            assert found[3], f"{name}: {found[1]} says no reason"
            explained.setdefault(found[1], []).append(found[3])
    for statement in all_statements(name):
        for action in as_list(statement["Action"]):
            assert action in explained, f"{name}: {statement['Sid']} has {action} in a form without a reason"
    for action, reasons in explained.items():
        assert all(len(reason.split()) >= 2 for reason in reasons), f"{name}: {action}: {reasons}"


@pytest.mark.parametrize("name", NAMES)
def test_no_statement_allows_more_than_it_names(name):
    for statement in all_statements(name):
        actions, resources = as_list(statement["Action"]), as_list(statement.get("Resource", []))
        if any("*" in action for action in actions):
            assert (name, statement["Sid"]) in ANY_ACTION, f"{name}: {statement['Sid']} allows {actions}"
        if "*" in resources:
            assert (name, statement["Sid"]) in ANY_RESOURCE, f"{name}: {statement['Sid']} is for any resource"
        everybody = statement.get("Principal") in ("*", {"AWS": "*"})
        if everybody and statement["Effect"] == "Allow":
            assert "aws:PrincipalOrgID" in statement["Condition"]["StringEquals"], statement["Sid"]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_output_is_documented(name):
    loaded = template(name)
    for section in ("Parameters", "Outputs"):
        for key, value in loaded[section].items():
            assert len(value.get("Description", "")) > 10, f"{name}: {section} {key}"
    assert loaded["Description"].startswith("Weir"), name


# The IAM action of each call, where it is not the call's name (Service Authorization Reference).
ACTIONS = {
    "ListBuckets": "s3:ListAllMyBuckets",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "HeadObject": "s3:GetObject",
    "GetBucketReplication": "s3:GetReplicationConfiguration",
    "PutBucketReplication": "s3:PutReplicationConfiguration",
    "DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "GetBucketRequestPayment": "s3:GetBucketRequestPayment",
}

# Calls that need no permission.
FREE = {"GetCallerIdentity"}


def test_every_call_of_the_client_is_allowed_somewhere():
    """The calls in accounts/src/aws against the roles: a call that is added needs its permission."""
    calls = set()
    for path in (ROOT / "accounts" / "src" / "aws").rglob("*.rs"):
        calls |= set(re.findall(r'"((?:Get|List|Put|Delete|Head|Describe|Create|Update|Assume|Set|Tag)[A-Z][A-Za-z0-9]+)"', path.read_text()))
    assert {"PutBucketReplication", "AssumeRole", "GetKeyPolicy"} <= calls
    allowed = set()
    for name in ("member-role.yaml", "log-account-role.yaml", "drift.yaml"):
        for statement in all_statements(name):
            allowed |= set(as_list(statement["Action"]))
    names = {action.split(":")[1] for action in allowed}
    for call in sorted(calls - FREE):
        action = ACTIONS.get(call)
        if action:
            assert action in allowed, f"{call} needs {action}"
        else:
            assert call in names, f"{call} is allowed by no role"
