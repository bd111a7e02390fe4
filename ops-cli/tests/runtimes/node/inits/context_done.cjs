// handler: index.handler
// --- index.js
exports.handler = (event, context) => {
  if (event.a === 1) context.succeed('succeeded');
  else context.fail(new TypeError('failed'));
};
