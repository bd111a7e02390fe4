// handler: index.default
// --- index.mjs
export default async () => 'the default';
