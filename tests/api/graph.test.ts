import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { all_pages, type Person, set_up, sign_up } from '../lib/people.ts';
import { Server } from '../lib/server.ts';
import { Socket } from '../lib/socket.ts';
import { ok, problem, Visitor } from '../lib/visitor.ts';

describe('following', () => {
  let server: Server;
  let guest: Visitor;
  let people: Person[];
  beforeAll(async () => {
    server = await Server.start();
    await set_up(server);
    guest = new Visitor(server);
    people = await Promise.all(Array.from({ length: 24 }, () => sign_up(server)));
  });
  afterAll(async () => await server?.remove());

  const follow = (who: Visitor, username: string) =>
    problem(who.api.PUT('/api/v1/users/{username}/follow', { params: { path: { username } } }));
  const unfollow = (who: Visitor, username: string) =>
    problem(who.api.DELETE('/api/v1/users/{username}/follow', { params: { path: { username } } }));
  const profile = async (who: Visitor, username: string) =>
    ok(await who.api.GET('/api/v1/users/{username}', { params: { path: { username } } }));
  const followers = (username: string, limit: number, who: Visitor = guest) => async (cursor?: string) =>
    ok(
      await who.api.GET('/api/v1/users/{username}/followers', {
        params: { path: { username }, query: cursor === undefined ? { limit } : { limit, cursor } },
      }),
    );

  it('counts once however often it is asked for, and so does its end', async () => {
    const [ada, grace] = people as [Person, Person];
    for (let time = 0; time < 3; time += 1) expect(await follow(ada, grace.username)).toBe('204');
    expect(await profile(ada, grace.username)).toMatchObject({ followers_count: 1, is_following: true });
    expect(await profile(ada, ada.username)).toMatchObject({ following_count: 1 });
    expect(await profile(guest, grace.username)).toMatchObject({ followers_count: 1, is_following: null });
    for (let time = 0; time < 3; time += 1) expect(await unfollow(ada, grace.username)).toBe('204');
    expect(await profile(ada, grace.username)).toMatchObject({ followers_count: 0, is_following: false });
  });

  it('counts once where it is asked for many times at once', async () => {
    const [ada, , , lin] = people as [Person, Person, Person, Person];
    const answers = await Promise.all(Array.from({ length: 8 }, () => follow(ada, lin.username)));
    expect(new Set(answers)).toEqual(new Set(['204']));
    expect(await profile(guest, lin.username)).toMatchObject({ followers_count: 1 });
    await Promise.all(Array.from({ length: 8 }, () => unfollow(ada, lin.username)));
    expect(await profile(guest, lin.username)).toMatchObject({ followers_count: 0 });
  });

  it('is refused for oneself, for nobody, and for a guest', async () => {
    const [ada] = people as [Person];
    expect(await follow(ada, ada.username)).toBe('409 cannot_follow_yourself');
    expect(await follow(ada, 'nobody_at_all')).toBe('404 not_found');
    expect(await follow(guest, ada.username)).toBe('401 unauthenticated');
  });

  it('is told to the one who is followed, once', async () => {
    const [, grace, lin] = people as [Person, Person, Person];
    const socket = await Socket.open(grace);
    await socket.subscribe(`user:${grace.id}`);
    await follow(lin, grace.username);
    await follow(lin, grace.username);
    const event = await socket.event('the new follower', ({ event }) => event === 'follow.created');
    expect(JSON.stringify(event.data)).toContain(lin.username);
    await unfollow(lin, grace.username);
    await follow(people[5]!, grace.username);
    await socket.event('the next', (one) => one.event === 'follow.created' && JSON.stringify(one.data).includes(people[5]!.username));
    expect(socket.named('follow.created')).toHaveLength(2);
    await unfollow(people[5]!, grace.username);
    await socket.close();
  });

  it('gives a topic of its own to its user alone', async () => {
    const [ada, grace] = people as [Person, Person];
    const socket = await Socket.open(ada);
    await expect(socket.subscribe(`user:${grace.id}`)).rejects.toThrow('403 forbidden');
    await socket.close();
  });

  it('is listed with the newest first, whoever reads knows whom they follow', async () => {
    const [ada, grace, lin] = people as [Person, Person, Person];
    const star = people[6]!;
    for (const person of [ada, grace, lin]) await follow(person, star.username);
    await follow(ada, lin.username);
    const { items, next_cursor } = await followers(star.username, 20, ada)();
    expect(items.map(({ username, is_following }) => [username, is_following])).toEqual([
      [lin.username, true],
      [grace.username, false],
      [ada.username, false],
    ]);
    expect(next_cursor).toBeNull();
    const path = { username: ada.username };
    const following = ok(await guest.api.GET('/api/v1/users/{username}/following', { params: { path } }));
    expect(following.items.map(({ username }) => username)).toEqual([lin.username, star.username]);
    await unfollow(ada, lin.username);
  });

  it('has pages that neither repeat nor lose anyone while others come and go', async () => {
    const star = people[7]!;
    const before = people.slice(8, 18);
    const during = people.slice(18);
    for (const person of before) await follow(person, star.username);
    const gone = before[4]!;
    let turn = 0;
    const seen = await all_pages(followers(star.username, 2), async () => {
      // One arrives at the front before each next page, and one who was seen already leaves.
      await follow(during[turn % during.length]!, star.username);
      if (turn === 3) await unfollow(gone, star.username);
      turn += 1;
    });
    const names = seen.map(({ username }) => username);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(before.map(({ username }) => username).reverse());
    expect((await profile(guest, star.username)).followers_count).toBe(before.length - 1 + Math.min(turn, during.length));
  });

  it('has pages under many at once that, read again and again, give each follower once', async () => {
    const star = people[2]!;
    const arrivals = people.slice(8).map((person) => follow(person, star.username));
    const first = await all_pages(followers(star.username, 3));
    await Promise.all(arrivals);
    const last = await all_pages(followers(star.username, 3));
    for (const list of [first, last]) expect(new Set(list.map(({ id }) => id)).size).toBe(list.length);
    expect(new Set(last.map(({ id }) => id))).toEqual(new Set(people.slice(8).map(({ id }) => id)));
  });

  it('has limits of a page from 1 to 100 and cursors that only this server makes', async () => {
    const [ada] = people as [Person];
    const list = (query: object) =>
      problem(guest.api.GET('/api/v1/users/{username}/followers', { params: { path: { username: ada.username }, query } }));
    expect(await list({ limit: 1 })).toBe('200');
    expect(await list({ limit: 100 })).toBe('200');
    expect(await list({ limit: 0 })).toBe('400 invalid_field limit');
    expect(await list({ limit: 101 })).toBe('400 invalid_field limit');
    expect(await list({ limit: 'many' })).toBe('400 invalid_field limit');
    expect(await list({ cursor: 'made_up' })).toBe('400 invalid_cursor cursor');
  });
});
