// handler: index.handler
// --- index.js
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.end('ended');
  stream.write('after the end');
});
