// handler: index.handler
// --- index.js
module.exports = Object.assign(() => 'itself', { handler: async () => 'a member' });
