import { expect, it } from 'vitest';
import { centsOf } from './price';

it('reads dollars exactly, with a point or a comma', () => {
  expect(['0.01', '2', '2.5', ' 2,50 ', '99999999.99'].map(centsOf)).toEqual([1, 200, 250, 250, 9_999_999_999]);
});

it('refuses what is no amount', () => {
  expect(['', '0', '0.00', '-1', '1.234', '1e3', '$2', '1.2.3', '100000000'].map(centsOf)).toEqual(Array(9).fill(undefined));
});
