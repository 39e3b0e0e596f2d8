// Wallets with money in them, and who may be given some.
import { new_stream_key, type Person, sign_up } from './people.ts';
import { Publisher } from './publisher.ts';
import type { Site } from './server.ts';
import { until } from './until.ts';
import { ok, type Schemas } from './visitor.ts';

// Of a server on which money moves: play money, and a broadcast that outlives its publisher.
export const money_settings = { payments: 'sandbox', 'reconnect-grace': '600s', 'thumbnail-interval': '0s' };

export const with_key = (key: string = crypto.randomUUID()) => ({ 'Idempotency-Key': key });

// By the sandbox; US cents.
export async function top_up(person: Person, amount: number): Promise<Schemas['TopUp']> {
  const { id } = ok(
    await person.api.POST('/api/v1/wallet/top_ups', { params: { header: with_key() }, body: { amount, currency: 'USD' } }),
  );
  return ok(await person.api.POST('/api/v1/payments/sandbox/{top_up_id}', { params: { path: { top_up_id: id } }, body: { outcome: 'paid' } }));
}

export async function balance_of(person: Person): Promise<number> {
  return ok(await person.api.GET('/api/v1/wallet')).balance;
}

export interface OnAir {
  host: Person;
  stream: Schemas['Stream'];
  // Publishes once more, for as long as it takes.
  go_on: () => Promise<Schemas['Stream']>;
}

// A broadcast whose publisher has gone and which is still live.
export async function on_air(server: Site): Promise<OnAir> {
  const host = await sign_up(server);
  const key = await new_stream_key(host);
  const go_on = async () => {
    const publisher = new Publisher(server, key);
    await publisher.first_frame();
    const stream = await until('on air', async () => {
      const mine = ok(await host.api.GET('/api/v1/users/me/stream')).stream;
      return mine?.status === 'live' ? mine : undefined;
    });
    await publisher.kill();
    return stream;
  };
  return { host, stream: await go_on(), go_on };
}

export async function catalogue(person: Person): Promise<Schemas['Gift'][]> {
  return ok(await person.api.GET('/api/v1/gifts')).items;
}
