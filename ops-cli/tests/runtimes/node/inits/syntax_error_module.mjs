// handler: index.handler
// --- index.mjs
export const handler = (
