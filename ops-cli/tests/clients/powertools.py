"""Powertools for Python inside a function: its Logger, and its BatchProcessor with Kinesis partial responses."""
import io
import json
import sysconfig
import time
import zipfile
from pathlib import Path

import boto3

NAME = "powertools"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
CODE = """
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

logger = Logger(service="orders")
processor = BatchProcessor(event_type=EventType.KinesisDataStreams)


def record_handler(record):
    payload = record.kinesis.data_as_json()
    logger.info("seen", extra={"order": payload["order"]})
    if payload["order"] == "bad":
        raise ValueError("bad order")


@logger.inject_lambda_context
def handler(event, context):
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)
"""
functions, iam, kinesis, logs = (boto3.client(name) for name in ["lambda", "iam", "kinesis", "logs"])

# The package and what it imports, from where this script's own are installed.
installed = Path(sysconfig.get_path("purelib"))
code = io.BytesIO()
with zipfile.ZipFile(code, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    archive.writestr("index.py", CODE)
    for package in ["aws_lambda_powertools", "jmespath", "typing_extensions.py"]:
        found = installed / package
        for file in [found] if found.is_file() else found.rglob("*.py"):
            archive.write(file, file.relative_to(installed))

role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
functions.create_function(
    FunctionName=NAME, Runtime="python3.12", Handler="index.handler", Role=role, Timeout=30,
    Code={"ZipFile": code.getvalue()},
)
functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1})
kinesis.create_stream(StreamName=NAME, ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName=NAME, WaiterConfig={"Delay": 1})
stream = kinesis.describe_stream_summary(StreamName=NAME)["StreamDescriptionSummary"]["StreamARN"]
orders = ["a", "b", "bad", "c", "d"]
kinesis.put_records(
    StreamName=NAME,
    Records=[{"Data": json.dumps({"order": order}), "PartitionKey": "k"} for order in [*orders, "end"]],
)
functions.create_event_source_mapping(
    FunctionName=NAME, EventSourceArn=stream, StartingPosition="TRIM_HORIZON", BatchSize=len(orders),
    MaximumRetryAttempts=1, BisectBatchOnFunctionError=True, FunctionResponseTypes=["ReportBatchItemFailures"],
)

deadline = time.monotonic() + 60
while True:
    try:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{NAME}", filterPattern='{ $.message = "seen" }'
        )
        lines = [json.loads(event["message"]) for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        lines = []
    if "end" in (seen := [line["order"] for line in lines]):
        break
    assert time.monotonic() < deadline, seen
    time.sleep(0.2)
# What comes before the bad order is processed once, and what comes after it again once that is given up.
assert seen.count("a") == seen.count("b") == 1, seen
assert seen[-4:] == ["bad", "c", "d", "end"] and seen.count("bad") > 2, seen
line = lines[0]
assert (line["level"], line["service"], line["function_name"]) == ("INFO", "orders", NAME), line
assert line["function_arn"].endswith(f":function:{NAME}") and line["function_request_id"] and line["cold_start"], line
print("processed")
