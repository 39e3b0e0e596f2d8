// PostgreSQL, MongoDB, Redis and an S3 server on this machine's loopback, for the black-box tests and for
// `./run --demo --cluster`. What they keep is below one folder.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const start_patience_ms = 60_000;
const command_patience_ms = 30_000;
// Each place on the same Redis has a database of its own.
const redis_databases = 1_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// One that was free a moment ago: the servers cannot say which they took.
export function free_port() {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

// A server's process, which may be killed and started again.
export class Engine {
  constructor(name, folder, { command, args, options = {}, ready }) {
    this.name = name;
    this.log = join(folder, `${name}.log`);
    this.command = command;
    this.args = args;
    this.options = options;
    this.ready = ready;
  }

  async start() {
    const log = openSync(this.log, 'a');
    this.child = spawn(this.command, this.args, { stdio: ['ignore', log, log], ...this.options });
    const ended = new Promise((resolve) => this.child.once('exit', resolve).once('error', resolve));
    this.ended = ended.then(() => { this.is_over = true; });
    this.is_over = false;
    const deadline = Date.now() + start_patience_ms;
    while (!(await this.ready())) {
      if (this.is_over || Date.now() > deadline) {
        await this.kill();
        throw new Error(`${this.name} does not start: see ${this.log}`);
      }
      await sleep(50);
    }
  }

  async kill() { await this.end('SIGKILL'); }
  async stop() { await this.end('SIGTERM'); }
  pause() { this.child.kill('SIGSTOP'); }
  resume() { this.child.kill('SIGCONT'); }

  async end(signal) {
    if (!this.child) return;
    if (!this.is_over) this.child.kill(signal);
    await this.ended;
  }
}

// PostgreSQL refuses to run as root.
function postgres_user() {
  if (process.getuid() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, 'postgres'])));
  return { uid, gid };
}

async function postgres(folder, find_port) {
  const versions = '/usr/lib/postgresql';
  const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a))[0];
  const program = (name) => join(versions, newest, 'bin', name);
  const home = join(folder, 'postgres');
  const user = postgres_user();
  const port = await find_port();
  mkdirSync(home, { recursive: true });
  if (user.uid !== undefined) {
    chmodSync(folder, 0o755);
    chownSync(home, user.uid, user.gid);
  }
  const data = join(home, 'data');
  if (!existsSync(join(data, 'PG_VERSION'))) {
    execFileSync(program('initdb'), ['-D', data, '--username=spaktok', '--auth=trust', '--encoding=UTF8', '--locale=C'], { ...user, cwd: '/', stdio: 'pipe' });
  }
  const engine = new Engine('postgres', folder, {
    command: program('postgres'),
    args: ['-D', data, '-k', home, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200'],
    options: { ...user, cwd: '/' },
    ready: async () => {
      try {
        execFileSync(program('pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]);
        return true;
      } catch {
        return false;
      }
    },
  });
  // Asked to end at once (SIGQUIT), it does not wait for its clients.
  engine.stop = () => engine.end('SIGQUIT');
  return [engine, `postgres://spaktok@127.0.0.1:${port}/postgres`];
}

function on_path(name) {
  return (process.env.PATH ?? '').split(':').map((part) => join(part, name)).find((path) => existsSync(path));
}

async function mongo(folder, find_port) {
  const port = await find_port();
  const data = join(folder, 'mongo');
  mkdirSync(data, { recursive: true });
  const mongod = on_path('mongod');
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const stand_in = join(cache, 'spaktok/secantusdb/bin/secantusd-py');
  if (!mongod && !existsSync(stand_in)) throw new Error('no MongoDB server: run tools/install_mongo');
  const engine = new Engine('mongo', folder, {
    command: mongod ?? stand_in,
    args: mongod
      ? ['--dbpath', data, '--bind_ip', '127.0.0.1', '--port', String(port)]
      : ['--storage-path', data, '--host', '127.0.0.1', '--port', String(port), '--cache-size', '128M', '--log-level', 'WARNING'],
    ready: () => accepts(port),
  });
  return [engine, `mongodb://127.0.0.1:${port}/spaktok`];
}

async function redis(folder, find_port) {
  const port = await find_port();
  const data = join(folder, 'redis');
  mkdirSync(data, { recursive: true });
  const engine = new Engine('redis', folder, {
    command: 'redis-server',
    args: ['--bind', '127.0.0.1', '--port', String(port), '--dir', data, '--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction', '--save', '', '--databases', String(redis_databases)],
    ready: () => accepts(port),
  });
  return [engine, `redis://127.0.0.1:${port}/0`];
}

async function s3(folder, find_port) {
  const port = await find_port();
  const buckets = join(folder, 's3');
  mkdirSync(join(buckets, 'spaktok'), { recursive: true });
  const engine = new Engine('s3', folder, {
    command: join(root, 'build/s3_server'),
    args: [buckets, `127.0.0.1:${port}`, 's3.localhost'],
    options: { env: { ...process.env, ROOT_ACCESS_KEY: 'spaktok', ROOT_SECRET_KEY: 'spaktok-secret' } },
    ready: () => accepts(port),
  });
  return [engine, `s3://spaktok:spaktok-secret@spaktok?endpoint=http://127.0.0.1:${port}`];
}

const makers = { relational: postgres, document: mongo, realtime: redis, blob: s3 };

// Starts those behind the given ports of the program: all four, if nothing else is said. `settings` are those of the program.
export async function start_engines(folder, { ports = Object.keys(makers), find_port = free_port } = {}) {
  mkdirSync(folder, { recursive: true });
  const made = {};
  for (const port of ports) made[port] = await makers[port](folder, find_port);
  const engines = Object.fromEntries(Object.entries(made).map(([port, [engine]]) => [port, engine]));
  const settings = Object.fromEntries(Object.entries(made).map(([port, [, url]]) => [port, url]));
  const stop = () => Promise.all(Object.values(engines).map((engine) => engine.stop()));
  try {
    await Promise.all(Object.values(engines).map((engine) => engine.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...engines, settings, stop };
}

// Settings of a place of its own on the servers of `settings`: a database of PostgreSQL, of MongoDB and of Redis, and a prefix of
// the bucket. Everything of them is empty.
export async function new_place(settings) {
  const name = `place_${randomBytes(6).toString('hex')}`;
  const run = (command, ...args) => promisify(execFile)(command, args, { timeout: command_patience_ms });
  const port = (url) => /127\.0\.0\.1:(\d+)/.exec(url)[1];
  const [, { stdout }] = await Promise.all([
    run('psql', '--quiet', '--no-psqlrc', `--dbname=${settings.relational}`, '--command', `CREATE DATABASE ${name}`),
    // Counts in the database that nobody is given.
    run('redis-cli', '-p', port(settings.realtime), '-n', '0', 'INCR', 'places'),
  ]);
  const number = Number(stdout);
  if (!(number > 0 && number < redis_databases)) throw new Error(`no database of Redis is left: ${stdout}`);
  return {
    relational: settings.relational.replace(/[^/]*$/, name),
    document: settings.document.replace(/[^/]*$/, name),
    realtime: settings.realtime.replace(/[^/]*$/, String(number)),
    blob: settings.blob.replace('?', `/${name}?`),
  };
}
