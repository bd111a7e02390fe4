// handler: src.handler
// --- src/index.js
exports.handler = async () => 'from the folder';
