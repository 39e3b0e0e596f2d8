// The examples of deploy/: what a machine can say about them without Docker.
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { free_port } from '../../tools/engines.mjs';
import { nginx_config, start_nginx, write_nginx_config } from '../../tools/nginx.mjs';
import { run } from '../lib/program.ts';
import { binary } from '../lib/server.ts';

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url));
const text_of = (name: string) => readFile(path.join(deploy, name), 'utf8');

// As `spaktok config` prints them: name → value.
async function config(args: string[], env: Record<string, string> = {}): Promise<Map<string, string>> {
  const { code, stdout, stderr } = await run(binary, ['config', ...args], { cwd: tmpdir(), env });
  expect(code, stderr).toBe(0);
  return new Map([...stdout.matchAll(/^(\w+) = '(.*)' {2}# /gm)].map((line) => [line[1]!, line[2]!]));
}

describe('the nginx configuration', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spaktok-deploy-'));
  });
  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  const free_address = async () => `127.0.0.1:${await free_port()}`;
  const options = async () => ({
    folder,
    http: await free_address(),
    rtmp: await free_address(),
    nodes: [
      { http: '127.0.0.1:8081', rtmp: '127.0.0.1:1936' },
      { http: '127.0.0.1:8082', rtmp: '127.0.0.1:1937' },
    ],
  });

  it('is accepted by nginx', async () => {
    expect(write_nginx_config(await options())).toBe(path.join(folder, 'nginx.conf'));
  });

  it('is accepted with its lines for TLS', async () => {
    const key = ['-keyout', path.join(folder, 'privkey.pem'), '-out', path.join(folder, 'fullchain.pem')];
    const made = await run('openssl', ['req', '-x509', '-newkey', 'ed25519', '-nodes', '-subj', '/CN=localhost', ...key]);
    expect(made.code, made.stderr).toBe(0);
    const with_tls = { ...(await options()), tls: { https: await free_address(), rtmps: await free_address(), folder } };
    write_nginx_config(with_tls);
    expect(nginx_config(with_tls).match(/listen .* ssl/g)).toHaveLength(2);
  });
});

// What a node is asked, told back; the program's own answers are in the tests of the browser on two nodes.
describe('nginx before a node', () => {
  let folder: string;
  let node: HttpServer;
  let nginx: Awaited<ReturnType<typeof start_nginx>>;
  let url: string;
  let asked = 0;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spaktok-nginx-'));
    node = createServer((request, response) => {
      asked += 1;
      let bytes = 0;
      request.on('data', (some: Buffer) => (bytes += some.length));
      request.on('end', () => {
        response.setHeader('Cache-Control', request.url!.includes('.m3u8') ? 'no-cache' : 'public, max-age=3600, immutable');
        response.end(JSON.stringify({ bytes, headers: request.headers }));
      });
    }).listen(0, '127.0.0.1');
    await once(node, 'listening');
    const of_node = `127.0.0.1:${(node.address() as AddressInfo).port}`;
    const http = `127.0.0.1:${await free_port()}`;
    nginx = await start_nginx({ folder, http, rtmp: `127.0.0.1:${await free_port()}`, nodes: [{ http: of_node, rtmp: of_node }] });
    url = `http://${http}`;
  });
  afterAll(async () => {
    await nginx?.stop();
    node?.close();
    await rm(folder, { recursive: true, force: true });
  });
  const ask = async (target: string, options: RequestInit = {}) =>
    (await (await fetch(url + target, options)).json()) as { bytes: number; headers: Record<string, string> };

  it('says who asks', async () => {
    const { headers } = await ask('/api/v1/instance', { headers: { 'X-Forwarded-For': '203.0.113.9' } });
    expect(headers['x-forwarded-for']).toBe('203.0.113.9, 127.0.0.1');
    expect(headers['host']).toBe(url.slice('http://'.length));
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
  });

  it('passes credentials on, but not where everyone gets the same', async () => {
    const headers = { Cookie: 'a=b', Authorization: 'Bearer c' };
    expect((await ask('/api/v1/users/me', { headers })).headers).toMatchObject({ cookie: 'a=b', authorization: 'Bearer c' });
    for (const target of ['/live/1/media.m3u8', '/live/1/7.m4s', '/media/pictures/1', '/_app/immutable/x.js']) {
      const told = (await ask(target, { headers })).headers;
      expect(told, target).not.toHaveProperty('cookie');
      expect(told, target).not.toHaveProperty('authorization');
    }
  });

  it('keeps what never changes, whatever its query, and nothing else', async () => {
    const times_asked = async (...targets: string[]) => {
      const before = asked;
      for (const target of targets) await ask(target);
      return asked - before;
    };
    expect(await times_asked('/live/2/1.m4s', '/live/2/1.m4s', '/live/2/1.m4s?a=1')).toBe(1);
    expect(await times_asked('/live/2/1.0.m4s', '/live/2/init-0.mp4', '/live/3/1.m4s')).toBe(3);
    expect(await times_asked('/live/2/media.m3u8', '/live/2/media.m3u8')).toBe(2);
    expect(await times_asked('/api/v1/instance', '/api/v1/instance')).toBe(2);
  });

  it('leaves it to the program to refuse a picture', async () => {
    const body = new Uint8Array(5 * 1024 * 1024 + 1);
    expect((await ask('/api/v1/users/me/picture', { method: 'PUT', body })).bytes).toBe(body.length);
  });
});

