import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { contract_text, operations } from '../lib/contract.ts';
import { run } from '../lib/program.ts';
import { binary, Server } from '../lib/server.ts';
import { ok, Visitor } from '../lib/visitor.ts';

const parameters_of = (path: string) => path.replace(/\{[^}]*\}/g, '{}');

describe('the contract', () => {
  let server: Server;
  let guest: Visitor;
  beforeAll(async () => {
    server = await Server.start();
    guest = new Visitor(server);
  });
  afterAll(async () => await server?.remove());

  it('describes every route of the server, and the server has every operation of the contract', async () => {
    const { code, stdout, stderr } = await run(binary, ['routes']);
    expect(code, stderr).toBe(0);
    const lines = stdout.split('\n').map(parameters_of);
    const listed = operations.filter((operation) => !operation.is_upgrade);
    const routes = lines.filter((line) => !/ (websocket|preflight)$/.test(line));
    expect(routes.sort()).toEqual(
      listed.map(({ method, template, id }) => `${method} ${parameters_of(template)} ${id}`).sort(),
    );
    // What browsers ask before they ask across origins is no operation, but belongs to one.
    for (const preflight of lines.filter((line) => line.endsWith(' preflight'))) {
      const [, path] = preflight.split(' ');
      expect(listed.some(({ template }) => parameters_of(template) === path), preflight).toBe(true);
    }
    const upgrades = stdout.split('\n').filter((route) => route.endsWith(' websocket'));
    expect(upgrades).toEqual(
      operations.filter((operation) => operation.is_upgrade).map(({ template }) => `GET ${template} websocket`),
    );
  });

  it('gives each operation a name of its own', () => {
    const names = operations.map(({ id }) => id);
    expect(new Set(names).size).toBe(names.length);
  });

  it('is served by the server, with the protocol of the WebSocket and a page to browse it', async () => {
    const document = await guest.fetch('/api/openapi.yaml');
    expect(await document.text()).toBe(contract_text);
    expect(await (await guest.fetch('/api/realtime.md')).text()).toMatch(/^# /);
    const page = await (await guest.fetch('/api/docs')).text();
    expect(page).not.toMatch(/(src|href)="https?:/);
    for (const [, path] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const file = await guest.fetch_unchecked(path!);
      expect(`${path} ${file.status}`).toBe(`${path} 200`);
      await file.arrayBuffer();
    }
  });

  it('is kept where a path, a method or a body is wrong', async () => {
    const nowhere = await guest.fetch_unchecked('/api/v1/nowhere');
    expect(nowhere.status).toBe(404);
    expect(nowhere.headers.get('content-type')).toBe('application/problem+json');
    expect(await nowhere.json()).toMatchObject({ type: '/problems/not_found', status: 404 });
    const deleted = await guest.fetch_unchecked('/api/v1/instance', { method: 'DELETE' });
    expect(deleted.status).toBe(405);
    expect(deleted.headers.get('allow')).toContain('GET');
    const table: [string, string, number, string][] = [
      ['application/json', '{"username":', 400, '/problems/invalid_json'],
      ['application/json', '['.repeat(1_000), 400, '/problems/invalid_json'],
      ['application/json', '[]', 400, '/problems/invalid_field'],
      ['application/json', '{}', 400, '/problems/missing_field'],
      ['application/json', '{"login":1,"password":"x"}', 400, '/problems/invalid_field'],
      ['text/plain', '{}', 415, '/problems/unsupported_media'],
    ];
    for (const [type, body, status, problem] of table) {
      const answer = await guest.fetch('/api/v1/sessions', { method: 'POST', headers: { 'content-type': type }, body });
      const { type: given } = (await answer.json()) as { type: string };
      expect(`${body.slice(0, 30)} ${answer.status} ${given}`).toBe(`${body.slice(0, 30)} ${status} ${problem}`);
    }
  });

  it('limits a body at 64 KiB', async () => {
    const post = async (bytes: number) => {
      const head = '{"login":"a","password":"b","more":"';
      const body = `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
      const headers = { 'content-type': 'application/json' };
      return (await guest.fetch('/api/v1/sessions', { method: 'POST', headers, body })).status;
    };
    expect(await post(64 * 1024)).toBe(401);
    expect(await post(64 * 1024 + 1)).toBe(413);
  });

  it('names the server, its addresses and its limits', async () => {
    const instance = ok(await guest.api.GET('/api/v1/instance'));
    expect(instance).toMatchObject({
      name: 'Spaktok',
      registration: 'open',
      setup_required: true,
      public_url: server.public_url,
      rtmp_url: `rtmp://localhost:${server.rtmp_port}/live`,
    });
    expect(instance.limits).toMatchObject({ message_length_max: 2000, picture_bytes_max: 5 * 1024 * 1024 });
    expect(instance.reserved_usernames).toContain('admin');
  });
});
