"""boto3's StartLiveTail: what is put and what a function prints arrives while it happens, filtered."""
import io
import json
import time
import zipfile

import boto3

NAME = "live"
GROUP = f"/aws/lambda/{NAME}"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
functions, iam = boto3.client("lambda"), boto3.client("iam")
# The exports keep botocore from sending StartLiveTail to the host `stream-127.0.0.1`.
logs = boto3.client("logs")

code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("index.py", "def handler(event, context):\n    print(event['say'])\n")
role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
functions.create_function(FunctionName=NAME, Runtime="python3.12", Handler="index.handler", Role=role, Code={"ZipFile": code.getvalue()})
functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
logs.create_log_group(logGroupName=GROUP)
logs.create_log_stream(logGroupName=GROUP, logStreamName="by hand")
group = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]["logGroupArn"]


def put(message):
    now = time.time_ns() // 1_000_000
    logs.put_log_events(logGroupName=GROUP, logStreamName="by hand", logEvents=[{"timestamp": now, "message": message}])


def say(text):
    functions.invoke(FunctionName=NAME, Payload=json.dumps({"say": text}))


seen = []
for event in logs.start_live_tail(logGroupIdentifiers=[group], logEventFilterPattern="wanted")["responseStream"]:
    if "sessionStart" in event:
        assert event["sessionStart"]["logGroupIdentifiers"] == [group], event
        put("wanted: put")
        put("something else")
        say("wanted: printed")
        say("something else")
        continue
    update = event["sessionUpdate"]
    assert update["sessionMetadata"]["sampled"] is False, update
    seen += update["sessionResults"]
    if len(seen) >= 2:
        break
assert sorted(found["message"].strip() for found in seen) == ["wanted: printed", "wanted: put"], seen
assert {found["logGroupIdentifier"] for found in seen} == {"000000000000:" + GROUP}, seen
assert all(found["ingestionTime"] >= found["timestamp"] for found in seen), seen
print("tailed")
