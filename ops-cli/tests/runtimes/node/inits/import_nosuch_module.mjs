// handler: index.handler
// --- index.mjs
import 'no-such-module';
