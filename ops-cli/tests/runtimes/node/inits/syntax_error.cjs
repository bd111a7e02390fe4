// handler: index.handler
// --- index.js
exports.handler = async () => {
