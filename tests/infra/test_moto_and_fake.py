"""The same calls to moto and to the strict fake of tests/aws-fake: where both answer, the answers are compared.

Compared are the HTTP status, the error code, and every field that both give. What differs is in DIFFERENCES with the
reason, where AWS's documentation decides who is right; a difference that is not there fails, and so does one that is
there and no more seen.
"""

import json
import os
import re
import subprocess
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest
from roles import assumed
from support import ROOT
from test_onboarding import endpoint  # noqa: F401  a moto server

REGION = "eu-west-1"
EXTERNAL_ID = "weir-external-id"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
# Made anew by every service that answers.
VOLATILE = re.compile(
    r"ResponseMetadata|Date|Timestamp|Created|Modified|Id$|ID$|UserId|AccessKey|Token|Secret|Expiration|PackedPolicySize|ETag|Email"
    r"|Url$|URL$|Location$|HostId|Name$|Joined|KeyMaterial|Checksum|Arn$"
)
RULE = {
    "ID": "one",
    "Priority": 1,
    "Filter": {"Prefix": "AWSLogs/"},
    "Status": "Enabled",
    "DeleteMarkerReplication": {"Status": "Disabled"},
}


class Side:
    """One of the two, with an organization of a management account, the unit's member and its clients."""

    def __init__(self, name, url, key, prepare):
        self.name, self.url, self.key = name, url, key
        self.management = self.client("sts").get_caller_identity()["Account"]
        prepare(self)
        organizations = self.client("organizations")
        self.root = organizations.list_roots()["Roots"][0]["Id"]
        units = organizations.list_organizational_units_for_parent(ParentId=self.root)["OrganizationalUnits"]
        self.unit = next(unit["Id"] for unit in units if unit["Name"] == "Unit 1")
        self.member = organizations.list_accounts_for_parent(ParentId=self.unit)["Accounts"][0]["Id"]
        self.role = f"arn:aws:iam::{self.member}:role/weir-onboarding"
        self.policy = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"][0]["Id"]
        self.assumed = assumed(self.client("sts"), self.role, ExternalId=EXTERNAL_ID)
        self.kept = {}

    def client(self, service, member=False):
        keys = self.assumed if member else {"aws_access_key_id": self.key, "aws_secret_access_key": "secret"}
        config = botocore.config.Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, config=config, **keys)

    def call(self, service, operation, parameters):
        """Status, error code, and the fields of the answer."""
        member = service in ("s3", "iam", "kms", "sqs") or operation == "get_caller_identity"
        if operation == "put_bucket_replication" and self.name == "fake":
            # IAM takes its time to spread a role in the fake, as in AWS; moto knows no such time.
            body = json.dumps({"advance_s": 60}).encode()
            urllib.request.urlopen(urllib.request.Request(f"{self.url}/_fake/clock", data=body, method="POST")).close()
        try:
            answer = getattr(self.client(service, member), operation)(**parameters(self))
        except botocore.exceptions.ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"], {}
        if operation == "create_key":
            self.kept["key"] = answer["KeyMetadata"]["KeyId"]
        if operation == "create_queue":
            self.kept["queue"] = answer["QueueUrl"]
        return answer["ResponseMetadata"]["HTTPStatusCode"], None, dict(self.fields(answer))

    def fields(self, value, path=""):
        if isinstance(value, dict):
            for name, item in value.items():
                if not VOLATILE.search(name):
                    yield from self.fields(item, f"{path}.{name}".lstrip("."))
        elif isinstance(value, list):
            for place, item in enumerate(value):
                yield from self.fields(item, f"{path}[{place}]")
        elif hasattr(value, "read"):
            yield path, value.read().decode()
        else:
            text = str(value)
            if re.match(r'\{\s*"', text):
                text = json.dumps(json.loads(text), sort_keys=True)
            yield path, text.replace(self.management, "MANAGEMENT").replace(self.member, "MEMBER")


