export class Engine {
  readonly name: string;
  start(): Promise<void>;
  // As a crash of its machine, or of the process alone.
  kill(): Promise<void>;
  stop(): Promise<void>;
  pause(): void;
  resume(): void;
}

export interface Engines {
  relational: Engine;
  document: Engine;
  realtime: Engine;
  blob: Engine;
  // The program's settings that lead to them, by name.
  settings: { relational: string; document: string; realtime: string; blob: string };
  stop(): Promise<void>;
}

export function start_engines(folder: string): Promise<Engines>;
export function free_port(): Promise<number>;
