// Handlers whose answers, errors and log records are compared with those of AWS's client.
import fs from 'node:fs';
import path from 'node:path';
import { execSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import common from './common.cjs';

const { Refused } = common;
await pause(1);
console.log('logged at init');
console.error('an error at init', new Error('early'));
process.stdout.write('printed at init\n');

export const handler = async (event, context) => cases[`case_${event.case}`](event, context);

// --- Answers

export async function case_nothing() {}

export async function case_values() {
  return {
    text: 'grün 🦀 \u2028 \0',
    number: 1.5,
    none: null,
    missing: undefined,
    list: [undefined, true],
    date: new Date(0),
  };
}

export async function case_nan() {
  return [NaN, Infinity, -0];
}

export async function case_bigint() {
  return { big: 10n };
}

export async function case_circular() {
  const a = {};
  a.a = a;
  return a;
}

export async function case_function() {
  return () => 1;
}

export async function case_symbol() {
  return Symbol('s');
}

export async function case_buffer() {
  return Buffer.from('raw');
}

export async function case_map_and_set() {
  return [new Map([['a', 1]]), new Set([1])];
}

export async function case_to_json() {
  return { toJSON: () => 'converted' };
}

export async function case_to_json_throws() {
  return {
    toJSON() {
      throw new Error('in toJSON');
    },
  };
}

export async function case_error_as_value() {
  return new Error('returned');
}

export async function case_thenable() {
  return { then: (resolve) => resolve('from a thenable') };
}

export async function case_text() {
  return 'text';
}

export async function case_echo(event) {
  return event;
}

// --- Errors

export async function case_error() {
  throw new Error('bad\nvalue ü');
}

export async function case_own_error() {
  throw new Refused('refused', 'because');
}

export async function case_code() {
  fs.readFileSync('/nowhere/at/all');
}

export async function case_cause() {
  throw new Error('outer', { cause: new RangeError('inner') });
}

export async function case_aggregate() {
  await Promise.any([Promise.reject(new Error('one')), Promise.reject(new TypeError('two'))]);
}

export async function case_throw_text() {
  throw 'text';
}

export async function case_throw_undefined() {
  throw undefined;
}

export async function case_throw_null() {
  throw null;
}

export async function case_throw_object() {
  throw { name: 'Like', message: 'an error', code: 7 };
}

export async function case_throw_error_like() {
  throw { name: 'Like', message: 'an error', stack: 'Like: an error\n    at nowhere' };
}

export async function case_throw_number() {
  throw 7;
}

export async function case_throw_bigint_member() {
  throw Object.assign(new Error('with a big member'), { big: 7n });
}

export async function case_throw_circular() {
  const error = new Error('circular');
  error.self = error;
  throw error;
}

export async function case_no_stack() {
  const error = new Error('without a stack');
  error.stack = undefined;
  error.extra = 1;
  throw error;
}

export async function case_stack_of_another_type() {
  throw Object.assign(new Error('with a list as stack'), { stack: ['a'] });
}

export async function case_empty_stack() {
  throw Object.assign(new Error('with an empty stack'), { stack: '' });
}

export async function case_no_message() {
  throw new Error();
}

export async function case_no_name() {
  const error = new Error('without a name');
  error.name = '';
  throw error;
}

export async function case_delete_character() {
  throw new Error('a \x7f b');
}

export async function case_reference_error() {
  return nowhere;
}

export async function case_null_member() {
  return null.member;
}

export async function case_rejection() {
  await Promise.reject(new Error('rejected'));
}

export async function case_unhandled_rejection() {
  Promise.reject(new Refused('unhandled', 7));
  await pause(3000);
}

export async function case_unhandled_text() {
  Promise.reject('only text');
  await pause(3000);
}

export async function case_late_throw() {
  setTimeout(() => {
    throw new Refused('later', 'timer');
  }, 1);
  await pause(3000);
}

export async function case_late_throw_text() {
  setImmediate(() => {
    throw 'text, later';
  });
  await pause(3000);
}

export async function case_unhandled_before_the_answer() {
  Promise.reject(new Error('unhandled'));
  await pause(0);
  return 'not returned';
}

export async function case_immediate_throw_before_the_answer() {
  setImmediate(() => {
    throw new Error('immediately');
  });
  await new Promise(setImmediate);
  return 'not returned';
}

export async function case_microtask_throw_before_the_answer() {
  queueMicrotask(() => {
    throw new Error('in a microtask');
  });
  await pause(0);
  return 'not returned';
}

export async function case_listeners_of_the_function() {
  if (process.env.AWS_EXECUTION_ENV.endsWith('24.x')) return 'the listener would keep the process';
  process.once('unhandledRejection', () => console.error('not logged'));
  setTimeout(() => console.error('not logged either'), 1);
  Promise.reject(new Error('unhandled'));
  await pause(3000);
}

export async function case_emitter_error() {
  process.nextTick(() => new (class extends EventTarget {})().nothing.at.all);
  await pause(3000);
}

export async function case_exit() {
  console.error('before the end');
  process.stdout.write('unfinished');
  process.exit(3);
}

export async function case_exit_zero() {
  process.exit(0);
}

export async function case_abort() {
  process.kill(process.pid, 'SIGKILL');
  await pause(3000);
}

export async function case_never() {
  await new Promise(() => {});
}

// --- The console

export async function case_levels() {
  for (const name of ['trace', 'debug', 'log', 'info', 'warn', 'error', 'fatal']) console[name](`by ${name}`);
}

export async function case_formats() {
  console.error('%s is %d and %i, %f, %j, %o, %O, %c%%', 'text', 7.5, 7.5, 1.5, { a: 1 }, [1], { b: { c: {} } }, 'css');
  console.error('%s %s', 'one');
  console.error('more', 'than', ['one'], { a: 1 }, null, undefined, 7n, Symbol('s'));
  console.error('%s', new Error('in a format').message, 'rest');
}

export async function case_single_values() {
  for (const value of [7, null, undefined, true, 'text', [1, 'two'], { a: { b: { c: { d: 1 } } } }, new Date(0)])
    console.error(value);
}

export async function case_nothing_logged() {
  console.error();
  console.error('');
}

export async function case_odd_values() {
  const circular = { name: 'c' };
  circular.self = circular;
  for (const value of [7n, circular, () => 1, Symbol('s'), new Map([['a', 1]]), new Set([1]), Buffer.from('b'), NaN])
    console.error(value);
}

export async function case_errors_logged() {
  console.error(new Error('alone'));
  console.error(new Refused('alone', 'own members'));
  console.error('before', new Refused('an error', 'r'));
  console.error(new Error('first'), 'and text', new TypeError('second'));
  console.error({ nested: new RangeError('inside') });
  console.error([new Error('in a list')]);
  console.warn('%s', new Error('as text'));
  console.error(new Error('with cause', { cause: new Error('cause') }));
}

export async function case_anonymous_error_class() {
  console.error(new (class extends Error {})('anonymous'));
  const bare = new Error('bare');
  Object.setPrototypeOf(bare, null);
  console.error('bare', typeof bare);
}

export async function case_multi_line() {
  console.error('one\ntwo\r\n\n  three\n');
  console.error('\t tab \x1e \x1b[0m');
}

export async function case_other_methods() {
  console.table([{ a: 1 }, { a: 2 }]);
  console.group('group');
  console.error('in the group');
  console.groupEnd();
  console.assert(false, 'not %s', 'so');
  console.count();
  console.dir({ a: { b: {} } });
}

export async function case_long_record() {
  console.error('ü'.repeat(200_000));
}

export async function case_same_function() {
  return [console.log === console.info, typeof console.fatal];
}

export async function case_taken_apart() {
  const { error } = console;
  error('taken apart');
  [1].forEach(console.error);
}

// --- Raw output

export async function case_write() {
  process.stdout.write('one ');
  process.stdout.write(Buffer.from('two\n'));
  process.stdout.write(new Uint8Array([51, 10]));
  process.stderr.write('grün\n');
  process.stdout.write('6869', 'hex');
  process.stdout.end?.call;
}

export async function case_write_unfinished() {
  process.stdout.write('p');
  console.warn('w');
  console.fatal('f');
  process.stdout.write('q\n');
}

export async function case_write_callback() {
  await new Promise((resolve) => process.stdout.write('called back\n', resolve));
  return process.stdout.write('and more\n');
}

export async function case_corked() {
  process.stdout.cork();
  process.stdout.write('a');
  process.stdout.write('b\n');
  process.stdout.uncork();
}

export async function case_write_json() {
  for (const level of ['ERROR', 'error', 'WARNING', 'DEBUG']) {
    process.stdout.write(`${JSON.stringify({ level, timestamp: '2026-01-02T03:04:05.678Z', message: 'own' })}\n`);
  }
}

export async function case_child_process() {
  execSync('echo from a child; echo to stderr >&2', { stdio: 'inherit' });
}

export async function case_written_synchronously() {
  fs.writeSync(1, 'by descriptor\n');
  fs.writeSync(2, 'by descriptor, to stderr\n');
}

// --- What the handler is given

export async function case_context(event, context) {
  const remaining = context.getRemainingTimeInMillis();
  return [
    context.functionVersion,
    context.memoryLimitInMB,
    context.invokedFunctionArn.split(':').at(-2),
    typeof context.awsRequestId,
    remaining > 0 && remaining <= 10_000,
    context.identity,
    context.tenantId,
    context.clientContext,
    context.callbackWaitsForEmptyEventLoop,
    typeof context.xRayTraceId,
    Object.keys(context).sort(),
  ];
}

export async function case_trace_id() {
  return process.env._X_AMZN_TRACE_ID.split('=')[0];
}

export async function case_environment() {
  const names = Object.keys(process.env).filter((name) => /^(AWS_LAMBDA_|_|OWN)/.test(name));
  return names.filter((name) => name !== 'AWS_LAMBDA_LOG_LEVEL' && name !== '_').sort();
}

export async function case_globals() {
  return [
    Object.keys(awslambda)
      .sort()
      .filter((name) => name !== 'InvokeStore'),
    typeof awslambda.streamifyResponse,
    path.basename(process.cwd()),
  ];
}

export async function case_invoke_store(event, context) {
  const store = awslambda.InvokeStore;
  if (!store) return typeof store;
  const refused = await Promise.resolve()
    .then(() => store.set(Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID'), 'x'))
    .catch(String);
  const before = store.get('own');
  store.set('own', 1);
  return [
    [before, store.get('own'), refused, store.hasContext(), typeof store.getXRayTraceId()],
    store.getRequestId() === context.awsRequestId,
    Reflect.ownKeys(store.getContext()).map(String).sort(),
  ];
}

export async function case_work_left_over() {
  setTimeout(() => {}, 20);
  return 'at once';
}

import * as cases from './cases.mjs';
