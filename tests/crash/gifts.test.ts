// Gifts while the program is killed, while PostgreSQL is, and while answers to COMMIT are lost, again and again on the same
// data. Whoever sends one repeats it with its key until it is answered; then it is booked once, and the books balance.
//   ./test crash --rounds 500
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Engines, start_engines } from '../../tools/engines.mjs';
import { all_pages, new_stream_key, type Person, set_up, sign_up } from '../lib/people.ts';
import { Proxy } from '../lib/proxy.ts';
import { Publisher } from '../lib/publisher.ts';
import { Server } from '../lib/server.ts';
import type { Message } from '../lib/socket.ts';
import { until } from '../lib/until.ts';
import { ok, type Schemas, Visitor } from '../lib/visitor.ts';

const rounds = Number(process.env['ROUNDS'] ?? '20');
const people = 4;
const lanes = 4; // of a person, each with one gift after the other
const top_up_cents = 50_000;
const settings = {
  payments: 'sandbox',
  'gifts-day-max': '99999999.99',
  'gifts-day-max-new': '99999999.99',
  'reconnect-grace': '600s',
  'thumbnail-interval': '0s',
};
// Before the broadcast would be given up.
const rounds_of_a_publisher = 50;

function is_lost(error: unknown): boolean {
  const words = error instanceof Error ? `${error.message} ${(error.cause as Error | undefined)?.message ?? ''}` : String(error);
  return /fetch failed|ECONNREFUSED|ECONNRESET|socket hang up|other side closed|terminated/.test(words);
}

class Sender {
  readonly booked = new Map<string, Schemas['SentGift']>(); // by key
  top_ups = 0;
  lost = 0;
  private balance = 0;
  private topping_up: Promise<void> | undefined;

  constructor(
    readonly person: Person,
    private readonly stream_id: string,
    private readonly gift: Schemas['Gift'],
    private readonly stopped: () => boolean,
  ) {}

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: lanes }, () => this.lane()));
  }

  private async lane(): Promise<void> {
    for (let count = 1; !this.stopped(); count += 1) {
      if (this.balance < 2 * lanes * this.gift.price) {
        this.topping_up ??= this.top_up().finally(() => (this.topping_up = undefined));
        await this.topping_up;
      }
      const key = crypto.randomUUID();
      const sent = await this.persist(() => this.send(key));
      this.booked.set(key, sent);
      this.balance = sent.balance;
      // As of a client that lost the answer itself.
      if (count % 5 === 0) expect(await this.persist(() => this.send(key))).toEqual(sent);
    }
  }

  // Until there is an answer that is not about the server.
  private async persist<T>(step: () => Promise<{ data?: T; response: Response }>): Promise<T> {
    for (;;) {
      try {
        const answer = await step();
        if (answer.response.status < 500) return ok(answer);
      } catch (error) {
        if (!is_lost(error)) throw error;
      }
      this.lost += 1;
      await pause(20);
    }
  }
  private async send(key: string) {
    return await this.person.api.POST('/api/v1/streams/{stream_id}/gifts', {
      params: { path: { stream_id: this.stream_id }, header: { 'Idempotency-Key': key } },
      body: { gift_id: this.gift.id },
    });
  }
  private async top_up(): Promise<void> {
    const key = crypto.randomUUID();
    const { id } = await this.persist(() =>
      this.person.api.POST('/api/v1/wallet/top_ups', {
        params: { header: { 'Idempotency-Key': key } },
        body: { amount: top_up_cents, currency: 'USD' },
      }),
    );
    await this.persist(() =>
      this.person.api.POST('/api/v1/payments/sandbox/{top_up_id}', { params: { path: { top_up_id: id } }, body: { outcome: 'paid' } }),
    );
    this.top_ups += 1;
    this.balance += top_up_cents;
  }

  // The wallet's history is what was acknowledged.
  async check(): Promise<void> {
    const entries = await all_pages<Schemas['WalletEntry']>(async (cursor) =>
      ok(
        await this.person.api.GET('/api/v1/wallet/transactions', {
          params: { query: cursor === undefined ? { limit: 100 } : { limit: 100, cursor } },
        }),
      ),
    );
    const sent = entries.filter(({ type }) => type === 'gift_sent').map(({ id }) => id);
    const acknowledged = [...this.booked.values()].map(({ transaction_id }) => transaction_id);
    expect(sent.length).toBe(acknowledged.length);
    expect(new Set(sent)).toEqual(new Set(acknowledged));
    const { balance } = ok(await this.person.api.GET('/api/v1/wallet'));
    expect(balance).toBe(this.top_ups * top_up_cents - sent.length * this.gift.price);
  }
}

