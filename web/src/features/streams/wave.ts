import { hashOf } from '$ui/hue';

const bars = 36;

/**
 * Heights (0 to 1) of a sound wave that is drawn where a stream has no picture yet: each stream has its own, always the same.
 * Three sine waves whose lengths and phases come from the id, quiet towards both ends.
 */
export function waveOf(stream_id: string): number[] {
  const part = (name: string) => hashOf(`${stream_id} ${name}`) / 2 ** 32;
  const waves = [1, 4, 9].map((turns) => ({
    turns: turns * (1 + part(`turns ${turns}`)),
    phase: 2 * Math.PI * part(`phase ${turns}`)
  }));
  return Array.from({ length: bars }, (_, index) => {
    const at = index / (bars - 1);
    const swing = waves.reduce((sum, { turns, phase }) => sum + Math.sin(at * turns * 2 * Math.PI + phase), 0) / waves.length;
    return (0.16 + 0.84 * Math.abs(swing)) * (0.25 + 0.75 * Math.sin(at * Math.PI));
  });
}
