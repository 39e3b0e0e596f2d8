import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { new_name, type Person, set_up, sign_in, sign_up } from '../lib/people.ts';
import { run } from '../lib/program.ts';
import { Server } from '../lib/server.ts';
import { Socket } from '../lib/socket.ts';
import { until } from '../lib/until.ts';
import { ok, password, problem, Visitor } from '../lib/visitor.ts';

const account = (username: string, more: object = {}) => ({
  username,
  email: `${username}@example.org`,
  password,
  transport: 'bearer' as const,
  ...more,
});

describe('a server without users', () => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start();
  });
  afterAll(async () => await server?.remove());

  it('takes its first administrator by the link that it printed, once, and nobody before', async () => {
    const guest = new Visitor(server);
    const post = (body: object) => guest.api.POST('/api/v1/setup', { body: body as any });
    const token = (await server.setup_link()).searchParams.get('token')!;
    expect(await problem(guest.api.POST('/api/v1/users', { body: account('early') }))).toBe('403 setup_required');
    expect(await problem(post(account('ada', { token: 'guessed' })))).toBe('403 invalid_setup_token token');
    const { user } = ok(await post(account('ada', { token })));
    expect(user).toMatchObject({ username: 'ada', role: 'admin' });
    expect(await problem(post(account('ada2', { token })))).toBe('409 setup_done');
    expect(ok(await guest.api.GET('/api/v1/instance')).setup_required).toBe(false);
  });
});

