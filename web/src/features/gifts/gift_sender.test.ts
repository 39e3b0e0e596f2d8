import { describe, expect, it } from 'vitest';
import { Problem } from '$lib/api/problem';
import type { SentGift } from '$lib/api/types';
import { repeat_after_ms, sendOnce } from './gift_sender';

const answer = { balance: 5 } as SentGift;
const gone = () => new Problem({ reason: 'unavailable', status: 503 });

function server(outcomes: (Problem | SentGift)[]) {
  const keys: string[] = [];
  const send = async (_stream: string, _gift: string, key: string) => {
    keys.push(key);
    const outcome = outcomes.shift()!;
    if (outcome instanceof Problem) throw outcome;
    return outcome;
  };
  return { keys, send };
}

describe('sending a gift', () => {
  it('repeats with the same key after a lost answer', async () => {
    const { keys, send } = server([Problem.network(), gone(), answer]);
    const waits: number[] = [];
    expect(await sendOnce('s', 'g', send, async (ms) => void waits.push(ms))).toBe(answer);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(waits).toEqual(repeat_after_ms.slice(0, 2));
  });

  it('makes a new key for each gift', async () => {
    const { keys, send } = server([answer, answer]);
    await sendOnce('s', 'g', send);
    await sendOnce('s', 'g', send);
    expect(new Set(keys).size).toBe(2);
  });

  it('does not repeat what was refused', async () => {
    const { keys, send } = server([new Problem({ reason: 'insufficient_funds', status: 402 })]);
    await expect(sendOnce('s', 'g', send)).rejects.toMatchObject({ reason: 'insufficient_funds' });
    expect(keys).toHaveLength(1);
  });

  it('gives up in the end', async () => {
    const { keys, send } = server(Array.from({ length: 9 }, gone));
    await expect(sendOnce('s', 'g', send, async () => {})).rejects.toMatchObject({ status: 503 });
    expect(keys).toHaveLength(repeat_after_ms.length + 1);
  });
});
