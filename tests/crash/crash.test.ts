// kill -9 in the middle of the load, again and again on the same data: what was acknowledged is there, once.
//   ./test crash --rounds 200
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { all_pages, new_name, new_stream, type Person, set_up, sign_in, sign_up } from '../lib/people.ts';
import { Server } from '../lib/server.ts';
import { type Message, Socket } from '../lib/socket.ts';
import { until } from '../lib/until.ts';
import { ok, type Schemas, Visitor } from '../lib/visitor.ts';

const kills = Number(process.env['ROUNDS'] ?? '20');
const talkers = 4;
const lanes = 4; // of a talker, each a socket with one message after the other
// Below the burst that a connection may send: then it is left for another.
const messages_of_a_socket = 50;

interface Acknowledged {
  messages: Message[];
  people: { id: string; username: string }[];
  follows: { follower: string; followed: string }[];
  streams: { id: string; title: string }[];
}

// Does one thing after the other until the server is gone; what fails then was not acknowledged.
async function until_gone(step: () => Promise<void>): Promise<number> {
  for (let done = 0; ; done += 1) {
    try {
      await step();
    } catch (error) {
      if (is_gone(error)) return done;
      throw error;
    }
  }
}

function is_gone(error: unknown): boolean {
  const words = error instanceof Error ? `${error.message} ${(error.cause as Error | undefined)?.message ?? ''}` : String(error);
  return /fetch failed|ECONNREFUSED|ECONNRESET|socket hang up|other side closed|terminated|the socket was closed|the socket is closed|not open/.test(words);
}

describe('a server that is killed', () => {
  let server: Server;
  let host: Person;
  let people: Person[];
  const acknowledged: Acknowledged = { messages: [], people: [], follows: [], streams: [] };
  const sent = new Set<string>();
  const rooms: string[] = [];

  beforeAll(async () => {
    server = await Server.start({ settings: { 'thumbnail-interval': '0s' } });
    host = await set_up(server);
    people = await Promise.all(Array.from({ length: talkers }, () => sign_up(server)));
    acknowledged.people.push(...people);
  });
  afterAll(async () => await server?.remove());

  const talk = async (person: Person, room_id: string, lane: string) => {
    let socket = await Socket.open(person);
    let count = 0;
    await until_gone(async () => {
      if (count > 0 && count % messages_of_a_socket === 0) {
        await socket.close();
        socket = await Socket.open(person);
      }
      const client_id = crypto.randomUUID();
      sent.add(client_id);
      acknowledged.messages.push(await socket.send(room_id, `${lane} ${(count += 1)}`, { client_id }));
    });
  };
  // Whoever signs up, follows and prepares a stream.
  const gather = async (round: number) => {
    await until_gone(async () => {
      const person = await sign_up(server, new_name('crash'));
      acknowledged.people.push({ id: person.id, username: person.username });
      const answer = await person.api.PUT('/api/v1/users/{username}/follow', { params: { path: { username: host.username } } });
      if (answer.response.status === 204) acknowledged.follows.push({ follower: person.username, followed: host.username });
      const title = `of round ${round}`;
      const stream = ok(await person.api.POST('/api/v1/streams', { body: { title } }));
      acknowledged.streams.push({ id: stream.id, title });
    });
  };

  const history = (room_id: string) =>
    all_pages<Message>(async (cursor) =>
      ok(
        await new Visitor(server).api.GET('/api/v1/rooms/{room_id}/messages', {
          params: { path: { room_id }, query: cursor === undefined ? { limit: 100 } : { limit: 100, cursor } },
        }),
      ),
    );

  const check = async (room_id: string) => {
    const stored = (await history(room_id)).reverse();
    const by_client = new Map(stored.map((message) => [message.client_id!, message]));
    // Nothing twice, and nothing that nobody sent; what was not acknowledged may be there or not.
    expect(by_client.size).toBe(stored.length);
    expect([...by_client.keys()].filter((client_id) => !sent.has(client_id))).toEqual([]);
    const seqs = stored.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    const last = new Map<string, number>();
    for (const message of acknowledged.messages.filter((one) => one.room_id === room_id)) {
      expect(by_client.get(message.client_id!)).toEqual(message);
      // Each lane waited for one acknowledgement before the next message.
      const lane = message.content.split(' ')[0]!;
      expect(message.seq).toBeGreaterThan(last.get(lane) ?? 0);
      last.set(lane, message.seq);
    }
  };

  it(`keeps every acknowledged message once and in order, and every sign-up, follow and stream, over ${kills} kills`, async () => {
    for (let round = 1; round <= kills; round += 1) {
      const room = await new_stream(await sign_up(server));
      rooms.push(room.id);
      const load = [
        ...people.flatMap((person, i) =>
          Array.from({ length: lanes }, (_, lane) => talk(person, room.id, `${i}.${lane}`)),
        ),
        gather(round),
      ];
      const results = Promise.allSettled(load);
      // At another moment each time, so that every part of a write meets the end.
      const enough = acknowledged.messages.length + 5 + Math.floor(Math.random() * 300);
      await until('load', () => acknowledged.messages.length >= enough, { every_ms: 1 });
      await server.kill();
      for (const result of await results) {
        if (result.status === 'rejected' && !is_gone(result.reason)) throw result.reason;
      }
      await server.start_again();
      await check(room.id);
    }
    for (const room_id of rooms) await check(room_id);
    expect(acknowledged.messages.length).toBeGreaterThan(kills);
    const guest = new Visitor(server);
    for (const { id, username } of acknowledged.people) {
      const profile = ok(await guest.api.GET('/api/v1/users/{username}', { params: { path: { username } } }));
      expect(profile.id).toBe(id);
    }
    const followers = await all_pages<Schemas['FollowItem']>(async (cursor) =>
      ok(
        await guest.api.GET('/api/v1/users/{username}/followers', {
          params: { path: { username: host.username }, query: cursor === undefined ? { limit: 100 } : { limit: 100, cursor } },
        }),
      ),
    );
    const names = followers.map(({ username }) => username);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(acknowledged.follows.map(({ follower }) => follower)));
    const profile = ok(await guest.api.GET('/api/v1/users/{username}', { params: { path: { username: host.username } } }));
    expect(profile.followers_count).toBe(names.length);
    for (const { id, title } of acknowledged.streams) {
      expect(ok(await guest.api.GET('/api/v1/streams/{stream_id}', { params: { path: { stream_id: id } } })).title).toBe(title);
    }
    // Sessions are as durable as what was done with them.
    for (const person of people) ok(await person.api.GET('/api/v1/users/me'));
    ok(await (await sign_in(server, acknowledged.people.at(-1)!.username)).api.GET('/api/v1/users/me'));
    await server.stop();
    const checked = await server.check();
    expect(checked, checked.stdout + checked.stderr).toMatchObject({ code: 0 });
    await server.start_again();
    const counts = Object.entries(acknowledged).map(([what, list]) => `${list.length} ${what}`);
    console.log(`${kills} kills; acknowledged and found: ${counts.join(', ')}`);
  });
});
