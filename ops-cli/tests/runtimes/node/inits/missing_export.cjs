// handler: index.nothing
// --- index.js
exports.handler = 1;
