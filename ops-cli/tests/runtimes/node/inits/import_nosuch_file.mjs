// handler: index.handler
// --- index.mjs
import './nowhere.mjs';
