// handler: index.handler
// --- index.js
console.log('leaving');
process.exit(5);
