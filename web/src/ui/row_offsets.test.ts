import { describe, expect, it } from 'vitest';
import { RowOffsets } from './row_offsets';

const items = ['a', 'b', 'c', 'd'].map((key) => ({ key }));
// Tops: a 0, b 10, c 60, d 80; the end is at 100.
const offsets = new RowOffsets(items, new Map([['a', 10], ['b', 50]]), 20);

describe('RowOffsets', () => {
  it('adds measured heights and estimates', () => {
    expect(offsets.total).toBe(100);
    expect([0, 1, 2, 3, 4].map((index) => offsets.top(index))).toEqual([0, 10, 60, 80, 100]);
    expect(offsets.top_of('c')).toBe(60);
    expect(offsets.top_of('unknown')).toBeUndefined();
  });

  it.each([
    [-5, 0],
    [0, 0],
    [9.9, 0],
    [10, 1],
    [59, 1],
    [99, 3],
    [500, 3]
  ])('finds the row at %s', (y, index) => expect(offsets.at(y)).toBe(index));

  it.each([
    [0, 10, 0, 2],
    [15, 55, 1, 2],
    [-100, -50, 0, 1],
    [300, 400, 3, 4]
  ])('finds the rows between %s and %s', (from, to, first, last) => expect(offsets.range(from, to)).toEqual({ first, last }));

  it('has nothing to show without rows', () => {
    expect(new RowOffsets([], new Map(), 20).range(0, 100)).toEqual({ first: 0, last: 0 });
  });
});
