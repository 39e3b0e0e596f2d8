import { randomBytes, randomUUID } from 'node:crypto';
import { addStream, addUser, streamAnswer, summary } from './world.mjs';

const rtmp_url = 'rtmp://127.0.0.1/live';
const limits = {
  username_length_min: 3, username_length_max: 30, password_length_min: 10, password_length_max: 200, email_length_max: 255,
  display_name_length_max: 100, bio_length_max: 500, skills_max: 20, skill_length_max: 30, picture_bytes_max: 5242880,
  stream_title_length_max: 100, stream_description_length_max: 5000, message_length_max: 2000
};

class Refusal extends Error {
  constructor(status, reason, detail, field) {
    super(detail);
    Object.assign(this, { status, reason, field });
  }
}
const refuse = (status, reason, detail, field) => {
  throw new Refusal(status, reason, detail, field);
};

export function viewerOf(world, request) {
  const token = /spaktok_session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  return world.users.find((user) => user.id === world.sessions.get(token)?.user_id);
}

export async function answerApi(world, request, response, url) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const json = (request.headers['content-type'] ?? '').includes('json');
  const context = {
    world, url, bytes, type: request.headers['content-type'], headers: {}, agent: request.headers['user-agent'] ?? '',
    token: /spaktok_session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1],
    body: json && bytes.length ? JSON.parse(bytes.toString()) : {}, viewer: viewerOf(world, request)
  };
  const send = (status, body, type = 'application/json') => {
    response.writeHead(status, { 'content-type': type, ...context.headers });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  };
  try {
    const path = url.pathname.slice('/api/v1'.length);
    for (const [method, pattern, handler] of routes) {
      const match = method === request.method && pattern.exec(path);
      if (!match) continue;
      const [status, body] = await handler(context, ...match.slice(1).map(decodeURIComponent));
      return send(status, body);
    }
    refuse(404, 'not_found', 'There is no such thing.');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { status, reason, message, field } = error;
    send(status, { type: `/problems/${reason}`, title: reason, status, detail: message, field, request_id: 'mock' }, 'application/problem+json');
  }
}

const me = ({ viewer }) => viewer ?? refuse(401, 'unauthenticated', 'Sign in first.');
const page = (items, { url }, size = 20) => {
  const from = Number(url.searchParams.get('cursor') ?? 0);
  const limit = Number(url.searchParams.get('limit') ?? size);
  return [200, { items: items.slice(from, from + limit), next_cursor: from + limit < items.length ? String(from + limit) : null }];
};
const userNamed = ({ world }, username) =>
  world.users.find((user) => user.username === username.toLowerCase()) ?? refuse(404, 'not_found', 'There is no such user.');
const streamWith = ({ world }, id) => world.streams.find((stream) => stream.id === id) ?? refuse(404, 'not_found', 'There is no such stream.');
const follows = ({ world }, one, other) => (one ? world.follows.has(`${one.id} ${other.id}`) : null);
const shown = (context, streams) => streams.map((stream) => streamAnswer(context.world, stream, context.viewer));

function enter(context, user) {
  const token = randomBytes(16).toString('hex');
  const now = new Date().toISOString();
  context.world.sessions.set(token, { id: randomUUID(), user_id: user.id, created_at: now, last_seen_at: now, device: context.agent });
  context.headers['set-cookie'] = `spaktok_session=${token}; Path=/; HttpOnly; SameSite=Lax`;
  return [201, { user, session: sessionAnswer(context, token, token) }];
}

function sessionAnswer({ world }, token, current) {
  const { user_id, ...session } = world.sessions.get(token);
  return { ...session, is_current: token === current };
}

function signUp(context, role) {
  const { username, password, email, display_name } = context.body;
  if ((password ?? '').length < 10) refuse(400, 'weak_password', 'A password has at least 10 characters.', 'password');
  if (context.world.users.some((user) => user.username === username.toLowerCase())) refuse(409, 'username_taken', 'This name is taken.', 'username');
  return enter(context, addUser(context.world, { username: username.toLowerCase(), email, display_name, role }));
}

