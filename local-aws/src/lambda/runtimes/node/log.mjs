// Log records, and the form of errors in records and in responses.
import fs from 'node:fs';
import { format, types } from 'node:util';

const env = process.env;
// Node.js 24 on Lambda has no callbacks any more, and leaves errors outside of the handler to Node.js.
export const isModern = Number(/nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV)?.[1]) >= 24;
// The invocation that records belong to.
export const current = { requestId: isModern ? '-' : undefined, tenantId: undefined };

// Each record is sent to the endpoint in one frame: a type, the length, the time in microseconds, the record.

const channel = Number(env._LAMBDA_TELEMETRY_LOG_FD);
delete env._LAMBDA_TELEMETRY_LOG_FD;
const [RAW, JSON_RECORD, TEXT_RECORD] = [1, 2, 3];
const isJson = env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const least = Math.max(LEVELS.indexOf(env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()), 0);

function frame(kind, level, data, time = Date.now()) {
  const bytes = Buffer.alloc(16 + data.length);
  bytes.writeUInt32BE((0xa55a0000 | ((level + 1) << 2) | kind) >>> 0, 0);
  bytes.writeUInt32BE(data.length, 4);
  bytes.writeBigInt64BE(BigInt(time) * 1000n, 8);
  data.copy(bytes, 16);
  for (let at = 0; at < bytes.length;) at += fs.writeSync(channel, bytes, at);
}

// Printed output is raw output. It uses the channel of the records, so that their order is preserved.
for (const stream of [process.stdout, process.stderr]) {
  stream._writev = undefined;
  stream._write = (chunk, encoding, done) => {
    frame(RAW, -1, typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
    done();
  };
}

function log(level, message, ...params) {
  const now = new Date();
  const time = now.toISOString();
  const text = isJson
    ? jsonRecord(time, LEVELS[level], message, params)
    : `${time}\t${current.requestId}\t${LEVELS[level]}\t${format(message, ...params)}\n`;
  frame(isJson ? JSON_RECORD : TEXT_RECORD, level, Buffer.from(text), now.getTime());
}

function jsonRecord(timestamp, level, message, params) {
  const record = { timestamp, level, ...current, message };
  if (params.length === 0) {
    try {
      return JSON.stringify(record, (_, value) =>
        value instanceof Error ? { ...errorMembers(value), ...value } : value,
      );
    } catch {
      return JSON.stringify({ ...record, message: format(message) });
    }
  }
  record.message = format(message, ...params);
  const error = (isModern ? params : [message, ...params]).find((param) => param instanceof Error);
  return JSON.stringify(error ? { ...record, ...errorMembers(error, []) } : record);
}

function errorMembers(error, noStack = error.stack) {
  const stackTrace = typeof error.stack === 'string' ? error.stack.split('\n') : noStack;
  return { errorType: error.constructor?.name ?? 'UnknownError', errorMessage: error.message, stackTrace };
}

for (const [level, name] of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].entries()) {
  console[name] = level < least ? () => {} : (message, ...params) => log(level, message, ...params);
}
console.log = console.info;

// An error of the runtime itself, named `Runtime.` and its kind. Its stack has no frames, because they would be the runtime's.
export function runtimeError(kind, message) {
  const name = isModern && /Found$|Name$|Deprecated$/.test(kind) ? `${kind}Error` : kind;
  const error = new { [name]: class extends Error {} }[name](message);
  Object.defineProperty(error, 'name', { value: `Runtime.${kind}`, enumerable: isModern });
  Object.defineProperty(error, 'stack', { value: `${error.name}: ${message}`, writable: true });
  return error;
}

function isError(value) {
  const isLike = () => [value?.name, value?.message, value?.stack].every((text) => text && typeof text === 'string');
  return isModern ? value instanceof Error : types.isNativeError(value) || isLike();
}

// The error document of the response.
export function described(error) {
  try {
    if (!isError(error))
      return { errorType: typeof error, errorMessage: isModern ? String(error) : error.toString(), trace: [] };
    const escaped = (text) => text?.replaceAll('\x7f', '%7F');
    const { name, message, stack } = error;
    const trace = isModern ? (escaped(stack)?.split('\n') ?? []) : escaped(stack).split('\n');
    return { errorType: escaped(name), errorMessage: escaped(message), trace };
  } catch {
    const errorMessage =
      'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack';
    return { errorType: 'handled', errorMessage, ...(isModern && { trace: [] }) };
  }
}

export function logError(what, value) {
  const error = value instanceof Error ? value : new Error(isModern ? String(value) : value);
  if (isJson) return console.error(error);
  const members = (_, member) => {
    if (!(member instanceof Error)) return member;
    const { name: errorType, message: errorMessage, code, stack } = member;
    return { errorType, errorMessage, code, ...member, ...(typeof stack === 'string' && { stack: stack.split('\n') }) };
  };
  let text;
  try {
    text = JSON.stringify(error, members);
  } catch {
    text = JSON.stringify(described(error));
  }
  console.error(what, `\t${text}`);
}
