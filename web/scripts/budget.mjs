// Fails where the first load of a page grows beyond its budget. Counts what the browser must fetch before the page works:
// the document's own scripts, the route's, and all that these import statically; dynamic imports (the player) come later.
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const script_bytes_max = 150 * 1024;
const root = resolve(import.meta.dirname, '..');
const build = join(root, 'build');
const server = join(root, '.svelte-kit', 'output', 'client', '.vite', 'manifest.json');

/** @type {Record<string, {file: string, src?: string, imports?: string[], css?: string[], isEntry?: boolean}>} */
const manifest = JSON.parse(await readFile(server, 'utf8'));

/** All chunks that loading this one brings with it. */
function closure(key, found = new Set()) {
  if (found.has(key) || !manifest[key]) return found;
  found.add(key);
  for (const imported of manifest[key].imports ?? []) closure(imported, found);
  return found;
}

function entriesFor(page) {
  return Object.entries(manifest)
    .filter(([key, chunk]) => {
      if (/client\/(app|entry|start)|entry\/(app|start)/.test(key) || /entry\/(app|start)\./.test(chunk.file)) return true;
      return chunk.isDynamicEntry !== undefined && /client-optimized\/nodes\/|generated\/.*nodes\//.test(key) && page.includes(nodeNumber(key));
    })
    .map(([key]) => key);
}

function nodeNumber(key) {
  return Number(/nodes\/(\d+)\./.exec(key)?.[1]);
}

/** The number of the route's node, from the compiled list of routes. */
async function homeNodes() {
  const app = Object.entries(manifest).find(([, chunk]) => /entry\/app\./.test(chunk.file));
  if (!app) throw new Error('the build has no entry/app');
  const text = await readFile(join(build, app[1].file), 'utf8');
  const match = /["'`]\/["'`]\s*:\s*\[(~?-?\d+)/.exec(text);
  if (!match) throw new Error('the home route was not found in the build');
  const node = Number(match[1].replace('~', ''));
  return [0, 1, node < 0 ? ~node : node];
}

const keys = new Set();
for (const entry of entriesFor(await homeNodes())) closure(entry, keys);
if (keys.size < 3) throw new Error('the home page has too few chunks to be true: has the build changed its form?');

let script = 0;
let style = 0;
const styles = new Set();
for (const key of keys) {
  const chunk = manifest[key];
  if (chunk.file.endsWith('.js')) script += await compressed(chunk.file);
  for (const file of chunk.css ?? []) styles.add(file);
}
for (const file of styles) style += await compressed(file);

async function compressed(file) {
  const bytes = await readFile(join(build, file));
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
}

const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
console.log(`home: ${kilobytes(script)} script of ${kilobytes(script_bytes_max)}, ${kilobytes(style)} style (brotli, ${keys.size} chunks)`);
if (script > script_bytes_max) {
  console.error('The first load of the home page is over its budget.');
  process.exit(1);
}
