// handler: helper.handler
// --- node_modules/helper/index.js
exports.handler = async () => 'from node_modules';
