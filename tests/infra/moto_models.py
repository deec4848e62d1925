"""Resources that moto's CloudFormation lacks, put through moto's own services, so that a whole stack can be deployed.

moto finds these classes by itself, once this module is imported. Each makes the call that CloudFormation would, so what a
service refuses (a malformed policy, an unknown parameter) fails the deployment.
"""

import json

import boto3
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from roles import access_role, assumed


plain_clean_json = parsing.clean_json


def clean_json(resource_json, resources_map):
    """moto leaves a hole in a list where CloudFormation drops an `AWS::NoValue`."""
    if isinstance(resource_json, list):
        cleaned = (clean_json(item, resources_map) for item in resource_json)
        return [item for item in cleaned if item is not None]
    return plain_clean_json(resource_json, resources_map)


parsing.clean_json = clean_json


class Made:
    """What a stack remembers of a resource."""

    def __init__(self, physical_id, attributes):
        self.physical_resource_id = physical_id
        self.attributes = attributes

    @classmethod
    def has_cfn_attr(cls, attr):
        return True

    def get_cfn_attribute(self, attribute_name):
        return self.attributes[attribute_name]

    @staticmethod
    def cloudformation_name_type():
        return ""

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        physical_id, attributes = cls.make(resource_name, cloudformation_json.get("Properties", {}), account_id, region_name)
        return cls(physical_id, attributes)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name):
        raise NotImplementedError("the tests delete no stack")


def client(service, account, region):
    """A client of an account: moto takes the account of a role that was assumed in it."""
    sts = boto3.client("sts", region_name=region)
    keys = assumed(sts, access_role(account), RoleSessionName="cloudformation")
    return boto3.client(service, region_name=region, **keys)


def define(resource_type, make):
    """moto looks at the classes right under CloudFormationModel, and names their service after their module."""
    body = {
        "__module__": "moto.missing.models",
        "make": staticmethod(make),
        "cloudformation_type": staticmethod(lambda: resource_type),
    }
    return type(resource_type.replace("::", ""), (Made, CloudFormationModel), body)


def bucket(_, properties, account, region):
    """moto has buckets, but passes over what CloudFormation configures them with. What is not known here fails."""
    properties = dict(properties)
    s3 = client("s3", account, region)
    name = properties.pop("BucketName")
    lock = {"ObjectLockEnabledForBucket": True} if properties.pop("ObjectLockEnabled", False) else {}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region}, **lock)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=properties.pop("VersioningConfiguration"))
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=properties.pop("OwnershipControls"))
    s3.put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration=properties.pop("PublicAccessBlockConfiguration")
    )
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            "BucketKeyEnabled": rule["BucketKeyEnabled"],
        }
        for rule in properties.pop("BucketEncryption")["ServerSideEncryptionConfiguration"]
    ]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    rules = [lifecycle_rule(rule) for rule in properties.pop("LifecycleConfiguration")["Rules"]]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    announced = properties.pop("NotificationConfiguration")["QueueConfigurations"]
    queues = [{"QueueArn": entry["Queue"], "Events": [entry["Event"]]} for entry in announced]
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"QueueConfigurations": queues}
    )
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": properties.pop("Tags")})
    assert not properties, f"bucket {name} has properties that this test cannot deploy: {properties}"
    return name, {"Arn": f"arn:aws:s3:::{name}"}


def lifecycle_rule(rule):
    """CloudFormation's form of a rule in that of the S3 API."""
    rule = numbers(rule)
    api = {"ID": rule.pop("Id"), "Status": rule.pop("Status"), "Filter": {"Prefix": rule.pop("Prefix", "")}}
    expiration = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = rule.pop("ExpirationInDays")
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = rule.pop("ExpiredObjectDeleteMarker")
    if expiration:
        api["Expiration"] = expiration
    if "Transitions" in rule:
        moves = rule.pop("Transitions")
        api["Transitions"] = [{"StorageClass": move["StorageClass"], "Days": move["TransitionInDays"]} for move in moves]
    for same in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if same in rule:
            api[same] = rule.pop(same)
    assert not rule, f"a lifecycle rule has parts that this test cannot deploy: {rule}"
    return api


