// AWS's JavaScript client of CloudWatch Logs: write, read both ways, filter, page.
import assert from "node:assert/strict";
import {
  CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, DeleteLogGroupCommand, DescribeLogGroupsCommand,
  GetLogEventsCommand, PutLogEventsCommand, PutRetentionPolicyCommand, paginateDescribeLogStreams, paginateFilterLogEvents,
} from "@aws-sdk/client-cloudwatch-logs";

const logs = new CloudWatchLogsClient();
const logGroupName = "/clients/javascript", names = ["a", "b", "c"];

await logs.send(new CreateLogGroupCommand({ logGroupName, tags: { team: "clients" } }));
await assert.rejects(logs.send(new CreateLogGroupCommand({ logGroupName })), { name: "ResourceAlreadyExistsException" });
await logs.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays: 30 }));
const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: "/clients/java" }));
assert.deepEqual(logGroups.map((group) => [group.logGroupName, group.retentionInDays, group.logGroupClass]), [[logGroupName, 30, "STANDARD"]]);

const start = Date.now() - 1000;
for (const logStreamName of names) {
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
  const logEvents = Array.from({ length: 100 }, (_, n) => ({ timestamp: start + n, message: JSON.stringify({ stream: logStreamName, n }) }));
  const { rejectedLogEventsInfo } = await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }));
  assert.equal(rejectedLogEventsInfo, undefined);
}
const old = [{ timestamp: start - 20 * 86_400_000, message: "too old" }];
const { rejectedLogEventsInfo } = await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName: "a", logEvents: old }));
assert.deepEqual(rejectedLogEventsInfo, { tooOldLogEventEndIndex: 1 });

const streams = [];
for await (const page of paginateDescribeLogStreams({ client: logs, pageSize: 2 }, { logGroupName, orderBy: "LastEventTime", descending: true })) {
  streams.push(...page.logStreams.map((stream) => [stream.logStreamName, stream.firstEventTimestamp]));
}
assert.deepEqual(streams.sort(), names.map((name) => [name, start]));

// A page repeats its token when there is no more, in either direction.
async function read(startFromHead) {
  const numbers = [];
  for (let nextToken; ;) {
    const page = await logs.send(new GetLogEventsCommand({ logGroupName, logStreamName: "b", startFromHead, limit: 30, nextToken }));
    const found = page.events.map((event) => JSON.parse(event.message).n);
    startFromHead ? numbers.push(...found) : numbers.unshift(...found);
    const token = startFromHead ? page.nextForwardToken : page.nextBackwardToken;
    if (token === nextToken) return numbers;
    nextToken = token;
  }
}
const all = Array.from({ length: 100 }, (_, n) => n);
assert.deepEqual(await read(true), all);
assert.deepEqual(await read(false), all);

const found = [];
const query = { logGroupName, logStreamNames: ["a", "c"], filterPattern: "{ $.n >= 40 && $.n < 60 }", startTime: start + 45, endTime: start + 49 };
for await (const page of paginateFilterLogEvents({ client: logs, pageSize: 3 }, query)) found.push(...page.events.map((event) => event.message));
assert.deepEqual(found.map((message) => JSON.parse(message).n).sort(), [45, 45, 46, 46, 47, 47, 48, 48, 49, 49]);

await logs.send(new DeleteLogGroupCommand({ logGroupName }));
await assert.rejects(logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName: "a" })), { name: "ResourceNotFoundException" });
console.log("logged");
