// handler: index.handler
// --- index.mjs
await Promise.resolve();
throw Object.assign(new Error('at init'), { code: 'E_INIT' });
