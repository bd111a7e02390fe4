// handler: index
// --- index.js
