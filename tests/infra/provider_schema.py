"""Takes the schema of the AWS provider's resources, as far as infra/ uses them, out of the provider's published bindings.

    npm pack @cdktf/provider-aws@21.22.1 && tar xf cdktf-provider-aws-*.tgz
    python provider_schema.py package/lib > provider_schema.json

The bindings are generated from the provider's own schema, and the npm registry serves them where the provider itself is
not to be had. Run it again when infra/ needs another type of resource; the list is below.
"""

import json
import pathlib
import re
import sys

RESOURCES = """
aws_cloudformation_stack aws_cloudformation_stack_set aws_cloudformation_stack_set_instance
aws_cloudwatch_log_group aws_cloudwatch_log_resource_policy aws_cloudwatch_metric_alarm
aws_ecs_cluster aws_ecs_service aws_ecs_task_definition
aws_iam_instance_profile aws_iam_policy aws_iam_role aws_iam_role_policy aws_iam_role_policy_attachment
aws_kms_alias aws_kms_key aws_opensearch_domain
aws_s3_bucket aws_s3_bucket_lifecycle_configuration aws_s3_bucket_notification aws_s3_bucket_ownership_controls
aws_s3_bucket_policy aws_s3_bucket_public_access_block aws_s3_bucket_replication_configuration
aws_s3_bucket_server_side_encryption_configuration aws_s3_bucket_versioning
aws_security_group aws_sns_topic aws_sns_topic_policy aws_sns_topic_subscription aws_sqs_queue aws_sqs_queue_policy
""".split()
DATA_SOURCES = "aws_caller_identity aws_partition aws_region".split()

PROPERTY = re.compile(r"/\*\*(?P<doc>.*?)\*/\s*readonly (?P<name>\w+)(?P<optional>\??): (?P<type>\{[^}]*\}(?:\[\])?[^;]*|[^;]+);", re.S)
PLAIN = {
    "string": "string",
    "number": "number",
    "boolean | cdktf.IResolvable": "bool",
    "cdktf.IResolvable": "bool",
    "string[]": ["list", "string"],
    "number[]": ["list", "number"],
    "{ [key: string]: string }": ["map", "string"],
    "cdktf.StringMap": ["map", "string"],
}


def interfaces(text):
    return dict(re.findall(r"export interface (\w+)[^{]*\{\n(.*?)\n\}", text, re.S))


def block(name, known):
    attributes, blocks = {}, {}
    for found in PROPERTY.finditer(known[name]):
        link = re.search(r"#(\w+) ", found["doc"])
        terraform = link[1] if link else snake(found["name"])
        required = not found["optional"]
        kind = re.sub(r"[\s;]+", " ", found["type"]).strip().replace(" }", " }")
        if kind in PLAIN:
            attributes[terraform] = {"type": PLAIN[kind], "required": required}
            continue
        struct = re.match(r"(\w+)(\[\])?", kind)
        assert struct and struct[1] in known, f"{name}.{terraform}: {kind}"
        blocks[terraform] = {"single": not struct[2], "required": required} | block(struct[1], known)
    return {"attributes": attributes, "blocks": blocks}


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", lambda found: "_" + found[1].lower(), name)


def computed(text, kind):
    """Attributes that can be read and not be set."""
    body = text[text.index(f'= "{kind}"') :]
    getters = dict(re.findall(r"\n    get (\w+)\(\): ([^;]+);", body))
    setters = set(re.findall(r"\n    set (\w+)\(", body))
    return {
        snake(name): {"type": PLAIN[kind], "computed": True}
        for name, kind in getters.items()
        if name not in setters and not name.endswith("Input") and kind in PLAIN
    }


def schema(text, kind):
    known = interfaces(text)
    (config,) = [name for name in known if name.endswith("Config") and f"interface {name} extends cdktf.Terraform" in text]
    described = block(config, known)
    for name, attribute in computed(text, kind).items():
        described["attributes"].setdefault(name, attribute)
    described["attributes"]["id"] = {"type": "string", "computed": True}
    return described


def main(folder):
    found, version = {}, None
    for path in folder.glob("*/index.d.ts"):
        text = path.read_text()
        kind = re.search(r'tfResourceType = "(\w+)"', text)
        if kind:
            is_data = path.parent.name.startswith("data-")
            found[is_data, kind[1]] = text
            version = version or re.search(r"hashicorp/aws/([0-9.]+)/docs", text)[1]
    print(
        json.dumps(
            {
                "version": version,
                "resources": {kind: schema(found[False, kind], kind) for kind in sorted(RESOURCES)},
                "data": {kind: schema(found[True, kind], kind) for kind in sorted(DATA_SOURCES)},
            },
            indent=1,
            sort_keys=True,
        )
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
