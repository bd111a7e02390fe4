// handler: index.handler
// --- index.mjs
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const http = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-own': '1' } });
  http.write('body');
  http.end();
});
