"""aws-kinesis-agg puts aggregates, which it takes apart again after GetRecords, and which become a line for each record
inside, whether the function opens them or, with a fan-out consumer, Lambda does. argv: the function's zip."""
import base64
import json
import sys
import time

import boto3
from aws_kinesis_agg.aggregator import RecordAggregator
from aws_kinesis_agg.deaggregator import iter_deaggregate_records

NAME = "aggregation"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
kinesis, functions, logs, iam = (boto3.client(name) for name in ("kinesis", "lambda", "logs", "iam"))


def eventually(what, look):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := look():
            return found
    raise SystemExit(f"waited 30 s for {what}")


def make_logger(name, source):
    with open(sys.argv[1], "rb") as code:
        functions.create_function(
            FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Code={"ZipFile": code.read()},
            Role=role, LoggingConfig={"LogFormat": "JSON"},
        )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    functions.create_event_source_mapping(FunctionName=name, EventSourceArn=source, StartingPosition="TRIM_HORIZON", BatchSize=100)


def logged(name):
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}", filterPattern='{ $.type = "json" }')
        lines = [json.loads(event["message"]) for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return None
    return lines if len(lines) >= len(users) else None


kinesis.create_stream(StreamName=NAME, ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName=NAME, WaiterConfig={"Delay": 1})
stream = kinesis.describe_stream_summary(StreamName=NAME)["StreamDescriptionSummary"]["StreamARN"]
consumer = kinesis.register_stream_consumer(StreamARN=stream, ConsumerName=NAME)["Consumer"]["ConsumerARN"]
eventually("the consumer", lambda: kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE")

role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]

users = [(f"user-{n % 7}", {"n": n}) for n in range(1000)]
aggregator = RecordAggregator(max_size=10_000)
full = [aggregator.add_user_record(key, json.dumps(data), str(data["n"])) for key, data in users]
aggregates = [aggregate for aggregate in full if aggregate] + [aggregator.clear_and_get()]
assert 1 < len(aggregates) < 10, len(aggregates)
for aggregate in aggregates:
    key, hash_key, data = aggregate.get_contents()
    kinesis.put_record(StreamName=NAME, PartitionKey=key, ExplicitHashKey=hash_key, Data=data)

shard = kinesis.list_shards(StreamName=NAME)["Shards"][0]["ShardId"]
iterator = kinesis.get_shard_iterator(StreamName=NAME, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
got = kinesis.get_records(ShardIterator=iterator)["Records"]
assert len(got) == len(aggregates), got
inside = [record["kinesis"] for record in iter_deaggregate_records(got, data_format="Boto3")]
assert [(record["partitionKey"], json.loads(base64.b64decode(record["data"]))) for record in inside] == users

for name, source in (("opened-by-the-function", stream), ("opened-by-lambda", consumer)):
    make_logger(name, source)
    lines = eventually(f"the lines of {name}", lambda: logged(name))
    assert [(line["partitionKey"], line["data"]) for line in lines] == users, name
    # What Lambda opened does not say which record of its aggregate it was.
    numbers = [line.get("subSequenceNumber") for line in lines]
    assert numbers == [record["subSequenceNumber"] if source == stream else None for record in inside], name
    assert {line["sequenceNumber"] for line in lines} == {record["SequenceNumber"] for record in got}, name
print("aggregated")
