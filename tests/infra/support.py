"""Reading templates and policies, and deploying stacks into moto."""

import contextlib
import functools
import json
import pathlib

import boto3
import cfnlint.decode.cfn_yaml
import moto
import moto_models  # noqa: F401  moto finds its classes

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "infra" / "cloudformation"
GOLDENS = ROOT / "accounts" / "src" / "render" / "goldens"

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ORGANIZATION = "o-a1b2c3d4e5"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:weir-alarms"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
CALLER = {"CallerArn": "arn:aws:iam::888888888888:root", "OrganizationId": ORGANIZATION, "ExternalId": "weir-example"}


def template(name):
    return plain(cfnlint.decode.cfn_yaml.load(str(TEMPLATES / name)))


def plain(value):
    """cfn-lint's nodes as plain data."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, (bool, int, float)) or value is None else str(value)


def golden(path):
    return json.loads((GOLDENS / path).read_text())


def as_list(value):
    return value if isinstance(value, list) else [value]


def canonical(value, name=None):
    """A policy in the form that all of its spellings share: IAM takes a string for a list of one, in any order."""
    if isinstance(value, dict):
        return {key: canonical(item, key) for key, item in value.items()}
    if name == "Statement":
        return sorted((canonical(item) for item in as_list(value)), key=lambda item: json.dumps(item, sort_keys=True))
    if name in ("Version", "Sid", "Effect", "Id"):
        return value
    return sorted(json.dumps(item, sort_keys=True) if isinstance(item, dict) else str(item) for item in as_list(value))


def statements(policy):
    """The statements by Sid; every one of ours has one of its own."""
    by_sid = {statement["Sid"]: statement for statement in as_list(policy["Statement"])}
    assert len(by_sid) == len(as_list(policy["Statement"])), "two statements share a Sid"
    return by_sid


def ours(policy):
    """What `weir accounts` looks after."""
    return {sid: canonical(statement) for sid, statement in statements(policy).items() if sid.startswith("Weir")}


@contextlib.contextmanager
def aws():
    with moto.mock_aws():
        yield functools.partial(boto3.client, region_name=REGION)


def deploy(client, name, parameters):
    """Deploys a template of infra/; the answer is its outputs. Every resource of it must have been made."""
    cloudformation = client("cloudformation")
    stack = name.removesuffix(".yaml")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=(TEMPLATES / name).read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert described["StackStatus"] == "CREATE_COMPLETE"
    made = {item["LogicalResourceId"] for item in cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]}
    declared = template(name)["Resources"]
    unconditional = {logical for logical, resource in declared.items() if "Condition" not in resource}
    assert unconditional <= made, f"moto made no {unconditional - made}"
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def network(client):
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(3)
    ]
    return {"VpcId": vpc, "SubnetIds": ",".join(subnets)}


def managed_policy(client, role):
    """The statements of all policies that a role has."""
    iam = client("iam")
    merged = {}
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        merged |= statements(document)
    return merged
