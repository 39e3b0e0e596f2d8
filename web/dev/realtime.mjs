import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { viewerOf } from './api.mjs';
import { addMessage, lines, streamAnswer } from './world.mjs';

const history_max = 1000;
/** Somebody says something this often; CHAT_PER_SECOND makes a crowd of them. */
const chat_per_second = Number(process.env.CHAT_PER_SECOND ?? 0.5);

/** The WebSocket of api/realtime.md, with rooms that talk by themselves. */
export function attachRealtime(server, world) {
  const sockets = new WebSocketServer({ server, path: '/api/v1/realtime' });
  const topics = new Map();
  const topicOf = (name) => {
    if (!topics.has(name)) topics.set(name, { epoch: randomUUID(), offset: 0, history: [], members: new Set() });
    return topics.get(name);
  };

  world.listeners.add((name, event, data) => {
    const topic = topicOf(name);
    const kept = name.startsWith('room:');
    const frame = { type: 'event', topic: name, ...(kept ? { epoch: topic.epoch, offset: ++topic.offset } : {}), event, data };
    if (kept) topic.history = [...topic.history, frame].slice(-history_max);
    for (const socket of topic.members) socket.send(JSON.stringify(frame));
  });

  sockets.on('connection', (socket, request) => {
    const viewer = viewerOf(world, request);
    const send = (frame) => socket.send(JSON.stringify(frame));
    send({ type: 'welcome', connection_id: randomUUID(), user_id: viewer?.id ?? null, ping_interval_seconds: 25 });
    socket.on('close', () => topics.forEach((topic) => topic.members.delete(socket)));
    socket.on('message', (text) => {
      const asked = JSON.parse(text);
      const answer = requests[asked.type]?.({ world, socket, viewer, asked, topicOf }) ?? {};
      send({ type: 'answer', id: asked.id, ...('error' in answer ? answer : { result: answer }) });
    });
  });

  setInterval(() => {
    for (const stream of world.streams.filter(({ status }) => status === 'live')) {
      stream.viewers_count = Math.max(1, stream.viewers_count + Math.round((Math.random() - 0.5) * 6));
      world.emit(`stream:${stream.id}`, 'viewers', { viewers_count: stream.viewers_count });
      if (Math.random() < 0.4) world.emit(`stream:${stream.id}`, 'reaction', { kind: ['heart', 'fire', 'clap'][Math.floor(Math.random() * 3)] });
    }
  }, 2000);
  setInterval(() => {
    for (const stream of world.streams.filter(({ status }) => status === 'live')) {
      const pick = (list) => list[Math.floor(Math.random() * list.length)];
      const message = addMessage(world, stream.id, pick(world.users), pick(lines));
      world.emit(`room:${stream.id}`, 'message.created', { message });
    }
  }, 1000 / chat_per_second);
}

const unauthenticated = { error: { type: '/problems/unauthenticated', title: 'unauthenticated', status: 401, detail: 'Sign in first.' } };

const requests = {
  ping: () => ({ server_time: new Date().toISOString() }),
  subscribe({ world, socket, viewer, asked, topicOf }) {
    const topic = topicOf(asked.topic);
    topic.members.add(socket);
    const [kind, id] = asked.topic.split(':');
    const stream = kind === 'stream' && world.streams.find((other) => other.id === id);
    const state = stream ? { stream: streamAnswer(world, stream, viewer) } : {};
    if (kind !== 'room') return { topic: asked.topic, state };
    const recovered = asked.recover?.epoch === topic.epoch;
    const messages = recovered ? topic.history.filter(({ offset }) => offset > asked.recover.offset) : [];
    return { topic: asked.topic, epoch: topic.epoch, offset: topic.offset, recovered, messages, state };
  },
  unsubscribe({ socket, asked, topicOf }) {
    topicOf(asked.topic).members.delete(socket);
  },
  'chat.send'({ world, viewer, asked }) {
    if (!viewer) return unauthenticated;
    if (asked.content === '/fail') {
      return { error: { type: '/problems/flood', title: 'flood', status: 429, detail: 'You are sending too fast.' } };
    }
    const message = addMessage(world, asked.room_id, viewer, asked.content, asked);
    world.emit(`room:${asked.room_id}`, 'message.created', { message });
    return { message };
  },
  'reaction.send'({ world, viewer, asked }) {
    if (!viewer) return unauthenticated;
    world.emit(`stream:${asked.stream_id}`, 'reaction', { kind: asked.kind });
  }
};
