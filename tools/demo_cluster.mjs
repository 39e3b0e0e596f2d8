// `./run --demo --cluster`: the demo on two nodes over PostgreSQL, MongoDB, Redis and S3, behind one address. What the
// engines keep is in the system's temporary folder. Flags: --http HOST:PORT (127.0.0.1:8080), --rtmp HOST:PORT (0.0.0.0:1935).
import { spawn } from 'node:child_process';
import { createConnection, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { free_port, start_engines } from './engines.mjs';

const program = fileURLToPath(new URL('../build/release/bin/spaktok', import.meta.url));
const { values: flags } = parseArgs({
  options: { http: { type: 'string', default: '127.0.0.1:8080' }, rtmp: { type: 'string', default: '0.0.0.0:1935' } },
});
const folder = join(tmpdir(), `spaktok-cluster-${userInfo().username}`);
const split = (address) => [address.slice(0, address.lastIndexOf(':')), Number(address.slice(address.lastIndexOf(':') + 1))];

// Hands each connection to a node that takes it, in turn.
function front(address, ports) {
  const [host, port] = split(address);
  let turn = 0;
  const connect = (client, tries) => {
    if (tries === 0) return client.destroy();
    const node = createConnection(ports[turn++ % ports.length], '127.0.0.1');
    node.once('error', () => connect(client, tries - 1));
    node.once('connect', () => {
      node.removeAllListeners('error');
      node.on('error', () => client.destroy());
      client.pipe(node).pipe(client);
      client.once('close', () => node.destroy());
      node.once('close', () => client.destroy());
    });
  };
  const server = createServer((client) => {
    client.on('error', () => undefined);
    connect(client, ports.length);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

// Resolves once it has said so: the demo also how to sign in, on standard output.
function start_node(name, command, settings) {
  const args = Object.entries(settings).flatMap(([setting, value]) => [`--${setting}`, value]);
  const node = spawn(program, [command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  node.said = [];
  return new Promise((resolve, reject) => {
    createInterface(node.stderr).on('line', (line) => console.error(`${name} ${line}`));
    createInterface(node.stdout).on('line', (line) => {
      node.said.push(line);
      if (/^Spaktok serves |^Ctrl\+C /.test(line)) resolve(node);
    });
    node.once('error', reject);
    node.once('exit', (code, signal) => {
      console.error(`${name} ended (${code ?? signal})`);
      reject(new Error(`${name} does not start`));
    });
  });
}

console.log('Starting PostgreSQL, MongoDB, Redis and S3');
const engines = await start_engines(folder);
const nodes = [];
let stopping = false;
async function stop(code) {
  if (stopping) return;
  stopping = true;
  for (const node of nodes) node.kill('SIGTERM');
  await Promise.all(nodes.map((node) => node.exitCode ?? node.signalCode ?? new Promise((resolve) => node.once('exit', resolve))));
  await engines.stop();
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(0));

try {
  const http = [await free_port(), await free_port()];
  const rtmp = [await free_port(), await free_port()];
  const [host, port] = split(flags.http);
  const public_host = ['127.0.0.1', '0.0.0.0', '[::]'].includes(host) ? 'localhost' : host;
  const settings = (i) => ({
    ...engines.settings,
    data: join(folder, `node-${i + 1}`),
    http: `127.0.0.1:${http[i]}`,
    rtmp: `127.0.0.1:${rtmp[i]}`,
    metrics: '',
    'public-url': `http://${public_host}:${port}`,
    'rtmp-url': `rtmp://${public_host}:${split(flags.rtmp)[1]}/live`,
    'node-url': `http://127.0.0.1:${http[i]}`,
    'rate-limit-scale': '10',
    'thumbnail-interval': '5s',
  });
  nodes.push(await start_node('node 1', 'demo', settings(0)));
  nodes.push(await start_node('node 2', 'serve', settings(1)));
  await front(flags.http, http);
  await front(flags.rtmp, rtmp);
  const pids = Object.entries(engines.settings).map(([name, url]) => `  ${name.padEnd(11)} process ${engines[name].child.pid}, ${url.replace(/:[^:@/]+@/, ':***@')}`);
  console.log(`
Spaktok's demo is at      http://${public_host}:${port}
${nodes[0].said.filter((line) => /username|password/.test(line)).join('\n')}

  node 1      process ${nodes[0].pid}, http://localhost:${http[0]}
  node 2      process ${nodes[1].pid}, http://localhost:${http[1]}
${pids.join('\n')}

Stop a node (kill), or an engine: an engine is started again after a second. Ctrl+C ends it all.
`);
  for (const engine of [engines.relational, engines.document, engines.realtime, engines.blob]) keep(engine);
} catch (error) {
  console.error(error.message);
  await stop(1);
}

async function keep(engine) {
  for (;;) {
    await engine.ended;
    if (stopping) return;
    console.error(`${engine.name} ended, and is started again`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await engine.start().catch((error) => console.error(error.message));
  }
}
