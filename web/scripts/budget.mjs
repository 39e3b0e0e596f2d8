// Fails where the first load of the home page grows beyond its budget. Counts what the browser must fetch before the page
// works: the start scripts, the layout's and the page's own, and all that these import statically. What is imported
// dynamically (the player) comes later and does not count.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const script_bytes_max = 150 * 1024;
const route = '/';
const root = resolve(import.meta.dirname, '..');
const build = join(root, 'build');
const generated = '.svelte-kit/generated/client-optimized';

/** @type {Record<string, {file: string, imports?: string[], css?: string[]}>} */
const manifest = JSON.parse(await readFile(join(root, '.svelte-kit/output/client/.vite/manifest.json'), 'utf8'));

// The list of routes is a module that only the bundler can load: the one line of it that matters is read.
const routes = await readFile(join(root, generated, 'app.js'), 'utf8');
const page = new RegExp(`"${route}": \\[(\\d+)`).exec(routes)?.[1];
if (page === undefined) throw new Error(`${route} is not among the routes: has the build changed its form?`);

const loaded = new Set();
function load(key) {
  const chunk = manifest[key];
  if (!chunk) throw new Error(`${key} is not in the build: has its form changed?`);
  if (loaded.has(chunk)) return;
  loaded.add(chunk);
  for (const imported of chunk.imports ?? []) load(imported);
}
load('node_modules/@sveltejs/kit/src/runtime/client/entry.js');
load(`${generated}/app.js`);
for (const node of [0, page]) load(`${generated}/nodes/${node}.js`);

/** As the server sends it: the .br beside the file, or the file itself where compressing it was not worth it. */
async function sent(file) {
  const bytes = await readFile(join(build, `${file}.br`)).catch(() => readFile(join(build, file)));
  return bytes.length;
}

const styles = new Set([...loaded].flatMap((chunk) => chunk.css ?? []));
const scripts = new Set([...loaded].map((chunk) => chunk.file).filter((file) => file.endsWith('.js')));
const sum = async (files) => (await Promise.all([...files].map(sent))).reduce((total, bytes) => total + bytes, 0);
const [script_bytes, style_bytes] = await Promise.all([sum(scripts), sum(styles)]);

const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
console.log(
  `first load of ${route}: ${kilobytes(script_bytes)} of ${kilobytes(script_bytes_max)} script in ${scripts.size} files, ` +
    `${kilobytes(style_bytes)} style in ${styles.size} (brotli)`
);
if (script_bytes > script_bytes_max) {
  console.error('The first load is over its budget.');
  process.exit(1);
}
