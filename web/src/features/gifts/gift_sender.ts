import { Problem } from '$lib/api/problem';
import type { SentGift } from '$lib/api/types';
import { randomUuid } from '$lib/uuid';
import { sendGift } from './gifts_api';

/** Before each repetition, in milliseconds. */
export const repeat_after_ms = [400, 1_200, 3_000];

type Send = (stream_id: string, gift_id: string, key: string) => Promise<SentGift>;

/**
 * One click, one gift: where the answer was lost or the server was not itself, the same request is made again with the same key,
 * so that money moves once.
 */
export async function sendOnce(
  stream_id: string,
  gift_id: string,
  send: Send = sendGift,
  wait: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms))
): Promise<SentGift> {
  const key = randomUuid();
  for (const ms of repeat_after_ms) {
    try {
      return await send(stream_id, gift_id, key);
    } catch (error) {
      const problem = Problem.from(error);
      if (problem.status !== 0 && problem.status < 500) throw problem;
      await wait(ms);
    }
  }
  return send(stream_id, gift_id, key);
}
