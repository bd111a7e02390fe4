// handler: index.handler
// not for: node20
// --- index.js
exports.handler = async () => {
  setImmediate(() => {
    throw new Error('immediately');
  });
  return 'not returned';
};
