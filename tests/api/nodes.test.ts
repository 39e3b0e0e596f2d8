// Two nodes over PostgreSQL, MongoDB, Redis and S3: one place.
import { setTimeout as pause } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { decode, read_master, read_media } from '../lib/hls.ts';
import { new_stream, new_stream_key, type Person, set_up, sign_up } from '../lib/people.ts';
import { Publisher } from '../lib/publisher.ts';
import { engine_settings, Server } from '../lib/server.ts';
import { refusal, Socket } from '../lib/socket.ts';
import { in_time, until } from '../lib/until.ts';
import { ok, Visitor } from '../lib/visitor.ts';

describe('two nodes', () => {
  let place: Record<string, string>;
  let a: Server;
  let b: Server;
  const start_node = () =>
    Server.start({ engines: place, settings: { 'thumbnail-interval': '2s', 'reconnect-grace': '20s' } });
  beforeAll(async () => {
    place = await engine_settings();
    [a, b] = await Promise.all([start_node(), start_node()]); // both bring the empty schema up to date
    await set_up(a, 'operator_1').catch(() => set_up(b, 'operator_1'));
  });
  afterAll(async () => {
    await a?.remove();
    await b?.remove();
  });

  // The same person at the other node: their session is known there.
  const at = (server: Server, person: Person): Person => {
    const visitor = new Visitor(server);
    visitor.token = person.token;
    return Object.assign(visitor, { id: person.id, username: person.username });
  };
  const stream_at = async (server: Server, stream_id: string) =>
    ok(await new Visitor(server).api.GET('/api/v1/streams/{stream_id}', { params: { path: { stream_id } } }));
  const live_at = async (server: Server) =>
    ok(await new Visitor(server).api.GET('/api/v1/streams', { params: { query: { status: 'live' } } })).items.map(({ id }) => id);
  const go_live = async (server: Server) => {
    const host = await sign_up(server);
    const key = await new_stream_key(host);
    const publisher = new Publisher(server, key);
    const stream = await until(`on air; ffmpeg says: ${publisher.program.said()}`, async () => {
      const mine = ok(await host.api.GET('/api/v1/users/me/stream')).stream;
      return mine?.status === 'live' ? mine : undefined;
    });
    return { host, key, publisher, stream };
  };

  it('know the same people, and a sign-out at one closes the sockets at the other', async () => {
    const ada = await sign_up(a);
    const there = at(b, ada);
    expect(ok(await there.api.GET('/api/v1/users/me')).id).toBe(ada.id);
    const socket = await Socket.open(there);
    await ada.api.DELETE('/api/v1/sessions/current');
    expect((await in_time('the socket to be closed', socket.closed)).code).toBe(4401);
    expect((await there.api.GET('/api/v1/users/me')).response.status).toBe(401);
  });

  it('carry a chat in one order, and what was missed', async () => {
    const [host, guest] = [await sign_up(a), await sign_up(b)];
    const { id } = await new_stream(host);
    const [here, there] = [await Socket.open(host), await Socket.open(guest)];
    await here.subscribe(`room:${id}`);
    const joined = await there.subscribe(`room:${id}`);
    const said: string[] = [];
    for (let i = 0; i < 10; ++i) {
      const [socket, text] = i % 2 === 0 ? [here, `from a ${i}`] : [there, `from b ${i}`];
      await socket.send(id, text);
      said.push(text);
    }
    for (const socket of [here, there]) {
      await until('all messages', () => socket.named('message.created').length === said.length);
      expect(socket.named('message.created').map(({ data }) => data.message.content)).toEqual(said);
      expect(socket.named('message.created').map(({ data }) => data.message.seq)).toEqual(
        [...socket.named('message.created').map(({ data }) => data.message.seq)].sort((one, other) => one - other),
      );
    }
    // Who comes back to the other node goes on where they were.
    await there.drop();
    await here.send(id, 'meanwhile');
    const back = await Socket.open(at(a, guest));
    const recovered = await back.subscribe(`room:${id}`, { epoch: joined.epoch, offset: joined.offset + said.length });
    expect(recovered.recovered).toBe(true);
    expect(recovered.messages.map(({ data }) => data.message.content)).toEqual(['meanwhile']);
    await Promise.all([here.close(), back.close()]);
  });

  it('have one limit of what a person may say', async () => {
    const start_strict = () => Server.start({ engines: place, settings: { 'rate-limit-scale': '1' } });
    const strict = [await start_strict(), await start_strict()];
    try {
      const person = await sign_up(a);
      const { id } = await new_stream(person);
      const [here, there] = [await Socket.open(at(strict[0]!, person)), await Socket.open(at(strict[1]!, person))];
      for (let i = 0; i < 10; ++i) await here.send(id, `${i}`);
      await pause(1_000); // one more may be said, and every node has long heard of the ten
      const answers = [];
      for (let i = 0; i < 6; ++i) answers.push(await refusal(there.send(id, `${i}`)));
      expect(answers.filter((answer) => answer === '429 flood').length).toBeGreaterThanOrEqual(3);
      await Promise.all([here.close(), there.close()]);
    } finally {
      for (const server of strict) await server.remove();
    }
  });

  it('tell followers at the other node of a start, whichever node delivers events', async () => {
    for (const [one, other] of [[a, b], [b, a]] as const) {
      const [host, follower] = [await sign_up(one), await sign_up(other)];
      await follower.api.PUT('/api/v1/users/{username}/follow', { params: { path: { username: host.username } } });
      const socket = await Socket.open(follower);
      await socket.subscribe(`user:${follower.id}`);
      const publisher = new Publisher(one, await new_stream_key(host));
      const started = await socket.event('the start', (event) => event.event === 'stream.started');
      expect(started.data.stream.user.id).toBe(host.id);
      await publisher.stop();
      await socket.close();
    }
  });

  it('show a broadcast of one to the viewers of the other, counted together', async () => {
    const { host, publisher, stream } = await go_live(a);
    const guest = new Visitor(b);
    const { media_url } = await read_master(guest, `/live/${stream.id}/master.m3u8?counted=0`);
    const playlist = await until('two segments', async () => {
      const media = await read_media(guest, media_url);
      return media.segments.length >= 2 ? media : undefined;
    });
    const decoded = await decode(guest, media_url, playlist.segments.slice(0, 2));
    expect(decoded).toMatchObject({ codecs: ['aac', 'h264'], width: 320, height: 180 });
    expect(decoded.frames).toBeGreaterThan(20);
    await until('it in the live list of both', async () =>
      (await live_at(a)).includes(stream.id) && (await live_at(b)).includes(stream.id));

    const sockets = await Promise.all([Socket.open(new Visitor(a)), Socket.open(new Visitor(b)), Socket.open(await sign_up(b))]);
    for (const socket of sockets) await socket.subscribe(`stream:${stream.id}`);
    for (const socket of sockets)
      await socket.event('three viewers', (event) => event.event === 'viewers' && event.data.viewers_count === 3);
    await sockets[2]!.close();
    await sockets[0]!.event('two viewers', (event) => event.event === 'viewers' && event.data.viewers_count === 2);

    // Cut from the other node.
    const ended = at(b, host).api.POST('/api/v1/streams/{stream_id}/end', { params: { path: { stream_id: stream.id } } });
    expect(ok(await ended).status).toBe('ended');
    await publisher.cut(10_000);
    await until('it out of both live lists', async () =>
      !(await live_at(a)).includes(stream.id) && !(await live_at(b)).includes(stream.id));
    await Promise.all(sockets.slice(0, 2).map((socket) => socket.close()));
  });

  it('cut a publish whose key was replaced at the other', async () => {
    const { host, publisher } = await go_live(a);
    const begun = performance.now();
    await new_stream_key(at(b, host));
    await publisher.cut(10_000);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it('let a publisher go on at the other with the same broadcast', async () => {
    const { key, publisher, stream } = await go_live(a);
    const guest = new Visitor(a);
    const { media_url } = await read_master(guest, `/live/${stream.id}/master.m3u8?counted=0`);
    const before = await until('a segment', async () => {
      const media = await read_media(guest, media_url);
      return media.segments.length > 0 ? media : undefined;
    });
    const second = new Publisher(b, key); // the first one still publishes: the newest has the turn
    await publisher.cut(20_000);
    await until('viewers of the first node see it go on', async () => {
      const media = await read_media(guest, media_url);
      return media.media_sequence > before.media_sequence + before.segments.length && media.segments.length > 1;
    });
    expect((await stream_at(a, stream.id)).status).toBe('live');
    await second.stop();
  });

  it('share pictures', async () => {
    const { stream, publisher } = await go_live(a);
    const thumbnail = await until('a thumbnail', async () => (await stream_at(b, stream.id)).thumbnail_url);
    const answer = await new Visitor(b).fetch(thumbnail);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^image\//);
    const there = await new Visitor(a).fetch(thumbnail);
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(await there.arrayBuffer()))).toBe(true);
    await publisher.stop();
  });

  it('go on where the one that does the jobs is killed: its broadcasts end or come to the other, events are delivered', async () => {
    const [dying, left] = a.log.includes('lease taken') ? [a, b] : [b, a];
    const lost = await go_live(dying);
    const kept = await go_live(dying);
    const follower = await sign_up(left);
    const socket = await Socket.open(follower);
    await socket.subscribe(`user:${follower.id}`);
    await dying.kill();
    const returned = new Publisher(left, kept.key);
    const fan = await sign_up(left);
    await fan.api.PUT('/api/v1/users/{username}/follow', { params: { path: { username: follower.username } } });
    await socket.event('the follow, told by the node that is left', (event) => event.event === 'follow.created', 15_000);
    const guest = new Visitor(left);
    await until('its broadcast goes on', async () => {
      const { media_url } = await read_master(guest, `/live/${kept.stream.id}/master.m3u8?counted=0`);
      return (await read_media(guest, media_url)).segments.length > 0;
    });
    const status = async (stream: { id: string }) => (await stream_at(left, stream.id)).status;
    await until('the other broadcast to end', async () => (await status(lost.stream)) === 'ended', { every_ms: 500 });
    expect(await status(kept.stream)).toBe('live');
    await returned.stop();
    await socket.close();
    await dying.start_again();
    expect(ok(await at(dying, kept.host).api.GET('/api/v1/users/me')).id).toBe(kept.host.id);
  });
});
