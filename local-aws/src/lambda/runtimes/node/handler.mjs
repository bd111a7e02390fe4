// Loads the function's handler, and defines the globals that its code may use.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { install as installInvokeStore } from './invoke_store.mjs';
import { isModern, runtimeError } from './log.mjs';

const env = process.env;
const require = createRequire(import.meta.url);

// `folder/file.export.path`: everything up to the file's first dot is the module, the rest is a path of exports.
export async function load() {
  const name = env._HANDLER;
  if (name.includes('..')) {
    const hint = 'Use absolute paths when specifying root directories in handler names.';
    throw runtimeError('MalformedHandlerName', `'${name}' is not a valid handler name. ${hint}`);
  }
  const [, file, exportPath] = /^([^.]*)\.(.*)$/.exec(path.basename(name)) ?? [];
  if (file === undefined) throw runtimeError('MalformedHandlerName', 'Bad handler');
  const module = await loadModule(path.dirname(name), file);
  const member = (value, key) => (isModern && typeof value !== 'object' ? undefined : value?.[key]);
  const find = (root) => exportPath.split('.').reduce(member, root);
  const handler = find(module) || (isModern && find(module?.default));
  if (!handler) throw runtimeError('HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw runtimeError('HandlerNotFound', `${name} is not a function`);
  if (isModern && handler.length >= 3 && !isStreaming(handler)) {
    throw runtimeError(
      'CallbackHandlerDeprecated',
      'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later. For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.',
    );
  }
  return handler;
}

async function loadModule(folder, name) {
  const stem = path.resolve(env.LAMBDA_TASK_ROOT, folder, name);
  try {
    for (const extension of ['', '.js', '.mjs', '.cjs']) {
      const file = stem + extension;
      if (!fs.existsSync(file)) continue;
      const module = isModern || isModule(file) ? await import(file) : require(file);
      if (module) return module;
    }
    return require(require.resolve(name, { paths: [env.LAMBDA_TASK_ROOT, folder] }));
  } catch (error) {
    if (error instanceof SyntaxError) {
      const syntaxError = runtimeError('UserCodeSyntaxError', String(error));
      // The stack of Node.js 24 begins with the file and the line.
      throw isModern ? Object.assign(syntaxError, { stack: error.stack }) : syntaxError;
    }
    if (error?.code === 'MODULE_NOT_FOUND') throw runtimeError('ImportModuleError', String(error));
    throw error;
  }
}

// A .js file is an ES module when the nearest package.json says so.
function isModule(file) {
  if (!file.endsWith('.js')) return file.endsWith('.mjs');
  for (
    let folder = path.dirname(file);
    folder !== '/' && !folder.endsWith('/node_modules');
    folder = path.dirname(folder)
  ) {
    const manifest = path.join(folder, 'package.json');
    if (fs.existsSync(manifest)) return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
  }
  return false;
}

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

class HttpResponseStream {
  // The status and the headers of an HTTP response precede its body, separated by eight zero bytes.
  static from(stream, prelude) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    const metadata = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(metadata);
      write(new Uint8Array(8));
    };
    return stream;
  }
}

if (!['1', 'true'].includes(env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) {
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse: (handler, options) => {
      handler[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      return handler;
    },
    HttpResponseStream,
  };
  if (isModern) installInvokeStore();
}

export function isStreaming(handler) {
  const kind = handler[STREAMING];
  if (kind === undefined || kind === null || kind === false) return false;
  if (kind === 'response') return true;
  throw runtimeError('MalformedStreamingHandler', 'Only response streaming is supported.');
}
