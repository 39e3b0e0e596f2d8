// Engines that are killed, stand still or lose their connections under load on two nodes: what was acknowledged is there,
// once, and the place comes back by itself.
//   CLIENTS=50 STOP_SECONDS=30 npm run crash -- engines
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Engines, start_engines } from '../../tools/engines.mjs';
import { all_pages, new_stream, new_stream_key, type Person, set_up, sign_in, sign_up } from '../lib/people.ts';
import { Proxy } from '../lib/proxy.ts';
import { Publisher } from '../lib/publisher.ts';
import { Server } from '../lib/server.ts';
import { type Message, Socket } from '../lib/socket.ts';
import { until } from '../lib/until.ts';
import { ok, Visitor } from '../lib/visitor.ts';

const clients = Number(process.env['CLIENTS'] ?? '16');
const stop_ms = 1000 * Number(process.env['STOP_SECONDS'] ?? '4');
const ports = ['relational', 'document', 'realtime', 'blob'] as const;

const faults: Record<string, (engines: Engines, port: (typeof ports)[number], proxy: Proxy) => Promise<void>> = {
  'is killed and started again': async (engines, port) => {
    await engines[port].kill();
    await pause(500);
    await engines[port].start();
  },
  'stands still': async (engines, port) => {
    engines[port].pause();
    await pause(stop_ms);
    engines[port].resume();
  },
  'loses its connections in the middle of answers': async (_engines, _port, proxy) => await proxy.cut(1_000),
};

