// handler: ../index.handler
// --- index.js
