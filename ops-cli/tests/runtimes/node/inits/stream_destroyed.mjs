// handler: index.handler
// --- index.mjs
import { setTimeout as pause } from 'node:timers/promises';
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.a === 2) stream.write('begun');
  stream.destroy(new Error('destroyed'));
  await pause(20);
});
