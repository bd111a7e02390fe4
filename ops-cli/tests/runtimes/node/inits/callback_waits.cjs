// handler: index.handler
// --- index.js
let finished = 0;
exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.a === 1;
  setTimeout(() => { finished += 1; console.log('finished'); }, event.a === 1 ? 30 : 5000);
  callback(null, finished);
};
