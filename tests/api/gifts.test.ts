import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { balance_of, catalogue, money_settings, type OnAir, on_air, top_up, with_key } from '../lib/money.ts';
import { all_pages, new_stream, type Person, set_up, sign_up } from '../lib/people.ts';
import { Server } from '../lib/server.ts';
import { type Message, Socket } from '../lib/socket.ts';
import { until } from '../lib/until.ts';
import { ok, problem, type Schemas, Visitor } from '../lib/visitor.ts';

describe('gifts', () => {
  let server: Server;
  let administrator: Person;
  let live: OnAir;
  let gifts: Schemas['Gift'][];
  beforeAll(async () => {
    server = await Server.start({ settings: { ...money_settings, 'gift-max': '100.00', 'gifts-day-max-new': '200.00' } });
    administrator = await set_up(server, 'operator_1');
    live = await on_air(server);
    gifts = await catalogue(live.host);
  });
  afterAll(async () => await server?.remove());

  const cheapest = () => gifts[0]!;
  const send = (who: Person | Visitor, gift_id: string, key?: string, stream_id = live.stream.id) =>
    who.api.POST('/api/v1/streams/{stream_id}/gifts', {
      params: { path: { stream_id }, header: with_key(key) },
      body: { gift_id },
    });
  const rich = async (cents = 10_000) => {
    const person = await sign_up(server);
    await top_up(person, cents);
    return person;
  };
  const messages = () =>
    all_pages<Message>(async (cursor) =>
      ok(
        await new Visitor(server).api.GET('/api/v1/rooms/{room_id}/messages', {
          params: { path: { room_id: live.stream.id }, query: cursor === undefined ? { limit: 100 } : { limit: 100, cursor } },
        }),
      ),
    );

  it('have a catalogue of twelve from 0.10 to 500.00 USD, each with a picture', async () => {
    expect(gifts).toHaveLength(12);
    const prices = gifts.map(({ price }) => price);
    expect(prices).toEqual([...prices].sort((a, b) => a - b));
    expect([prices.at(0), prices.at(-1)]).toEqual([10, 50_000]);
    for (const { image_url } of gifts) {
      const picture = await new Visitor(server).fetch_unchecked(image_url);
      expect(picture.headers.get('content-type')).toMatch('image/svg+xml');
      expect(await picture.text()).toMatch(/^<svg/);
    }
  });

  it('are refused in the order of precedence', async () => {
    const poor = await sign_up(server);
    const scheduled = await new_stream(live.host);
    const nothing = crypto.randomUUID();
    const dear = gifts.at(-1)!.id;
    expect(await problem(send(new Visitor(server), nothing))).toBe('401 unauthenticated');
    expect(await problem(send(poor, nothing, ''))).toBe('400 invalid_idempotency_key Idempotency-Key');
    expect(await problem(send(poor, nothing, 'x'.repeat(256)))).toBe('400 invalid_idempotency_key Idempotency-Key');
    expect(await problem(send(poor, 'x'))).toBe('400 invalid_field gift_id');
    expect(await problem(send(poor, nothing, 'x'.repeat(255), nothing))).toBe('404 not_found gift_id');
    expect(await problem(send(poor, cheapest().id, undefined, nothing))).toBe('404 not_found');
    expect(await problem(send(poor, dear, undefined, scheduled.id))).toBe('409 stream_not_live');
    expect(await problem(send(live.host, dear))).toBe('409 cannot_gift_yourself');
    expect(await problem(send(poor, dear))).toBe('409 gift_too_large');
    expect(await problem(send(poor, cheapest().id))).toBe('402 insufficient_funds');
  });

  it('move money once, however often a request is repeated, also a hundred times at once', async () => {
    const ada = await rich(1_000);
    const first = ok(await send(ada, cheapest().id, 'again'));
    expect(first).toMatchObject({ gift: { id: cheapest().id }, balance: 990 });
    const repeated = await Promise.all(Array.from({ length: 100 }, () => send(ada, cheapest().id, 'again')));
    expect(repeated.map((answer) => ok(answer))).toEqual(Array.from({ length: 100 }, () => first));
    expect(await balance_of(ada)).toBe(990);
    expect(await problem(send(ada, gifts[1]!.id, 'again'))).toBe('422 idempotency_key_reused Idempotency-Key');
    const fresh = await Promise.all(Array.from({ length: 100 }, () => send(ada, cheapest().id, 'anew')));
    expect(new Set(fresh.map((answer) => ok(answer).transaction_id)).size).toBe(1);
    expect(await balance_of(ada)).toBe(980);
  });

  it('of which the wallet holds a hundred are sent a hundred times, of 200 at once', async () => {
    const ada = await rich(100 * cheapest().price);
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => problem(send(ada, cheapest().id))));
    expect(outcomes.filter((outcome) => outcome === '201')).toHaveLength(100);
    expect(outcomes.filter((outcome) => outcome === '402 insufficient_funds')).toHaveLength(100);
    expect(await balance_of(ada)).toBe(0);
  });

  it('are limited by the day', async () => {
    const ada = await rich(30_000);
    const hundred = gifts.find(({ price }) => price === 10_000) ?? gifts.filter(({ price }) => price <= 10_000).at(-1)!;
    const outcomes: string[] = [];
    for (let spent = 0; spent <= 20_000; spent += hundred.price) outcomes.push(await problem(send(ada, hundred.id)));
    expect(outcomes.at(-1)).toBe('409 day_limit_reached');
    expect(outcomes.slice(0, -1).every((outcome) => outcome === '201')).toBe(true);
  });

  it('are seen by everyone who watches within half a second, and are in the chat once', async () => {
    const ada = await rich();
    const watcher = await Socket.open(new Visitor(server));
    await watcher.subscribe(`stream:${live.stream.id}`);
    await watcher.subscribe(`room:${live.stream.id}`);
    const sent = ok(await send(ada, cheapest().id));
    const answered = performance.now();
    const told = await until('gift.sent', () => watcher.named('gift.sent').find(({ data }) => data.transaction_id === sent.transaction_id));
    expect(performance.now() - answered).toBeLessThan(500);
    expect(told.data).toMatchObject({ sender: { username: ada.username } });
    await until('the message', () =>
      watcher.named('message.created').some(({ data }) => (data.message as Message).client_id === sent.transaction_id),
    );
    const own = (await messages()).filter(({ client_id }) => client_id === sent.transaction_id);
    expect(own).toMatchObject([{ message_type: 'gift', content: cheapest().id, sender: { username: ada.username } }]);
    await watcher.close();
  });

  it('move the leaderboards of the stream, the day, the week and all time, each once', async () => {
    const ada = await rich(10_000);
    const gift = gifts.find(({ price }) => price >= 500)!;
    for (let i = 0; i < 3; i += 1) ok(await send(ada, gift.id, `board-${i}`));
    ok(await send(ada, gift.id, 'board-2'));
    const amount = 3 * gift.price;
    const guest = new Visitor(server);
    const place = (board: Pick<Schemas['Leaderboard'], 'items'>, person: Person) => board.items.find(({ user }) => user.id === person.id)?.amount;
    await until('the stream’s board', async () =>
      place(ok(await guest.api.GET('/api/v1/streams/{stream_id}/leaderboard', { params: { path: { stream_id: live.stream.id }, query: { limit: 100 } } })), ada) === amount,
    );
    for (const period of ['day', 'week', 'all'] as const) {
      const senders = ok(await guest.api.GET('/api/v1/leaderboards/{side}', { params: { path: { side: 'senders' }, query: { period, limit: 100 } } }));
      expect(place(senders, ada)).toBe(amount);
      expect(senders.items.map(({ rank }) => rank)).toEqual(senders.items.map((_, i) => i + 1));
      const streamers = ok(await guest.api.GET('/api/v1/leaderboards/{side}', { params: { path: { side: 'streamers' }, query: { period } } }));
      expect(place(streamers, live.host)).toBeGreaterThanOrEqual(amount);
    }
  });

  it('are added and retired by administrators; a retired one stays in what was sent', async () => {
    const ada = await rich();
    const body = { name: 'Sunflower', price: 120, image_url: '/gifts/rose.svg', animation: 'small', sort_order: 5 };
    expect(await problem(ada.api.POST('/api/v1/gifts', { body }))).toBe('403 forbidden');
    const gift = ok(await administrator.api.POST('/api/v1/gifts', { body }));
    expect(await problem(administrator.api.POST('/api/v1/gifts', { body }))).toBe('409 gift_name_taken name');
    ok(await send(ada, gift.id));
    const retire = (who: Person, is_active: boolean) =>
      who.api.PATCH('/api/v1/gifts/{gift_id}', { params: { path: { gift_id: gift.id } }, body: { is_active } });
    expect(await problem(retire(ada, false))).toBe('403 forbidden');
    ok(await retire(administrator, false));
    expect(await problem(send(ada, gift.id))).toBe('409 gift_retired');
    expect((await catalogue(ada)).map(({ id }) => id)).not.toContain(gift.id);
    expect((await catalogue(administrator)).map(({ id }) => id)).toContain(gift.id);
    expect(ok(await ada.api.GET('/api/v1/gifts/{gift_id}', { params: { path: { gift_id: gift.id } } }))).toMatchObject({ name: 'Sunflower', is_active: false });
    ok(await retire(administrator, true));
    ok(await send(ada, gift.id));
  });
});
