// handler: index.handler
// --- index.js
exports.handler = (event, context, callback) => callback(event.a === 1 ? new Error('by callback') : 'text');
