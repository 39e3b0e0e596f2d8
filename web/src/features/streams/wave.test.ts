import { expect, it } from 'vitest';
import { waveOf } from './wave';

it('draws each stream a wave of its own, always the same, within its frame', () => {
  const [one, other] = ['019a5b0c-7e1f-7c3a-9b1e-2f6d1c0a4e55', '019a5b0c-7e1f-7c3a-9b1e-2f6d1c0a4e56'].map(waveOf);
  expect(waveOf('019a5b0c-7e1f-7c3a-9b1e-2f6d1c0a4e55')).toEqual(one);
  expect(other).not.toEqual(one);
  for (const height of one!) {
    expect(height).toBeGreaterThan(0);
    expect(height).toBeLessThanOrEqual(1);
  }
});
