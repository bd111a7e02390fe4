// handler: src/app.deep.er.handler
// --- src/app.js
exports.deep = { er: { handler: async () => __filename.split('/').pop() } };