// Senders at `nodes` while `strike` is done `rounds` times, each after another number of gifts.
async function go_through(nodes: Server[], strike: (round: number) => Promise<void>): Promise<Sender[]> {
  const host = await sign_up(nodes[0]!);
  const key = await new_stream_key(host);
  const go_live = async () => {
    const publisher = new Publisher(nodes[0]!, key);
    await publisher.first_frame();
    const stream = await until('on air', async () => {
      const mine = ok(await host.api.GET('/api/v1/users/me/stream')).stream;
      return mine?.status === 'live' ? mine : undefined;
    });
    await publisher.kill(); // the broadcast waits for it
    return stream;
  };
  const stream = await go_live();
  const gifts = ok(await host.api.GET('/api/v1/gifts')).items;
  const gift = gifts.reduce((one, other) => (other.price < one.price ? other : one));

  let stopped = false;
  const senders: Sender[] = [];
  for (let i = 0; i < people; i += 1) senders.push(new Sender(await sign_up(nodes[i % nodes.length]!), stream.id, gift, () => stopped));
  const count = () => senders.reduce((sum, { booked }) => sum + booked.size, 0);
  let failure: unknown;
  const load = Promise.all(senders.map((sender) => sender.run())).catch((error: unknown) => {
    failure = error;
    stopped = true;
  });
  try {
    for (let round = 1; round <= rounds && !stopped; round += 1) {
      if (round % rounds_of_a_publisher === 0) expect((await go_live()).id).toBe(stream.id);
      const enough = count() + 5 + Math.floor(Math.random() * 100);
      await until('gifts', () => stopped || count() >= enough, { every_ms: 1 });
      await strike(round);
    }
    const enough = count() + 100;
    await until('gifts after all', () => stopped || count() >= enough);
  } finally {
    stopped = true;
    await load;
  }
  if (failure !== undefined) throw failure;

  for (const sender of senders) await sender.check();
  // In the chat each is once.
  const room_id = stream.id;
  await until('every gift in the chat', async () => {
    const messages = await all_pages<Message>(async (cursor) =>
      ok(
        await new Visitor(nodes[0]!).api.GET('/api/v1/rooms/{room_id}/messages', {
          params: { path: { room_id }, query: cursor === undefined ? { limit: 100 } : { limit: 100, cursor } },
        }),
      ),
    );
    const told = messages.filter(({ message_type }) => message_type === 'gift').map(({ client_id }) => client_id);
    expect(new Set(told).size).toBe(told.length);
    return told.length === count();
  });
  const lost = senders.reduce((sum, sender) => sum + sender.lost, 0);
  console.log(`${rounds} rounds, ${count()} gifts acknowledged and booked once, ${lost} requests repeated`);
  return senders;
}

describe('gifts on the embedded engines', () => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start({ settings });
    await set_up(server);
  });
  afterAll(async () => await server?.remove());

  it(`are booked once each, over ${rounds} kills of the program`, async () => {
    await go_through([server], async () => {
      await server.kill();
      await server.start_again({ same_ports: true });
    });
    await server.stop();
    const checked = await server.check();
    expect(checked, checked.stdout + checked.stderr).toMatchObject({ code: 0 });
    await server.start_again();
  });
});

describe('gifts on two nodes over PostgreSQL, MongoDB and Redis', () => {
  let folder: string;
  let engines: Engines;
  let proxy: Proxy;
  let nodes: Server[];
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spaktok-gifts-'));
    engines = await start_engines(folder);
    const direct = Number(/127\.0\.0\.1:(\d+)/.exec(engines.settings.relational)![1]);
    proxy = await Proxy.before(direct);
    const relational = engines.settings.relational.replace(`127.0.0.1:${direct}`, `127.0.0.1:${proxy.port}`);
    const shared = { ...settings, ...engines.settings, relational };
    nodes = [await Server.start({ settings: shared }), await Server.start({ settings: shared })];
    await set_up(nodes[1]!); // the link that was printed last
  });
  afterAll(async () => {
    for (const node of nodes ?? []) await node.remove();
    await engines?.stop();
    await proxy?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it(`are booked once each, over ${rounds} kills of a node or PostgreSQL and lost answers to COMMIT`, async () => {
    const strikes = [
      async () => {
        await nodes[1]!.kill();
        await nodes[1]!.start_again({ same_ports: true });
      },
      async () => {
        await engines.relational.kill();
        await engines.relational.start();
      },
      async () => await proxy.lose_answers('COMMIT', 3),
    ];
    const senders = await go_through(nodes, async (round) => await strikes[round % strikes.length]!());
    expect(Math.min(...senders.map(({ lost }) => lost))).toBeGreaterThan(0);
    const checked = await nodes[0]!.check();
    expect(checked, checked.stdout + checked.stderr).toMatchObject({ code: 0 });
  });
});
