"""A stand-in for Terraform's AWS provider: its real schema, and no AWS.

Terraform itself comes as a library from PyPI, the provider does not. This one has the schema of the real one
(provider_schema.json) for the types that infra/ uses, so that Terraform checks every name, type and reference; applying
gives each resource the ids that AWS would, and keeps what was asked for in the state.

    python stand_in_provider.py --dev      prints what Terraform has to be told in TF_REATTACH_PROVIDERS
"""

import json
import pathlib
import sys

from tf import runner, schema, types
from tf.gen import tfplugin_pb2
from tf.iface import DataSource, Provider, Resource

SCHEMA = json.loads((pathlib.Path(__file__).parent / "provider_schema.json").read_text())
ACCOUNT, REGION = "123456789012", "eu-central-1"
KEY = "11111111-2222-3333-4444-555555555555"
LIST = tfplugin_pb2.Schema.NestedBlock.NestingMode.LIST

# What AWS makes of a resource, from what was asked for.
MADE = {
    "aws_s3_bucket": lambda asked: {"id": asked["bucket"], "arn": f"arn:aws:s3:::{asked['bucket']}"},
    "aws_kms_key": lambda _: {"id": KEY, "key_id": KEY, "arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY}"},
    "aws_sqs_queue": lambda asked: {
        "id": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{asked['name']}",
        "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{asked['name']}",
        "arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{asked['name']}",
    },
    "aws_sns_topic": lambda asked: {
        "id": f"arn:aws:sns:{REGION}:{ACCOUNT}:{asked['name']}",
        "arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{asked['name']}",
    },
    "aws_iam_role": lambda asked: {"id": name_of(asked), "name": name_of(asked), "arn": f"arn:aws:iam::{ACCOUNT}:role/{name_of(asked)}"},
    "aws_cloudwatch_log_group": lambda asked: {
        "arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{asked['name']}",
    },
}

# Attributes that AWS fills in where none is given; the bindings do not tell these from other optional ones.
FILLED_IN = {"aws_iam_role": {"name"}, "aws_iam_policy": {"name"}, "aws_iam_instance_profile": {"name"}}


def name_of(asked):
    return asked["name"] if isinstance(asked["name"], str) else f"{asked['name_prefix']}1"


# What the data sources know.
KNOWN = {
    "aws_caller_identity": {"account_id": ACCOUNT},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
    "aws_region": {"region": REGION, "name": REGION},
}


def type_of(described):
    if isinstance(described, list):
        return {"list": types.List, "map": types.Map}[described[0]](type_of(described[1]))
    return {"string": types.String, "number": types.Number, "bool": types.Bool}[described]()


class ListBlock(schema.NestedBlock):
    """The framework has blocks in sets only. The values stay as Terraform sends them."""

    def __init__(self, name, described):
        inner = schema.Block(attributes(described, inside=True), [ListBlock(*item) for item in described["blocks"].items()])
        super().__init__(name, schema.NestMode.Set, inner)
        self.limits = (1 if described["required"] else 0, 1 if described["single"] else 0)

    def to_pb(self):
        least, most = self.limits
        return tfplugin_pb2.Schema.NestedBlock(
            type_name=self.type_name, block=self.block.to_pb(), min_items=least, max_items=most, nesting=LIST
        )

    def encode(self, value):
        return value

    def decode(self, value):
        return value

    def semantically_equal(self, a_decoded, b_decoded):
        return a_decoded == b_decoded


def attributes(described, inside=False, filled_in=()):
    found = []
    for name, attribute in described["attributes"].items():
        required, only_read = attribute.get("required", False), attribute.get("computed", False)
        if inside and only_read:
            continue
        found.append(
            schema.Attribute(
                name,
                type_of(attribute["type"]),
                required=required,
                computed=only_read or name in filled_in,
                optional=not (required or only_read),
            )
        )
    return found


def schema_of(described, filled_in=()):
    return schema.Schema(attributes(described, filled_in=filled_in), 0, [ListBlock(*item) for item in described["blocks"].items()])


def resource(kind, described):
    class StandIn(Resource):
        def __init__(self, provider):
            pass

        @classmethod
        def get_name(cls):
            return kind.removeprefix("aws_")

        @classmethod
        def get_schema(cls):
            return schema_of(described, FILLED_IN.get(kind, ()))

        def create(self, ctx, planned):
            made = MADE.get(kind, lambda _: {})(planned)
            state = {
                name: self.filled(name) if value is types.Unknown else value for name, value in planned.items()
            }
            return state | {"id": f"{kind}-id"} | made

        @staticmethod
        def filled(name):
            """Something in the place of what AWS would say."""
            kinds = {"number": 0, "bool": False, "string": f"{kind}-{name}"}
            declared = described["attributes"][name]["type"]
            return kinds.get(declared) if isinstance(declared, str) else None

        def read(self, ctx, current):
            return current

        def update(self, ctx, current, planned):
            return planned

        def delete(self, ctx, current):
            return None

    return StandIn


def data_source(kind, described):
    class StandIn(DataSource):
        def __init__(self, provider):
            pass

        @classmethod
        def get_name(cls):
            return kind.removeprefix("aws_")

        @classmethod
        def get_schema(cls):
            # The bindings do not tell which attributes AWS fills in where none is given.
            return schema_of(described, KNOWN[kind])

        def read(self, ctx, config):
            empty = dict.fromkeys(described["attributes"])
            return empty | {"id": kind} | KNOWN[kind]

    return StandIn


class Aws(Provider):
    def get_model_prefix(self):
        return "aws_"

    def full_name(self):
        return "registry.terraform.io/hashicorp/aws"

    def get_provider_schema(self, diags):
        return schema.Schema(
            [
                schema.Attribute("region", types.String(), optional=True),
                schema.Attribute("allowed_account_ids", types.List(types.String()), optional=True),
            ]
        )

    def validate_config(self, diags, config):
        pass

    def configure_provider(self, diags, config):
        pass

    def get_resources(self):
        return [resource(*item) for item in SCHEMA["resources"].items()]

    def get_data_sources(self):
        return [data_source(*item) for item in SCHEMA["data"].items()]


if __name__ == "__main__":
    runner.run_provider(Aws(), sys.argv)
