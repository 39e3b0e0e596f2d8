// Waiting for a condition with a deadline, in place of sleeping.
import { setTimeout as pause } from 'node:timers/promises';

// A loaded machine takes its time: deadlines say when something is broken, not how fast it should be.
export const patience_ms = 60_000;

export interface Until {
  within_ms?: number;
  every_ms?: number;
}

// The first value that `look` gives that is neither undefined, null nor false. What it throws counts as "not yet";
// the last such error is the cause of the failure.
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  { within_ms = patience_ms, every_ms = 25 }: Until = {},
): Promise<T> {
  const deadline = performance.now() + within_ms;
  let cause: unknown;
  for (;;) {
    try {
      const value = await look();
      if (value !== undefined && value !== null && value !== false) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`did not happen within ${within_ms} ms: ${what}`, { cause });
    await pause(every_ms);
  }
}

// Fails where `promise` takes longer.
export async function in_time<T>(what: string, promise: Promise<T>, within_ms = patience_ms): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not happen within ${within_ms} ms: ${what}`)), within_ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
