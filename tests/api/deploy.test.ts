// The examples of deploy/: what a machine can say about them without Docker.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { free_port } from '../../tools/engines.mjs';
import { nginx_config, write_nginx_config } from '../../tools/nginx.mjs';
import { run } from '../lib/program.ts';

describe('the nginx configuration', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'spaktok-deploy-'));
  });
  afterAll(async () => await rm(folder, { recursive: true, force: true }));

  const free_address = async () => `127.0.0.1:${await free_port()}`;
  const options = async () => ({
    folder,
    http: await free_address(),
    rtmp: await free_address(),
    nodes: [
      { http: '127.0.0.1:8081', rtmp: '127.0.0.1:1936' },
      { http: '127.0.0.1:8082', rtmp: '127.0.0.1:1937' },
    ],
  });

  it('is accepted by nginx', async () => {
    expect(write_nginx_config(await options())).toBe(path.join(folder, 'nginx.conf'));
  });

  it('is accepted with its lines for TLS', async () => {
    const key = ['-keyout', path.join(folder, 'privkey.pem'), '-out', path.join(folder, 'fullchain.pem')];
    const made = await run('openssl', ['req', '-x509', '-newkey', 'ed25519', '-nodes', '-subj', '/CN=localhost', ...key]);
    expect(made.code, made.stderr).toBe(0);
    const with_tls = { ...(await options()), tls: { https: await free_address(), rtmps: await free_address(), folder } };
    write_nginx_config(with_tls);
    expect(nginx_config(with_tls).match(/listen .* ssl/g)).toHaveLength(2);
  });
});
