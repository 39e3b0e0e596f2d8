// Starts, finds and ends the processes of a benchmark: servers on one core, load on the other.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const bench = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const peers = path.join(bench, 'peers');
export const server_core = '0';
export const load_core = '1';

const started = [];
const endings = [];
const directories = [];

export function temporary_directory() {
  const directory = mkdtempSync(path.join(tmpdir(), 'spaktok-bench-'));
  directories.push(directory);
  return directory;
}

// A free port below 32768, where outgoing connections do not take theirs from.
export async function free_port() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 10000);
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

export function start(program, args, { core = server_core, cwd, env } = {}) {
  const child = spawn('taskset', ['-c', core, program, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.said = '';
  const listen = (data) => {
    child.said = (child.said + data).slice(-20000);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  child.ended = new Promise((resolve) => child.once('exit', resolve));
  started.push(child);
  return child;
}

export async function until(what, condition, within_ms = 20000) {
  const deadline = Date.now() + within_ms;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`in vain waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function listening(child, port) {
  await until(`a server on port ${port}`, () => {
    if (child.exitCode !== null) throw new Error(`the server ended:\n${child.said}`);
    return new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  });
}

// A program and what it has started, such as a web server's workers.
export function process_tree(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...(children ? children.split(' ').flatMap((child) => process_tree(Number(child))) : [])];
}

export async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  const impatience = setTimeout(() => child.kill('SIGKILL'), 15000);
  await child.ended;
  clearTimeout(impatience);
}

// Whatever happens, nothing that was started outlives the benchmark.
export async function main(body) {
  execFileSync('taskset', ['-cp', load_core, String(process.pid)]);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void clean_up().then(() => process.exit(130)));
  try {
    await body();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await clean_up();
  }
}

// For what is not a child of `start`: is called when all of those have ended.
export function at_end(ending) {
  endings.push(ending);
}

async function clean_up() {
  await Promise.all(started.map((child) => stop(child)));
  await Promise.all(endings.map((ending) => ending()));
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}

// Runs a load generator to its end and returns its figures.
export async function load(generator, args) {
  const words = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { stdout } = await promisify(execFile)(
    'taskset', ['-c', load_core, path.join(peers, 'bin', generator), ...words], { timeout: 120000 });
  return JSON.parse(stdout);
}

// Microseconds of processor time so far, as the kernel counts them (ticks of 10 ms).
export function cpu_microseconds(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 10000;
}
