// AWS's JavaScript client of CloudWatch Logs: StartLiveTail as an event stream.
import assert from "node:assert/strict";
import {
  CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, DescribeLogGroupsCommand, PutLogEventsCommand,
  StartLiveTailCommand,
} from "@aws-sdk/client-cloudwatch-logs";

// The service's own prefix of the host name, `streaming-`, would not resolve.
const logs = new CloudWatchLogsClient({ disableHostPrefix: true });
const logGroupName = "/clients/live";
await logs.send(new CreateLogGroupCommand({ logGroupName }));
const { logGroups: [{ logGroupArn }] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }));
const put = async (logStreamName, message) => {
  await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
  await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents: [{ timestamp: Date.now(), message }] }));
};

const command = new StartLiveTailCommand({ logGroupIdentifiers: [logGroupArn], logStreamNamePrefixes: ["a"] });
const { responseStream } = await logs.send(command);
const seen = [];
for await (const { sessionStart, sessionUpdate } of responseStream) {
  if (sessionStart) {
    assert.deepEqual(sessionStart.logGroupIdentifiers, [logGroupArn]);
    await put("a-stream", "héllo");
    await put("b-stream", "not asked for");
    await put("another", "and again");
  } else {
    seen.push(...sessionUpdate.sessionResults.map((event) => [event.logStreamName, event.message]));
    if (seen.length >= 2) break;
  }
}
assert.deepEqual(seen, [["a-stream", "héllo"], ["another", "and again"]]);
await assert.rejects(
  logs.send(new StartLiveTailCommand({ logGroupIdentifiers: [logGroupArn.replace("live", "none")] })),
  { name: "ResourceNotFoundException" },
);
// A session that is left is ended with the connection.
logs.destroy();
console.log("tailed");
