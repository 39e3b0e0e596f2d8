// PostgreSQL, MongoDB and Redis as the tests start them, in a folder of their own, with what they promise (fsync) and on the
// servers' core.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { start_engines } from '../../tools/engines.mjs';
import { at_end, bench, free_port, process_tree, server_core, temporary_directory } from './processes.js';

// ports: which of relational, document, realtime. Returns the program's settings that lead to them, and their processes.
export async function start_the_engines(ports) {
  if (ports.includes('document')) execFileSync(path.join(bench, '../tools/install_mongo'));
  const engines = await start_engines(temporary_directory(), { ports, find_port: free_port });
  at_end(() => engines.stop());
  const processes = Object.fromEntries(ports.map((port) => [port, process_tree(engines[port].child.pid)]));
  for (const pid of Object.values(processes).flat()) execFileSync('taskset', ['-acp', server_core, String(pid)]);
  return { settings: engines.settings, processes };
}

// A load generator that uses the program's own engines.
export function build_load(generator) {
  const options = { cwd: path.join(bench, '..'), stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('cmake', ['--preset', 'release', '-DSPAKTOK_BENCHMARKS=ON'], options);
  execFileSync('ninja', ['-C', 'build/release', generator], options);
}
