"""The same walk-through with boto3. argv: the function's zip."""
import sys
import time

import boto3

kinesis, functions, logs, iam = (boto3.client(name) for name in ("kinesis", "lambda", "logs", "iam"))
NAME, POLICY = "boto3-logger", "arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'


def eventually(what, look):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := look():
            return found
    raise SystemExit(f"waited 30 s for {what}")


kinesis.create_stream(StreamName=NAME, ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName=NAME, WaiterConfig={"Delay": 1})
stream = kinesis.describe_stream(StreamName=NAME)["StreamDescription"]["StreamARN"]
role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
iam.attach_role_policy(RoleName=NAME, PolicyArn=POLICY)
assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]] == [POLICY]
with open(sys.argv[1], "rb") as code:
    functions.create_function(FunctionName=NAME, Runtime="provided.al2023", Handler="bootstrap", Role=role, Code={"ZipFile": code.read()})
functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
mapping = functions.create_event_source_mapping(FunctionName=NAME, EventSourceArn=stream, BatchSize=1, StartingPosition="LATEST")["UUID"]
eventually("the mapping", lambda: functions.get_event_source_mapping(UUID=mapping)["State"] == "Enabled")
placed = kinesis.put_record(StreamName=NAME, PartitionKey="1", Data=b"Hello, Lambda CLI World")


def line():
    group = f"/aws/lambda/{NAME}"
    for found in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        events = logs.get_log_events(logGroupName=group, logStreamName=found["logStreamName"], startFromHead=True)["events"]
        for event in events:
            if "Hello, Lambda CLI World" in event["message"]:
                return event["message"]


def line_once_there_is_a_group():
    try:
        return line()
    except logs.exceptions.ResourceNotFoundException:
        return None


assert placed["SequenceNumber"] in eventually("the line", line_once_there_is_a_group)

functions.delete_event_source_mapping(UUID=mapping)
functions.delete_function(FunctionName=NAME)
logs.delete_log_group(logGroupName=f"/aws/lambda/{NAME}")
iam.detach_role_policy(RoleName=NAME, PolicyArn=POLICY)
iam.delete_role(RoleName=NAME)
kinesis.delete_stream(StreamName=NAME)
print("walked")
