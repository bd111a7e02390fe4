// handler: nowhere.handler
// --- index.js
