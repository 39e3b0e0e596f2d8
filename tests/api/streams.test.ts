import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { all_pages, new_stream, type Person, set_up, sign_up } from '../lib/people.ts';
import { Server } from '../lib/server.ts';
import { Socket } from '../lib/socket.ts';
import { ok, problem, type Schemas, Visitor } from '../lib/visitor.ts';

const hour = 3_600_000;
const from_now = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();

describe('streams', () => {
  let server: Server;
  let guest: Visitor;
  let ada: Person;
  let grace: Person;
  let admin: Person;
  beforeAll(async () => {
    server = await Server.start();
    admin = await set_up(server, 'operator_1');
    guest = new Visitor(server);
    [ada, grace] = await Promise.all([sign_up(server), sign_up(server)]);
  });
  afterAll(async () => await server?.remove());

  const at = (stream_id: string) => ({ params: { path: { stream_id } } });
  const create = (who: Visitor, body: object) => problem(who.api.POST('/api/v1/streams', { body: body as any }));
  const update = (who: Visitor, id: string, body: object) =>
    problem(who.api.PATCH('/api/v1/streams/{stream_id}', { ...at(id), body }));
  const remove = (who: Visitor, id: string) => problem(who.api.DELETE('/api/v1/streams/{stream_id}', at(id)));
  const end = (who: Visitor, id: string) => problem(who.api.POST('/api/v1/streams/{stream_id}/end', at(id)));
  const read = (id: string) => guest.api.GET('/api/v1/streams/{stream_id}', at(id));
  const list = (query: object, who: Visitor = guest) => async (cursor?: string): Promise<Schemas['StreamPage']> =>
    ok(await who.api.GET('/api/v1/streams', { params: { query: cursor === undefined ? query : { ...query, cursor } } }));

  it('are prepared with a title, and answered with their path', async () => {
    const answer = await ada.api.POST('/api/v1/streams', { body: { title: '  Keyboards  ', description: 'From scratch' } });
    const stream = ok(answer);
    expect(answer.response.headers.get('location')).toBe(`/api/v1/streams/${stream.id}`);
    expect(stream).toMatchObject({
      title: 'Keyboards',
      description: 'From scratch',
      status: 'scheduled',
      scheduled_for: null,
      started_at: null,
      viewers_count: 0,
      playback_url: null,
      user: { id: ada.id, username: ada.username },
    });
    expect(ok(await read(stream.id)).ingest ?? null).toBeNull();
    expect(ok(await ada.api.GET('/api/v1/users/me/stream')).stream).toMatchObject({ id: stream.id, ingest: null });
    expect(ok(await grace.api.GET('/api/v1/users/me/stream')).stream).toBeNull();
    expect(await remove(ada, stream.id)).toBe('204');
  });

  it('have a title of 1 to 100 characters, a description of at most 5000, and a time within a year', async () => {
    const table: [object, string][] = [
      [{ title: 't' }, '201'],
      [{ title: 'é'.repeat(100) }, '201'],
      [{ title: 't'.repeat(101) }, '400 invalid_field title'],
      [{ title: '   ' }, '400 invalid_field title'],
      [{}, '400 missing_field title'],
      [{ title: 't', description: 'd'.repeat(5000) }, '201'],
      [{ title: 't', description: 'd'.repeat(5001) }, '400 invalid_field description'],
      [{ title: 't', scheduled_for: from_now(hour) }, '201'],
      [{ title: 't', scheduled_for: from_now(364 * 24 * hour) }, '201'],
      [{ title: 't', scheduled_for: from_now(367 * 24 * hour) }, '400 invalid_field scheduled_for'],
      [{ title: 't', scheduled_for: from_now(-hour) }, '400 invalid_field scheduled_for'],
      [{ title: 't', scheduled_for: 'tomorrow' }, '400 invalid_field scheduled_for'],
    ];
    for (const [body, expected] of table) {
      const words = JSON.stringify(body).slice(0, 60);
      expect(`${words} ${await create(grace, body)}`).toBe(`${words} ${expected}`);
    }
    expect(await create(guest, { title: 't' })).toBe('401 unauthenticated');
  });

  it('that are not yet live are at most twenty of one user', async () => {
    const person = await sign_up(server);
    for (let count = 0; count < 20; count += 1) expect(await create(person, { title: 't' })).toBe('201');
    expect(await create(person, { title: 't' })).toBe('409 too_many_streams');
    const path = { username: person.username };
    const page = ok(await guest.api.GET('/api/v1/users/{username}/streams', { params: { path, query: { limit: 100 } } }));
    expect(page.items).toHaveLength(20);
    expect(await remove(person, page.items[0]!.id)).toBe('204');
    expect(await create(person, { title: 't' })).toBe('201');
  });

  it('change by their owner alone, and everyone who looks is told', async () => {
    const stream = await new_stream(ada, 'Before');
    const socket = await Socket.open(guest);
    const { state } = await socket.subscribe(`stream:${stream.id}`);
    expect(state.stream.title).toBe('Before');
    expect(await update(grace, stream.id, { title: 'Mine' })).toBe('403 forbidden');
    expect(await update(guest, stream.id, { title: 'Mine' })).toBe('401 unauthenticated');
    expect(await update(ada, stream.id, { title: 'After' })).toBe('200');
    const event = await socket.event('the change', (one) => one.event === 'stream.updated');
    expect(event.data.stream).toMatchObject({ id: stream.id, title: 'After' });
    expect(await update(ada, stream.id, { title: '' })).toBe('400 invalid_field title');
    expect(await update(ada, stream.id, { scheduled_for: from_now(hour), description: 'More' })).toBe('200');
    expect(await update(ada, stream.id, { scheduled_for: null })).toBe('200');
    expect(ok(await read(stream.id))).toMatchObject({ title: 'After', description: 'More', scheduled_for: null });
    expect(await remove(ada, stream.id)).toBe('204');
    await socket.close();
  });

  it('are deleted by their owner while they are scheduled', async () => {
    const stream = await new_stream(ada);
    expect(await remove(grace, stream.id)).toBe('403 forbidden');
    expect(await end(ada, stream.id)).toBe('409 stream_not_live');
    expect(await end(grace, stream.id)).toBe('403 forbidden');
    expect(await end(admin, stream.id)).toBe('409 stream_not_live');
    expect(await remove(ada, stream.id)).toBe('204');
    expect(await problem(read(stream.id))).toBe('404 not_found');
    expect(await remove(ada, stream.id)).toBe('404 not_found');
    expect(await problem(read('00000000-0000-7000-8000-000000000000'))).toBe('404 not_found');
  });

  it('that are scheduled are listed with the soonest first, and followers are told', async () => {
    const [host, follower] = await Promise.all([sign_up(server), sign_up(server)]);
    await follower.api.PUT('/api/v1/users/{username}/follow', { params: { path: { username: host.username } } });
    const socket = await Socket.open(follower);
    await socket.subscribe(`user:${follower.id}`);
    const made: Schemas['Stream'][] = [];
    for (const hours of [5, 2, 9, 3]) {
      made.push(ok(await host.api.POST('/api/v1/streams', { body: { title: `in ${hours}`, scheduled_for: from_now(hours * hour) } })));
    }
    await new_stream(host, 'without a time');
    const mine = (await all_pages(list({ status: 'scheduled', limit: 2 }))).filter(({ user }) => user.id === host.id);
    expect(mine.map(({ title }) => title)).toEqual(['in 2', 'in 3', 'in 5', 'in 9']);
    const followed = await all_pages(list({ status: 'scheduled', following: true, limit: 2 }, follower));
    expect(followed.map(({ title }) => title)).toEqual(['in 2', 'in 3', 'in 5', 'in 9']);
    expect(await all_pages(list({ status: 'scheduled', following: true }, host))).toEqual([]);
    for (const { id } of made) {
      await socket.event(`news of ${id}`, (one) => one.event === 'stream.created' && one.data.stream.id === id);
    }
    expect(socket.named('stream.created')).toHaveLength(4);
    await socket.close();
  });

  it('of a user have pages that neither repeat nor lose one while new ones are made', async () => {
    const host = await sign_up(server);
    const titles = Array.from({ length: 9 }, (_, i) => `stream ${i}`);
    for (const title of titles) await new_stream(host, title);
    const path = { username: host.username };
    let more = 0;
    const seen = await all_pages(
      async (cursor) =>
        ok(
          await guest.api.GET('/api/v1/users/{username}/streams', {
            params: { path, query: cursor === undefined ? { limit: 2 } : { limit: 2, cursor } },
          }),
        ),
      async () => await new_stream(host, `new ${(more += 1)}`),
    );
    expect(seen.map(({ title }) => title)).toEqual([...titles].reverse());
    expect(more).toBeGreaterThan(2);
  });

  it('are listed by a known status, for a user where it is about whom they follow', async () => {
    const get = (query: object, who: Visitor = guest) => problem(who.api.GET('/api/v1/streams', { params: { query } }));
    expect(await get({ status: 'paused' })).toBe('400 invalid_field status');
    expect(await get({ following: true })).toBe('401 unauthenticated');
    expect(await get({ following: 'perhaps' }, ada)).toBe('400 invalid_field following');
    expect(await get({ cursor: 'made_up' })).toBe('400 invalid_cursor cursor');
    expect(await get({ status: 'ended', limit: 1 })).toBe('200');
  });

  it('have a key that is shown once, replaced, and deleted', async () => {
    const person = await sign_up(server);
    const state = async () => ok(await person.api.GET('/api/v1/users/me/stream_key'));
    expect(await state()).toMatchObject({ exists: false, last_used_at: null });
    const answer = await person.api.POST('/api/v1/users/me/stream_key');
    const first = ok(answer);
    expect(first.key).toMatch(/^sk_[A-Za-z0-9_-]{30,}$/);
    expect(answer.response.headers.get('cache-control')).toBe('no-store');
    expect(first.rtmp_url).toBe(`rtmp://localhost:${server.rtmp_port}/live`);
    expect(await state()).toMatchObject({ exists: true, last_used_at: null });
    expect(ok(await person.api.POST('/api/v1/users/me/stream_key')).key).not.toBe(first.key);
    expect((await person.api.DELETE('/api/v1/users/me/stream_key')).response.status).toBe(204);
    expect(await state()).toMatchObject({ exists: false });
    expect(await problem(guest.api.POST('/api/v1/users/me/stream_key'))).toBe('401 unauthenticated');
  });
});
