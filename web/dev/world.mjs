import { randomBytes, randomUUID } from 'node:crypto';

const people = [
  ['ada', 'Ada Verhoeven', 'I build keyboards and the firmware in them. Live most evenings.'],
  ['marek', 'Marek Novák', 'Compilers, coffee, cats.'],
  ['lin', 'Lin Zhao', 'Robotics student. Everything I solder works the second time.'],
  ['sofia', 'Sofia Ferreira', 'Game jams and pixel art.'],
  ['jonas', 'Jonas Berg', 'Databases from the inside.'],
  ['amara', 'Amara Okafor', 'Machine learning on small machines.'],
  ['yuki', 'Yuki Tanaka', 'Shaders, demos, synthesisers.'],
  ['tom', 'Tom Whitfield', 'Woodwork and CNC.'],
  ['noor', 'Noor Haddad', 'Open hardware.'],
  ['elena', 'Elena Petrova', 'Rust and radio.']
];
const live = [
  ['Building a split keyboard from scratch: today we route the PCB', 'We finish the left half, order it, and start on the firmware.\nQuestions are welcome at any time.', 1284],
  ['Writing a register allocator, live and unprepared', 'Linear scan first, then we see how far it gets us.', 412],
  ['The robot arm learns to pour tea', '', 233],
  ['Pixel art night: a lighthouse in 32 colours', 'Requests open.', 128],
  ['Why is this query slow? Reading plans together', '', 57],
  ['Fine-tuning a model that fits on a phone', '', 9]
];
const upcoming = [
  ['Shader jam: one triangle, one hour', 6, 3],
  ['Opening the mailbag: your boards, reviewed', 1, 28],
  ['CNC a chess set from one plank', 7, 75]
];
const past = [
  ['Firmware day: debouncing done right', 0, 20, 894],
  ['A parser without a parser generator', 1, 44, 320],
  ['Soldering for people who are afraid of it', 2, 90, 1502]
];
export const lines = [
  'hello from Utrecht!', 'that trace looks too close to the pad', 'what microcontroller is it?', 'the sound is great today',
  'can you zoom in a bit?', 'I built one of these last year, still typing on it', 'first time here, love it', '👏👏👏',
  'why not a four layer board?', 'is the schematic public?', 'see https://example.org/schematic.', 'haha, classic',
  '@ada will you sell kits?', 'that is a very elegant way to do it, I would have used a multiplexer and regretted it later', 'brb tea'
];

const hour = 3_600_000;
const iso = (time) => new Date(time).toISOString();

/** Everything the mock server knows. */
export function makeWorld({ empty }) {
  const world = { users: [], streams: [], sessions: new Map(), follows: new Set(), messages: new Map(), media: new Map(), keys: new Map(), listeners: new Set(), seq: 0, empty };
  world.emit = (topic, event, data) => world.listeners.forEach((listener) => listener(topic, event, data));
  people.forEach(([username, display_name, bio], index) => addUser(world, { username, display_name, bio, hue: index * 37 }));
  if (empty) return world;
  const now = Date.now();
  live.forEach(([title, description, viewers_count], index) =>
    addStream(world, index, { title, description, viewers_count, status: 'live', started_at: iso(now - (index + 1) * 0.7 * hour), thumbnail_url: thumbnail(world, index * 61) })
  );
  upcoming.forEach(([title, user, hours]) => addStream(world, user, { title, status: 'scheduled', scheduled_for: iso(now + hours * hour) }));
  past.forEach(([title, user, hours, viewers_count], index) =>
    addStream(world, user, { title, status: 'ended', viewers_count, started_at: iso(now - (hours + 2) * hour), ended_at: iso(now - hours * hour), thumbnail_url: thumbnail(world, 200 + index * 50) })
  );
  for (let index = 1; index < world.users.length; index++) {
    world.follows.add(`${world.users[index].id} ${world.users[0].id}`);
    if (index < 4) world.follows.add(`${world.users[0].id} ${world.users[index].id}`);
  }
  for (const stream of world.streams.filter((other) => other.status === 'live')) {
    for (let index = 0; index < 180; index++) addMessage(world, stream.id, world.users[index % world.users.length], lines[index % lines.length], {}, now - (180 - index) * 9000);
  }
  return world;
}

