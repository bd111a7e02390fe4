// handler: index.handler
// --- index.js
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('begun');
  try {
    stream.setContentType('text/plain');
  } catch (error) {
    stream.write(`${error.name}: ${error.message}`);
  }
  stream.end();
});
