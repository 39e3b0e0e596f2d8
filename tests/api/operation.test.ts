import { afterEach, describe, expect, it } from 'vitest';

import { all_pages, new_stream, new_stream_key, set_up, sign_up } from '../lib/people.ts';
import { Publisher } from '../lib/publisher.ts';
import { read_master, read_media } from '../lib/hls.ts';
import { run } from '../lib/program.ts';
import { binary, Server } from '../lib/server.ts';
import { Socket } from '../lib/socket.ts';
import { in_time, until } from '../lib/until.ts';
import { ok, Visitor } from '../lib/visitor.ts';

describe('operation', () => {
  const servers: Server[] = [];
  const publishers: Publisher[] = [];
  const start = async (settings: Record<string, string> = {}) => {
    const server = await Server.start({ settings });
    servers.push(server);
    return server;
  };
  afterEach(async () => {
    await Promise.all(publishers.splice(0).map((publisher) => publisher.kill()));
    for (const server of servers.splice(0)) await server.remove();
  });

  it('shows that the server is there and that it can work', async () => {
    const guest = new Visitor(await start());
    expect(ok(await guest.api.GET('/healthz'))).toEqual({ status: 'ok' });
    expect(ok(await guest.api.GET('/readyz'))).toEqual({
      status: 'ready',
      engines: { relational: 'ok', document: 'ok', realtime: 'ok', blob: 'ok' },
    });
  });

  it('has metrics for Prometheus, on an address of their own', async () => {
    const server = await start();
    const guest = new Visitor(server);
    const person = await set_up(server, 'operator_1');
    const socket = await Socket.open(person);
    const answer = await fetch(server.metrics_url);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    // The exposition format: a comment, or a name with labels and a number.
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) \S+ .+|[a-z_:][a-z0-9_:]*(\{[^}]*\})? [-+0-9.eE]+(Inf|NaN)?|[a-z_]+(\{[^}]*\})? NaN)$/);
    }
    expect(text).toMatch(/operation="set_up"/);
    expect(text).not.toContain(person.token!);
    // Of the engines that it uses.
    for (const [port, metric] of [['relational', /^spaktok_postgres_/m], ['document', /^spaktok_mongo_/m], ['realtime', /^spaktok_redis_/m]] as const) {
      expect(`${port} on a server: ${metric.test(text)}`).toBe(`${port} on a server: ${server.engines[port] !== undefined}`);
    }
    expect((await guest.fetch_unchecked('/metrics')).headers.get('content-type')).not.toContain('version=0.0.4');
    await socket.close();
  });

  it('does not share a data directory between two servers', async () => {
    const server = await start();
    const second = await run(binary, ['serve', '--http', '127.0.0.1:0', '--rtmp', '', '--metrics', '', '--data', server.data]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('another process uses the data directory');
  });

  it('does not start on an address that is taken', async () => {
    const server = await start();
    const other = await run(binary, ['serve', '--http', `127.0.0.1:${server.http_port}`, '--rtmp', '', '--metrics', '', '--data', `${server.data}/other`]);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain(String(server.http_port));
  });

  it('keeps sessions, chat and its history for those who come back, and the window of a stream, over a graceful restart', async () => {
    const server = await start({ 'thumbnail-interval': '0s', 'reconnect-grace': '60s' });
    const host = await set_up(server, 'operator_1');
    const talker = await sign_up(server);
    const guest = new Visitor(server);
    const key = await new_stream_key(host);
    const publisher = new Publisher(server, key);
    publishers.push(publisher);
    const stream = await until('on air', async () => {
      const { stream: now } = ok(await host.api.GET('/api/v1/users/me/stream'));
      return now?.status === 'live' ? now : undefined;
    });
    const media = async () => await read_media(guest, (await read_master(guest, stream.playback_url!)).media_url);
    const playlist = await until('segments', async () => {
      const now = await media();
      return now.segments.length >= 2 ? now : undefined;
    });
    const [speaker, listener] = [await Socket.open(talker), await Socket.open(guest)];
    const joined = await listener.subscribe(`room:${stream.id}`);
    const first = await speaker.send(stream.id, 'before the restart');
    const heard = await listener.event('the first message', (one) => one.event === 'message.created');
    await speaker.send(stream.id, 'not heard by who left early');

    const stopping = server.stop();
    for (const socket of [speaker, listener]) expect((await in_time('the close', socket.closed)).code).toBe(1012);
    expect((await stopping).code).toBe(0);
    await publisher.cut();
    await server.start_again({ same_ports: true });

    expect(ok(await talker.api.GET('/api/v1/users/me')).id).toBe(talker.id);
    const history = await all_pages(
      async () => ok(await guest.api.GET('/api/v1/rooms/{room_id}/messages', { params: { path: { room_id: stream.id } } })),
    );
    expect(history.map(({ content }) => content)).toEqual(['not heard by who left early', 'before the restart']);
    expect(history[1]).toEqual(first);
    const back = await Socket.open(guest);
    const missed = await back.subscribe(`room:${stream.id}`, { epoch: joined.epoch, offset: heard.offset! });
    expect(missed.recovered).toBe(true);
    expect(missed.messages.map(({ data }) => data.message.content)).toEqual(['not heard by who left early']);

    // The viewer's next reload finds what it had, and what comes once the publisher is back.
    const kept = await media();
    expect(kept.ended).toBe(false);
    expect(kept.segments.map(({ uri }) => uri)).toEqual(expect.arrayContaining(playlist.segments.slice(-1).map(({ uri }) => uri)));
    publishers.push(new Publisher(server, key));
    const more = await until('new segments', async () => {
      const now = await media();
      const last = now.media_sequence + now.segments.length;
      return now.segments.some(({ discontinuity }) => discontinuity) && last > kept.media_sequence + kept.segments.length ? now : undefined;
    });
    expect(more.segments.filter(({ discontinuity }) => discontinuity)).toHaveLength(1);
    expect(ok(await host.api.GET('/api/v1/users/me/stream')).stream).toMatchObject({ id: stream.id, status: 'live' });
    await back.close();
  });

  it('ends what was live where the publisher does not return after a crash', async () => {
    const server = await start({ 'thumbnail-interval': '0s', 'reconnect-grace': '1s' });
    const host = await set_up(server, 'operator_1');
    const publisher = new Publisher(server, await new_stream_key(host));
    publishers.push(publisher);
    const mine = async () => ok(await host.api.GET('/api/v1/users/{username}/streams', { params: { path: { username: host.username } } })).items;
    await until('on air', async () => (await mine())[0]?.status === 'live');
    await server.kill();
    await publisher.kill();
    await server.start_again();
    await until('the end', async () => (await mine())[0]?.status === 'ended');
    expect(await mine()).toHaveLength(1);
  });

  it('never numbers a playlist back, although a crash loses its window', async () => {
    const server = await start({ 'thumbnail-interval': '0s', 'reconnect-grace': '60s' });
    const host = await set_up(server, 'operator_1');
    const guest = new Visitor(server);
    const key = await new_stream_key(host);
    publishers.push(new Publisher(server, key));
    const playback_url = await until('on air', async () => ok(await host.api.GET('/api/v1/users/me/stream')).stream?.playback_url);
    const media = async () => await read_media(guest, (await read_master(guest, playback_url!)).media_url);
    const before = await until('segments', async () => {
      const now = await media();
      return now.segments.length >= 2 ? now : undefined;
    });
    expect(before).toMatchObject({ media_sequence: 0, discontinuity_sequence: 0 });
    await server.kill();
    await Promise.all(publishers.splice(0).map((publisher) => publisher.kill()));
    await server.start_again({ same_ports: true });
    publishers.push(new Publisher(server, key));
    const after = await until('segments again', async () => {
      const now = await media().catch(() => undefined);
      return now && now.segments.length >= 1 ? now : undefined;
    });
    expect(after.media_sequence).toBeGreaterThanOrEqual(before.media_sequence + before.segments.length);
    expect(after.discontinuity_sequence).toBeGreaterThan(before.discontinuity_sequence);
    expect(after.discontinuity_sequence).toBeLessThan(1000);
  });

  it('finishes a stop although clients stay connected', async () => {
    const server = await start();
    const host = await set_up(server, 'operator_1');
    await new_stream(host);
    // Keeps its connection open without asking for anything.
    await fetch(`${server.url}/healthz`, { headers: { connection: 'keep-alive' } }).then((answer) => answer.text());
    const sockets = await Promise.all(Array.from({ length: 20 }, () => Socket.open(host)));
    expect((await server.stop()).code).toBe(0);
    for (const socket of sockets) expect((await socket.closed).code).toBe(1012);
    await server.start_again();
  });
});
