// handler: index.handler
// --- index.js
require('./other.js');
// --- other.js
console.log('before');
function fail() {
  throw new RangeError('at init');
}
fail();
