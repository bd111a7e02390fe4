"""boto3: the same names in two regions, each with its own state."""

import boto3
from botocore.exceptions import ClientError

HOME, OTHER = "us-east-1", "eu-west-1"
NAME, GROUP = "clients-regions", "/clients/regions"

kinesis = {region: boto3.client("kinesis", region_name=region) for region in (HOME, OTHER)}
logs = {region: boto3.client("logs", region_name=region) for region in (HOME, OTHER)}

for region in (HOME, OTHER):
    kinesis[region].create_stream(StreamName=NAME, ShardCount=1)
    kinesis[region].get_waiter("stream_exists").wait(StreamName=NAME)
    kinesis[region].put_record(StreamName=NAME, PartitionKey="k", Data=region.encode())
    logs[region].create_log_group(logGroupName=GROUP)

for region in (HOME, OTHER):
    description = kinesis[region].describe_stream_summary(StreamName=NAME)["StreamDescriptionSummary"]
    assert description["StreamARN"].split(":")[3] == region, description
    shard = kinesis[region].list_shards(StreamName=NAME)["Shards"][0]["ShardId"]
    iterator = kinesis[region].get_shard_iterator(StreamName=NAME, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis[region].get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert [record["Data"] for record in records] == [region.encode()], records
    group = logs[region].describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]
    assert group["arn"].split(":")[3] == region, group

kinesis[OTHER].delete_stream(StreamName=NAME)
logs[OTHER].delete_log_group(logGroupName=GROUP)
kinesis[OTHER].get_waiter("stream_not_exists").wait(StreamName=NAME)
assert kinesis[HOME].list_streams()["StreamNames"] == [NAME]
assert len(logs[HOME].describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]) == 1

# IAM is the same in every region.
roles = [boto3.client("iam", region_name=region).list_roles()["Roles"] for region in (HOME, OTHER)]
assert roles[0] == roles[1], roles

try:
    boto3.client("kinesis", region_name="no-where-99").list_streams()
    raise SystemExit("a region that does not exist was accepted")
except ClientError as error:
    assert error.response["Error"]["Code"] == "InvalidSignatureException", error

print("kept apart")