describe('accounts', () => {
  let server: Server;
  let admin: Person;
  let guest: Visitor;
  beforeAll(async () => {
    server = await Server.start();
    admin = await set_up(server);
    guest = new Visitor(server);
  });
  afterAll(async () => await server?.remove());

  const sign_up_problem = (body: object) => problem(guest.api.POST('/api/v1/users', { body: body as any }));
  const sign_in_problem = (login: string, word: string) =>
    problem(guest.api.POST('/api/v1/sessions', { body: { login, password: word, transport: 'bearer' } }));

  it('are made with what was given', async () => {
    const name = new_name('Ada');
    const body = account(name, { display_name: '  Ada L.  ' });
    const { user, session, token } = ok(await guest.api.POST('/api/v1/users', { body }));
    expect(user).toMatchObject({ username: name, email: body.email, display_name: 'Ada L.', role: 'user', points: 0 });
    expect(session.is_current).toBe(true);
    expect(token).toMatch(/^[A-Za-z0-9_-]{40,}$/);
    expect(guest.cookies.size).toBe(0);
  });

  it('refuse names, addresses and passwords outside their limits, and take those at them', async () => {
    const refused: [object, string][] = [
      [account('ab'), '400 invalid_field username'],
      [account('a'.repeat(31)), '400 invalid_field username'],
      [account('a b c'), '400 invalid_field username'],
      [account('admin'), '400 username_reserved username'],
      [account(new_name(), { email: 'nobody' }), '400 invalid_field email'],
      [account(new_name(), { email: `${'e'.repeat(244)}@example.org` }), '400 invalid_field email'],
      [account(new_name(), { password: 'short pwd' }), '400 invalid_field password'],
      [account(new_name(), { password: 'p'.repeat(201) }), '400 invalid_field password'],
      [account(new_name(), { password: 'aaaaaaaaaaaa' }), '400 weak_password password'],
      [account(new_name(), { display_name: 'd'.repeat(101) }), '400 invalid_field display_name'],
      [account(new_name(), { display_name: 'a\u0000b' }), '400 invalid_json'],
      [account(new_name(), { transport: 'pigeon' }), '400 invalid_field transport'],
      [{ ...account(new_name()), username: undefined }, '400 missing_field username'],
    ];
    for (const [body, expected] of refused) {
      expect(`${JSON.stringify(body).slice(0, 60)} ${await sign_up_problem(body)}`).toBe(
        `${JSON.stringify(body).slice(0, 60)} ${expected}`,
      );
    }
    expect(await sign_up_problem(account('abc'))).toBe('201');
    expect(await sign_up_problem(account('a'.repeat(30)))).toBe('201');
    const longest = `${'p'.repeat(199)}q`;
    expect(await sign_up_problem(account(new_name(), { password: longest, display_name: 'é'.repeat(100) }))).toBe('201');
  });

  it('have names and addresses that differ by more than their case', async () => {
    const name = new_name('Taken');
    expect(await sign_up_problem(account(name))).toBe('201');
    expect(await sign_up_problem(account(name.toUpperCase(), { email: 'other@example.org' }))).toBe(
      '409 username_taken username',
    );
    expect(await sign_up_problem(account(new_name(), { email: `${name.toUpperCase()}@EXAMPLE.org` }))).toBe(
      '409 email_taken email',
    );
  });

  it('are made once where the same name is asked for many times at once', async () => {
    const name = new_name('race');
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => sign_up_problem(account(name, { email: `${new_name()}@example.org` }))),
    );
    expect(answers.sort()).toEqual(['201', ...Array<string>(5).fill('409 username_taken username')]);
  });

  it('sign in by name or address in any case, and do not say what was wrong', async () => {
    const person = await sign_up(server);
    expect(await sign_in_problem(person.username.toUpperCase(), password)).toBe('201');
    expect(await sign_in_problem(`${person.username}@Example.ORG`, password)).toBe('201');
    expect(await sign_in_problem(person.username, 'not the password')).toBe('401 wrong_credentials');
    expect(await sign_in_problem('nobody_at_all', password)).toBe('401 wrong_credentials');
  });

  it('refuse further attempts on one login after ten failures', async () => {
    const person = await sign_up(server);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      expect(await sign_in_problem(person.username, 'not the password')).toBe('401 wrong_credentials');
    }
    const body = { login: person.username, password, transport: 'bearer' as const };
    const { error, response } = await guest.api.POST('/api/v1/sessions', { body });
    expect(error).toMatchObject({ type: '/problems/too_many_attempts' });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('keep a browser signed in by a cookie that scripts cannot read', async () => {
    const browser = new Visitor(server);
    browser.origin = server.url;
    const body = { ...account(new_name()), transport: undefined };
    const answer = await browser.api.POST('/api/v1/users', { body: body as any });
    expect(ok(answer).token).toBeUndefined();
    const cookie = answer.response.headers.get('set-cookie')!;
    expect(cookie).toMatch(/^spaktok_session=[^;]+;/);
    for (const attribute of ['HttpOnly', 'SameSite=Lax', 'Path=/', 'Max-Age=2592000']) expect(cookie).toContain(attribute);
    expect(answer.response.headers.get('cache-control')).toBe('no-store');
    expect(ok(await browser.api.GET('/api/v1/users/me')).username).toBe(body.username);
    expect((await browser.api.DELETE('/api/v1/sessions/current')).response.status).toBe(204);
    expect(browser.cookies.size).toBe(0);
    expect(await problem(browser.api.GET('/api/v1/users/me'))).toBe('401 unauthenticated');
  });

  it("refuse another site's page what it asks with their cookie", async () => {
    const browser = new Visitor(server);
    browser.origin = server.url;
    ok(await browser.api.POST('/api/v1/users', { body: { ...account(new_name()), transport: undefined } as any }));
    const change = () => problem(browser.api.PATCH('/api/v1/users/me', { body: { bio: 'changed' } }));
    expect(await change()).toBe('200');
    for (const origin of ['https://evil.example', 'null', `${server.url}.evil.example`, undefined]) {
      browser.origin = origin;
      expect(`${origin} ${await change()}`).toBe(`${origin} 403 cross_origin`);
      // Reading changes nothing, and the other page does not see the answer.
      expect((await browser.api.GET('/api/v1/users/me')).response.status).toBe(200);
    }
    browser.origin = 'https://evil.example';
    await expect(Socket.open(browser)).rejects.toThrow('403');
  });

  it('list their sessions and end one, the others, or this one', async () => {
    const person = await sign_up(server);
    const second = await sign_in(server, person.username);
    const third = await sign_in(server, person.username);
    const sessions = async () => ok(await person.api.GET('/api/v1/sessions')).items;
    expect(await sessions()).toHaveLength(3);
    expect((await sessions()).filter((session) => session.is_current)).toHaveLength(1);
    const second_id = ok(await second.api.GET('/api/v1/sessions')).items.find(({ is_current }) => is_current)!.id;
    const end = () => problem(person.api.DELETE('/api/v1/sessions/{session_id}', { params: { path: { session_id: second_id } } }));
    const socket = await Socket.open(second);
    expect(await end()).toBe('204');
    expect(await problem(second.api.GET('/api/v1/users/me'))).toBe('401 unauthenticated');
    expect((await socket.closed).code).toBe(4401);
    expect(await end()).toBe('404 not_found');
    expect((await person.api.DELETE('/api/v1/sessions')).response.status).toBe(204);
    expect(await problem(third.api.GET('/api/v1/users/me'))).toBe('401 unauthenticated');
    expect(await sessions()).toHaveLength(1);
    expect((await person.api.DELETE('/api/v1/sessions/current')).response.status).toBe(204);
    expect(await problem(person.api.GET('/api/v1/sessions'))).toBe('401 unauthenticated');
    expect((await person.api.DELETE('/api/v1/sessions/current')).response.status).toBe(204);
  });

  it("do not end another user's session", async () => {
    const person = await sign_up(server);
    const [session] = ok(await admin.api.GET('/api/v1/sessions')).items;
    const path = { session_id: session!.id };
    expect(await problem(person.api.DELETE('/api/v1/sessions/{session_id}', { params: { path } }))).toBe('404 not_found');
    expect((await admin.api.GET('/api/v1/users/me')).response.status).toBe(200);
  });

  it('change their password, which ends every other session', async () => {
    const person = await sign_up(server);
    const other = await sign_in(server, person.username);
    const change = (current_password: string, new_password: string) =>
      problem(person.api.PUT('/api/v1/users/me/password', { body: { current_password, new_password } }));
    expect(await change('not the password', 'another good phrase')).toBe('403 wrong_password current_password');
    expect(await change(password, person.username.padEnd(10, '0').slice(0, 9))).toBe('400 invalid_field new_password');
    const socket = await Socket.open(other);
    expect(await change(password, 'another good phrase')).toBe('204');
    expect((await socket.closed).code).toBe(4401);
    expect(await problem(other.api.GET('/api/v1/users/me'))).toBe('401 unauthenticated');
    expect((await person.api.GET('/api/v1/users/me')).response.status).toBe(200);
    expect(await sign_in_problem(person.username, password)).toBe('401 wrong_credentials');
    expect(await sign_in_problem(person.username, 'another good phrase')).toBe('201');
  });

  it('change their profile, and leave what was not named', async () => {
    const person = await sign_up(server);
    const patch = async (body: object) => ok(await person.api.PATCH('/api/v1/users/me', { body }));
    const profile = { display_name: 'Grace', bio: 'Two\nlines', country: 'NL', language: 'pt-BR', skills: [' C++ ', 'c++', 'Go'] };
    expect(await patch(profile)).toMatchObject({ ...profile, skills: ['C++', 'Go'] });
    expect(await patch({ bio: null, country: '' })).toMatchObject({ display_name: 'Grace', bio: '', country: null });
    const path = { username: person.username.toUpperCase() };
    const seen = ok(await guest.api.GET('/api/v1/users/{username}', { params: { path } }));
    expect(seen).toMatchObject({ id: person.id, display_name: 'Grace', is_following: null, live_stream: null });
    const refused: [object, string][] = [
      [{ bio: 'b'.repeat(501) }, '400 invalid_field bio'],
      [{ country: 'Netherlands' }, '400 invalid_field country'],
      [{ language: 'english!' }, '400 invalid_field language'],
      [{ skills: Array.from({ length: 21 }, (_, i) => `skill ${i}`) }, '400 invalid_field skills'],
      [{ display_name: '' }, '400 invalid_field display_name'],
    ];
    for (const [body, expected] of refused) {
      expect(await problem(person.api.PATCH('/api/v1/users/me', { body }))).toBe(expected);
    }
    expect((await patch({ bio: '😀'.repeat(500) })).bio).toHaveLength(1000);
  });

  it('change their address only with their password', async () => {
    const person = await sign_up(server);
    const email = `${new_name()}@example.org`;
    const patch = (body: object) => problem(person.api.PATCH('/api/v1/users/me', { body }));
    expect(await patch({ email })).toBe('403 wrong_password current_password');
    expect(await patch({ email, current_password: 'not the password' })).toBe('403 wrong_password current_password');
    expect(await patch({ email: 'ada@example.org', current_password: password })).toBe('409 email_taken email');
    expect(await patch({ email, current_password: password })).toBe('200');
    expect(await sign_in_problem(email, password)).toBe('201');
  });

  it('have a picture that is made anew, whatever it was, and can be removed', async () => {
    const person = await sign_up(server);
    const put = (type: string, body: Buffer) => put_picture(person, type, body);
    const draw = (format: string[], size: string) => drawing(server.data, format, size);
    const png = await draw(['-f', 'image2', '-c:v', 'png'], '900x300');
    const answer = await put('image/png', png);
    expect(answer.status).toBe(200);
    const url = ((await answer.json()) as any).profile_picture_url as string;
    const picture = await guest.fetch(url);
    expect(picture.headers.get('content-type')).toBe('image/webp');
    expect(picture.headers.get('cache-control')).toContain('immutable');
    const bytes = Buffer.from(await picture.arrayBuffer());
    expect(bytes.subarray(8, 12).toString()).toBe('WEBP');
    expect(await size_of(bytes)).toBe('512,512');
    const part = await guest.fetch(url, { headers: { range: 'bytes=0-11' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(0, 12));
    const known = await guest.fetch(url, { headers: { 'if-none-match': picture.headers.get('etag')! } });
    expect(known.status).toBe(304);
    for (const [type, format] of [['image/jpeg', 'mjpeg'], ['image/gif', 'gif'], ['image/webp', 'libwebp']] as const) {
      const body = await draw(['-f', format === 'gif' ? 'gif' : 'image2', '-c:v', format], '64x64');
      expect(`${type} ${(await put(type, body)).status}`).toBe(`${type} 200`);
    }
    expect((await person.api.DELETE('/api/v1/users/me/picture')).response.status).toBe(204);
    expect(ok(await person.api.GET('/api/v1/users/me')).profile_picture_url).toBeNull();
  });

  it('refuse a picture that is none, and one of more than 5 MiB', async () => {
    const person = await sign_up(server);
    const put = async (type: string, body: Buffer) => {
      const answer = await put_picture(person, type, body);
      return `${answer.status} ${((await answer.json()) as any).type}`;
    };
    const png = await drawing(server.data, ['-f', 'image2', '-c:v', 'png'], '16x16');
    expect(await put('image/svg+xml', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).toBe('415 /problems/unsupported_media');
    expect(await put('image/png', png.subarray(0, 60))).toBe('400 /problems/invalid_picture');
    const limit = 5 * 1024 * 1024;
    // A PNG's end says where it ends: what follows is no part of the picture.
    expect(await put('image/png', Buffer.concat([png, Buffer.alloc(limit - png.length)]))).toMatch(/^200/);
    expect(await put('image/png', Buffer.concat([png, Buffer.alloc(limit + 1 - png.length)]))).toBe('413 /problems/payload_too_large');
    // testsrc2 draws even widths only.
    expect(await put('image/png', await drawing(server.data, ['-f', 'image2', '-c:v', 'png'], '8194x16'))).toBe('400 /problems/invalid_picture');
  });
});

describe('rates', () => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start({ settings: { 'rate-limit-scale': '1' } });
  });
  afterAll(async () => await server?.remove());

  it('are limited for an address, on signing in more than on reading', async () => {
    const guest = new Visitor(server);
    const attempts = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        guest.api.POST('/api/v1/sessions', { body: { login: `nobody_${i}`, password: 'whatever it is' } }),
      ),
    );
    const refused = attempts.filter(({ response }) => response.status === 429);
    // 20 at once, and one more every six seconds.
    expect(attempts.filter(({ response }) => response.status === 401).length).toBeGreaterThanOrEqual(20);
    expect(refused.length).toBeGreaterThan(0);
    for (const { error, response } of refused) {
      expect(error).toMatchObject({ type: '/problems/rate_limited' });
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect((await guest.api.GET('/api/v1/instance')).response.status).toBe(200);
  });

  it('come back with time', async () => {
    const guest = new Visitor(server);
    const attempt = async () =>
      (await guest.api.POST('/api/v1/sessions', { body: { login: 'nobody', password: 'whatever it is' } })).response.status;
    await until('a sign-in is answered again', async () => (await attempt()) === 401, { every_ms: 500 });
  });
});

// A machine without time for pictures answers "busy", and is asked again.
async function put_picture(person: Person, type: string, body: Buffer): Promise<Response> {
  return await until('the picture is read', async () => {
    const init = { method: 'PUT', headers: { 'content-type': type }, body: new Uint8Array(body) };
    const answer = await person.fetch('/api/v1/users/me/picture', init);
    return answer.status === 503 ? undefined : answer;
  }, { within_ms: 150_000 });
}

async function drawing(directory: string, format: string[], size: string): Promise<Buffer> {
  const { mkdtemp, readFile } = await import('node:fs/promises');
  const file = `${await mkdtemp(`${directory}/drawing-`)}/picture`;
  const source = ['-f', 'lavfi', '-i', `testsrc2=size=${size}`, '-frames:v', '1'];
  const { code, stderr } = await run('ffmpeg', ['-loglevel', 'error', '-y', ...source, ...format, ...(format[1] === 'image2' ? ['-update', '1'] : []), file]);
  expect(code, stderr).toBe(0);
  return await readFile(file);
}

async function size_of(picture: Buffer): Promise<string> {
  const args = ['-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', '-i', 'pipe:0'];
  const { stdout, stderr } = await run('ffprobe', args, { input: picture });
  return stdout || stderr;
}
