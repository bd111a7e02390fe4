// handler: index.handler
// --- index.mjs
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.a === 2) stream.write('begun');
  throw new RangeError('in the stream');
});
