// handler: index.handler
// --- index.js
exports.handler = awslambda.streamifyResponse((event, stream) => {
  stream.end('ended');
});
