// handler: index.handler
// --- index.js
exports.handler = (event, context, callback) => setTimeout(() => callback(null, { late: event.a }), 5);
