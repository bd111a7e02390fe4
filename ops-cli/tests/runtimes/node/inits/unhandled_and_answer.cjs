// handler: index.handler
// not for: node20
// --- index.js
exports.handler = async () => {
  Promise.reject(new Error('unhandled'));
  return 'not returned';
};
