// PostgreSQL, MongoDB, Redis and S3 for a whole run, in which each server has a place of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import type { TestProject } from 'vitest/node';

import { type EngineSettings, start_engines } from '../../tools/engines.mjs';

declare module 'vitest' {
  export interface ProvidedContext {
    engines: EngineSettings | undefined;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'spaktok-engines-'));
  const engines = await start_engines(folder);
  project.provide('engines', engines.settings);
  return async () => {
    await engines.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
