// AWS's JavaScript client of Lambda: a function of its own runtime, invoked in every way, and fed by a stream.
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { CreateStreamCommand, DescribeStreamSummaryCommand, KinesisClient, PutRecordCommand, waitUntilStreamExists } from "@aws-sdk/client-kinesis";
import {
  CreateEventSourceMappingCommand, CreateFunctionCommand, DeleteEventSourceMappingCommand, DeleteFunctionCommand,
  GetEventSourceMappingCommand, GetFunctionCommand, InvokeCommand, LambdaClient, ListEventSourceMappingsCommand,
  UpdateFunctionCodeCommand, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";

const [iam, kinesis, lambda, logs] = [new IAMClient(), new KinesisClient(), new LambdaClient(), new CloudWatchLogsClient()];
const FunctionName = "javascript", StreamName = "javascript-function";
const wait = (client) => ({ client, maxWaitTime: 30, minDelay: 1 });

async function eventually(what, look) {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    const found = await look();
    if (found) return found;
  }
  assert.fail(`waited 30 s for ${what}`);
}

// A zip of one file, stored: node can compress, but has no archive writer.
function zip(name, text) {
  const data = Buffer.from(text), file = Buffer.from(name);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt32LE(crc32(data), 10);
  fields.writeUInt32LE(data.length, 14);
  fields.writeUInt32LE(data.length, 18);
  fields.writeUInt16LE(file.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, file, data]);
  const central = Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), fields, Buffer.alloc(14), file]);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

const code = (word) => zip("index.js", `
exports.handler = async (event) => {
  if (event.fail) throw new TypeError("as told");
  for (const { kinesis } of event.Records ?? []) console.log("got", Buffer.from(kinesis.data, "base64").toString());
  console.log("${word}", event.name);
  return { ${word}: event.name ?? null };
};`);
const answer = ({ Payload }) => JSON.parse(Buffer.from(Payload).toString());
const invoke = (event, more) => lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event), ...more }));

const AssumeRolePolicyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
});
const { Role: { Arn: Role } } = await iam.send(new CreateRoleCommand({ RoleName: FunctionName, AssumeRolePolicyDocument }));
const made = await lambda.send(new CreateFunctionCommand({ FunctionName, Role, Runtime: "nodejs22.x", Handler: "index.handler", Code: { ZipFile: code("hello") } }));
assert.deepEqual([made.State, made.Version, made.PackageType], ["Pending", "$LATEST", "Zip"]);
await waitUntilFunctionActiveV2(wait(lambda), { FunctionName });

const invoked = await invoke({ name: "you" }, { LogType: "Tail" });
assert.deepEqual([invoked.StatusCode, invoked.ExecutedVersion, invoked.FunctionError, answer(invoked)], [200, "$LATEST", undefined, { hello: "you" }]);
const tail = Buffer.from(invoked.LogResult, "base64").toString();
assert.match(tail, /START RequestId: .*\n.*\tINFO\thello you\n.*END RequestId: .*\nREPORT RequestId: /s);
const failed = await invoke({ fail: true });
assert.deepEqual([failed.StatusCode, failed.FunctionError], [200, "Unhandled"]);
assert.deepEqual([answer(failed).errorType, answer(failed).errorMessage], ["TypeError", "as told"]);
assert.equal((await invoke({}, { InvocationType: "DryRun" })).StatusCode, 204);
assert.equal((await invoke({ name: "later" }, { InvocationType: "Event" })).StatusCode, 202);
const logged = (filterPattern) => async () => {
  const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${FunctionName}`, filterPattern }));
  return events.map((event) => event.message);
};
const found = (pattern) => eventually(pattern, async () => { const lines = await logged(pattern)(); return lines.length ? lines : null; });
await found('"hello later"');

await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: code("goodbye") }));
await waitUntilFunctionUpdatedV2(wait(lambda), { FunctionName });
assert.deepEqual(answer(await invoke({ name: "you" })), { goodbye: "you" });
const { Code: { Location }, Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName }));
const downloaded = await fetch(Location);
assert.equal(downloaded.status, 200);
assert.equal((await downloaded.arrayBuffer()).byteLength, Configuration.CodeSize);

await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
await waitUntilStreamExists(wait(kinesis), { StreamName });
const { StreamDescriptionSummary: { StreamARN } } = await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }));
const mapping = { FunctionName, EventSourceArn: StreamARN, StartingPosition: "TRIM_HORIZON", BatchSize: 10, BisectBatchOnFunctionError: true };
const { UUID, State } = await lambda.send(new CreateEventSourceMappingCommand(mapping));
assert.equal(State, "Creating");
await eventually("the mapping", async () => (await lambda.send(new GetEventSourceMappingCommand({ UUID }))).State === "Enabled");
assert.deepEqual((await lambda.send(new ListEventSourceMappingsCommand({ FunctionName }))).EventSourceMappings.map((one) => one.UUID), [UUID]);
await assert.rejects(lambda.send(new CreateEventSourceMappingCommand(mapping)), { name: "ResourceConflictException" });
await kinesis.send(new PutRecordCommand({ StreamName, PartitionKey: "k", Data: Buffer.from("a record") }));
assert.match((await found('"got a record"'))[0], /\tINFO\tgot a record/);

await lambda.send(new DeleteEventSourceMappingCommand({ UUID }));
await lambda.send(new DeleteFunctionCommand({ FunctionName }));
await assert.rejects(lambda.send(new GetFunctionCommand({ FunctionName })), { name: "ResourceNotFoundException" });
kinesis.destroy();
console.log("invoked");
