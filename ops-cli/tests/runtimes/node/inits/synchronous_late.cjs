// handler: index.handler
// --- index.js
exports.handler = () => {
  setTimeout(() => { throw new Error('later, and synchronous'); }, 5);
};
