// Runs a Node.js handler behind Lambda's Runtime API, as the runtimes nodejs* do.
//
// Responses, errors and log records equal those of AWS's runtime client (`aws-lambda-ric`: version 3 up to Node.js 22,
// version 4 from Node.js 24 on). A test compares them. https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
import http from 'node:http';
import { Worker } from 'node:worker_threads';
import { isStreaming, load } from './handler.mjs';
import { runInvocation } from './invoke_store.mjs';
import { current, described, isModern, logError, runtimeError } from './log.mjs';

const env = process.env;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(':');
const base = '/2018-06-01/runtime';
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

// ---- The Runtime API

function send(method, route, headers, done, via = agent) {
  return http.request({ host, port, method, path: base + route, headers, agent: via }, done);
}

function call(method, route, headers, body, via) {
  return new Promise((resolve, reject) => {
    const done = (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    };
    const request = send(method, route, headers, done, via);
    request.on('error', reject);
    request.end(body);
  });
}

function errorRequest(error, echo) {
  const document = described(error);
  const headers = { ...echo, 'content-type': 'application/json' };
  headers['lambda-runtime-function-error-type'] = encodeURI(document.errorType);
  return [headers, JSON.stringify(document)];
}

function postError(route, error, echo) {
  return call('POST', route, ...errorRequest(error, echo));
}

// Posts from a thread of its own, on a connection of its own, while this thread waits: no code of the function runs meanwhile.
const POSTER = `
  const http = require('node:http');
  const { options, body, done } = require('node:worker_threads').workerData;
  const finish = () => {
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  };
  const request = http.request(options, (response) => response.resume().on('close', finish));
  request.on('error', finish).end(body);`;

function postErrorNow(route, error, echo) {
  const [headers, body] = errorRequest(error, echo);
  const options = { host, port, method: 'POST', path: base + route, headers, agent: false };
  const done = new Int32Array(new SharedArrayBuffer(4));
  // Without the function's NODE_OPTIONS, which may load code of the function.
  new Worker(POSTER, { eval: true, env: {}, execArgv: [], workerData: { options, body, done } });
  Atomics.wait(done, 0, 0);
}

// ---- Invocations

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const object = (header, name) => {
    try {
      return headers[header] && JSON.parse(headers[header]);
    } catch (error) {
      throw new Error(`Cannot parse ${name} as json: ${error}`);
    }
  };
  return {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: object('lambda-runtime-client-context', 'ClientContext'),
    identity: object('lambda-runtime-cognito-identity', 'CognitoIdentity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: current.tenantId,
    ...(isModern && { xRayTraceId: headers['lambda-runtime-trace-id'] }),
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function serialized(result) {
  let body;
  try {
    body = JSON.stringify(result === undefined ? null : result);
  } catch {
    const message = 'Unable to stringify response body';
    throw isModern ? runtimeError('JSONStringifyError', message) : new Error(message);
  }
  if (body === undefined) throw new TypeError('Wrong arguments');
  return body;
}

// Runs when the event loop is empty.
let onIdle = () => {};
process.on('beforeExit', () => onIdle());

// Up to Node.js 22, a handler returns its result with a promise, through its callback, or through older functions of the
// context. If it does none of these, its result is null once the event loop is empty. Resolves with the response's text.
// Errors have been logged already.
function runWithCallback(handler, headers, body) {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let isFinished = false;
    let waits = true;
    const complete = (result) => {
      if (isOver) {
        console.error(
          'Invocation has already been reported as done. Cannot call complete more than once per invocation.',
        );
        return;
      }
      isOver = true;
      resolve(serialized(result));
    };
    const settle = (error, result, whenIdle) => {
      onIdle = () => {};
      if (error !== undefined && error !== null) {
        // Logged at once, so that the stack of an error that is created from a text shows the caller.
        logError('Invoke Error', error);
        reject(error);
      } else if (whenIdle) onIdle = () => setImmediate(() => complete(result));
      else complete(result);
    };
    const once =
      (work) =>
      (...args) => {
        if (isFinished) return;
        work(...args);
        isFinished = true;
      };
    const context = {
      get callbackWaitsForEmptyEventLoop() {
        return waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        waits = value;
      },
      succeed: once((result) => settle(null, result)),
      fail: once((error) => settle(error ?? 'handled')),
      done: once((error, result) => settle(error, result)),
    };
    const callback = once((error, result) => settle(error, result, waits));
    onIdle = () => {
      isOver = true;
      resolve('null');
    };
    try {
      const result = handler(JSON.parse(body), Object.assign(context, contextOf(headers)), callback);
      if (typeof result?.then === 'function') result.then(context.succeed, context.fail).catch(context.fail);
    } catch (error) {
      callback(error);
    }
  });
}

// Errors that no handler has caught end the process first.
const pendingErrors = () => new Promise(setImmediate);

async function runModern(handler, headers, body) {
  try {
    const result = await handler(JSON.parse(body), contextOf(headers));
    await pendingErrors();
    return serialized(result);
  } catch (error) {
    await pendingErrors();
    logError('Invoke Error', error);
    throw error;
  }
}

