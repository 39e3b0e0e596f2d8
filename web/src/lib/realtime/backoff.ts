import { close_code } from './protocol';

const base_ms = 500;
const ceiling_ms = 30_000;
/** A server that restarts closes all sockets at once; they come back over this time. */
const restart_spread_ms = 2_000;
const too_many_requests_ms = 10_000;

/**
 * How long to wait before the given attempt (1 is the first after a loss). Exponential with a ceiling; half of it is drawn by
 * lot, so that a thousand pages which lost the same server do not return in the same moment.
 */
export function reconnectDelay(attempt: number, code: number, random: () => number): number {
  if (code === close_code.restart && attempt === 1) return random() * restart_spread_ms;
  const full = Math.min(ceiling_ms, base_ms * 2 ** (Math.min(attempt, 16) - 1));
  const delay = full / 2 + (random() * full) / 2;
  return code === close_code.too_many_requests ? Math.max(delay, too_many_requests_ms) : delay;
}