def moto_organization(side):
    organizations = side.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    unit = organizations.create_organizational_unit(ParentId=root, Name="Unit 1")["OrganizationalUnit"]["Id"]
    made = organizations.create_account(AccountName="Member 1", Email="m@example.com")["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=made, SourceParentId=root, DestinationParentId=unit)
    organizations.tag_resource(ResourceId=made, Tags=[{"Key": "environment", "Value": "production"}])


def replication(role="{role}", bucket="compare-target", **more):
    def parameters(side):
        rule = RULE | {"Destination": {"Bucket": f"arn:aws:s3:::{bucket}"}} | more
        arn = f"arn:aws:iam::{side.member}:role/compare"
        return {"Bucket": "compare", "ReplicationConfiguration": {"Role": arn, "Rules": [rule]}}

    return parameters


def to(**parameters):
    return lambda side: {name: value(side) if callable(value) else value for name, value in parameters.items()}


def bucket(name="compare", **more):
    return to(Bucket=name, **more)


QUEUE_NAME = "compare-queue"
CREATE = {"LocationConstraint": REGION}
READ = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::compare/*",
         "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}
    ],
}  # fmt: skip


def notification(side):
    queue = {"Id": "one", "QueueArn": f"arn:aws:sqs:{REGION}:{side.member}:{QUEUE_NAME}", "Events": ["s3:ObjectCreated:*"]}
    return {"Bucket": "compare", "NotificationConfiguration": {"QueueConfigurations": [queue]}}


def queue_policy(side):
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": f"arn:aws:sqs:{REGION}:{side.member}:{QUEUE_NAME}",
    }
    return {"QueueUrl": side.kept["queue"], "Attributes": {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [send]})}}


# In this order: later calls see what earlier ones made.
CALLS = [
    ("who calls", "sts", "get_caller_identity", to()),
    ("assume", "sts", "assume_role", to(RoleArn=lambda side: side.role, RoleSessionName="test", ExternalId=EXTERNAL_ID)),
    ("assume a role that is not there", "sts", "assume_role", to(RoleArn=lambda side: side.role + "-gone", RoleSessionName="test")),
    ("assume with another external id", "sts", "assume_role", to(RoleArn=lambda side: side.role, RoleSessionName="test", ExternalId="other")),
    ("the organization", "organizations", "describe_organization", to()),
    ("roots", "organizations", "list_roots", to()),
    ("units", "organizations", "list_organizational_units_for_parent", to(ParentId=lambda side: side.unit)),
    ("accounts of a unit", "organizations", "list_accounts_for_parent", to(ParentId=lambda side: side.unit)),
    ("accounts of no unit", "organizations", "list_accounts_for_parent", to(ParentId="ou-zz99-00000000")),
    ("an account", "organizations", "describe_account", to(AccountId=lambda side: side.member)),
    ("no account", "organizations", "describe_account", to(AccountId="999999999999")),
    ("tags", "organizations", "list_tags_for_resource", to(ResourceId=lambda side: side.member)),
    ("policies", "organizations", "list_policies", to(Filter="SERVICE_CONTROL_POLICY")),
    ("a policy", "organizations", "describe_policy", to(PolicyId=lambda side: side.policy)),
    ("targets", "organizations", "list_targets_for_policy", to(PolicyId=lambda side: side.policy)),
    ("no policy", "organizations", "describe_policy", to(PolicyId="p-00000000")),
    ("head a bucket that is not there", "s3", "head_bucket", bucket()),
    ("versioning of no bucket", "s3", "get_bucket_versioning", bucket()),
    ("create", "s3", "create_bucket", bucket(CreateBucketConfiguration=CREATE)),
    ("create again", "s3", "create_bucket", bucket(CreateBucketConfiguration=CREATE)),
    ("create the target", "s3", "create_bucket", bucket("compare-target", CreateBucketConfiguration=CREATE)),
    ("head", "s3", "head_bucket", bucket()),
    ("location", "s3", "get_bucket_location", bucket()),
    ("versioning before", "s3", "get_bucket_versioning", bucket()),
    ("policy before", "s3", "get_bucket_policy", bucket()),
    ("replication before", "s3", "get_bucket_replication", bucket()),
    ("lifecycle before", "s3", "get_bucket_lifecycle_configuration", bucket()),
    ("lock before", "s3", "get_object_lock_configuration", bucket()),
    ("notifications before", "s3", "get_bucket_notification_configuration", bucket()),
    ("logging before", "s3", "get_bucket_logging", bucket()),
    ("replicate unversioned", "s3", "put_bucket_replication", replication()),
    ("enable versioning", "s3", "put_bucket_versioning", bucket(VersioningConfiguration={"Status": "Enabled"})),
    ("versioning", "s3", "get_bucket_versioning", bucket()),
    ("create role", "iam", "create_role", to(RoleName="compare", AssumeRolePolicyDocument=json.dumps(TRUST))),
    ("create role again", "iam", "create_role", to(RoleName="compare", AssumeRolePolicyDocument=json.dumps(TRUST))),
    ("get role", "iam", "get_role", to(RoleName="compare")),
    ("no role", "iam", "get_role", to(RoleName="nobody")),
    ("role policy", "iam", "put_role_policy", to(RoleName="compare", PolicyName="p", PolicyDocument=json.dumps(ALLOW))),
    ("role policy that is none", "iam", "put_role_policy", to(RoleName="compare", PolicyName="p", PolicyDocument="{")),
    ("get role policy", "iam", "get_role_policy", to(RoleName="compare", PolicyName="p")),
    ("no role policy", "iam", "get_role_policy", to(RoleName="compare", PolicyName="q")),
    ("list role policies", "iam", "list_role_policies", to(RoleName="compare")),
    ("list attached", "iam", "list_attached_role_policies", to(RoleName="compare")),
    ("delete a role with policies", "iam", "delete_role", to(RoleName="compare")),
    ("replicate to an unversioned bucket", "s3", "put_bucket_replication", replication()),
    ("replicate to no bucket", "s3", "put_bucket_replication", replication(bucket="compare-nowhere")),
    ("version the target", "s3", "put_bucket_versioning", bucket("compare-target", VersioningConfiguration={"Status": "Enabled"})),
    ("replicate with time control alone", "s3", "put_bucket_replication",
     replication(Destination={"Bucket": "arn:aws:s3:::compare-target", "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}}})),
    ("policy", "s3", "put_bucket_policy", bucket(Policy=json.dumps(READ))),
    ("policy back", "s3", "get_bucket_policy", bucket()),
    ("policy of another owner", "s3", "get_bucket_policy", bucket(ExpectedBucketOwner="999999999999")),
    ("put", "s3", "put_object", bucket(Key="a/b", Body=b"x")),
    ("head object", "s3", "head_object", bucket(Key="a/b")),
    ("get object", "s3", "get_object", bucket(Key="a/b")),
    ("head no object", "s3", "head_object", bucket(Key="a/c")),
    ("get no object", "s3", "get_object", bucket(Key="a/c")),
    ("list", "s3", "list_objects_v2", bucket(Prefix="a/")),
    # In a bucket that no object is written to: moto fails on each of them afterwards.
    ("policy that is none", "s3", "put_bucket_policy", bucket("compare-target", Policy="{")),
    ("notify no queue", "s3", "put_bucket_notification_configuration", notification),
    ("create queue", "sqs", "create_queue", to(QueueName=QUEUE_NAME)),
    ("queue policy", "sqs", "set_queue_attributes", queue_policy),
    ("queue attributes", "sqs", "get_queue_attributes", to(QueueUrl=lambda side: side.kept["queue"], AttributeNames=["Policy"])),
    ("no queue", "sqs", "get_queue_url", to(QueueName="nobody")),
    ("notify", "s3", "put_bucket_notification_configuration", notification),
    ("notifications", "s3", "get_bucket_notification_configuration", bucket()),
    ("create key", "kms", "create_key", to(Description="compare")),
    ("describe key", "kms", "describe_key", to(KeyId=lambda side: side.kept["key"])),
    ("key policy", "kms", "get_key_policy", to(KeyId=lambda side: side.kept["key"], PolicyName="default")),
    ("no key", "kms", "describe_key", to(KeyId="00000000-0000-0000-0000-000000000000")),
    ("delete role policy", "iam", "delete_role_policy", to(RoleName="compare", PolicyName="p")),
    ("delete role", "iam", "delete_role", to(RoleName="compare")),
    ("delete no role", "iam", "delete_role", to(RoleName="compare")),
]

# Title and field: what moto says, what the fake says, and what AWS documents.
TRUSTS = "AssumeRole: the role must be there and trust the caller with this external ID; one AccessDenied for both"
UNVERSIONED = "Requirements for replication: both buckets are versioned; moto looks at the source alone"
NOWHERE = "Requirements for replication: the destination exists"
METRICS = "ReplicationTime: must be given together with Metrics"
NOT_JSON = "PutBucketPolicy: the policy is checked; moto fails later, on every object of the bucket"
OWNER = "Verifying bucket ownership: 403 where the owner is another"
NO_QUEUE = "PutBucketNotificationConfiguration: S3 sends a test message first, and refuses where it cannot"
DIFFERENCES = {
    ("assume a role that is not there", "status"): (200, 403, TRUSTS),
    ("assume a role that is not there", "code"): (None, "AccessDenied", TRUSTS),
    ("assume with another external id", "status"): (200, 403, TRUSTS),
    ("assume with another external id", "code"): (None, "AccessDenied", TRUSTS),
    ("targets", "Targets[1].Type"): ("ACCOUNT", "ORGANIZATIONAL_UNIT", "the order of targets is not documented"),
    ("replicate to an unversioned bucket", "status"): (200, 400, UNVERSIONED),
    ("replicate to an unversioned bucket", "code"): (None, "InvalidRequest", UNVERSIONED),
    ("replicate to no bucket", "status"): (200, 400, NOWHERE),
    ("replicate to no bucket", "code"): (None, "InvalidRequest", NOWHERE),
    ("replicate with time control alone", "status"): (200, 400, METRICS),
    ("replicate with time control alone", "code"): (None, "InvalidRequest", METRICS),
    ("policy", "status"): (200, 204, "PutBucketPolicy, examples: 204 No Content"),
    ("policy that is none", "status"): (200, 400, NOT_JSON),
    ("policy that is none", "code"): (None, "MalformedPolicy", NOT_JSON),
    ("policy of another owner", "status"): (200, 403, OWNER),
    ("policy of another owner", "code"): (None, "AccessDenied", OWNER),
    ("notify no queue", "status"): (200, 400, NO_QUEUE),
    ("notify no queue", "code"): (None, "InvalidArgument", NO_QUEUE),
}


def compare(moto, fake):
    """What the two answers have in common and say otherwise."""
    found = {}
    if moto[0] != fake[0]:
        found["status"] = (moto[0], fake[0])
    if moto[1] != fake[1]:
        found["code"] = (moto[1], fake[1])
    for path in moto[2].keys() & fake[2].keys():
        if moto[2][path] != fake[2][path]:
            found[path] = (moto[2][path], fake[2][path])
    return found


@pytest.fixture(scope="module")
def fake():
    named = os.environ.get("WEIR_AWS_FAKE_BIN")
    binary = named or ROOT / "target" / "release" / "weir-aws-fake"
    process = subprocess.Popen(
        [binary, "--port", "0", "--accounts", "1", "--units", "1", "--region", REGION], stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_both_answer_alike_but_for_what_is_listed(endpoint, fake):  # noqa: F811
    moto = Side("moto", endpoint, "testing", moto_organization)
    ours = Side("fake", fake, "AKIAMANAGEMENT000001", lambda side: None)
    seen = {}
    for title, service, operation, parameters in CALLS:
        for what, values in compare(*(side.call(service, operation, parameters) for side in (moto, ours))).items():
            seen[(title, what)] = values
    unlisted = {where: values for where, values in seen.items() if where not in DIFFERENCES}
    assert not unlisted, "\n".join(f"{where}: moto {values[0]!r}, fake {values[1]!r}" for where, values in unlisted.items())
    gone = set(DIFFERENCES) - set(seen)
    assert not gone, f"these differ no more: {gone}"
    for where, (of_moto, of_fake, reason) in DIFFERENCES.items():
        assert (of_moto, of_fake) == seen[where], f"{where} differs otherwise than listed ({reason}): {seen[where]}"
