// handler: index.handler
// --- index.js
exports.handler = (event, context) => (event.a === 1 ? context.fail() : context.done('text'));
