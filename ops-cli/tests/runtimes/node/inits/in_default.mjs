// handler: index.handler
// --- index.mjs
export default { handler: async () => 'in the default' };
