import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bitrate, clockDuration, compactCount, dayAndTime, localDateTime, regionalLocale, relativeTime } from './format';

// Whatever the machine that runs the tests prefers.
vi.stubGlobal('navigator', { languages: ['en-US'] });

describe('clockDuration', () => {
  it.each([
    [0, '0:00'],
    [59.9, '0:59'],
    [60, '1:00'],
    [3599, '59:59'],
    [3600, '1:00:00'],
    [36_125, '10:02:05'],
    [-5, '0:00'],
    [Number.NaN, '0:00'],
    [Number.POSITIVE_INFINITY, '0:00']
  ])('%s s is %s', (seconds, shown) => expect(clockDuration(seconds)).toBe(shown));
});

describe('compactCount', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1_234, '1.2K'],
    [12_000, '12K'],
    [3_400_000, '3.4M']
  ])('%s is %s', (count, shown) => expect(compactCount(count)).toBe(shown));
});

describe('bitrate', () => {
  it.each([
    [0, '0 kbit/s'],
    [850_000, '850 kbit/s'],
    [999_999, '1,000 kbit/s'],
    [1_000_000, '1 Mbit/s'],
    [6_240_000, '6.2 Mbit/s']
  ])('%s is %s', (bits, shown) => expect(bitrate(bits)).toBe(shown));
});

describe('relativeTime', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  it.each([
    ['2026-01-31T11:59:30Z', 'now'],
    ['2026-01-31T11:57:00Z', '3 minutes ago'],
    ['2026-01-31T14:59:00Z', 'in 2 hours'],
    ['2026-01-30T10:00:00Z', 'yesterday'],
    ['2026-01-10T12:00:00Z', '3 weeks ago']
  ])('%s is %s', (time, shown) => expect(relativeTime(time, now)).toBe(shown));
});

describe('dayAndTime', () => {
  beforeEach(() => void vi.stubGlobal('navigator', { languages: ['en-GB'] }));
  afterEach(() => void vi.stubGlobal('navigator', { languages: ['en-US'] }));
  const at = (day: number, hour: number, minute = 0) => new Date(2026, 2, day, hour, minute);
  const now = at(10, 23, 30).getTime();
  it.each([
    [at(10, 23, 59), 'Today at 23:59'],
    [at(11, 0, 0), 'Tomorrow at 00:00'],
    [at(11, 23, 59), 'Tomorrow at 23:59'],
    [at(12, 0, 5), 'Thu 12 Mar at 00:05'],
    [at(9, 8), 'Yesterday at 08:00']
  ])('%s is %s', (time, shown) => expect(dayAndTime(time.toISOString(), now)).toBe(shown));
});

describe('regionalLocale', () => {
  it.each([
    ['en', ['de-AT', 'en-GB', 'en-US'], 'en-GB'],
    ['en', ['EN-au'], 'EN-au'],
    ['en', ['de-AT', 'eng'], 'en'],
    ['de', [], 'de']
  ])('%s with %j is %s', (locale, preferred, chosen) => expect(regionalLocale(locale, preferred)).toBe(chosen));
});

describe('localDateTime', () => {
  it('is the local time to the minute, as the date field wants it', () => {
    expect(localDateTime(new Date(2026, 0, 5, 9, 7))).toBe('2026-01-05T09:07');
  });
});