def bucket_policy(_, properties, account, region):
    client("s3", account, region).put_bucket_policy(
        Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"])
    )
    return properties["Bucket"], {}


def queue_policy(name, properties, account, region):
    for queue in properties["Queues"]:
        client("sqs", account, region).set_queue_attributes(
            QueueUrl=queue, Attributes={"Policy": json.dumps(properties["PolicyDocument"])}
        )
    return name, {}


def topic_policy(name, properties, account, region):
    for topic in properties["Topics"]:
        client("sns", account, region).set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(properties["PolicyDocument"])
        )
    return name, {}


def alarm(name, properties, account, region):
    arguments = dict(properties)
    arguments.setdefault("AlarmName", name)
    for number in ("Period", "EvaluationPeriods", "DatapointsToAlarm"):
        if number in arguments:
            arguments[number] = int(arguments[number])
    arguments["Threshold"] = float(arguments["Threshold"])
    cloudwatch = client("cloudwatch", account, region)
    cloudwatch.put_metric_alarm(**arguments)
    found = cloudwatch.describe_alarms(AlarmNames=[arguments["AlarmName"]])["MetricAlarms"]
    return arguments["AlarmName"], {"Arn": found[0]["AlarmArn"]}


def domain(_, properties, account, region):
    arguments = {
        name: value
        for name, value in properties.items()
        if name not in ("AccessPolicies", "Tags", "LogPublishingOptions")
    }
    arguments["AccessPolicies"] = json.dumps(properties["AccessPolicies"])
    arguments["LogPublishingOptions"] = properties["LogPublishingOptions"]
    arguments["TagList"] = properties["Tags"]
    status = client("opensearch", account, region).create_domain(**numbers(arguments))["DomainStatus"]
    return properties["DomainName"], {"Arn": status["ARN"], "DomainEndpoint": f"vpc-{properties['DomainName']}.example"}


def numbers(value):
    """CloudFormation turns texts of parameters into the numbers that a service wants."""
    if isinstance(value, dict):
        return {name: numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return int(value) if isinstance(value, str) and value.isdigit() else value


def bus_policy(name, properties, account, region):
    statement = properties["Statement"] | {"Sid": properties["StatementId"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client("events", account, region).put_permission(EventBusName=properties["EventBusName"], Policy=json.dumps(policy))
    return name, {}


def role_policy(name, properties, account, region):
    client("iam", account, region).put_role_policy(
        RoleName=properties["RoleName"],
        PolicyName=properties["PolicyName"],
        PolicyDocument=json.dumps(properties["PolicyDocument"]),
    )
    return f"{properties['PolicyName']}|{properties['RoleName']}", {}


def key(_, properties, account, region):
    """moto has keys, but takes their tags in the form of another service."""
    kms = client("kms", account, region)
    metadata = kms.create_key(
        Policy=json.dumps(properties["KeyPolicy"]),
        Description=properties["Description"],
        Tags=[{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties["Tags"]],
    )["KeyMetadata"]
    if properties["EnableKeyRotation"]:
        kms.enable_key_rotation(KeyId=metadata["KeyId"])
    return metadata["KeyId"], {"Arn": metadata["Arn"]}


CLASSES = [
    define("AWS::KMS::Key", key),
    define("AWS::S3::Bucket", bucket),
    define("AWS::S3::BucketPolicy", bucket_policy),
    define("AWS::SQS::QueuePolicy", queue_policy),
    define("AWS::SNS::TopicPolicy", topic_policy),
    define("AWS::CloudWatch::Alarm", alarm),
    define("AWS::OpenSearchService::Domain", domain),
    define("AWS::Events::EventBusPolicy", bus_policy),
    define("AWS::IAM::RolePolicy", role_policy),
]
