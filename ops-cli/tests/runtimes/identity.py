"""A function is its role's session to STS, with credentials of its own that end with its process.

usage: identity.py (with the endpoint's exports)
"""

import json
import site

import boto3
from botocore.exceptions import ClientError
from compare import TRUST, package

SOURCE = f"""
import os, sys
sys.path.append({site.getsitepackages()[0]!r})
import boto3

def handler(event, context):
    caller = boto3.client("sts").get_caller_identity()
    session = boto3.Session().get_credentials()
    return [caller["Arn"], caller["UserId"], session.access_key, session.secret_key, session.token]
"""

functions, iam, sts = (boto3.client(name) for name in ("lambda", "iam", "sts"))
role = iam.create_role(RoleName="reader", Path="/team/", AssumeRolePolicyDocument=TRUST)["Role"]
functions.create_function(
    FunctionName="who", Runtime="python3.12", Role=role["Arn"], Handler="index.handler", Timeout=30, MemorySize=512,
    Code={"ZipFile": package({"index.py": SOURCE})},
)
answer = json.load(functions.invoke(FunctionName="who")["Payload"])
arn, user_id, *credentials = answer
account = sts.get_caller_identity()["Account"]
assert arn == f"arn:aws:sts::{account}:assumed-role/reader/who", answer
assert user_id == f"{role['RoleId']}:who", answer
assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"

key, secret, token = credentials


def caller(token):
    session = boto3.Session(key, secret, token)
    return session.client("sts").get_caller_identity()


assert caller(token)["Arn"] == arn
for wrong in (None, "another"):
    try:
        caller(wrong)
        raise SystemExit(f"accepted with the token {wrong}")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidClientTokenId", error

functions.delete_function(FunctionName="who")
while True:
    # The process ends soon after.
    try:
        caller(token)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidClientTokenId", error
        break
print("ok")
