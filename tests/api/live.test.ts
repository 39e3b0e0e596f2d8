import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { decode, type MediaPlaylist, read_master, read_media } from '../lib/hls.ts';
import { new_stream, new_stream_key, set_up, sign_up } from '../lib/people.ts';
import { Publisher, type PublisherOptions } from '../lib/publisher.ts';
import { Server } from '../lib/server.ts';
import { refusal, Socket } from '../lib/socket.ts';
import { in_time, until } from '../lib/until.ts';
import { ok, problem, type Schemas, Visitor } from '../lib/visitor.ts';

describe('a broadcast', () => {
  let server: Server;
  let guest: Visitor;
  const publishers: Publisher[] = [];
  beforeAll(async () => {
    server = await Server.start({ settings: { 'reconnect-grace': '60s', 'thumbnail-interval': '2s' } });
    await set_up(server, 'operator_1');
    guest = new Visitor(server);
  });
  afterEach(async () => {
    await Promise.all(publishers.splice(0).map((publisher) => publisher.kill()));
  });
  afterAll(async () => await server?.remove());

  const publish = (key: string, options?: PublisherOptions) => {
    const publisher = new Publisher(server, key, options);
    publishers.push(publisher);
    return publisher;
  };
  const read = async (stream_id: string, who: Visitor = guest) =>
    ok(await who.api.GET('/api/v1/streams/{stream_id}', { params: { path: { stream_id } } }));
  const end = async (who: Visitor, stream_id: string) =>
    ok(await who.api.POST('/api/v1/streams/{stream_id}/end', { params: { path: { stream_id } } }));
  const mine = async (who: Visitor) => ok(await who.api.GET('/api/v1/users/me/stream')).stream;
  const on_air = (who: Visitor, publisher: Publisher) =>
    until(`on air; ffmpeg says: ${publisher.program.said()}`, async () => {
      const stream = await mine(who);
      return stream?.status === 'live' ? stream : undefined;
    });
  const media = async (stream: Schemas['Stream']): Promise<MediaPlaylist> =>
    await read_media(guest, (await read_master(guest, stream.playback_url!)).media_url);
  const segments = (stream: Schemas['Stream'], count: number) =>
    until(`${count} segments`, async () => {
      const playlist = await media(stream);
      return playlist.segments.length >= count ? playlist : undefined;
    });
  // Who publishes, with a stream on air.
  const go_live = async (options?: PublisherOptions) => {
    const host = await sign_up(server);
    const key = await new_stream_key(host);
    const publisher = publish(key, options);
    return { host, key, publisher, stream: await on_air(host, publisher) };
  };

  it('goes from scheduled to live with the publish, is listed and told of, and can be decoded', async () => {
    const [host, follower] = await Promise.all([sign_up(server), sign_up(server)]);
    await follower.api.PUT('/api/v1/users/{username}/follow', { params: { path: { username: host.username } } });
    const socket = await Socket.open(follower);
    await socket.subscribe('live');
    await socket.subscribe(`user:${follower.id}`);
    const prepared = await new_stream(host, 'Prepared');
    await socket.subscribe(`stream:${prepared.id}`);
    const publisher = publish(await new_stream_key(host), { frames_per_second: 15 });
    for (const topic of ['live', `user:${follower.id}`, `stream:${prepared.id}`]) {
      const event = await socket.event(`the start on ${topic}`, (one) => one.event === 'stream.started' && one.topic === topic);
      expect(event.data.stream).toMatchObject({ id: prepared.id, title: 'Prepared', status: 'live' });
    }
    const stream = await on_air(host, publisher);
    expect(stream.id).toBe(prepared.id);
    expect(await read(stream.id)).toMatchObject({ status: 'live', ended_at: null, playback_url: `/live/${stream.id}/master.m3u8` });
    const listed = ok(await guest.api.GET('/api/v1/streams', { params: { query: { status: 'live' } } })).items;
    expect(listed.map(({ id }) => id)).toContain(stream.id);
    const followed = ok(await follower.api.GET('/api/v1/streams', { params: { query: { following: true } } })).items;
    expect(followed.map(({ id }) => id)).toEqual([stream.id]);
    const path = { username: host.username };
    const profile = ok(await guest.api.GET('/api/v1/users/{username}', { params: { path } }));
    expect(profile).toMatchObject({ is_streamer: true, live_stream: { id: stream.id } });

    const { variants, media_url } = await read_master(guest, stream.playback_url!);
    expect(variants).toHaveLength(1);
    expect(variants[0]!.codecs).toMatch(/^avc1\.[0-9a-f]{6},mp4a\.40\.2$/);
    expect(variants[0]!.resolution).toBe('320x180');
    expect(variants[0]!.frame_rate).toBeCloseTo(15, 0);
    expect(variants[0]!.bandwidth).toBeGreaterThan(50_000);
    const playlist = await segments(stream, 3);
    expect(playlist.ended).toBe(false);
    for (const segment of playlist.segments) {
      expect(Date.parse(segment.program_date_time ?? '')).toBeGreaterThan(Date.now() - 600_000);
      expect(segment.map).toBeDefined();
    }
    const decoded = await decode(guest, media_url, playlist.segments.slice(0, 3));
    expect(decoded).toMatchObject({ codecs: ['aac', 'h264'], width: 320, height: 180 });
    const seconds = playlist.segments.slice(0, 3).reduce((sum, { duration }) => sum + duration, 0);
    expect(Math.abs(decoded.frames - seconds * 15)).toBeLessThanOrEqual(1);
    // Each segment can be played by itself: it begins with a keyframe.
    expect((await decode(guest, media_url, [playlist.segments[1]!])).frames).toBeGreaterThan(0);

    const status = await until('the ingest', async () => {
      const ingest = (await mine(host))?.ingest;
      return ingest && ingest.bitrate > 0 && ingest.keyframe_interval_seconds > 0 ? ingest : undefined;
    });
    expect(status).toMatchObject({ protocol: 'rtmp', width: 320, height: 180, connected: true, audio_codec: 'mp4a.40.2' });
    expect(Math.abs(status.keyframe_interval_seconds - 1)).toBeLessThan(0.1);
    expect((await read(stream.id)).ingest ?? null).toBeNull();
    expect(ok(await host.api.GET('/api/v1/users/me/stream_key')).last_used_at).not.toBeNull();
    await end(host, stream.id);
    await socket.close();
  });

  it('may be fetched by any page, in parts as well, and its files are kept by caches, its playlists hardly', async () => {
    const { host, stream } = await go_live();
    const { media_url } = await read_master(guest, stream.playback_url!);
    const playlist = await segments(stream, 1);
    const list = await guest.fetch(media_url, { headers: { origin: 'https://elsewhere.example' } });
    expect(list.headers.get('access-control-allow-origin')).toBe('*');
    expect(list.headers.get('cache-control')).not.toContain('immutable');
    const asked = { origin: 'https://elsewhere.example', 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' };
    const preflight = await guest.fetch_unchecked(media_url, { method: 'OPTIONS', headers: asked });
    expect(preflight.ok).toBe(true);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toMatch(/range|\*/);
    const file = new URL(playlist.segments[0]!.uri, `http://server.invalid${media_url}`).pathname;
    const whole = await guest.fetch(file);
    expect(whole.headers.get('access-control-allow-origin')).toBe('*');
    expect(whole.headers.get('cache-control')).toMatch(/max-age=\d+/);
    const bytes = Buffer.from(await whole.arrayBuffer());
    const part = await guest.fetch(file, { headers: { range: 'bytes=10-19' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${bytes.length}`]);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(10, 20));
    expect((await guest.fetch(`/live/${stream.id}/no_such_file.m4s`)).status).toBe(404);
    expect((await guest.fetch('/live/00000000-0000-7000-8000-000000000000/master.m3u8')).status).toBe(404);
    await end(host, stream.id);
  });

  it('gets a thumbnail, and a new one later', async () => {
    const { host, stream } = await go_live();
    const thumbnail = (but?: string | null) =>
      until('a thumbnail', async () => {
        const { thumbnail_url } = await read(stream.id);
        return thumbnail_url !== but ? thumbnail_url : undefined;
      });
    const first = await thumbnail(null);
    const picture = await guest.fetch(first);
    expect(picture.status).toBe(200);
    expect(picture.headers.get('content-type')).toMatch(/^image\//);
    expect((await picture.arrayBuffer()).byteLength).toBeGreaterThan(500);
    expect(await thumbnail(first)).not.toBe(first);
    await end(host, stream.id);
  });

  it('is refused to an unknown key', async () => {
    const publisher = publish('sk_nobody_has_this_key');
    await publisher.cut();
    expect(publisher.program.exit!.code).not.toBe(0);
    await server.line(/publish refused: unknown stream key/);
  });

  it('belongs to the newest publisher with its key', async () => {
    const { host, key, publisher: first, stream } = await go_live();
    await segments(stream, 1);
    const second = publish(key, { size: '160x90' });
    await first.cut();
    const ingest = await until('the second publisher', async () => {
      const now = await mine(host);
      return now?.ingest?.width === 160 ? now : undefined;
    });
    expect(ingest).toMatchObject({ id: stream.id, status: 'live', ingest: { connected: true } });
    expect(second.program.running).toBe(true);
    await end(host, stream.id);
  });

  it('goes on with one discontinuity where its publisher drops and returns', async () => {
    const { host, key, publisher, stream } = await go_live();
    const watcher = await Socket.open(guest);
    await watcher.subscribe(`stream:${stream.id}`);
    const { discontinuity_sequence } = await segments(stream, 2);
    await publisher.kill();
    await watcher.event('its absence', (one) => one.event === 'publisher' && !one.data.connected);
    expect(await read(stream.id)).toMatchObject({ status: 'live' });
    expect((await media(stream)).ended).toBe(false);
    const again = publish(key);
    await watcher.event('its return', (one) => one.event === 'publisher' && one.data.connected);
    const before = (await media(stream)).segments.length;
    const playlist = await until('segments of both', async () => {
      const now = await media(stream);
      return now.segments.some(({ discontinuity }) => discontinuity) && now.segments.length > before ? now : undefined;
    });
    expect(playlist.segments.filter(({ discontinuity }) => discontinuity)).toHaveLength(1);
    expect(playlist.discontinuity_sequence).toBe(discontinuity_sequence);
    expect(playlist.text.match(/#EXT-X-DISCONTINUITY\n/g)).toHaveLength(1);
    const { media_url } = await read_master(guest, stream.playback_url!);
    const turn = playlist.segments.findIndex(({ discontinuity }) => discontinuity);
    expect((await decode(guest, media_url, playlist.segments.slice(0, turn))).frames).toBeGreaterThan(0);
    expect((await decode(guest, media_url, playlist.segments.slice(turn))).frames).toBeGreaterThan(0);
    expect((await mine(host))?.id).toBe(stream.id);
    expect(watcher.named('stream.ended')).toEqual([]);
    expect(again.program.running).toBe(true);
    await end(host, stream.id);
    await watcher.close();
  });

  it('is cut within a second where its key is replaced, and goes on with the new one', async () => {
    const { host, key, publisher, stream } = await go_live();
    const watcher = await Socket.open(guest);
    await watcher.subscribe(`stream:${stream.id}`);
    const new_key = await new_stream_key(host);
    // Its encoder's end shows the cut to the millisecond; what viewers are told follows with the next status.
    const replaced_at = performance.now();
    await publisher.cut();
    expect(performance.now() - replaced_at).toBeLessThan(1_000);
    await watcher.event('the cut', (one) => one.event === 'publisher' && !one.data.connected);
    const old = publish(key);
    await old.cut();
    expect(await read(stream.id)).toMatchObject({ status: 'live' });
    publish(new_key);
    await watcher.event('the return', (one) => one.event === 'publisher' && one.data.connected);
    expect((await mine(host))?.id).toBe(stream.id);
    await end(host, stream.id);
    await watcher.close();
  });

  it('counts those who watch, by sockets and by playlists', async () => {
    const { host, stream } = await go_live();
    const sockets = await Promise.all(Array.from({ length: 3 }, () => Socket.open(guest)));
    for (const socket of sockets) await socket.subscribe(`stream:${stream.id}`);
    const counted = (socket: Socket, count: number) =>
      socket.event(`${count} viewers`, (one) => one.event === 'viewers' && one.data.viewers_count === count);
    for (const socket of sockets) await counted(socket, 3);
    expect(await read(stream.id)).toMatchObject({ viewers_count: 3 });
    // A player that its own socket counts says so; another is counted by its fetches.
    await read_media(guest, (await read_master(guest, `${stream.playback_url!}?counted=0`)).media_url);
    const { media_url } = await read_master(guest, stream.playback_url!);
    await read_media(guest, media_url);
    await read_media(guest, media_url);
    await counted(sockets[0]!, 4);
    await sockets[1]!.close();
    await sockets[2]!.drop();
    await until('two are gone', async () => (await read(stream.id)).viewers_count <= 2);
    const ended = await end(host, stream.id);
    expect(ended.viewers_count).toBe(4); // the peak
    await sockets[0]!.close();
  });

  it('carries reactions to everyone who watches, and only while it is live', async () => {
    const { host, stream } = await go_live();
    const [fan, watcher] = [await Socket.open(await sign_up(server)), await Socket.open(guest)];
    await watcher.subscribe(`stream:${stream.id}`);
    for (const kind of ['heart', 'fire', 'clap', 'laugh', 'wow']) {
      await fan.request('reaction.send', { stream_id: stream.id, kind });
      const event = await watcher.event(kind, (one) => one.event === 'reaction' && one.data.kind === kind);
      expect(event.data.user_id).toBe(fan.welcome.user_id);
    }
    expect(await refusal(fan.request('reaction.send', { stream_id: stream.id, kind: 'yawn' }))).toBe('400 invalid_field kind');
    await end(host, stream.id);
    expect(await refusal(fan.request('reaction.send', { stream_id: stream.id, kind: 'heart' }))).toBe('409 stream_not_live');
    await Promise.all([fan.close(), watcher.close()]);
  });

  it('ends by its owner: the playlist is closed, the publisher cut, the chat closed, and ended is final', async () => {
    const { host, key, publisher, stream } = await go_live();
    const [watcher, talker] = [await Socket.open(guest), await Socket.open(host)];
    await watcher.subscribe(`stream:${stream.id}`);
    await talker.send(stream.id, 'Good night');
    await segments(stream, 1);
    const stranger = await sign_up(server);
    expect(await problem(stranger.api.POST('/api/v1/streams/{stream_id}/end', { params: { path: { stream_id: stream.id } } }))).toBe('403 forbidden');
    const ended = await end(host, stream.id);
    expect(ended).toMatchObject({ status: 'ended', playback_url: null });
    expect(ended.ended_at).not.toBeNull();
    expect(await end(host, stream.id)).toMatchObject({ status: 'ended', ended_at: ended.ended_at });
    const event = await watcher.event('the end', (one) => one.event === 'stream.ended');
    expect(event.data.stream).toMatchObject({ id: stream.id, status: 'ended' });
    await publisher.cut();
    const playlist = await media(stream);
    expect(playlist.ended).toBe(true);
    expect(playlist.text.trimEnd().endsWith('#EXT-X-ENDLIST')).toBe(true);
    const { media_url } = await read_master(guest, stream.playback_url!);
    expect((await decode(guest, media_url, playlist.segments)).frames).toBeGreaterThan(0);
    expect(await refusal(talker.send(stream.id, 'One more thing'))).toBe('409 room_closed');
    const change = host.api.PATCH('/api/v1/streams/{stream_id}', { params: { path: { stream_id: stream.id } }, body: { title: 'x' } });
    expect(await problem(change)).toBe('409 stream_ended');
    const path = { path: { stream_id: stream.id } };
    expect(await problem(host.api.DELETE('/api/v1/streams/{stream_id}', { params: path }))).toBe('409 stream_not_scheduled');
    const listed = ok(await guest.api.GET('/api/v1/streams', { params: { query: { status: 'ended' } } })).items;
    expect(listed[0]!.id).toBe(stream.id);
    // The next publish is another broadcast.
    const next = await on_air(host, publish(key));
    expect(next.id).not.toBe(stream.id);
    await end(host, next.id);
    await Promise.all([watcher.close(), talker.close()]);
  });
});

describe('a broadcast whose publisher stays away', () => {
  it('ends after the grace', async () => {
    const server = await Server.start({ settings: { 'reconnect-grace': '1s', 'thumbnail-interval': '0s' } });
    let publisher: Publisher | undefined;
    try {
      const host = await set_up(server, 'operator_1');
      const socket = await Socket.open(host);
      await socket.subscribe('live');
      publisher = new Publisher(server, await new_stream_key(host));
      const { data } = await socket.event('the start', (one) => one.event === 'stream.started');
      await publisher.kill();
      const ended = await socket.event('the end', (one) => one.event === 'stream.ended');
      expect(ended.data.stream).toMatchObject({ id: data.stream.id, status: 'ended' });
      await in_time('the close', socket.close());
    } finally {
      await publisher?.kill();
      await server.remove();
    }
  });
});

