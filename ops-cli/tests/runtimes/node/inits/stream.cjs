// handler: index.handler
// --- index.js
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  console.log(context.functionVersion);
  stream.setContentType('text/plain');
  stream.write('one ');
  stream.write(Buffer.from('two '));
  stream.write({ three: 3 });
  stream.end();
}, { highWaterMark: 1024 });
