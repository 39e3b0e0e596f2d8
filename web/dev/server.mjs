// A server for developing the page without building the real one: REST, WebSocket and a test broadcast, all in memory.
//   npm run mock            (port 8080, or PORT)
// Sign in as "ada" with any password of 10 characters; the setup token is "setup". Serves web/build where it exists.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { makeWorld } from './world.mjs';
import { answerApi } from './api.mjs';
import { attachRealtime } from './realtime.mjs';
import { startBroadcast } from './broadcast.mjs';

const port = Number(process.env.PORT ?? 8080);
const build = resolve(import.meta.dirname, '..', 'build');
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.txt': 'text/plain',
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.mp4': 'video/mp4',
  '.m4s': 'video/mp4',
  '.jpg': 'image/jpeg'
};

const world = makeWorld({ empty: process.env.EMPTY === '1' });
const broadcast = world.streams.some((stream) => stream.status === 'live') ? startBroadcast() : undefined;

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  try {
    if (url.pathname.startsWith('/api/v1/')) return await answerApi(world, request, response, url);
    if (url.pathname.startsWith('/live/')) return await file(response, join(broadcast?.directory ?? '', url.pathname.split('/').pop()), 404);
    if (url.pathname.startsWith('/media/')) return media(response, url.pathname);
    await file(response, join(build, url.pathname === '/' ? '200.html' : url.pathname));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
});
attachRealtime(server, world);
server.listen(port, '127.0.0.1', () => console.log(`mock server on http://127.0.0.1:${port}`));
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    broadcast?.stop();
    process.exit(0);
  });
}

async function file(response, path, missing) {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes) {
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream', 'cache-control': 'no-cache' });
    return response.end(bytes);
  }
  if (missing) return response.writeHead(missing).end();
  const page = await readFile(join(build, '200.html')).catch(() => undefined);
  response.writeHead(page ? 200 : 503, { 'content-type': types['.html'] });
  response.end(page ?? 'There is no built page: run "npm run build", or use "npm run dev".');
}

function media(response, path) {
  const picture = world.media.get(path);
  if (!picture) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': picture.type, 'cache-control': 'public, max-age=31536000, immutable' });
  response.end(picture.bytes);
}
