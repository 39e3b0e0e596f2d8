import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { all_pages, new_stream, type Person, set_up, sign_up } from '../lib/people.ts';
import { Server } from '../lib/server.ts';
import { type Message, refusal, Socket } from '../lib/socket.ts';
import { in_time, until } from '../lib/until.ts';
import { ok, problem, Visitor } from '../lib/visitor.ts';

describe('chat', () => {
  let server: Server;
  let guest: Visitor;
  let host: Person;
  let ada: Person;
  let grace: Person;
  let moderator: Person;
  beforeAll(async () => {
    server = await Server.start();
    moderator = await set_up(server, 'operator_1');
    guest = new Visitor(server);
    [host, ada, grace] = await Promise.all([sign_up(server), sign_up(server), sign_up(server)]);
  });
  afterAll(async () => await server?.remove());

  const room = async () => (await new_stream(host)).id;
  const history = (room_id: string, limit: number) => async (cursor?: string) =>
    ok(
      await guest.api.GET('/api/v1/rooms/{room_id}/messages', {
        params: { path: { room_id }, query: cursor === undefined ? { limit } : { limit, cursor } },
      }),
    );
  const remove = (who: Visitor, message: Message) =>
    problem(
      who.api.DELETE('/api/v1/rooms/{room_id}/messages/{message_id}', {
        params: { path: { room_id: message.room_id, message_id: message.id } },
      }),
    );
  const created = (socket: Socket) => socket.named('message.created').map(({ data }) => data.message as Message);

  it('welcomes each socket with who it is and its limits', async () => {
    const socket = await Socket.open(ada);
    expect(socket.welcome).toMatchObject({ user_id: ada.id, limits: { message_bytes_max: 16 * 1024 } });
    const other = await Socket.open(guest);
    expect(other.welcome.user_id).toBeNull();
    expect(await socket.request('ping')).toHaveProperty('server_time');
    await Promise.all([socket.close(), other.close()]);
  });

  it('gives everyone the same messages, in the order of seq, the sender their acknowledgement as well', async () => {
    const id = await room();
    const [a, b, listener] = await Promise.all([Socket.open(ada), Socket.open(grace), Socket.open(guest)]);
    for (const socket of [a, b, listener]) await socket.subscribe(`room:${id}`);
    const sent = await Promise.all(
      Array.from({ length: 30 }, (_, i) => (i % 2 ? a : b).send(id, `message ${i}`)),
    );
    expect(new Set(sent.map(({ id }) => id)).size).toBe(30);
    for (const socket of [a, b, listener]) {
      await until('every message', () => created(socket).length === 30);
      const seqs = created(socket).map(({ seq }) => seq);
      expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
      expect(new Set(seqs).size).toBe(30);
      expect(created(socket)).toEqual([...sent].sort((x, y) => x.seq - y.seq));
      const offsets = socket.named('message.created').map(({ offset }) => offset!);
      expect(offsets).toEqual(offsets.map((_, i) => offsets[0]! + i));
    }
    const stored = await all_pages(history(id, 7));
    expect(stored.reverse()).toEqual(created(a));
    await Promise.all([a, b, listener].map((socket) => socket.close()));
  });

  it('stores a message that is sent twice with one client_id once', async () => {
    const id = await room();
    const socket = await Socket.open(ada);
    await socket.subscribe(`room:${id}`);
    const client_id = crypto.randomUUID();
    const [first, ...again] = await Promise.all(Array.from({ length: 4 }, () => socket.send(id, 'once', { client_id })));
    for (const message of again) expect(message).toEqual(first);
    await socket.send(id, 'after');
    await until('the last', () => created(socket).some(({ content }) => content === 'after'));
    expect(created(socket).map(({ content }) => content)).toEqual(['once', 'after']);
    expect((await history(id, 50)()).items).toHaveLength(2);
    await socket.close();
  });

  it('gives who comes back exactly what they missed', async () => {
    const id = await room();
    const [speaker, listener] = await Promise.all([Socket.open(ada), Socket.open(guest)]);
    const start = await listener.subscribe(`room:${id}`);
    expect(start).toMatchObject({ recovered: false, messages: [] });
    await speaker.send(id, 'heard');
    const heard = await listener.event('the first', (one) => one.event === 'message.created');
    await listener.drop();
    for (let i = 0; i < 5; i += 1) await speaker.send(id, `missed ${i}`);
    const back = await Socket.open(guest);
    const missed = await back.subscribe(`room:${id}`, { epoch: heard.epoch!, offset: heard.offset! });
    expect(missed.recovered).toBe(true);
    expect(missed.messages.map(({ data }) => data.message.content)).toEqual(['missed 0', 'missed 1', 'missed 2', 'missed 3', 'missed 4']);
    await speaker.send(id, 'live again');
    await until('what comes after', () => created(back).length === 1);
    expect(created(back)[0]!.content).toBe('live again');
    expect(back.events[0]!.offset).toBe(missed.offset + 1);
    const elsewhere = await Socket.open(guest);
    expect(await elsewhere.subscribe(`room:${id}`, { epoch: 'another', offset: 1 })).toMatchObject({ recovered: false });
    await Promise.all([speaker, back, elsewhere].map((socket) => socket.close()));
  });

  it('loses nothing to someone who drops again and again while others talk', async () => {
    const id = await room();
    const speaker = await Socket.open(ada);
    const heard: number[] = [];
    let position: { epoch: string; offset: number } | undefined;
    const sent: Message[] = [];
    for (let round = 0; round < 8; round += 1) {
      const listener = await Socket.open(guest);
      const joined = await listener.subscribe(`room:${id}`, position);
      if (position) expect(joined.recovered).toBe(true);
      const talk = Promise.all(Array.from({ length: 6 }, (_, i) => speaker.send(id, `${round}.${i}`)));
      await listener.event('something', (one) => one.event === 'message.created');
      await listener.drop();
      sent.push(...(await talk));
      const events = [...joined.messages, ...listener.events];
      heard.push(...events.map(({ data }) => data.message.seq as number));
      position = { epoch: joined.epoch, offset: events.at(-1)!.offset! };
    }
    const last = await Socket.open(guest);
    heard.push(...(await last.subscribe(`room:${id}`, position)).messages.map(({ data }) => data.message.seq as number));
    expect(heard).toEqual(sent.map(({ seq }) => seq).sort((a, b) => a - b));
    await Promise.all([speaker.close(), last.close()]);
  });

  it('lets guests listen and not speak', async () => {
    const id = await room();
    const socket = await Socket.open(guest);
    await socket.subscribe(`room:${id}`);
    expect(await refusal(socket.send(id, 'hello'))).toBe('401 unauthenticated');
    expect(await refusal(socket.request('reaction.send', { stream_id: id, kind: 'heart' }))).toBe('401 unauthenticated');
    await socket.close();
  });

  it('takes messages of 1 to 2000 characters', async () => {
    const id = await room();
    const socket = await Socket.open(ada);
    expect((await socket.send(id, 'x'.repeat(2000))).content).toHaveLength(2000);
    expect((await socket.send(id, '😀'.repeat(2000))).content).toHaveLength(4000);
    expect(await refusal(socket.send(id, 'x'.repeat(2001)))).toBe('400 invalid_field content');
    expect(await refusal(socket.send(id, '😀'.repeat(2001)))).toBe('400 invalid_field content');
    expect(await refusal(socket.send(id, ''))).toBe('400 invalid_field content');
    expect(await refusal(socket.send(id, ' \n '))).toBe('400 invalid_field content');
    expect(await refusal(socket.request('chat.send', { room_id: id, content: 'x' }))).toBe('400 missing_field client_id');
    expect(await refusal(socket.send('00000000-0000-7000-8000-000000000000', 'x'))).toBe('404 not_found');
    expect(await refusal(socket.send(id, 'x', { client_id: 'mine' }))).toBe('400 invalid_field client_id');
    await socket.close();
  });

  it('answers a message of the same room, and none of another', async () => {
    const [here, there] = await Promise.all([room(), room()]);
    const socket = await Socket.open(ada);
    const question = await socket.send(here, 'Why?');
    expect((await socket.send(here, 'Because.', { reply_to: question.id })).reply_to).toBe(question.id);
    expect(await refusal(socket.send(there, 'Because.', { reply_to: question.id }))).toBe('404 not_found reply_to');
    await socket.close();
  });

  it('lets a message be deleted by its author, the host and a moderator', async () => {
    const id = await room();
    const [speaker, listener] = await Promise.all([Socket.open(ada), Socket.open(guest)]);
    await listener.subscribe(`room:${id}`);
    for (const [who, expected] of [[grace, '403 forbidden'], [guest, '401 unauthenticated'], [ada, '204'], [host, '204'], [moderator, '204']] as const) {
      const message = await speaker.send(id, 'unwise');
      expect(await remove(who, message)).toBe(expected);
      if (expected !== '204') continue;
      const event = await listener.event('its end', (one) => one.event === 'message.deleted' && one.data.id === message.id);
      expect(event.data).toMatchObject({ id: message.id, seq: message.seq, room_id: id });
      expect(await remove(who, message)).toBe('204');
    }
    const { items } = await history(id, 50)();
    expect(items.map(({ content, deleted_at }) => [content, deleted_at !== null])).toEqual([
      ['', true],
      ['', true],
      ['', true],
      ['unwise', false],
      ['unwise', false],
    ]);
    expect(listener.named('message.deleted')).toHaveLength(3);
    await Promise.all([speaker.close(), listener.close()]);
  });

  it('has a history whose pages neither repeat nor lose a message while more come', async () => {
    const id = await room();
    const socket = await Socket.open(ada);
    for (let i = 0; i < 23; i += 1) await socket.send(id, `old ${i}`);
    const seen = await all_pages(history(id, 4), async () => await socket.send(id, 'new'));
    expect(seen.map(({ content }) => content)).toEqual(Array.from({ length: 23 }, (_, i) => `old ${22 - i}`));
    const query = { params: { path: { room_id: id }, query: { limit: 101 } } };
    expect(await problem(guest.api.GET('/api/v1/rooms/{room_id}/messages', query))).toBe('400 invalid_field limit');
    await socket.close();
  });

  it('subscribes once to what exists', async () => {
    const id = await room();
    const socket = await Socket.open(ada);
    await socket.subscribe(`room:${id}`);
    expect(await refusal(socket.subscribe(`room:${id}`))).toBe('409 already_subscribed topic');
    expect(await refusal(socket.subscribe('room:00000000-0000-7000-8000-000000000000'))).toBe('404 not_found');
    expect(await refusal(socket.subscribe('weather:today'))).toBe('404 unknown_topic topic');
    expect(await refusal(socket.subscribe('x'.repeat(201)))).toBe('400 invalid_field topic');
    expect(await refusal(socket.request('dance'))).toBe('400 unknown_type type');
    await socket.request('unsubscribe', { topic: `room:${id}` });
    expect(await refusal(socket.request('unsubscribe', { topic: `room:${id}` }))).toBe('404 not_subscribed topic');
    await socket.send(id, 'unheard');
    await socket.subscribe(`room:${id}`);
    expect(created(socket)).toEqual([]);
    await socket.close();
  });

  it('closes a socket that breaks the protocol, with the code that says how', async () => {
    const table: [string, (socket: Socket) => void, number][] = [
      ['no JSON', (socket) => socket.send_raw('hello'), 1007],
      ['no object', (socket) => socket.send_raw('[1]'), 1007],
      ['bytes', (socket) => socket.send_raw(Buffer.from([1, 2, 3])), 1003],
      ['too long', (socket) => socket.send_raw(JSON.stringify({ id: 1, type: 'ping', more: 'x'.repeat(16 * 1024) })), 1009],
      [
        'too much',
        (socket) => {
          for (let id = 1; id <= 500; id += 1) socket.send_raw(JSON.stringify({ id: 1_000 + id, type: 'nothing' }));
        },
        4429,
      ],
    ];
    for (const [what, offend, code] of table) {
      const socket = await Socket.open(guest, { ignore_answers: true });
      offend(socket);
      expect(`${what}: ${(await in_time(what, socket.closed)).code}`).toBe(`${what}: ${code}`);
    }
  });

  it('takes a message of exactly 16 KiB', async () => {
    const socket = await Socket.open(guest, { ignore_answers: true });
    const head = '{"id":1,"type":"ping","more":"';
    socket.send_raw(`${head}${'x'.repeat(16 * 1024 - head.length - 2)}"}`);
    expect(await socket.request('ping')).toHaveProperty('server_time');
    await socket.close();
  });
});

describe('flood', () => {
  it('is stopped after ten messages at once, and the sender is told when to go on', async () => {
    const server = await Server.start({ settings: { 'rate-limit-scale': '1' } });
    try {
      const host = await set_up(server, 'operator_1');
      const { id } = await new_stream(host);
      const socket = await Socket.open(host);
      const sent = await Promise.all(Array.from({ length: 14 }, (_, i) => refusal(socket.send(id, `spam ${i}`))));
      expect(sent.slice(0, 10)).toEqual(Array<string>(10).fill('granted'));
      expect(sent.filter((answer) => answer === '429 flood').length).toBeGreaterThanOrEqual(2);
      // One more a second.
      await until('speaking again', async () => (await refusal(socket.send(id, 'patience'))) === 'granted', { every_ms: 500 });
      await socket.close();
    } finally {
      await server.remove();
    }
  });
});
