import { defineConfig } from 'vitest/config';

// A server is started by each file for itself, so files may run side by side; more than two at once would only
// wait for each other on a small machine.
const shared = {
  environment: 'node' as const,
  testTimeout: 180_000,
  hookTimeout: 180_000,
  pool: 'forks' as const,
};

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: ['verbose'],
    projects: [
      // The same tests twice: on the embedded engines, and on servers. Several nodes need those, the files of deploy/
      // are the same on both.
      { test: { ...shared, name: 'api', include: ['api/**/*.test.ts'], exclude: ['api/nodes.test.ts'] } },
      { test: { ...shared, name: 'engines', include: ['api/**/*.test.ts'], exclude: ['api/deploy.test.ts'], globalSetup: ['lib/engines.ts'] } },
      // One browser at a time: what is measured is the page, not the queue before it.
      { test: { ...shared, name: 'e2e', include: ['e2e/**/*.test.ts'], fileParallelism: false } },
      // What people do, on two nodes behind nginx. What a screen looks like has nothing to do with them.
      {
        test: {
          ...shared,
          name: 'e2e-nodes',
          include: ['e2e/**/*.test.ts'],
          exclude: ['e2e/screens.test.ts'],
          globalSetup: ['lib/engines.ts'],
          fileParallelism: false,
        },
      },
      { test: { ...shared, name: 'crash', include: ['crash/**/*.test.ts'], testTimeout: 3_600_000 } },
    ],
  },
});
