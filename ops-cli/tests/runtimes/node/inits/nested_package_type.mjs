// handler: lib/index.handler
// --- package.json
{ "type": "module" }
// --- lib/package.json
{ "type": "commonjs" }
// --- lib/index.js
exports.handler = async () => typeof require;
