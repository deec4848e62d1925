"""The scripts that `weir accounts render` writes: run with the AWS CLI against moto, and their documents against S3's model."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import urllib.request

import boto3
import botocore.session
import pytest
from botocore.validate import validate_parameters
from moto.server import ThreadedMotoServer
from roles import access_role, assumed
from support import GOLDENS

BUNDLE = GOLDENS / "cloudformation" / "bundle"
SHAPES = {
    "replication": ("PutBucketReplication", "ReplicationConfiguration"),
    "lifecycle": ("PutBucketLifecycleConfiguration", "LifecycleConfiguration"),
    "notification": ("PutBucketNotificationConfiguration", "NotificationConfiguration"),
}
DOCUMENTS = sorted(path for path in BUNDLE.rglob("*.json"))
ACCOUNT = "111111111111"
BUCKETS = {"shop-logs-111111111111-eu-central-1": "eu-central-1", "shop-logs-111111111111-us.east": "us-east-1"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_are_what_s3_takes(path):
    """By the service's own model: every name, type and required part."""
    document = json.loads(path.read_text())
    kind = path.name.split("-")[0]
    if kind not in SHAPES:
        assert document["Version"] == "2012-10-17" and document["Statement"]
        return
    operation, member = SHAPES[kind]
    shape = botocore.session.get_session().get_service_model("s3").operation_model(operation).input_shape
    validate_parameters(document, shape.members[member])


def test_scripts_are_scripts():
    scripts = sorted(BUNDLE.rglob("*.sh"))
    assert len(scripts) >= 4
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
        assert bool(script.stat().st_mode & stat.S_IXUSR) == (script.name == "run.sh"), script
        for name in re.findall(r"\S+\.json", script.read_text()):
            assert (script.parent / name).exists(), f"{script} names {name}"


@pytest.fixture
def account(tmp_path):
    """A member in moto with the buckets of the golden, and a copy of the bundle."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    # The server shares its state with every other in this process.
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    client = lambda service, **more: boto3.client(service, endpoint_url=endpoint, region_name="eu-central-1", **more)  # noqa: E731
    keys = assumed(client("sts"), access_role(ACCOUNT))
    s3 = client("s3", **keys)
    for name in BUCKETS:
        # moto refuses buckets of other Regions than the endpoint's; only the call's Region matters to the scripts.
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=list(BUCKETS)[1], VersioningConfiguration={"Status": "Enabled"})
    work = tmp_path / "bundle"
    shutil.copytree(BUNDLE, work)
    environment = os.environ | {name.upper(): value for name, value in keys.items()} | {
        "AWS_ENDPOINT_URL": endpoint,
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "WEIR_VERSIONING_WAIT": "0",
        "WEIR_CANARY_WAIT": "0",
    }
    yield s3, work, environment
    server.stop()


def run(work, environment, account=ACCOUNT):
    script = work / account / "run.sh"
    return subprocess.run([script], env=environment, capture_output=True, text=True, timeout=120)


def rules(s3, bucket):
    return s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]


def test_no_rule_widens_before_its_canary_was_seen(account):
    """moto replicates nothing, so the script must end with the canary's rule alone."""
    s3, work, environment = account
    ran = run(work, environment)
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert "canary" in ran.stderr, ran.stderr
    bucket = "shop-logs-111111111111-eu-central-1"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["ID"] for rule in lifecycle] == ["weir/noncurrent-versions"]
    canary = json.loads((work / ACCOUNT / f"replication-{bucket}-canary.json").read_text())
    assert [rule["ID"] for rule in rules(s3, bucket)] == [rule["ID"] for rule in canary["Rules"]]
    assert canary["Rules"][0]["Filter"]["Prefix"].endswith("/weir-canary/")
    written = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert all("/weir-canary/" in item["Key"] for item in written)


def test_a_document_that_moved_is_refused(account):
    s3, work, environment = account
    bucket = "shop-logs-111111111111-eu-central-1"
    rule = {"ID": "somebody", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    ran = run(work, environment)
    assert ran.returncode == 3 and "is not as it was" in ran.stderr, ran.stdout + ran.stderr
    kept = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["ID"] for rule in kept] == ["somebody"]


def test_credentials_of_another_account_write_nothing(account):
    s3, work, environment = account
    ran = run(work, environment, "222222222222")
    assert ran.returncode == 4 and "credentials of account 111111111111" in ran.stderr, ran.stdout + ran.stderr


# Stands before the AWS CLI for what moto cannot say: that the canary came through, and a rule with all its parts.
STAND_IN = """#!{python}
import pathlib, sys
arguments = sys.argv[1:]
operation = arguments[1]
value = lambda name: arguments[arguments.index(name) + 1]
kept = pathlib.Path({folder!r})
if operation == "head-object":
    print("COMPLETED")
    sys.exit()
if operation == "get-bucket-replication" and (kept / value("--bucket")).exists():
    print((kept / value("--bucket")).read_text())
    sys.exit()
if operation == "put-bucket-replication":
    document = pathlib.Path(value("--replication-configuration").removeprefix("file://")).read_text()
    (kept / value("--bucket")).write_text(document)
import os
os.execv({aws!r}, ["aws", *arguments])
"""


def test_a_second_run_changes_nothing(account):
    """Once the canary came through the rule widens; a run after that finds everything as it should be."""
    s3, work, environment = account
    tools = work / "tools"
    (tools / "kept").mkdir(parents=True)
    aws = shutil.which("aws", path=environment["PATH"])
    (tools / "aws").write_text(STAND_IN.format(python=sys.executable, folder=str(tools / "kept"), aws=aws))
    (tools / "aws").chmod(0o755)
    environment |= {"PATH": f"{tools}:{environment['PATH']}"}
    first = run(work, environment)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("seen: the canary") == 2
    for bucket in BUCKETS:
        wide = json.loads((work / ACCOUNT / f"replication-{bucket}.json").read_text())
        assert json.loads((tools / "kept" / bucket).read_text()) == wide
        assert [rule["ID"] for rule in rules(s3, bucket)] == [rule["ID"] for rule in wide["Rules"]]
    objects = {bucket: s3.list_objects_v2(Bucket=bucket)["KeyCount"] for bucket in BUCKETS}
    second = run(work, environment)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "put:" not in second.stdout and "wide already" in second.stdout, second.stdout
    assert objects == {bucket: s3.list_objects_v2(Bucket=bucket)["KeyCount"] for bucket in BUCKETS}
