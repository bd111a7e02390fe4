// Powertools for TypeScript inside a function: its Logger, and its BatchProcessor with Kinesis partial responses.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { CreateStreamCommand, DescribeStreamSummaryCommand, KinesisClient, PutRecordsCommand, waitUntilStreamExists } from "@aws-sdk/client-kinesis";
import { CreateEventSourceMappingCommand, CreateFunctionCommand, LambdaClient, waitUntilFunctionActiveV2 } from "@aws-sdk/client-lambda";

const [iam, kinesis, lambda, logs] = [new IAMClient(), new KinesisClient(), new LambdaClient(), new CloudWatchLogsClient()];
const NAME = "powertools-typescript";
const wait = (client) => ({ client, maxWaitTime: 30, minDelay: 1 });
const source = `
import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import { Logger } from "@aws-lambda-powertools/logger";

const logger = new Logger({ serviceName: "orders" });
const processor = new BatchProcessor(EventType.KinesisDataStreams);
const recordHandler = async ({ kinesis }) => {
  const { order } = JSON.parse(Buffer.from(kinesis.data, "base64").toString());
  logger.info("seen", { order });
  if (order === "bad") throw new Error("bad order");
};
export const handler = async (event, context) => {
  logger.addContext(context);
  return processPartialResponse(event, recordHandler, processor, { context, processInParallel: false });
};`;

// node has no archive writer, and Python, which has one, is there.
const folder = mkdtempSync("function-");
writeFileSync(`${folder}/index.mjs`, source);
for (const name of ["@aws-lambda-powertools", "@aws/lambda-invoke-store", "@standard-schema/spec"]) {
  mkdirSync(`${folder}/node_modules`, { recursive: true });
  cpSync(`node_modules/${name}`, `${folder}/node_modules/${name}`, { recursive: true });
}
execFileSync("python3", ["-m", "zipfile", "-c", "../function.zip", "index.mjs", "node_modules"], { cwd: folder });
const ZipFile = readFileSync("function.zip");
rmSync(folder, { recursive: true });

const AssumeRolePolicyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
});
const { Role: { Arn: Role } } = await iam.send(new CreateRoleCommand({ RoleName: NAME, AssumeRolePolicyDocument }));
await lambda.send(new CreateFunctionCommand({
  FunctionName: NAME, Role, Runtime: "nodejs22.x", Handler: "index.handler", Timeout: 30, Code: { ZipFile },
}));
await waitUntilFunctionActiveV2(wait(lambda), { FunctionName: NAME });
await kinesis.send(new CreateStreamCommand({ StreamName: NAME, ShardCount: 1 }));
await waitUntilStreamExists(wait(kinesis), { StreamName: NAME });
const { StreamDescriptionSummary: { StreamARN } } = await kinesis.send(new DescribeStreamSummaryCommand({ StreamName: NAME }));
const orders = ["a", "b", "bad", "c", "d"];
await kinesis.send(new PutRecordsCommand({
  StreamName: NAME,
  Records: [...orders, "end"].map((order) => ({ Data: Buffer.from(JSON.stringify({ order })), PartitionKey: "k" })),
}));
await lambda.send(new CreateEventSourceMappingCommand({
  FunctionName: NAME, EventSourceArn: StreamARN, StartingPosition: "TRIM_HORIZON", BatchSize: orders.length,
  MaximumRetryAttempts: 1, BisectBatchOnFunctionError: true, FunctionResponseTypes: ["ReportBatchItemFailures"],
}));

let lines = [];
for (const end = Date.now() + 60_000; !lines.some(({ order }) => order === "end");) {
  assert.ok(Date.now() < end, `only ${JSON.stringify(lines)} was logged`);
  const group = { logGroupName: `/aws/lambda/${NAME}`, filterPattern: '{ $.message = "seen" }' };
  const { events } = await logs.send(new FilterLogEventsCommand(group)).catch(() => ({ events: [] }));
  lines = events.map(({ message }) => JSON.parse(message));
}
// What comes before the bad order is processed once, and what comes after it again once that is given up.
const seen = lines.map(({ order }) => order);
assert.deepEqual(seen.filter((order) => "ab".includes(order)), ["a", "b"]);
assert.deepEqual(seen.slice(-4), ["bad", "c", "d", "end"]);
const { level, service, function_name, function_request_id } = lines[0];
assert.deepEqual({ level, service, function_name }, { level: "INFO", service: "orders", function_name: NAME });
assert.match(function_request_id, /^[0-9a-f-]{36}$/);
console.log("processed");
