// handler: index.handler
// --- index.js
throw 'text';
