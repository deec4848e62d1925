"""Acting in a member account: the keys of a role that was assumed in it."""


def access_role(account):
    """The role that Organizations makes in every account."""
    return f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"


def assumed(sts, role, **more):
    """The keys of a role, as the arguments that boto3's clients take; `more` goes with the call."""
    credentials = sts.assume_role(RoleArn=role, **{"RoleSessionName": "test"} | more)["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