function announce(context, stream, event) {
  const data = { stream: streamAnswer(context.world, stream) };
  context.world.emit(`stream:${stream.id}`, event, data);
  context.world.emit('live', event, data);
}

function profile(context, user) {
  const { world, viewer } = context;
  const { email, email_verified_at, updated_at, ...open } = user;
  const live = world.streams.find((stream) => stream.user_id === user.id && stream.status === 'live');
  const count = (test) => [...world.follows].filter(test).length;
  return {
    ...open, followers_count: count((pair) => pair.endsWith(user.id)), following_count: count((pair) => pair.startsWith(user.id)),
    is_following: follows(context, viewer, user), live_stream: live ? streamAnswer(world, live, viewer) : null
  };
}

function people(context, users) {
  const live = (user) => context.world.streams.some((stream) => stream.user_id === user.id && stream.status === 'live');
  return page(users.map((user) => ({ ...summary(user), is_live: live(user), is_following: follows(context, context.viewer, user) })), context);
}

const stream_order = {
  live: (one, other) => other.viewers_count - one.viewers_count,
  scheduled: (one, other) => one.scheduled_for.localeCompare(other.scheduled_for),
  ended: (one, other) => other.ended_at.localeCompare(one.ended_at)
};

const routes = [
  ['GET', /^\/instance$/, ({ world }) => [200, { name: 'Spaktok', version: 'mock', registration: 'open', setup_required: world.empty === true && world.users.every((user) => user.role !== 'admin'), rtmp_url, public_url: 'http://127.0.0.1', limits, reserved_usernames: ['admin', 'spaktok'] }]],
  ['POST', /^\/setup$/, (context) => (context.body.token === 'setup' ? signUp(context, 'admin') : refuse(403, 'invalid_setup_token', 'Not the token that was printed last.'))],
  ['POST', /^\/users$/, (context) => signUp(context, 'user')],
  ['POST', /^\/sessions$/, (context) => {
    const user = context.world.users.find(({ username, email }) => [username, email].includes(context.body.login.toLowerCase()));
    if (!user || context.body.password.length < 10) refuse(401, 'wrong_credentials', 'That username and password do not go together.');
    return enter(context, user);
  }],
  ['GET', /^\/sessions$/, (context) => [200, { items: [...context.world.sessions].filter(([, session]) => session.user_id === me(context).id).map(([token]) => sessionAnswer(context, token, context.token)), next_cursor: null }]],
  ['DELETE', /^\/sessions\/current$/, (context) => {
    context.world.sessions.delete(context.token);
    context.headers['set-cookie'] = 'spaktok_session=; Path=/; Max-Age=0';
    return [204];
  }],
  ['DELETE', /^\/sessions(?:\/([^/]+))?$/, (context, id) => {
    for (const [token, session] of context.world.sessions) {
      const chosen = id ? session.id === id : token !== context.token;
      if (session.user_id === me(context).id && chosen) context.world.sessions.delete(token);
    }
    return [204];
  }],
  ['GET', /^\/users\/me$/, (context) => [200, me(context)]],
  ['PATCH', /^\/users\/me$/, (context) => [200, Object.assign(me(context), context.body)]],
  ['PUT', /^\/users\/me\/password$/, (context) => (me(context) && context.body.current_password.length < 10 ? refuse(403, 'wrong_password', 'Not your password.', 'current_password') : [204])],
  ['PUT', /^\/users\/me\/picture$/, (context) => {
    const path = `/media/${randomUUID()}`;
    context.world.media.set(path, { type: context.type, bytes: context.bytes });
    return [200, Object.assign(me(context), { profile_picture_url: path })];
  }],
  ['DELETE', /^\/users\/me\/picture$/, (context) => [204, void (me(context).profile_picture_url = null)]],
  ['GET', /^\/users\/me\/stream_key$/, (context) => [200, { exists: context.world.keys.has(me(context).id), last_used_at: null, rtmp_url }]],
  ['POST', /^\/users\/me\/stream_key$/, (context) => {
    const key = `sk_${randomBytes(24).toString('base64url')}`;
    context.world.keys.set(me(context).id, key);
    return [201, { key, rtmp_url }];
  }],
  ['DELETE', /^\/users\/me\/stream_key$/, (context) => [204, void context.world.keys.delete(me(context).id)]],
  ['GET', /^\/users\/me\/stream$/, (context) => {
    const own = context.world.streams.filter((stream) => stream.user_id === me(context).id);
    const stream = own.find(({ status }) => status === 'live') ?? own.findLast(({ status, scheduled_for }) => status === 'scheduled' && !scheduled_for);
    return [200, { stream: stream ? streamAnswer(context.world, stream, context.viewer) : null }];
  }],
  ['GET', /^\/users\/([^/]+)$/, (context, username) => [200, profile(context, userNamed(context, username))]],
  ['PUT', /^\/users\/([^/]+)\/follow$/, (context, username) => [204, void context.world.follows.add(`${me(context).id} ${userNamed(context, username).id}`)]],
  ['DELETE', /^\/users\/([^/]+)\/follow$/, (context, username) => [204, void context.world.follows.delete(`${me(context).id} ${userNamed(context, username).id}`)]],
  ['GET', /^\/users\/([^/]+)\/(followers|following)$/, (context, username, kind) => {
    const user = userNamed(context, username);
    return people(context, context.world.users.filter((other) => (kind === 'followers' ? follows(context, other, user) : follows(context, user, other))));
  }],
  ['GET', /^\/users\/([^/]+)\/streams$/, (context, username) => page(shown(context, context.world.streams.filter(({ user_id }) => user_id === userNamed(context, username).id).reverse()), context)],
  ['GET', /^\/streams$/, (context) => {
    const { searchParams } = context.url;
    const status = searchParams.get('status') ?? 'live';
    const wanted = (stream) =>
      stream.status === status && (status !== 'scheduled' || stream.scheduled_for) &&
      (searchParams.get('following') !== 'true' || follows(context, me(context), { id: stream.user_id }));
    return page(shown(context, context.world.streams.filter(wanted).sort(stream_order[status])), context);
  }],
  ['POST', /^\/streams$/, (context) => {
    const { title, description = '', scheduled_for = null } = context.body;
    const stream = addStream(context.world, me(context), { title, description, scheduled_for });
    if (scheduled_for) announce(context, stream, 'stream.created');
    return [201, streamAnswer(context.world, stream, context.viewer)];
  }],
  ['GET', /^\/streams\/([^/]+)$/, (context, id) => [200, streamAnswer(context.world, streamWith(context, id), context.viewer)]],
  ['PATCH', /^\/streams\/([^/]+)$/, (context, id) => {
    const stream = Object.assign(streamWith(context, id), context.body);
    announce(context, stream, 'stream.updated');
    return [200, streamAnswer(context.world, stream, context.viewer)];
  }],
  ['DELETE', /^\/streams\/([^/]+)$/, (context, id) => {
    const stream = streamWith(context, id);
    context.world.streams = context.world.streams.filter((other) => other !== stream);
    context.world.emit(`stream:${id}`, 'stream.deleted', { stream_id: id });
    return [204];
  }],
  ['POST', /^\/streams\/([^/]+)\/end$/, (context, id) => {
    const stream = Object.assign(streamWith(context, id), { status: 'ended', ended_at: new Date().toISOString() });
    announce(context, stream, 'stream.ended');
    return [200, streamAnswer(context.world, stream, context.viewer)];
  }],
  ['GET', /^\/rooms\/([^/]+)\/messages$/, (context, room) => page((context.world.messages.get(room) ?? []).toReversed(), context, 50)],
  ['DELETE', /^\/rooms\/([^/]+)\/messages\/([^/]+)$/, (context, room, id) => {
    const message = (context.world.messages.get(room) ?? []).find((other) => other.id === id) ?? refuse(404, 'not_found', 'There is no such message.');
    Object.assign(message, { content: '', deleted_at: new Date().toISOString() });
    context.world.emit(`room:${room}`, 'message.deleted', { id, seq: message.seq, room_id: room });
    return [204];
  }]
];
