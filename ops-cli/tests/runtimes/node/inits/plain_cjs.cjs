// handler: index.handler
// --- index.cjs
exports.handler = async (event) => [event, this === module.exports];
