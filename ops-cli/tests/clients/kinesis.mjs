// AWS's JavaScript client of Kinesis, over HTTP/2 as it is by default: put, get, split, subscribe.
import assert from "node:assert/strict";
import {
  CreateStreamCommand, DeleteStreamCommand, DescribeStreamConsumerCommand, DescribeStreamSummaryCommand, GetRecordsCommand,
  GetShardIteratorCommand, KinesisClient, ListShardsCommand, ListStreamsCommand, PutRecordCommand, PutRecordsCommand,
  RegisterStreamConsumerCommand, SplitShardCommand, SubscribeToShardCommand, waitUntilStreamExists,
} from "@aws-sdk/client-kinesis";

const kinesis = new KinesisClient();
assert.equal(kinesis.config.requestHandler.metadata.handlerProtocol, "h2");
const StreamName = "javascript";
const text = (record) => Buffer.from(record.Data).toString();
const wait = { client: kinesis, maxWaitTime: 30, minDelay: 1 };

// Everything in a shard, in small pages; an empty page is the end of an open shard only.
async function records(ShardId) {
  const all = [];
  let { ShardIterator } = await kinesis.send(new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }));
  while (ShardIterator) {
    const { Records, NextShardIterator } = await kinesis.send(new GetRecordsCommand({ ShardIterator, Limit: 100 }));
    if (NextShardIterator && Records.length === 0) break;
    all.push(...Records);
    ShardIterator = NextShardIterator;
  }
  return all;
}

await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
assert.equal((await waitUntilStreamExists(wait, { StreamName })).state, "SUCCESS");
assert.deepEqual((await kinesis.send(new ListStreamsCommand({}))).StreamNames, [StreamName]);

const put = await kinesis.send(new PutRecordCommand({ StreamName, PartitionKey: "k", Data: Buffer.from("héllo") }));
const many = Array.from({ length: 500 }, (_, n) => ({ PartitionKey: `key-${n}`, Data: Buffer.from(`record ${n}`) }));
const answer = await kinesis.send(new PutRecordsCommand({ StreamName, Records: many }));
assert.equal(answer.FailedRecordCount, 0);
assert.equal(answer.Records.length, 500);

const { Shards: [parent] } = await kinesis.send(new ListShardsCommand({ StreamName }));
const got = await records(parent.ShardId);
assert.deepEqual(got.map(text), ["héllo", ...many.map(text)]);
assert.deepEqual(got.map((record) => record.SequenceNumber), [put, ...answer.Records].map((receipt) => receipt.SequenceNumber));
assert.ok(Date.now() - got[0].ApproximateArrivalTimestamp < 60_000);
await assert.rejects(kinesis.send(new PutRecordCommand({ StreamName: "none", PartitionKey: "k", Data: Buffer.from("") })), { name: "ResourceNotFoundException" });

const { StreamDescriptionSummary: { StreamARN } } = await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }));
const { Consumer: { ConsumerARN } } = await kinesis.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "consumer" }));
const isActive = async () => (await kinesis.send(new DescribeStreamConsumerCommand({ ConsumerARN }))).ConsumerDescription.ConsumerStatus === "ACTIVE";
for (const end = Date.now() + 30_000; !(await isActive());) assert.ok(Date.now() < end, "waited 30 s for the consumer");

// A subscription is pushed each put while other requests share its connection, and ends with the shard.
const { EventStream } = await kinesis.send(new SubscribeToShardCommand({ ConsumerARN, ShardId: parent.ShardId, StartingPosition: { Type: "LATEST" } }));
let pushed = [], children = [];
const next = (n) => n < 3
  ? kinesis.send(new PutRecordCommand({ StreamName, PartitionKey: "k", Data: Buffer.from(`pushed ${n}`) }))
  : kinesis.send(new SplitShardCommand({ StreamName, ShardToSplit: parent.ShardId, NewStartingHashKey: (2n ** 127n).toString() }));
await next(0);
for await (const { SubscribeToShardEvent: event } of EventStream) {
  pushed = pushed.concat(event.Records.map(text));
  children = children.concat(event.ChildShards ?? []);
  if (event.Records.length) await next(pushed.length);
}
assert.deepEqual(pushed, ["pushed 0", "pushed 1", "pushed 2"]);
assert.deepEqual(children.map((child) => child.ParentShards), [[parent.ShardId], [parent.ShardId]]);

await waitUntilStreamExists(wait, { StreamName });
const after = await Promise.all(many.map(({ PartitionKey, Data }) => kinesis.send(new PutRecordCommand({ StreamName, PartitionKey, Data }))));
const shards = (await kinesis.send(new ListShardsCommand({ StreamName }))).Shards.slice(1).map((shard) => shard.ShardId);
assert.deepEqual(new Set(after.map((receipt) => receipt.ShardId)), new Set(shards));
const inChildren = (await Promise.all(shards.map((shard) => records(shard)))).flat();
assert.deepEqual(inChildren.map(text).sort(), many.map(text).sort());
assert.equal((await records(parent.ShardId)).length, 504, "a closed shard is still read");

await kinesis.send(new DeleteStreamCommand({ StreamName, EnforceConsumerDeletion: true }));
kinesis.destroy();
console.log("streamed");
