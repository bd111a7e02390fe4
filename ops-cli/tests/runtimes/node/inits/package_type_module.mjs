// handler: index.handler
// --- package.json
{ "type": "module" }
// --- index.js
export const handler = async () => typeof require;