describe('an engine', () => {
  let folder: string;
  let engines: Engines;
  const proxies = {} as Record<(typeof ports)[number], Proxy>;
  let nodes: Server[];
  let people: Person[];
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spaktok-faults-'));
    engines = await start_engines(folder);
    const settings: Record<string, string> = { 'reconnect-grace': '90s', 'thumbnail-interval': '2s' };
    for (const port of ports) {
      const direct = Number(/127\.0\.0\.1:(\d+)/.exec(engines.settings[port])![1]);
      proxies[port] = await Proxy.before(direct);
      settings[port] = engines.settings[port].replace(`127.0.0.1:${direct}`, `127.0.0.1:${proxies[port].port}`);
    }
    nodes = [await Server.start({ settings }), await Server.start({ settings })];
    await set_up(nodes[1]!, 'operator_1'); // the link that was printed last
    people = [];
    for (let i = 0; i < clients; i += 1) people.push(await sign_up(nodes[i % 2]!));
  });
  afterAll(async () => {
    for (const node of nodes ?? []) await node.remove();
    await engines?.stop();
    for (const proxy of Object.values(proxies)) await proxy.close();
    await rm(folder, { recursive: true, force: true });
  });

  // What one person does until told to stop: talks, follows, signs in. What is not answered well is said again.
  class Client {
    readonly acknowledged: Message[] = [];
    readonly followed = new Set<string>();
    readonly tokens: string[] = [];
    refused = 0;
    constructor(
      readonly person: Person,
      readonly room_id: string,
      readonly stopped: () => boolean,
    ) {}

    async persist<T>(step: () => Promise<T>): Promise<T> {
      for (;;) {
        try {
          return await step();
        } catch {
          this.refused += 1;
          await pause(200);
        }
      }
    }
    async run(): Promise<void> {
      let socket: Socket | undefined;
      for (let i = 0; !this.stopped(); i += 1) {
        const client_id = crypto.randomUUID();
        await this.persist(async () => {
          socket = socket?.is_open ? socket : await Socket.open(this.person);
          this.acknowledged.push(await socket.send(this.room_id, `${i}`, { client_id }));
        });
        if (i % 8 === 2) await this.persist(() => this.follow(people[Math.floor(Math.random() * people.length)]!));
        if (i === 4) await this.persist(async () => this.tokens.push((await sign_in(this.person.server, this.person.username)).token!));
        await pause(50);
      }
      if (socket?.is_open) await socket.close();
    }
    private async follow(other: Person): Promise<void> {
      if (other.id === this.person.id) return;
      const params = { path: { username: other.username } };
      const { response } = await this.person.api.PUT('/api/v1/users/{username}/follow', { params });
      if (!response.ok) throw new Error(`follow: ${response.status}`);
      this.followed.add(other.username);
    }
  }

  const history = (room_id: string) =>
    all_pages<Message>(async (cursor) =>
      ok(
        await new Visitor(nodes[0]!).api.GET('/api/v1/rooms/{room_id}/messages', {
          params: { path: { room_id }, query: cursor === undefined ? { limit: 100 } : { limit: 100, cursor } },
        }),
      ),
    );
  const following = (person: Person) =>
    all_pages<{ username: string }>(async (cursor) =>
      ok(
        await new Visitor(nodes[1]!).api.GET('/api/v1/users/{username}/following', {
          params: { path: { username: person.username }, query: cursor === undefined ? { limit: 100 } : { limit: 100, cursor } },
        }),
      ),
    );

  const check = async (room_id: string, all: Client[]) => {
    const stored = (await history(room_id)).reverse();
    const by_client = new Map(stored.map((message) => [message.client_id!, message]));
    expect(by_client.size).toBe(stored.length);
    const seqs = stored.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    for (const client of all) {
      expect(client.acknowledged.length).toBeGreaterThan(0);
      for (const message of client.acknowledged) expect(by_client.get(message.client_id!)).toEqual(message);
      // One after the other was acknowledged.
      const own = client.acknowledged.map(({ seq }) => seq);
      expect(own).toEqual([...own].sort((a, b) => a - b));
      const names = new Set((await following(client.person)).map(({ username }) => username));
      for (const username of client.followed) expect(names).toContain(username);
      for (const token of client.tokens) {
        const visitor = new Visitor(client.person.server);
        visitor.token = token;
        expect(ok(await visitor.api.GET('/api/v1/users/me')).id).toBe(client.person.id);
      }
    }
  };

  for (const port of ports) {
    for (const [fault, strike] of Object.entries(faults)) {
      it(`of the ${port} port that ${fault} loses nothing that was acknowledged`, async () => {
        const host = await sign_up(nodes[0]!);
        const publisher = new Publisher(nodes[0]!, await new_stream_key(host));
        const stream = await until('on air', async () => {
          const mine = ok(await host.api.GET('/api/v1/users/me/stream')).stream;
          return mine?.status === 'live' ? mine : undefined;
        });
        const room = await new_stream(await sign_up(nodes[1]!));
        let stopped = false;
        const all = people.map((person) => new Client(person, room.id, () => stopped));
        const load = Promise.all(all.map((client) => client.run()));
        await until('everyone to talk', () => all.every(({ acknowledged }) => acknowledged.length > 0));
        await strike(engines, port, proxies[port]);
        const struck = performance.now();
        const counts = all.map(({ acknowledged }) => acknowledged.length);
        // It comes back by itself, for everyone.
        await until('everyone to talk again', () => all.every(({ acknowledged }, i) => acknowledged.length > counts[i]! + 2));
        const took_ms = performance.now() - struck;
        stopped = true; // before anything is judged: whoever goes on would be a load on the tests that follow
        await load;
        expect(took_ms).toBeLessThan(15_000);
        await check(room.id, all);
        expect(publisher.program.running).toBe(true);
        await until('the broadcast as it was', async () => {
          const answer = await new Visitor(nodes[1]!).api.GET('/api/v1/streams/{stream_id}', { params: { path: { stream_id: stream.id } } });
          return ok(answer).status === 'live';
        });
        const checked = await nodes[0]!.check();
        expect(checked, checked.stdout + checked.stderr).toMatchObject({ code: 0 });
        await publisher.stop();
      });
    }
  }
});
