// handler: index.handler
// --- index.mjs
export const handler = async () => 'mjs';
// --- index.cjs
exports.handler = async () => 'cjs';
