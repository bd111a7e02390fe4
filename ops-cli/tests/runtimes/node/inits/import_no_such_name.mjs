// handler: index.handler
// --- index.mjs
import { nowhere } from 'node:fs';
