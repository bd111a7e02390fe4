// handler: index.handler
// not for: node24 (it answers at once, and the error may come before the answer or after it)
// --- index.js
exports.handler = () => {
  setTimeout(() => { throw new Error('later, and synchronous'); }, 5);
};