async function runBuffered(handler, headers, body, echo) {
  const route = `/invocation/${current.requestId}`;
  try {
    const text = isModern
      ? await runModern(handler, headers, body)
      : await runWithCallback(handler, headers, body);
    await call('POST', `${route}/response`, { ...echo, 'content-type': 'application/json' }, text);
  } catch (error) {
    await postError(`${route}/error`, error, echo);
  }
}

// ---- Streams

// A request whose body is the response, as a stream. An error after its start is reported in trailers.
function responseStream(echo) {
  let answered, begun;
  const done = new Promise((resolve, reject) => (answered = { resolve, reject }));
  // Nobody awaits this promise, so that an error of the stream counts as an unhandled rejection, as with AWS's client.
  new Promise((resolve, reject) => (begun = { resolve, reject }));
  const [TYPE, BODY] = ['Lambda-Runtime-Function-Error-Type', 'Lambda-Runtime-Function-Error-Body'];
  const stream = send(
    'POST',
    `/invocation/${current.requestId}/response`,
    {
      ...echo,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Content-Type': 'application/octet-stream',
      'Transfer-Encoding': 'chunked',
      Trailer: [TYPE, BODY],
    },
    (response) => {
      begun.resolve();
      response.resume().on('end', answered.resolve).on('error', answered.reject);
    },
    // A connection of its own is not open yet when the handler begins, so nothing is sent before an error of the first writes.
    false,
  );
  stream.on('error', (error) => {
    begun.reject(error);
    answered.reject(error);
    stream.destroy(error);
  });
  const write = stream.write.bind(stream);
  let isBegun = false;
  stream.write = (chunk, encoding, callback) => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) chunk = JSON.stringify(chunk);
    if (!isBegun) stream._onBeforeFirstWrite?.((bytes) => write(bytes));
    isBegun = true;
    return write(chunk, encoding, callback);
  };
  stream.setContentType = (type) => {
    if (isBegun) throw runtimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    stream.setHeader('Content-Type', type);
  };
  const fail = async (error) => {
    const document = described(error);
    stream.addTrailers({
      [TYPE]: encodeURI(document.errorType),
      [BODY]: Buffer.from(JSON.stringify(document)).toString('base64'),
    });
    stream.end();
    await done.catch(() => {});
  };
  return { stream, done, fail };
}

async function runStreaming(handler, headers, body, echo) {
  const { stream, done, fail } = responseStream(echo);
  try {
    const context = contextOf(headers);
    if (!isModern) context.callbackWaitsForEmptyEventLoop = true;
    const result = handler(JSON.parse(body), stream, context);
    if (typeof result?.then !== 'function') {
      const message = 'Streaming does not support non-async handlers.';
      throw isModern ? new Error(message) : message;
    }
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    await done;
    if (!stream.writableFinished) {
      const message = 'Response stream is not finished.';
      throw isModern ? new Error(message) : message;
    }
    if (!isModern && context.callbackWaitsForEmptyEventLoop)
      await new Promise((resolve) => (onIdle = () => setImmediate(resolve)));
  } catch (error) {
    if (isModern) await pendingErrors();
    logError('Invoke Error', error);
    await fail(error);
  }
  onIdle = () => {};
}

// ---- The loop

// The route and headers for reporting an error that no handler has caught.
let report = ['/init/error', {}];

// Reports an error that no handler has caught, and ends the process before any other code of the function runs.
function end(what, error, code) {
  logError(what, error);
  try {
    const [route, echo] = report;
    postErrorNow(route, error, echo);
  } finally {
    process.exit(code);
  }
}

if (!isModern) {
  process.on('uncaughtException', (error) => end('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) => {
    const error = runtimeError('UnhandledPromiseRejection', String(reason));
    end('Unhandled Promise Rejection', Object.assign(error, { reason, promise }), 128);
  });
}

async function main() {
  let run;
  try {
    const handler = await load();
    run = isStreaming(handler) ? runStreaming.bind(null, handler) : runBuffered.bind(null, handler);
  } catch (error) {
    if (isModern) end('Init Error', error, 1);
    else end('Uncaught Exception', error, 129);
  }
  // Handles promises that were rejected meanwhile first.
  await pendingErrors();
  while (true) {
    const { headers, body } = await call('GET', '/invocation/next');
    current.requestId = headers['lambda-runtime-aws-request-id'];
    current.tenantId = headers['lambda-runtime-aws-tenant-id'];
    delete env._X_AMZN_TRACE_ID;
    const traceId = headers['lambda-runtime-trace-id'];
    if (traceId) env._X_AMZN_TRACE_ID = traceId;
    const echo = { 'lambda-runtime-invocation-id': headers['lambda-runtime-invocation-id'] };
    report = [`/invocation/${current.requestId}/error`, echo];
    await runInvocation(current.requestId, traceId, () => run(headers, body.toString('utf8'), echo));
  }
}

// Without the Runtime API, the endpoint has ended, and so must this process.
main().catch(() => process.exit(1));
