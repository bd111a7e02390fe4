// Runs a Node.js handler behind Lambda's Runtime API, as the runtimes nodejs* do.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { format } from 'node:util';
import { pathToFileURL } from 'node:url';

const env = process.env;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(':');
const base = '/2018-06-01/runtime';
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId;

function call(method, route, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: base + route, headers, agent }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

// stdout is a pipe: a synchronous write keeps a line before the answer that follows it.
function write(text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += fs.writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

function log(level, args) {
  const timestamp = new Date().toISOString();
  if (env.AWS_LAMBDA_LOG_FORMAT !== 'JSON') {
    // One event a call: the endpoint makes newlines of these again.
    write(`${timestamp}\t${requestId}\t${level}\t${format(...args).replace(/\n/g, '\x1e')}\n`);
  } else if (LEVELS.indexOf(level) >= LEVELS.indexOf(env.AWS_LAMBDA_LOG_LEVEL ?? 'INFO')) {
    const record = { timestamp, level, requestId };
    const error = args.find((arg) => arg instanceof Error);
    record.message = args.length === 1 && typeof args[0] !== 'string' && !error ? args[0] : format(...args);
    if (error) Object.assign(record, { errorType: error.name, errorMessage: error.message, stackTrace: stack(error) });
    write(`${JSON.stringify(record)}\n`);
  }
}

const LEVEL_OF = { trace: 'TRACE', debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR' };
for (const [name, level] of Object.entries(LEVEL_OF)) {
  console[name] = (...args) => log(level, args);
}

function stack(error) {
  return (error.stack ?? '').split('\n');
}

function describe(error) {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  return { errorType: error.name, errorMessage: error.message, trace: stack(error) };
}

function errorHeaders(document) {
  return { 'content-type': 'application/json', 'lambda-runtime-function-error-type': `Unhandled.${document.errorType}` };
}

function runtimeError(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

// `folder/file.export.path`: everything up to the file's extension is the module, the rest is a path of exports.
async function load() {
  const handler = env._HANDLER;
  const folder = path.dirname(handler);
  const [file, ...exportPath] = path.basename(handler).split('.');
  if (!file || exportPath.length === 0) {
    throw runtimeError('Runtime.MalformedHandlerName', `Bad handler ${handler}`);
  }
  const module = await loadModule(path.resolve(env.LAMBDA_TASK_ROOT, folder, file));
  const handlerFunction = exportPath.reduce((value, name) => value?.[name], module);
  if (handlerFunction === undefined) {
    throw runtimeError('Runtime.HandlerNotFound', `${handler} is undefined or not exported`);
  }
  if (typeof handlerFunction !== 'function') {
    throw runtimeError('Runtime.HandlerNotFound', `${handler} is not a function`);
  }
  return handlerFunction;
}

async function loadModule(stem) {
  const require = createRequire(stem);
  try {
    for (const extension of ['', '.js', '.mjs', '.cjs']) {
      const file = stem + extension;
      if (!fs.existsSync(file) || fs.statSync(file).isDirectory()) continue;
      return isModule(file) ? await import(pathToFileURL(file).href) : require(file);
    }
    return require(stem);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw Object.assign(runtimeError('Runtime.UserCodeSyntaxError', String(error)), { stack: error.stack });
    }
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      throw Object.assign(runtimeError('Runtime.ImportModuleError', `Error: ${error.message}`), { stack: error.stack });
    }
    throw error;
  }
}

// A .js file is an ES module when the nearest package.json says so.
function isModule(file) {
  if (!file.endsWith('.js')) return file.endsWith('.mjs');
  for (let folder = path.dirname(file); folder.startsWith(env.LAMBDA_TASK_ROOT); folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (fs.existsSync(manifest)) return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
  }
  return false;
}

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const json = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: json('lambda-runtime-client-context'),
    identity: json('lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// A handler answers with a promise, through its callback, or through the context's older functions; one that does none
// of these has answered with null once nothing is left to do.
function run(handler, event, context) {
  let onIdle;
  const idle = () => onIdle();
  const answer = new Promise((resolve, reject) => {
    const settle = (error, result) => (error ? reject(error) : resolve(result));
    onIdle = () => resolve(null);
    context.done = settle;
    context.succeed = resolve;
    context.fail = reject;
    const callback = (error, result) => {
      if (!context.callbackWaitsForEmptyEventLoop) return settle(error, result);
      onIdle = () => settle(error, result);
    };
    const result = handler(event, context, callback);
    if (typeof result?.then === 'function') result.then(resolve, reject);
  });
  process.on('beforeExit', idle);
  return answer.finally(() => process.off('beforeExit', idle));
}

async function invoke(handler, { headers, body }) {
  requestId = headers['lambda-runtime-aws-request-id'];
  env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'] ?? '';
  const echo = { 'lambda-runtime-invocation-id': headers['lambda-runtime-invocation-id'] };
  const route = `/invocation/${requestId}`;
  try {
    const result = await run(handler, JSON.parse(body.toString('utf8')), contextOf(headers));
    const json = JSON.stringify(result) ?? 'null';
    await call('POST', `${route}/response`, { ...echo, 'content-type': 'application/json' }, json);
  } catch (error) {
    const document = describe(error);
    log('ERROR', ['Invoke Error', JSON.stringify({ ...document, stack: document.trace })]);
    await call('POST', `${route}/error`, { ...echo, ...errorHeaders(document) }, JSON.stringify(document));
  }
}

async function main() {
  let handler;
  try {
    handler = await load();
  } catch (error) {
    const document = describe(error);
    log('ERROR', ['Uncaught Exception', JSON.stringify(document)]);
    await call('POST', '/init/error', errorHeaders(document), JSON.stringify(document));
    process.exit(1);
  }
  for (;;) {
    await invoke(handler, await call('GET', '/invocation/next'));
  }
}

for (const [event, name] of [['uncaughtException', 'Uncaught Exception'], ['unhandledRejection', 'Unhandled Promise Rejection']]) {
  process.on(event, (error) => {
    log('ERROR', [name, JSON.stringify(describe(error))]);
    process.exit(event === 'uncaughtException' ? 129 : 128);
  });
}

// The endpoint is gone when its Runtime API is: there is nothing left to do.
main().catch(() => process.exit(1));
