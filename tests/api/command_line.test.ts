import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { sign_in } from '../lib/people.ts';
import { type ProgramOptions, run } from '../lib/program.ts';
import { binary, engine_settings, flags_of, Server } from '../lib/server.ts';
import { ok, password } from '../lib/visitor.ts';

describe('the command line', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'spaktok-commands-'));
  });
  afterAll(async () => await rm(directory, { recursive: true, force: true }));

  const spaktok = (args: string[], options: ProgramOptions = {}) => run(binary, args, { cwd: directory, ...options });
  const fresh = async () => await mkdtemp(path.join(directory, 'case-'));

  it('says its version', async () => {
    const { code, stdout } = await spaktok(['version']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^spaktok \d+\.\d+\.\d+$/);
  });

  it('helps, and refuses what it does not know with 2', async () => {
    const help = await spaktok(['--help']);
    expect(help.code).toBe(0);
    for (const command of ['serve', 'migrate', 'config', 'user', 'demo', 'version', 'routes', 'check', 'move']) expect(help.stdout).toContain(command);
    expect((await spaktok(['serve', '--help'])).stdout).toContain('--rate-limit-scale');
    expect((await spaktok(['dance'])).code).toBe(2);
    expect((await spaktok(['serve', '--no-such-flag'])).code).toBe(2);
    expect((await spaktok([])).code).toBe(2);
  });

  it('shows each setting and where it comes from: flag over environment over file over default', async () => {
    const cwd = await fresh();
    await writeFile(path.join(cwd, 'spaktok.toml'), 'name = "From the file"\nthreads = 3\nhttp = "127.0.0.1:1"\n');
    const env = { SPAKTOK_THREADS: '2', SPAKTOK_HTTP: '127.0.0.1:2' };
    const { code, stdout } = await spaktok(['config', '--http', '127.0.0.1:3'], { cwd, env });
    expect(code).toBe(0);
    const line = (name: string) => stdout.split('\n').find((candidate) => candidate.startsWith(`${name} = `));
    expect(line('name')).toMatch(/^name = ['"]From the file['"] {2}# spaktok\.toml:1$/);
    expect(line('threads')).toMatch(/^threads = ['"]2['"] {2}# environment SPAKTOK_THREADS$/);
    expect(line('http')).toMatch(/^http = ['"]127\.0\.0\.1:3['"] {2}# flag --http$/);
    expect(line('rtmp')).toMatch(/^rtmp = ['"]0\.0\.0\.0:1935['"] {2}# default$/);
    // What it prints is a settings file.
    await writeFile(path.join(cwd, 'again.toml'), stdout);
    expect((await spaktok(['config', '--config', 'again.toml'], { cwd })).code).toBe(0);
  });

  it('refuses a bad setting with 2, its name and its place', async () => {
    const cwd = await fresh();
    const file = async (text: string) => {
      await writeFile(path.join(cwd, 'bad.toml'), text);
      return await spaktok(['config', '--config', 'bad.toml'], { cwd });
    };
    const table: [string, Awaited<ReturnType<typeof file>>, string[]][] = [
      ['unknown', await file('name = "x"\n\nhtpp = "127.0.0.1:1"\n'), ['bad.toml:3', 'htpp']],
      ['wrong', await file('threads = "many"\n'), ['bad.toml:1', 'threads', 'many']],
      ['out of range', await file('# comment\nreconnect_grace = "11m"\n'), ['bad.toml:2', 'reconnect_grace']],
      ['no TOML', await file('name = "x"\nthreads =\n'), ['bad.toml:2']],
      ['environment', await spaktok(['config'], { env: { SPAKTOK_REGISTRATION: 'maybe' } }), ['SPAKTOK_REGISTRATION', 'maybe']],
      ['flag', await spaktok(['config', '--http', 'nowhere']), ['--http', 'nowhere']],
      ['missing file', await spaktok(['config', '--config', 'none.toml']), ['none.toml']],
    ];
    for (const [what, { code, stderr }, words] of table) {
      expect(`${what}: ${code}`).toBe(`${what}: 2`);
      for (const word of words) expect(stderr, what).toContain(word);
    }
    const serve = await spaktok(['serve', '--rtmp', '127.0.0.1:99999', '--data', path.join(cwd, 'data')]);
    expect(serve.code).toBe(2);
    expect(await readdir(cwd)).not.toContain('data');
  });

  it('plans a migration without doing it, does it, and finds nothing left to do', async () => {
    const data = await fresh();
    const engines = flags_of(await engine_settings());
    const migrate = (...args: string[]) => spaktok(['migrate', '--data', data, ...engines, ...args]);
    const plan = await migrate('--plan');
    expect(plan.code).toBe(0);
    expect(plan.stdout).toMatch(/To be applied:\n {2}1 accounts/);
    expect(plan.stdout).not.toContain('up to date');
    expect((await migrate('--plan')).stdout).toBe(plan.stdout);
    expect((await migrate()).stdout).toMatch(/Applied now:\n {2}1 accounts/);
    expect((await migrate()).stdout).toContain('The schema is up to date.');
  });

  it('checks what follows from other data, which is right on a new place', async () => {
    const cwd = await fresh();
    const settings = flags_of(await engine_settings());
    const unmigrated = await spaktok(['check', ...settings], { cwd });
    expect(unmigrated).toMatchObject({ code: 1 });
    expect(unmigrated.stderr).toContain('spaktok migrate');
    expect(await spaktok(['migrate', ...settings], { cwd })).toMatchObject({ code: 0 });
    for (const flags of [[], ['--repair']]) {
      const checked = await spaktok(['check', ...flags, ...settings], { cwd });
      expect(checked, checked.stderr).toMatchObject({ code: 0 });
      expect(checked.stdout).toMatch(/^\d+ values compared, 0 of them wrong\.$/m);
    }
  });

  it('keeps an embedded engine where its setting says', async () => {
    const data = await fresh();
    const elsewhere = path.join(data, 'elsewhere.db');
    await spaktok(['migrate', '--data', data, '--relational', `sqlite:${elsewhere}`]);
    expect(await readdir(data)).toContain('elsewhere.db');
  });

  it('makes accounts, changes their role and password, and lists them', async () => {
    const data = await fresh();
    const engines = flags_of(await engine_settings());
    const user = (args: string[], input?: string) =>
      spaktok(['user', ...args, '--data', data, ...engines], input === undefined ? {} : { input });
    const made = await user(['create', '--username', 'ada', '--email', 'ada@example.org', '--role', 'admin', '--password-stdin'], `${password}\n`);
    expect(made.stderr.replace(/^.* (info|migration).*$/gm, '').trim()).toBe('');
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/^[0-9a-f-]{36} ada admin$/);
    const again = await user(['create', '--username', 'Ada', '--email', 'other@example.org', '--password-stdin'], `${password}\n`);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/taken|exists|use/i);
    expect((await user(['create', '--username', 'grace', '--email', 'grace@example.org', '--password-stdin'], 'short\n')).code).toBe(2);
    expect((await user(['create', '--username', 'grace', '--email', 'grace@example.org', '--role', 'king', '--password-stdin'], `${password}\n`)).code).toBe(2);
    expect((await user(['create', '--username', 'grace', '--email', 'grace@example.org', '--password-stdin'], `${password}\n`)).code).toBe(0);
    expect((await user(['role', '--username', 'grace', '--role', 'moderator'])).code).toBe(0);
    expect((await user(['role', '--username', 'nobody', '--role', 'moderator'])).code).toBe(1);
    expect((await user(['password', '--username', 'ada', '--password-stdin'], 'a new good phrase\n')).code).toBe(0);
    const list = await user(['list']);
    expect(list.stdout.split('\n').map((line) => line.trim().split(/\s+/).slice(1))).toEqual([
      ['ada', 'admin', 'ada@example.org'],
      ['grace', 'moderator', 'grace@example.org'],
    ]);
  });

  it('makes accounts that can sign in, and a new password that ends their sessions', async () => {
    const server = await Server.start();
    try {
      await server.stop();
      const user = (args: string[], input: string) => spaktok(['user', ...args, '--data', server.data, ...flags_of(server.engines), '--password-stdin'], { input });
      await user(['create', '--username', 'ada', '--email', 'ada@example.org'], `${password}\n`);
      await server.start_again();
      const ada = await sign_in(server, 'ada');
      await server.stop();
      expect((await user(['password', '--username', 'ada'], `${password}\n`)).code).toBe(0);
      await server.start_again();
      expect((await ada.api.GET('/api/v1/users/me')).response.status).toBe(401);
      expect(ok(await (await sign_in(server, 'ada')).api.GET('/api/v1/users/me')).username).toBe('ada');
    } finally {
      await server.remove();
    }
  });

  it('works beside a node with the same data directory, unless an engine is embedded', async () => {
    const server = await Server.start();
    try {
      const shared = Object.keys(server.engines).length > 0;
      const flags = ['--data', server.data, ...flags_of(server.engines)];
      const made = await spaktok(
        ['user', 'create', ...flags, '--username', 'ada', '--email', 'ada@example.org', '--password-stdin'],
        { input: `${password}\n` },
      );
      const migrated = await spaktok(['migrate', ...flags]);
      const checked = await server.check();
      for (const answer of [made, migrated, checked]) {
        if (shared) expect(answer, answer.stderr).toMatchObject({ code: 0 });
        else expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining('another process') });
      }
      if (shared) await sign_in(server, 'ada');
    } finally {
      await server.remove();
    }
  });
});
