// Two nodes over one place on the run's engines, behind nginx as deploy/nginx has it: what people use is nginx's address.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { inject } from 'vitest';

import { free_port } from '../../tools/engines.mjs';
import { start_nginx } from '../../tools/nginx.mjs';
import { engine_settings, Server, type Site } from './server.ts';

export class Cluster implements Site {
  readonly nodes: Server[] = [];
  private nginx: { stop(): Promise<void> } | undefined;

  private constructor(
    private readonly folder: string,
    private readonly http_port: number,
    readonly rtmp_port: number,
  ) {}

  static async start(settings: Record<string, string>): Promise<Cluster> {
    const folder = await mkdtemp(path.join(tmpdir(), 'spaktok-cluster-'));
    const cluster = new Cluster(folder, await free_port(), await free_port());
    try {
      await cluster.launch(settings);
    } catch (error) {
      await cluster.remove();
      throw error;
    }
    return cluster;
  }

  get url(): string {
    return `http://127.0.0.1:${this.http_port}`;
  }
  get realtime_url(): string {
    return `ws://127.0.0.1:${this.http_port}/api/v1/realtime`;
  }
  get rtmp_url(): string {
    return `rtmp://127.0.0.1:${this.rtmp_port}/live`;
  }
  // Of the links that the nodes printed, the last one works.
  async setup_link(): Promise<URL> {
    return await this.nodes.at(-1)!.setup_link();
  }

  async remove(): Promise<void> {
    try {
      await this.nginx?.stop();
      for (const node of this.nodes) await node.remove();
    } finally {
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  private async launch(settings: Record<string, string>): Promise<void> {
    const engines = await engine_settings();
    const shared = {
      ...settings,
      'public-url': `http://localhost:${this.http_port}`,
      'rtmp-url': `rtmp://localhost:${this.rtmp_port}/live`,
      'trusted-proxies': '127.0.0.1',
    };
    for (let i = 0; i < 2; i += 1) this.nodes.push(await Server.start({ engines, settings: shared }));
    this.nginx = await start_nginx({
      folder: this.folder,
      http: `127.0.0.1:${this.http_port}`,
      rtmp: `127.0.0.1:${this.rtmp_port}`,
      nodes: this.nodes.map((node) => ({ http: `127.0.0.1:${node.http_port}`, rtmp: `127.0.0.1:${node.rtmp_port}` })),
    });
  }
}

// One server on the embedded engines; in a project with engines of its own two nodes on those.
export async function start_site(settings: Record<string, string> = {}): Promise<Site> {
  return inject('engines') ? await Cluster.start(settings) : await Server.start({ settings });
}
