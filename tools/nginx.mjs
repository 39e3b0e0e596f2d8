// deploy/nginx/spaktok.conf with the addresses and folders of a test: what its head says may be replaced is replaced.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const example = fileURLToPath(new URL('../deploy/nginx/spaktok.conf', import.meta.url));
// Debian's is not on everyone's PATH.
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` };
const start_patience_ms = 20_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function replaced(text, from, to) {
  if (!text.includes(from)) throw new Error(`deploy/nginx/spaktok.conf has no "${from}"`);
  return text.replaceAll(from, to);
}

// The lines from "# TLS…" to "# end of TLS" without their mark.
function with_tls(text, { https, rtmps, folder }) {
  text = text.replace(/^ *# TLS.*\n([^]*?)^ *# end of TLS\n/gm, (_, lines) => lines.replace(/^ *# /gm, ''));
  text = replaced(text, 'listen 443 ', `listen ${https} `);
  text = replaced(text, 'listen 1936 ', `listen ${rtmps} `);
  return replaced(text, '/etc/nginx/tls', folder);
}

// `http` and `rtmp`: host:port to listen at. `nodes`: a {http, rtmp} each, host:port. `tls`: {https, rtmps, folder}, where
// fullchain.pem and privkey.pem are in the folder.
export function nginx_config({ folder, http, rtmp, nodes, tls }) {
  let text = readFileSync(example, 'utf8');
  if (tls) text = with_tls(text, tls);
  text = text.split('\n').filter((line) => !/^\s*#/.test(line)).join('\n');
  for (const [kind, port] of [['http', 8080], ['rtmp', 1935]]) {
    const lines = nodes.map((node) => `server ${node[kind]} max_fails=2 fail_timeout=5s;`);
    text = replaced(text, `server node-1:${port} max_fails=2 fail_timeout=5s;`, lines.join('\n'));
    text = replaced(text, `server node-2:${port} max_fails=2 fail_timeout=5s;`, '');
  }
  text = replaced(text, 'listen 80;', `listen ${http};`);
  text = replaced(text, 'listen 1935;', `listen ${rtmp};`);
  text = replaced(text, '/var/cache/nginx', folder);
  text = replaced(text, '/var/log/nginx', folder);
  text = replaced(text, '/run/nginx.pid', join(folder, 'nginx.pid'));
  // Of no use to us, but nginx makes them, by default where only root may.
  const unused = ['fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, name)};`).join(' ');
  text = replaced(text, '\nhttp {', `\nhttp { ${unused}`);
  // A test's folder is closed to other users.
  return process.getuid() === 0 ? `user root;\n${text}` : text;
}

// Writes the configuration below `folder` and has nginx judge it; throws with what nginx says.
export function write_nginx_config(options) {
  mkdirSync(options.folder, { recursive: true });
  const file = join(options.folder, 'nginx.conf');
  writeFileSync(file, nginx_config(options));
  try {
    execFileSync('nginx', ['-t', '-e', 'stderr', '-c', file], { env, stdio: 'pipe' });
  } catch (error) {
    throw new Error(`nginx -t: ${error.stderr ?? error.message}`);
  }
  return file;
}

function accepts(address) {
  const colon = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = createConnection(Number(address.slice(colon + 1)), address.slice(0, colon));
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

// Runs it until stop(). Its logs and its cache are in `folder`.
export async function start_nginx(options) {
  const file = write_nginx_config(options);
  const child = spawn('nginx', ['-e', 'stderr', '-c', file, '-g', 'daemon off;'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  let is_over = false;
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve)).then(() => { is_over = true; });
  const stop = async () => {
    if (!is_over) child.kill('SIGTERM');
    await ended;
  };
  const deadline = Date.now() + start_patience_ms;
  while (!((await accepts(options.http)) && (await accepts(options.rtmp)))) {
    if (is_over || Date.now() > deadline) {
      await stop();
      throw new Error(`nginx does not start: see ${join(options.folder, 'error.log')}`);
    }
    await sleep(50);
  }
  return { pid: child.pid, stop };
}
