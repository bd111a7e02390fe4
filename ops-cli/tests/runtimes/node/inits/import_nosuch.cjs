// handler: index.handler
// --- index.js
require('no-such-module');
