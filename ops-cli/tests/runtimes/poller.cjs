// Stands in for `rapid-client.node`, the only native part of AWS's client: it takes minutes to compile, with cmake and
// a libcurl of its own. `next` waits for an invocation; `done` and `error` post synchronously, as the native ones do.
const http = require('node:http');
const Module = require('node:module');
const { Worker } = require('node:worker_threads');

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const base = '/2018-06-01/runtime/invocation';

function next() {
  return new Promise((resolve, reject) => {
    http
      .get({ host, port, path: `${base}/next`, agent: false }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          // Asked before the end of a streamed answer has arrived.
          if (response.statusCode === 403) setImmediate(() => next().then(resolve, reject));
          else resolve({ bodyJson: Buffer.concat(chunks).toString(), headers: response.headers });
        });
      })
      .on('error', reject);
  });
}

// Posts from a thread of its own while this one waits.
let poster;
function post(path, body) {
  const done = new Int32Array(new SharedArrayBuffer(4));
  if (!poster) {
    poster = new Worker(
      `const http = require('node:http');
      require('node:worker_threads').parentPort.on('message', ({ host, port, path, body, done }) => {
        const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
        const request = http.request({ host, port, method: 'POST', path, headers, agent: false }, (response) => {
          response.resume().on('end', () => { Atomics.store(done, 0, 1); Atomics.notify(done, 0); });
        });
        request.end(body);
      });`,
      { eval: true, env: {}, execArgv: [], stdout: true, stderr: true },
    );
    poster.unref();
  }
  poster.postMessage({ host, port, path: `${base}/${path}`, body, done });
  Atomics.wait(done, 0, 0);
}

const client = {
  next,
  done(id, body) {
    if (typeof body !== 'string') throw new TypeError('Wrong arguments');
    post(`${id}/response`, body);
  },
  error: (id, body) => post(`${id}/error`, body),
};

const load = Module._load;
Module._load = function (request, ...rest) {
  return request.endsWith('rapid-client.node') ? client : load.call(this, request, ...rest);
};
