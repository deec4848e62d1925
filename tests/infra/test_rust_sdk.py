"""What the AWS SDK for Rust reads and writes through `weir accounts`, on moto and on the strict fake of tests/aws-fake.

The same organization, with the same ids, is made on both sides by the same calls. `weir accounts discover` then reads all
of it, and its inventory holds what the SDK was answered: it must be the same on both sides. `weir accounts apply` writes,
and what is read back must be the same again, but for replication and canaries, which moto does not have
(test_onboarding.GAPS). What else differs is in DIFFERENCES, with the reason.
"""

import fnmatch
import json
import os
import pathlib
import subprocess
import urllib.request
from xml.etree import ElementTree

import pytest
from support import ROOT
from test_onboarding import REGION, ROLE, Organization, binary, endpoint  # noqa: F401  a moto server

ACCOUNTS = 6
KEY = "testing"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

# Where the inventory differs, and why.
DIFFERENCES = {
    "caller.arn": "moto's caller is a user of its own making",
    "organization.policies.*": "moto's organization has no policy type enabled, the fake's has service control policies",
    "organization.attachments*": "the same",
}
# New buckets have both since April 2023 ("Default settings for new S3 buckets", Amazon S3 User Guide), in moto neither.
BEFORE_APPLYING = {
    "log_account.destinations.*.ownership": "moto sets no default",
    "log_account.destinations.*.public_access_block.*": "moto sets no default",
}
AFTER_APPLYING = {
    "*.replication": "moto drops the filter of rules (GAPS)",
    "*.samples*": "canaries: moto copies nothing, and the second sample is one (GAPS)",
    "members.*.roles.*.unique_id": "made anew by each",
}


class Copy(Organization):
    """An organization that is there already, by its ids."""

    def __init__(self, endpoint, of):
        self.endpoint, self.management, self.log_account, self.members = endpoint, of.management, of.log_account, of.members
        self.make_log_account()
        for number, account in enumerate(self.members):
            self.make_member(number, account)


def world(organization):
    """The accounts and units of an organization on moto, as the fake takes them."""
    organizations = organization.client("organizations")
    about = organizations.describe_organization()["Organization"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    units = organizations.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{organization.management}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = {"trust": trust, "managed_policies": [ADMINISTRATOR]}
    accounts = {}
    for parent in [root, *(unit["Id"] for unit in units)]:
        for account in organizations.list_accounts_for_parent(ParentId=parent)["Accounts"]:
            accounts[account["Id"]] = {
                "name": account["Name"],
                "email": account["Email"],
                "parent": parent,
                "roles": {ROLE: role, "OrganizationAccountAccessRole": role},
            }
    accounts[organization.management] |= {
        "access_keys": {KEY: {"principal": "user/administrator"}},
        "users": {"administrator": {"managed_policies": [ADMINISTRATOR]}},
    }
    return {
        "organization": {
            "id": about["Id"],
            "management_account": organization.management,
            "root": root,
            "units": {unit["Id"]: {"name": unit["Name"], "parent": root} for unit in units},
        },
        "accounts": accounts,
    }


class Side:
    """`weir accounts` in a folder of its own, on one of the two."""

    def __init__(self, binary, endpoint, folder, desired):
        self.binary, self.endpoint, self.folder = binary, endpoint, folder
        (folder / "accounts.toml").write_text(desired)

    def run(self, *arguments):
        environment = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "WEIR_AWS_ENDPOINT_URL": self.endpoint,
        }
        return subprocess.run(
            [self.binary, "accounts", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300
        )

    def inventory(self):
        ran = self.run("discover", "--json")
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        return dict(fields(json.loads(ran.stdout)))


def fields(value, path=""):
    if isinstance(value, dict):
        for name, item in value.items():
            yield from fields(item, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        # An empty list is nothing: its items are compared one by one.
        for place, item in enumerate(value):
            yield from fields(item, f"{path}[{place}]")
    elif path.endswith("last_modified"):
        return
    else:
        yield path, canonical(value)


def canonical(value):
    """Documents by what they say: neither the order of members and elements nor namespaces matter."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, str) and value.lstrip().startswith("<"):
        return repr(element(ElementTree.fromstring(value.encode())))
    return value


def element(node):
    return (node.tag.rsplit("}", 1)[-1], (node.text or "").strip(), sorted(element(child) for child in node))


def differing(moto, fake, known):
    """Paths that only one side has, or that differ, but for what is known to."""
    found = {path: (moto.get(path), fake.get(path)) for path in moto.keys() | fake.keys() if moto.get(path) != fake.get(path)}
    named = {path: [pattern for pattern in known if fnmatch.fnmatch(path, pattern)] for path in found}
    gone = set(known) - {pattern for patterns in named.values() for pattern in patterns}
    assert not gone, f"these differ no more: {gone}"
    return {path: values for path, values in found.items() if not named[path]}


@pytest.fixture(scope="module")
def sides(binary, endpoint, tmp_path_factory):  # noqa: F811
    on_moto = Organization(endpoint, ACCOUNTS)
    folder = tmp_path_factory.mktemp("rust-sdk")
    (folder / "world.json").write_text(json.dumps(world(on_moto)))
    fake = os.environ.get("WEIR_AWS_FAKE_BIN") or pathlib.Path(ROOT / "target" / "release" / "weir-aws-fake")
    process = subprocess.Popen([fake, "--port", "0", "--world", folder / "world.json"], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        url = line.split()[-1]
        on_fake = Copy(url, on_moto)
        # The quarter of an hour after the first versioning takes seconds.
        clock = urllib.request.Request(f"{url}/_fake/clock", data=json.dumps({"speed": 300}).encode(), method="POST")
        urllib.request.urlopen(clock).close()
        (folder / "moto").mkdir()
        (folder / "fake").mkdir()
        yield Side(binary, endpoint, folder / "moto", on_moto.desired()), Side(binary, url, folder / "fake", on_fake.desired())
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_the_sdk_is_answered_alike(sides):
    moto, fake = (side.inventory() for side in sides)
    assert sum(path.endswith(".versioning") for path in moto) == ACCOUNTS + 1, "the buckets were not read"
    differences = differing(moto, fake, DIFFERENCES | BEFORE_APPLYING)
    assert not differences, "\n".join(f"{path}: moto {of[0]!r}, fake {of[1]!r}" for path, of in sorted(differences.items()))


def test_what_the_sdk_writes_is_read_back_alike(sides):
    on_moto, on_fake = sides
    assert on_moto.run("apply", "--yes", "--json").returncode == 3
    applied = on_fake.run("apply", "--yes", "--wait", "--json")
    assert applied.returncode == 0, f"{applied.stdout}\n{applied.stderr}"
    moto, fake = (side.inventory() for side in sides)
    assert sum("/weir/weir-replication.inline_policies" in path for path in moto) == ACCOUNTS, "the roles were not written"
    differences = differing(moto, fake, DIFFERENCES | AFTER_APPLYING)
    assert not differences, "\n".join(f"{path}: moto {of[0]!r}, fake {of[1]!r}" for path, of in sorted(differences.items()))
