"""The stacks, deployed into moto: what is there, and what it says."""

import json
import tomllib

import pytest
from roles import access_role, assumed
from support import (
    ACCOUNT,
    CALLER,
    KEY,
    ORGANIZATION,
    REGION,
    TOPIC,
    aws,
    canonical,
    deploy,
    golden,
    managed_policy,
    network,
    ours,
    statements,
    TEMPLATES,
)

DESTINATION = {"BucketName": "central-logs", "OrganizationId": ORGANIZATION}
HOSTS = {
    "Image": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/weir@sha256:00",
    "BucketName": "central-logs",
    "KeyArn": KEY,
    "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:weir",
    "TokenSecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:weir",
    "AlarmsArn": TOPIC,
}


@pytest.fixture
def client():
    with aws() as client:
        yield client


def test_the_log_account_is_as_onboarding_wants_it(client):
    outputs = deploy(client, "log-account.yaml", DESTINATION | {"AlarmEmail": "on-call@example.com"})
    s3 = client("s3")
    assert s3.get_bucket_versioning(Bucket="central-logs")["Status"] == "Enabled"
    ownership = s3.get_bucket_ownership_controls(Bucket="central-logs")["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    blocked = s3.get_public_access_block(Bucket="central-logs")["PublicAccessBlockConfiguration"]
    assert blocked == dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    encryption = s3.get_bucket_encryption(Bucket="central-logs")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": outputs["KeyArn"],
    }
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket="central-logs")["Rules"]
    assert [rule["ID"] for rule in lifecycle] == ["noncurrent-versions"]
    assert lifecycle[0]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}

    queue = client("sqs").get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["All"])["Attributes"]
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": outputs["DeadLettersArn"],
        "maxReceiveCount": 5,
    }
    assert queue["MessageRetentionPeriod"] == "1209600"
    announces = statements(json.loads(queue["Policy"]))["AnnounceNewObjects"]
    assert announces["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::central-logs"},
    }

    kms = client("kms")
    assert kms.get_key_rotation_status(KeyId=outputs["KeyArn"])["KeyRotationEnabled"]
    aliases = {alias["AliasName"] for alias in kms.list_aliases()["Aliases"]}
    assert "alias/weir/central-logs" in aliases

    alarms = {alarm["AlarmName"]: alarm for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {"weir-queue-age", "weir-dead-letters"}
    assert all(alarm["AlarmActions"] == [outputs["AlarmsArn"]] for alarm in alarms.values())
    subscriptions = client("sns").list_subscriptions_by_topic(TopicArn=outputs["AlarmsArn"])["Subscriptions"]
    assert [subscription["Endpoint"] for subscription in subscriptions] == ["on-call@example.com"]


def test_the_policies_are_those_that_onboarding_would_put(client):
    """A plan after the stack has nothing to change: the statements are the ones that `weir accounts` makes."""
    outputs = deploy(client, "log-account.yaml", DESTINATION)
    policy = json.loads(client("s3").get_bucket_policy(Bucket="central-logs")["Policy"])
    rendered = golden("cloudformation/bundle/999999999999/bucket-policy-central-logs.json")
    assert ours(policy) == without_shared_roles(ours(rendered))
    assert set(ours(policy)) == {"WeirReplicate", "WeirReadVersioning"}
    key = json.loads(client("kms").get_key_policy(KeyId=outputs["KeyArn"], PolicyName="default")["Policy"])
    name = "cloudformation/bundle/999999999999/key-policy-11111111-2222-3333-4444-555555555555.json"
    assert ours(key) == without_shared_roles(ours(golden(name)))
    # Constant in size: far from the 20,480 bytes that S3 takes, whatever the number of accounts.
    assert len(json.dumps(policy)) < 2_000
    assert len(json.dumps(key)) < 2_000


def without_shared_roles(rendered):
    """Onboarding names roles of others that replicate for us beside those under /weir/; the stack cannot know them."""
    for statement in rendered.values():
        patterns = statement["Condition"]["ArnLike"]["aws:PrincipalArn"]
        statement["Condition"]["ArnLike"]["aws:PrincipalArn"] = [arn for arn in patterns if arn.endswith(":role/weir/*")]
    return rendered


def test_more_layouts_are_more_patterns(client):
    more = "arn:aws:s3:::central-logs/waf/AWSLogs/${aws:PrincipalAccount}/*"
    outputs = deploy(client, "log-account.yaml", DESTINATION | {"AdditionalReplicaArns": more})
    policy = json.loads(client("s3").get_bucket_policy(Bucket="central-logs")["Policy"])
    resources = statements(policy)["WeirReplicate"]["Resource"]
    assert resources == ["arn:aws:s3:::central-logs/AWSLogs/${aws:PrincipalAccount}/*", more]
    key = json.loads(client("kms").get_key_policy(KeyId=outputs["KeyArn"], PolicyName="default")["Policy"])
    contexts = statements(key)["WeirEncryptReplicas"]["Condition"]["StringLike"]["kms:EncryptionContext:aws:s3:arn"]
    assert contexts == ["arn:aws:s3:::central-logs", *resources]


def test_the_lifecycle_follows_the_parameters(client):
    days = {"InfrequentAccessDays": "30", "ArchiveDays": "90", "RetentionDays": "365"}
    deploy(client, "log-account.yaml", DESTINATION | days)
    rules = client("s3").get_bucket_lifecycle_configuration(Bucket="central-logs")["Rules"]
    by_id = {rule["ID"]: rule for rule in rules}
    assert set(by_id) == {"noncurrent-versions", "storage-classes", "retention"}
    moves = [(move["StorageClass"], move["Days"]) for move in by_id["storage-classes"]["Transitions"]]
    assert moves == [("STANDARD_IA", 30), ("GLACIER_IR", 90)]
    assert by_id["retention"]["Expiration"]["Days"] == 365


def test_the_outputs_are_a_section_of_accounts_toml(client):
    outputs = deploy(client, "log-account.yaml", DESTINATION)
    section = tomllib.loads(outputs["AccountsToml"])["destination"]
    assert section == [
        {
            "region": REGION,
            "bucket": "central-logs",
            "kms-key": outputs["KeyArn"],
            "queue": outputs["QueueArn"],
        }
    ]
    assert outputs["LogAccount"] == ACCOUNT


def test_an_object_is_announced(client):
    """moto delivers notifications within an account: the bucket and the queue fit together."""
    outputs = deploy(client, "log-account.yaml", DESTINATION)
    sqs = client("sqs")
    # moto denies what a statement denies on any condition, here every call that is not encrypted.
    client("s3").delete_bucket_policy(Bucket="central-logs")
    client("s3").put_object(Bucket="central-logs", Key="AWSLogs/111111111111/x", Body=b"x")
    received = sqs.receive_message(QueueUrl=outputs["QueueUrl"], MaxNumberOfMessages=10)["Messages"]
    assert any("AWSLogs" in message["Body"] for message in received)


@pytest.mark.parametrize("mode", ["apply", "verify"])
def test_the_member_role_trusts_only_the_caller_with_the_external_id(client, mode):
    deploy(client, "member-role.yaml", CALLER | {"Mode": mode, "SourceBucketPattern": "*-logs-*"})
    role = client("iam").get_role(RoleName="weir-onboarding")["Role"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": "arn:aws:iam::888888888888:root"}
    assert trust["Condition"]["StringEquals"] == {
        "aws:PrincipalOrgID": ORGANIZATION,
        "sts:ExternalId": "weir-example",
    }
    allowed = managed_policy(client, "weir-onboarding")
    actions = {action for statement in allowed.values() for action in statement["Action"]}
    changes = {action for action in actions if action.split(":")[1].startswith(("Put", "Create", "Delete", "Update", "Tag", "Pass"))}
    if mode == "verify":
        assert changes == {"s3:PutObject"}, "verify writes canaries and nothing else"
    else:
        assert "s3:PutReplicationConfiguration" in changes
        # Nothing lets the role give itself, or any role that it did not make, more than it has.
        made = f"arn:aws:iam::{ACCOUNT}:role/weir/*"
        for sid, statement in allowed.items():
            if any(action.startswith("iam:") and action.split(":")[1] in ("PutRolePolicy", "CreateRole", "PassRole") for action in statement["Action"]):
                assert canonical(statement)["Resource"] == [made], sid
    assert allowed["WriteCanaries"]["Resource"] == "arn:aws:s3:::*-logs-*/*weir-canary/*"
    for sid, statement in allowed.items():
        if sid not in ("FindBuckets", "ReplicateExistingObjects") and "s3:" in str(statement["Action"]):
            assert statement["Resource"].startswith("arn:aws:s3:::*-logs-*"), sid


def test_shared_roles_are_named_one_by_one(client):
    shared = "arn:aws:iam::*:role/replication"
    deploy(client, "member-role.yaml", CALLER | {"SharedRoleArns": shared})
    allowed = managed_policy(client, "weir-onboarding")
    assert canonical(allowed["ExtendSharedRoles"])["Resource"] == [shared]
    assert shared in allowed["HandReplicationRolesToS3"]["Resource"]


@pytest.mark.parametrize("mode", ["apply", "verify"])
def test_the_log_account_role_is_for_the_destinations(client, mode):
    bucket = "arn:aws:s3:::central-logs"
    deploy(client, "log-account-role.yaml", CALLER | {"BucketArns": f"{bucket},{bucket}-us", "Mode": mode})
    allowed = managed_policy(client, "weir-onboarding")
    assert canonical(allowed["ReadDestinations"])["Resource"] == [bucket, f"{bucket}-us"]
    assert ("ConfigureDestinations" in allowed) == (mode == "apply")
    if mode == "apply":
        assert allowed["LetMembersEncrypt"]["Condition"] == {"StringEquals": {"aws:ResourceTag/weir:managed": "true"}}


def test_the_member_role_reaches_members_as_a_stack_set(client):
    """A StackSet of the management account makes the role in another account."""
    organizations = client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    status = organizations.create_account(Email="member@example.com", AccountName="member")["CreateAccountStatus"]
    member = status["AccountId"]
    cloudformation = client("cloudformation")
    cloudformation.create_stack_set(
        StackSetName="weir-member-role",
        TemplateBody=(TEMPLATES / "member-role.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in CALLER.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.create_stack_instances(StackSetName="weir-member-role", Accounts=[member], Regions=[REGION])
    in_member = client("iam", **assumed(client("sts"), access_role(member)))
    arn = in_member.get_role(RoleName="weir-onboarding")["Role"]["Arn"]
    assert arn == f"arn:aws:iam::{member}:role/weir-onboarding"
    with pytest.raises(client("iam").exceptions.NoSuchEntityException):
        client("iam").get_role(RoleName="weir-onboarding")


def test_replication_alarms_tell_the_log_account(client):
    deploy(client, "member-alarms.yaml", {"DestinationBucket": "central-logs", "AlarmsArn": TOPIC})
    alarms = {alarm["AlarmName"]: alarm for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {"weir-replication-failed-central-logs", "weir-replication-latency-central-logs"}
    failed = alarms["weir-replication-failed-central-logs"]
    assert "OperationsFailedReplication" in failed["Metrics"][0]["Expression"]
    assert "DestinationBucket = 'central-logs'" in failed["Metrics"][0]["Expression"]
    assert failed["AlarmActions"] == [TOPIC]


def test_hosts_read_logs_and_nothing_else(client):
    outputs = deploy(client, "hosts.yaml", HOSTS | network(client))
    role = outputs["HostRoleArn"].split("/")[-1]
    allowed = managed_policy(client, role)
    assert set(allowed) == {"ReceiveAnnouncements", "ReadLogs", "TellMissingFromForbidden", "DecryptLogs"}
    assert allowed["DecryptLogs"]["Condition"] == {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    ecs = client("ecs")
    (service,) = ecs.describe_services(cluster="weir", services=["weir"])["services"]
    assert service["desiredCount"] == 2
    task = ecs.describe_task_definition(taskDefinition="weir")["taskDefinition"]
    (container,) = task["containerDefinitions"]
    assert container["readonlyRootFilesystem"] and container["user"] == "10001:10001"
    assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    secrets = {secret["name"] for secret in container["secrets"]}
    assert secrets == {"WEIR_TOML", "WEIR__SERVE__TOKEN"}
    assert not secrets & {variable["name"] for variable in container["environment"]}
    (alarm,) = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarm["AlarmName"] == "weir-hosts-unhealthy"
    # The instance profile is for hosts on EC2.
    profile = outputs["InstanceProfileArn"].split("/")[-1]
    roles = client("iam").get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
    assert [role["Arn"] for role in roles] == [outputs["HostRoleArn"]]


def test_hosts_write_where_they_are_told_to(client):
    sinks = {"DomainName": "weir", "ArchiveBucketName": "weir-archive"}
    outputs = deploy(client, "hosts.yaml", HOSTS | network(client) | sinks)
    allowed = managed_policy(client, outputs["HostRoleArn"].split("/")[-1])
    assert canonical(allowed["WriteEvents"])["Resource"] == [f"arn:aws:es:{REGION}:{ACCOUNT}:domain/weir/*"]
    assert canonical(allowed["WriteArchive"])["Resource"] == ["arn:aws:s3:::weir-archive/*"]
    deploy(
        client,
        "opensearch.yaml",
        network(client)
        | {
            "HostRoleArn": outputs["HostRoleArn"],
            "HostSecurityGroupId": outputs["SecurityGroupId"],
            "AdministratorRoleArn": f"arn:aws:iam::{ACCOUNT}:role/administrator",
            "KeyArn": KEY,
            "AlarmsArn": TOPIC,
        },
    )
    status = client("opensearch").describe_domain(DomainName="weir")["DomainStatus"]
    assert status["ClusterConfig"]["InstanceCount"] == 3
    assert status["EncryptionAtRestOptions"]["Enabled"] and status["NodeToNodeEncryptionOptions"]["Enabled"]
    assert status["DomainEndpointOptions"]["EnforceHTTPS"]
    access = statements(json.loads(status["AccessPolicies"]))
    assert access["HostsWriteEvents"]["Principal"] == {"AWS": outputs["HostRoleArn"]}
    # What the domain lets the hosts do is what the hosts' role may do.
    assert canonical(access["HostsWriteEvents"])["Action"] == canonical(allowed["WriteEvents"])["Action"]


def test_status_runs_on_a_schedule_and_when_the_organization_changes(client):
    outputs = deploy(
        client,
        "drift.yaml",
        network(client)
        | {
            "Image": "weir@sha256:00",
            "RegistryArn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/weir",
            "OrganizationId": ORGANIZATION,
            "ManagementAccountId": "888888888888",
        },
    )
    events = client("events")
    schedule = events.describe_rule(Name="weir-status-on-schedule")
    assert schedule["ScheduleExpression"] == "rate(6 hours)"
    on_event = events.describe_rule(Name="weir-status-on-organization-event", EventBusName="weir-organization")
    pattern = json.loads(on_event["EventPattern"])
    assert {"CreateAccountResult", "MoveAccount", "CloseAccount", "RemoveAccountFromOrganization"} <= set(
        pattern["detail"]["eventName"]
    )
    for rule, bus in (("weir-status-on-schedule", "default"), ("weir-status-on-organization-event", "weir-organization")):
        (target,) = events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
        assert target["EcsParameters"]["LaunchType"] == "FARGATE"
    (container,) = client("ecs").describe_task_definition(taskDefinition="weir-status")["taskDefinition"]["containerDefinitions"]
    assert container["command"] == ["accounts", "status", "--json"]
    outcome = json.loads(events.describe_rule(Name="weir-status-outcome")["EventPattern"])
    assert {"containers": {"exitCode": [{"anything-but": 0}]}} in outcome["detail"]["$or"]
    deploy(client, "organization-events.yaml", {"BusArn": outputs["BusArn"]})
    forwarded = json.loads(events.describe_rule(Name="weir-organization-events")["EventPattern"])
    assert forwarded == pattern
    (target,) = events.list_targets_by_rule(Rule="weir-organization-events")["Targets"]
    assert target["Arn"] == outputs["BusArn"]
