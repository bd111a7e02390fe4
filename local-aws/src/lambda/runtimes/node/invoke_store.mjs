// `awslambda.InvokeStore`: values that belong to one invocation. Node.js has it from 24 on.
//
// Members and messages are those of `@aws/lambda-invoke-store` 0.3, which packages use if it is installed. A process here
// runs one invocation at a time, so one object holds the values.
const PROTECTED_KEYS = Object.fromEntries(
  ['REQUEST_ID', 'X_RAY_TRACE_ID', 'TENANT_ID', 'TRACEPARENT', 'TRACESTATE', 'BAGGAGE'].map((name) => [
    name,
    Symbol.for(`_AWS_LAMBDA_${name}`),
  ]),
);

class InvokeStoreBase {
  static PROTECTED_KEYS = PROTECTED_KEYS;

  isProtectedKey(key) {
    return Object.values(PROTECTED_KEYS).includes(key);
  }
  getRequestId() {
    return this.get(PROTECTED_KEYS.REQUEST_ID) ?? '-';
  }
  getXRayTraceId() {
    return this.get(PROTECTED_KEYS.X_RAY_TRACE_ID);
  }
  getTenantId() {
    return this.get(PROTECTED_KEYS.TENANT_ID);
  }
  getTraceparent() {
    return this.get(PROTECTED_KEYS.TRACEPARENT);
  }
  getTracestate() {
    return this.get(PROTECTED_KEYS.TRACESTATE);
  }
  getBaggage() {
    return this.get(PROTECTED_KEYS.BAGGAGE);
  }
}

export class InvokeStoreSingle extends InvokeStoreBase {
  currentContext;

  getContext() {
    return this.currentContext;
  }
  hasContext() {
    return this.currentContext !== undefined;
  }
  get(key) {
    return this.currentContext?.[key];
  }
  set(key, value) {
    if (this.isProtectedKey(key)) throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
    this.currentContext ??= {};
    this.currentContext[key] = value;
  }
  run(context, work) {
    this.currentContext = context;
    return work();
  }
}

const store = new InvokeStoreSingle();

// Creates the global.
export function install() {
  globalThis.awslambda = { ...globalThis.awslambda, InvokeStore: store };
}

// Runs an invocation with fresh values.
export function runInvocation(requestId, traceId, work) {
  const { REQUEST_ID, X_RAY_TRACE_ID } = PROTECTED_KEYS;
  return store.run({ [REQUEST_ID]: requestId, [X_RAY_TRACE_ID]: traceId }, work);
}
