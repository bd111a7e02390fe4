// handler: index.handler
// --- index.js
exports.handler = (event, context, callback) => {
  callback(null, 'first');
  callback(null, 'second');
  context.done(null, 'third');
};
