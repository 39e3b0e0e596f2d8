export class Engine {
  readonly name: string;
  start(): Promise<void>;
  // As a crash of its machine, or of the process alone.
  kill(): Promise<void>;
  stop(): Promise<void>;
  pause(): void;
  resume(): void;
}

// The program's settings that lead to the engines, by name.
export interface EngineSettings {
  relational: string;
  document: string;
  realtime: string;
  blob: string;
}

export interface Engines {
  relational: Engine;
  document: Engine;
  realtime: Engine;
  blob: Engine;
  settings: EngineSettings;
  stop(): Promise<void>;
}

export function start_engines(folder: string): Promise<Engines>;
// Settings of an empty place of its own on the servers of these.
export function new_place(settings: EngineSettings): Promise<EngineSettings>;
export function free_port(): Promise<number>;
