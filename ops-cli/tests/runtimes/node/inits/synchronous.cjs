// handler: index.handler
// --- index.js
exports.handler = (event) => {
  if (event.a === 2) throw new SyntaxError('thrown at once');
  return 'ignored';
};