describe('the example settings', async () => {
  const examples = (await readdir(path.join(deploy, 'settings'))).filter((name) => name.endsWith('.toml'));

  it('are there for one node and for several', () => expect(examples.sort()).toEqual(['cluster.toml', 'single.toml']));

  it.each(examples)('%s is accepted', async (name) => {
    const settings = await config(['--config', path.join(deploy, 'settings', name)]);
    expect(settings.get('data')).toBe('/var/lib/spaktok');
  });

  it.each(examples)('%s is accepted with what stands in its comments', async (name) => {
    const commented = [...(await text_of(`settings/${name}`)).matchAll(/^# (\w+ = .*)$/gm)].map((line) => line[1]!);
    const known = await config([]);
    for (const line of commented) expect([...known.keys()]).toContain(line.split(' ')[0]);
    for (const line of (await text_of(`settings/${name}`)).matchAll(/SPAKTOK_(\w+)/g))
      expect([...known.keys()]).toContain(line[1]!.toLowerCase());
  });
});

describe('the compose file', async () => {
  const secret = 'letters0and0digits';
  const variables = [...(await text_of('env.example')).matchAll(/^(\w+)=(.*)$/gm)].map((line) => [line[1]!, line[2]! || secret] as const);
  const given = new Map<string, string>(variables);
  const text = (await text_of('compose.yaml')).replace(/\$\{(\w+)(:-(\w+)|:\?[^}]*)\}/g, (all, name, _, fallback) => {
    const value = given.get(name) ?? fallback;
    if (value === undefined) throw new Error(`env.example has no ${name}, which ${all} asks for`);
    return value;
  });
  const compose = parse(text, { merge: true });
  const services = compose.services as Record<string, any>;
  const nodes = Object.entries(services).filter(([name]) => name.startsWith('node-'));

  it('has two nodes whose settings exist and are accepted', async () => {
    expect(nodes).toHaveLength(2);
    for (const [name, node] of nodes) {
      const file = node.volumes.map((volume: string) => volume.split(':')).find((volume: string[]) => volume[1] === node.command[2]);
      const settings = await config(['--config', path.join(deploy, file[0])], node.environment);
      for (const variable of Object.keys(node.environment)) expect([...settings.keys()]).toContain(variable.replace('SPAKTOK_', '').toLowerCase());
      expect(settings.get('node_url')).toBe(`http://${name}:8080`);
      expect(settings.get('trusted_proxies')).toBe(services['nginx'].networks.nodes.ipv4_address);
      for (const [engine, scheme] of [['relational', 'postgres'], ['document', 'mongodb'], ['realtime', 'redis'], ['blob', 's3']] as const)
        expect(settings.get(engine)).toMatch(new RegExp(`^${scheme}://\\w*:\\*\\*\\*@`));
      expect([...settings.values()].join()).not.toContain(secret);
    }
  });

  it('has the nodes that nginx knows, and all that it names', async () => {
    const nginx = await text_of('nginx/spaktok.conf');
    expect([...new Set([...nginx.matchAll(/^ +server ([\w-]+):\d+ /gm)].map((line) => line[1]))].sort()).toEqual(nodes.map(([name]) => name));
    for (const [name, service] of Object.entries(services)) {
      for (const other of Object.keys(service.depends_on ?? {})) expect(services, name).toHaveProperty(other);
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0];
        if (source.startsWith('.')) expect(await readFile(path.join(deploy, source), 'utf8')).not.toBe('');
        else expect(compose.volumes, name).toHaveProperty(source);
      }
    }
  });

  it('has images with the packages of every library that the program is linked to', async () => {
    const listed = await text_of('Dockerfile');
    const linked = await run('bash', ['-c', `objdump -p "$1" | awk '/NEEDED/ { print $2 }'; ldd "$1" | awk '$3 ~ /^\\// { print $1 "=" $3 }'`, '-', binary]);
    expect(linked.code, linked.stderr).toBe(0);
    const lines = linked.stdout.split('\n').filter((line) => line !== '');
    const paths = new Map(lines.filter((line) => line.includes('=')).map((line) => line.split('=') as [string, string]));
    const direct = lines.filter((line) => !line.includes('='));
    expect(direct.length).toBeGreaterThan(10);
    // Debian 12 knows a file below /usr/lib by that name or by the one below /lib.
    const names = new Map<string, string>();
    for (const library of direct) {
      const file = await realpath(paths.get(library)!);
      for (const name of [file, file.replace(/^\/usr/, '')]) names.set(name, library);
    }
    const owned = [...(await run('dpkg', ['-S', ...names.keys()])).stdout.matchAll(/^([^:,\s]+)(?::\w+)?: (\S+)$/gm)];
    expect(new Set(owned.map((line) => names.get(line[2]!)))).toEqual(new Set(direct));
    const in_every_image = ['libc6', 'libgcc-s1', 'libstdc++6'];
    for (const name of owned.map((line) => line[1]!).filter((owner) => !in_every_image.includes(owner)))
      expect(listed).toContain(`        ${name} \\\n`);
  });
});
