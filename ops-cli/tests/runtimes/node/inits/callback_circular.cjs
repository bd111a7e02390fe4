// handler: index.handler
// --- index.js
exports.handler = (event, context, callback) => {
  const a = {};
  a.a = a;
  context.callbackWaitsForEmptyEventLoop = event.a === 1;
  callback(null, a);
};
