// handler: index.handler
// --- index.js
exports.handler = 7;
