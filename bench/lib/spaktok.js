// Our server with one I/O thread on the server's core, and the people and broadcasts that a benchmark needs.
import path from 'node:path';

import { bench, free_port, listening, load_core, process_tree, start, stop, temporary_directory, until } from './processes.js';

const binary = path.resolve(process.env.SPAKTOK_BINARY ?? path.join(bench, '../build/release/bin/spaktok'));
const password = 'a long pass phrase for a benchmark';

export class Spaktok {
  static async start(settings = {}) {
    const server = await Spaktok.launch(settings);
    await until('the set-up link', () => server.child.said.includes('token='));
    const token = /token=(\S+)/.exec(server.child.said)[1];
    server.admin = await server.person('/setup', { token, username: 'bench_admin' });
    return server;
  }

  // Another node of the same place: `settings` name the engines that it shares with the first.
  static async join(first, settings) {
    const server = await Spaktok.launch(settings);
    server.admin = first.admin;
    return server;
  }

  static async launch(settings) {
    const server = new Spaktok();
    server.data = temporary_directory();
    server.port = await free_port();
    server.rtmp_port = await free_port();
    // Broadcasts stay on air without their publisher, so that nothing but the load runs while something is measured.
    const all = {
      http: `127.0.0.1:${server.port}`, rtmp: `127.0.0.1:${server.rtmp_port}`, metrics: '', data: server.data, threads: 1,
      'rate-limit-scale': 100000, 'reconnect-grace': '600s', 'thumbnail-interval': '0s', 'log-level': 'warning', ...settings,
    };
    server.child = start(binary, ['serve', ...Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)])]);
    await listening(server.child, server.port);
    return server;
  }

  get processes() {
    return process_tree(this.child.pid);
  }

  async call(method, route, { token, body, headers } = {}) {
    const answer = await fetch(`http://127.0.0.1:${this.port}${route.startsWith('/live') ? '' : '/api/v1'}${route}`, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${text}`);
    return answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
  }

  async person(route, { username, ...more }) {
    const body = { username, email: `${username}@example.org`, password, transport: 'bearer', ...more };
    const { user, token } = await this.call('POST', route, { body });
    return { ...user, token };
  }

  async sign_up(username) {
    return await this.person('/users', { username });
  }

  async stream_key(person) {
    return (await this.call('POST', '/users/me/stream_key', { token: person.token })).key;
  }

  publish_url(key) {
    return `rtmp://127.0.0.1:${this.rtmp_port}/live/${key}`;
  }

  // A broadcast whose publisher has gone, but which is still on air.
  async broadcast(person, clip, media_seconds) {
    const publisher = publish(clip, this.publish_url(await this.stream_key(person)), { fast: true });
    const stream = await until('a stream on air', async () => {
      const profile = await this.call('GET', `/users/${person.username}`);
      return profile.live_stream?.playback_url && profile.live_stream;
    });
    await until('its segments', async () => {
      const playlist = await this.media_playlist(stream).catch(() => '');
      const durations = [...playlist.text?.matchAll(/^#EXTINF:([\d.]+)/gm) ?? []];
      return durations.reduce((sum, [, duration]) => sum + Number(duration), 0) >= media_seconds;
    });
    await stop(publisher, 'SIGKILL');
    return stream;
  }

  async media_playlist(stream) {
    const master = await this.call('GET', stream.playback_url);
    const name = master.split('\n').find((line) => line && !line.startsWith('#'));
    const location = `/live/${stream.id}/${name}`;
    return { location, text: await this.call('GET', location) };
  }

  async stop() {
    await stop(this.child);
  }
}

// fast: as fast as it is taken, for preparations. `-re` otherwise, over and over.
export function publish(clip, url, { fast = false } = {}) {
  const pace = fast ? ['-readrate', '8'] : ['-re'];
  return start('ffmpeg', ['-nostdin', '-loglevel', 'error', ...pace, '-stream_loop', '-1', '-i', clip,
    '-c', 'copy', '-f', 'flv', url], { core: load_core });
}

// Noise does not compress, so the bit rate is what is asked for although the picture is small (encoding it is not measured).
// A keyframe each second.
export async function make_clip(bits_a_second, clip_seconds, { size = '640x360', rate = 30 } = {}) {
  const clip = path.join(temporary_directory(), 'clip.flv');
  const encoder = start('ffmpeg', ['-nostdin', '-loglevel', 'error',
    '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}`, '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000',
    '-t', String(clip_seconds), '-vf', 'noise=alls=20:allf=t', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p',
    '-g', String(rate), '-keyint_min', String(rate), '-sc_threshold', '0', '-bf', '0',
    '-b:v', String(bits_a_second), '-minrate', String(bits_a_second), '-maxrate', String(bits_a_second), '-bufsize', String(bits_a_second),
    '-c:a', 'aac', '-b:a', '128k', clip], { core: load_core });
  if (await encoder.ended) throw new Error(encoder.said);
  return clip;
}