export function addUser(world, { username, display_name, email, bio = '', hue = Math.floor(Math.random() * 360), role = 'user' }) {
  const user = {
    id: randomUUID(), username, email: email ?? `${username}@example.org`, display_name: display_name ?? username, bio, profile_picture_url: null,
    country: 'NL', language: 'en', skills: bio ? ['C++', 'KiCad', 'Soldering'] : [], points: 0, role, is_streamer: false, email_verified_at: null,
    created_at: iso(Date.now() - 200 * 24 * hour), updated_at: iso(Date.now())
  };
  if (bio) user.profile_picture_url = picture(world, `<circle cx="50" cy="40" r="19" fill="hsl(${hue} 50% 86%)"/><path d="M14 104a36 38 0 0 1 72 0z" fill="hsl(${hue} 50% 86%)"/>`, hue, 100, 100);
  world.users.push(user);
  return user;
}

export function addStream(world, owner, parts) {
  const user = typeof owner === 'number' ? world.users[owner] : owner;
  const stream = {
    id: randomUUID(), user_id: user.id, title: '', description: '', status: 'scheduled', scheduled_for: null, started_at: null, ended_at: null,
    viewers_count: 0, thumbnail_url: null, created_at: iso(Date.now()), updated_at: iso(Date.now()), ...parts
  };
  world.streams.push(stream);
  return stream;
}

export function addMessage(world, room_id, sender, content, { client_id = null, reply_to = null } = {}, time = Date.now()) {
  const list = world.messages.get(room_id) ?? [];
  world.messages.set(room_id, list);
  const known = client_id && list.find((message) => message.client_id === client_id && message.sender.id === sender.id);
  if (known) return known;
  const message = {
    id: randomBytes(12).toString('hex'), room_id, sender: summary(sender), message_type: 'text', content, timestamp: iso(time), seq: ++world.seq,
    client_id, reply_to, edited_at: null, deleted_at: null
  };
  list.push(message);
  return message;
}

export function summary({ id, username, display_name, profile_picture_url }) {
  return { id, username, display_name, profile_picture_url };
}

export function streamAnswer(world, stream, viewer) {
  const { user_id, ...rest } = stream;
  const own = viewer?.id === user_id;
  const ingest = { protocol: 'rtmp', video_codec: 'avc1.64001f', audio_codec: 'mp4a.40.2', width: 1280, height: 720, fps: 30, bitrate: 2_480_000, keyframe_interval_seconds: 4, connected: true };
  return {
    ...rest,
    user: summary(world.users.find((user) => user.id === user_id)),
    playback_url: stream.status === 'live' ? `/live/${stream.id}/master.m3u8` : null,
    ...(own ? { ingest: stream.status === 'live' ? ingest : null } : {})
  };
}

function thumbnail(world, hue) {
  const shapes = Array.from({ length: 9 }, (_, index) => `<circle cx="${(index * 67 + hue) % 320}" cy="${(index * 41 + hue) % 180}" r="${18 + ((index * 13) % 40)}" fill="hsl(${hue + index * 24} 70% ${38 + index * 4}% / .55)"/>`);
  return picture(world, shapes.join(''), hue, 320, 180);
}

function picture(world, shapes, hue, width, height) {
  const path = `/media/${randomUUID()}.svg`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"><rect width="${width}" height="${height}" fill="hsl(${hue} 45% 32%)"/>${shapes}</svg>`;
  world.media.set(path, { type: 'image/svg+xml', bytes: Buffer.from(svg) });
  return path;
}
