// Checks what ARCHITECTURE.md promises of the tree: includes point down only, no feature includes another's store, features
// do not depend on each other in a circle, and READMEs name only folders and files that exist.
import { readFileSync, readdirSync, statSync, existsSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src');
const problems = [];

// A folder may include those of its own level only where it is listed in `allowed`, and any of a lower level.
const level = { base: 0, engines: 1, http: 2, gateway: 3, media: 3, features: 4, app: 5 };

function* files(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

const featureDependencies = new Map();
for (const path of files(source)) {
  if (!/\.(h|cpp)$/.test(path)) continue;
  const from = relative(source, path);
  const [fromFolder, fromFeature] = from.split('/');
  for (const [, target] of readFileSync(path, 'utf8').matchAll(/^#include "([^"]+)"/gm)) {
    const [toFolder, toFeature] = target.split('/');
    if (!(toFolder in level)) {
      problems.push(`${from}: includes "${target}": name it from src/`);
    } else if (toFolder !== fromFolder && level[toFolder] >= level[fromFolder]) {
      problems.push(`${from}: includes "${target}": ${fromFolder} may not know ${toFolder}`);
    }
    if (fromFolder !== 'features' || toFolder !== 'features' || fromFeature === toFeature) continue;
    if (/_store\.h$/.test(target)) problems.push(`${from}: includes "${target}": use the service of ${toFeature}, never its store`);
    if (/_test\.cpp$|_suite\.cpp$/.test(from)) continue;
    if (!featureDependencies.has(fromFeature)) featureDependencies.set(fromFeature, new Set());
    featureDependencies.get(fromFeature).add(toFeature);
  }
}

function findCircle(feature, path = []) {
  if (path.includes(feature)) return [...path.slice(path.indexOf(feature)), feature];
  for (const next of featureDependencies.get(feature) ?? []) {
    const circle = findCircle(next, [...path, feature]);
    if (circle) return circle;
  }
  return null;
}
for (const feature of featureDependencies.keys()) {
  const circle = findCircle(feature);
  if (circle) {
    problems.push(`features depend in a circle: ${circle.join(' → ')}`);
    break;
  }
}

// `path/like/this` (from the root, from src/ or beside the document; without its ending too) and `file.cpp` (anywhere) must exist.
const tops = new Set([...readdirSync(root), ...readdirSync(source)]);
const skipped = new Set(['node_modules', 'build', '.git', '.svelte-kit', 'data', 'peers']);
const fileNames = new Set();
function collect(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue;
    if (entry.isDirectory()) collect(join(folder, entry.name));
    else fileNames.add(entry.name);
  }
}
collect(root);
const found = (path) => existsSync(path) || (existsSync(dirname(path)) && readdirSync(dirname(path)).some((name) => name.startsWith(`${basename(path)}.`)));
const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...[...files(source)].filter((p) => p.endsWith('README.md')).map((p) => relative(root, p))];
for (const document of documents) {
  const path = join(root, document);
  if (!existsSync(path)) {
    problems.push(`${document} is missing`);
    continue;
  }
  for (const [, name] of readFileSync(path, 'utf8').matchAll(/`([\w.-]+(?:\/[\w.-]+)*\/?)`/g)) {
    const isPath = name.includes('/') && tops.has(name.split('/')[0]) && !skipped.has(name.split('/')[0]);
    const isFile = !name.includes('/') && /^\w{2,}\.(h|cpp|md|mjs|ts|svelte|sql)$/.test(name);
    if (isPath && ![join(root, name), join(source, name), join(dirname(path), name)].some(found)) problems.push(`${document}: there is no ${name}`);
    if (isFile && !fileNames.has(name)) problems.push(`${document}: there is no ${name}`);
  }
}
for (const feature of readdirSync(join(source, 'features'))) {
  if (!existsSync(join(source, 'features', feature, 'README.md'))) problems.push(`src/features/${feature} has no README.md`);
}

for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? 'structure: the tree is as ARCHITECTURE.md says' : `structure: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
