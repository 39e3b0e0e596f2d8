// Starting a program and reading what it says, line by line.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { in_time, patience_ms } from './until.ts';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  env?: Record<string, string>;
  cwd?: string;
  input?: string | Buffer;
}

// Kept for the message of a test that fails; a program that talks for hours is cut at its beginning.
const lines_max = 5_000;

export class Program {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  private readonly child: ChildProcess;
  private readonly watchers = new Set<(line: string) => void>();

  constructor(command: string, args: string[], options: ProgramOptions = {}) {
    this.child = spawn(command, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    // Whoever waits for it sees the error; that nobody waits is no fault.
    this.exited.catch(() => undefined);
    this.collect(this.child.stdout!, this.stdout);
    this.collect(this.child.stderr!, this.stderr);
    if (options.input !== undefined) {
      this.child.stdin!.on('error', () => undefined);
      this.child.stdin!.end(options.input);
    }
  }

  get pid(): number {
    return this.child.pid!;
  }
  get running(): boolean {
    return this.exit === undefined;
  }
  said(): string {
    return [...this.stdout, ...this.stderr].join('\n');
  }

  // The first line of either stream, said already or later, that matches.
  async line(pattern: RegExp, within_ms = patience_ms): Promise<RegExpExecArray> {
    for (const line of [...this.stdout, ...this.stderr]) {
      const match = pattern.exec(line);
      if (match) return match;
    }
    let watcher: ((line: string) => void) | undefined;
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      watcher = (line) => {
        const match = pattern.exec(line);
        if (match) resolve(match);
      };
      this.watchers.add(watcher);
      const ended = () => reject(new Error(`the program ended before it said ${pattern}:\n${this.said()}`));
      this.exited.then(ended, reject);
    });
    try {
      return await in_time(`a line ${pattern}`, found, within_ms);
    } finally {
      this.watchers.delete(watcher!);
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  // Asks it to end; one that does not is killed, and that is an error.
  async stop(signal: NodeJS.Signals = 'SIGTERM', within_ms = patience_ms): Promise<Exit> {
    this.signal(signal);
    try {
      return await in_time(`the end of process ${this.pid} after ${signal}`, this.exited, within_ms);
    } catch (error) {
      this.signal('SIGKILL');
      throw error;
    }
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  private collect(stream: NodeJS.ReadableStream, into: string[]): void {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      if (into.length >= lines_max) into.shift();
      into.push(line);
      for (const watcher of [...this.watchers]) watcher(line);
    });
  }
}

// Runs a program to its end.
export async function run(command: string, args: string[], options: ProgramOptions = {}) {
  const program = new Program(command, args, options);
  try {
    const exit = await in_time(`the end of ${command} ${args.join(' ')}`, program.exited, 2 * patience_ms);
    return { code: exit.code, stdout: program.stdout.join('\n'), stderr: program.stderr.join('\n') };
  } finally {
    program.signal('SIGKILL');
  }
}
