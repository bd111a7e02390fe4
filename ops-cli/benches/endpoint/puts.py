"""One boto3 client against AWS_ENDPOINT_URL: PutRecord a second, and PutRecords records a second (500 × 1 KiB), as JSON."""
import json
import time

import boto3
from botocore.config import Config

SECONDS = 3
kinesis = boto3.client("kinesis", config=Config(retries={"total_max_attempts": 1}))
kinesis.create_stream(StreamName="puts", ShardCount=4)
while kinesis.describe_stream_summary(StreamName="puts")["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
    time.sleep(0.01)

data = b"x" * 1024
entries = [{"PartitionKey": f"key-{n}", "Data": data} for n in range(500)]


def put_record():
    kinesis.put_record(StreamName="puts", PartitionKey="key", Data=data)
    return 1


def put_records():
    refused = kinesis.put_records(StreamName="puts", Records=entries)["FailedRecordCount"]
    return len(entries) - refused


def rate(put):
    put()
    begun, taken = time.perf_counter(), 0
    while time.perf_counter() - begun < SECONDS:
        taken += put()
    return taken / (time.perf_counter() - begun)


print(json.dumps({"putRecord": rate(put_record), "putRecords": rate(put_records)}))
