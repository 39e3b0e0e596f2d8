// The program under test, on free ports and a data directory of its own: on the embedded engines, or, in the project
// "engines", on a place of its own on the run's PostgreSQL, MongoDB, Redis and S3.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { inject } from 'vitest';

import { new_place } from '../../tools/engines.mjs';
import { type Exit, Program, run } from './program.ts';
import { patience_ms } from './until.ts';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const binary = path.resolve(process.env['SPAKTOK_BINARY'] ?? path.join(repository, 'build/release/bin/spaktok'));

// Most tests are not about rate limits and would otherwise meet them: all of them come from one address.
const unlimited = '10000';

// Settings of the engines for data that nothing else has: none where they are the embedded ones, which are in `data`.
export async function engine_settings(): Promise<Record<string, string>> {
  const engines = inject('engines');
  return engines ? { ...(await new_place(engines)) } : {};
}

// As a command line has them.
export function flags_of(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

// What people use: a server, or several behind one address.
export interface Site {
  readonly url: string;
  readonly realtime_url: string;
  readonly rtmp_url: string;
  readonly rtmp_port: number;
  // As printed where there are no users yet.
  setup_link(): Promise<URL>;
  // Ends it and removes its data.
  remove(): Promise<void>;
}

export interface ServerOptions {
  settings?: Record<string, string>; // by flag, without the dashes
  env?: Record<string, string>;
  engines?: Record<string, string>; // engine_settings() that it shares with others
}

export class Server implements Site {
  readonly data: string;
  // What leads to the rest of its data, for another process of the program.
  readonly engines: Record<string, string>;
  private readonly settings: Record<string, string>;
  private readonly env: Record<string, string>;
  private program: Program | undefined;
  private ports = { http: 0, rtmp: 0, metrics: 0 };

  private constructor(data: string, engines: Record<string, string>, options: ServerOptions) {
    this.data = data;
    this.engines = engines;
    this.settings = {
      http: '127.0.0.1:0',
      rtmp: '127.0.0.1:0',
      metrics: '127.0.0.1:0',
      'rate-limit-scale': unlimited,
      'stop-grace': '4s',
      data,
      ...engines,
      ...options.settings,
    };
    this.env = options.env ?? {};
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(await mkdtemp(path.join(tmpdir(), 'spaktok-test-')), options.engines ?? (await engine_settings()), options);
    try {
      await server.launch();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }
  get http_port(): number {
    return this.ports.http;
  }
  // The address that the server calls its own.
  get public_url(): string {
    return `http://localhost:${this.ports.http}`;
  }
  get realtime_url(): string {
    return `ws://127.0.0.1:${this.ports.http}/api/v1/realtime`;
  }
  get metrics_url(): string {
    return `http://127.0.0.1:${this.ports.metrics}/metrics`;
  }
  get rtmp_url(): string {
    return `rtmp://127.0.0.1:${this.ports.rtmp}/live`;
  }
  get rtmp_port(): number {
    return this.ports.rtmp;
  }
  async setup_link(): Promise<URL> {
    return new URL((await this.program!.line(/once: (\S+)/))[1]!);
  }
  get log(): string {
    return this.program?.said() ?? '';
  }

  // Waits for a line of the running process's output.
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.program!.line(pattern);
  }

  // Asks it to stop and leaves the data where it is.
  async stop(): Promise<Exit> {
    const program = this.program!;
    const exit = await program.stop('SIGTERM');
    this.program = undefined;
    return exit;
  }

  async kill(): Promise<void> {
    await this.program!.kill();
    this.program = undefined;
  }

  // `spaktok check` on its data, with its settings. Over embedded engines only while it does not run.
  async check(...flags: string[]) {
    return await run(binary, ['check', ...flags, ...flags_of(this.settings)], { env: this.env, cwd: this.data });
  }

  // On the same data; on the same ports where clients are to find it again.
  async start_again({ same_ports = false } = {}): Promise<void> {
    if (same_ports) {
      this.settings['http'] = `127.0.0.1:${this.ports.http}`;
      this.settings['rtmp'] = `127.0.0.1:${this.ports.rtmp}`;
    }
    await this.launch();
  }

  // Ends the process and removes the data. A server that did not stop properly is an error.
  async remove(): Promise<void> {
    try {
      if (this.program?.running) {
        const exit = await this.stop();
        if (exit.code !== 0) {
          throw new Error(`the server ended with ${exit.code ?? exit.signal}`);
        }
      } else if (this.program) {
        throw new Error(`the server had ended by itself (${JSON.stringify(this.program.exit)}):\n${this.log}`);
      }
    } finally {
      await rm(this.data, { recursive: true, force: true });
    }
  }

  private async launch(): Promise<void> {
    const program = new Program(binary, ['serve', ...flags_of(this.settings)], { env: this.env, cwd: this.data });
    this.program = program;
    try {
      const serving = await program.line(/ serving .*?http=(\d+) rtmp=(\d+) metrics=(\d+)/, 2 * patience_ms);
      this.ports = { http: Number(serving[1]), rtmp: Number(serving[2]), metrics: Number(serving[3]) };
      await program.line(/^Spaktok serves /);
    } catch (error) {
      program.signal('SIGKILL');
      throw error;
    }
  }
}
