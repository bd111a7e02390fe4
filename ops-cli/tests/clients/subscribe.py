"""boto3's SubscribeToShard: a registered consumer is pushed what is put, and told of the shard's children at its end."""
import time

import boto3

NAME = "subscribed"
kinesis = boto3.client("kinesis")

kinesis.create_stream(StreamName=NAME, ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName=NAME, WaiterConfig={"Delay": 1})
stream = kinesis.describe_stream_summary(StreamName=NAME)["StreamDescriptionSummary"]["StreamARN"]
consumer = kinesis.register_stream_consumer(StreamARN=stream, ConsumerName=NAME)["Consumer"]["ConsumerARN"]
deadline = time.monotonic() + 30
while kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] != "ACTIVE":
    assert time.monotonic() < deadline, "waited 30 s for the consumer"

shard = kinesis.list_shards(StreamName=NAME)["Shards"][0]["ShardId"]
first = kinesis.put_record(StreamName=NAME, PartitionKey="k", Data=b"0")["SequenceNumber"]
subscribed = kinesis.subscribe_to_shard(
    ConsumerARN=consumer, ShardId=shard, StartingPosition={"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": first}
)["EventStream"]
received, children = [], []
for event in subscribed:
    event = event["SubscribeToShardEvent"]
    received += [record["Data"] for record in event["Records"]]
    children = event.get("ChildShards") or []
    if event["Records"] and len(received) < 5:
        kinesis.put_record(StreamName=NAME, PartitionKey="k", Data=str(len(received)).encode())
    elif event["Records"]:
        kinesis.split_shard(StreamName=NAME, ShardToSplit=shard, NewStartingHashKey=str(2**127))
assert received == [b"0", b"1", b"2", b"3", b"4"], received
assert [child["ParentShards"] for child in children] == [[shard], [shard]], children

kinesis.deregister_stream_consumer(ConsumerARN=consumer)
kinesis.delete_stream(StreamName=NAME, EnforceConsumerDeletion=True)
print("subscribed")
