import { getLocale } from '$lib/paraglide/runtime.js';

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();

function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(
  key: string,
  make: (locale: string) => T
): T {
  const locale = getLocale();
  const name = `${locale} ${key}`;
  let format = formats.get(name);
  if (!format) formats.set(name, (format = make(locale)));
  return format as T;
}

/** 987 → "987", 12345 → "12.3K". */
export function compactCount(count: number): string {
  return cached(
    'compact',
    (locale) => new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 })
  ).format(count);
}

export function decimal(value: number, digits = 1): string {
  return cached(
    `decimal ${digits}`,
    (locale) => new Intl.NumberFormat(locale, { maximumFractionDigits: digits })
  ).format(value);
}

/** Bits a second as people read them: 850 kbit/s, 6.2 Mbit/s. */
export function bitrate(bits_per_second: number): string {
  return bits_per_second >= 1_000_000
    ? `${decimal(bits_per_second / 1_000_000)} Mbit/s`
    : `${decimal(bits_per_second / 1_000, 0)} kbit/s`;
}

/** A length of time as a clock shows it: 59 → "0:59", 3725 → "1:02:05". Negative lengths are nothing. */
export function clockDuration(seconds: number): string {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const two = (part: number) => String(part).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

const relative_steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60]
];

/** "3 hours ago", "in 2 days"; under a minute "now". */
export function relativeTime(time: string | number, now: number = Date.now()): string {
  const at = typeof time === 'string' ? Date.parse(time) : time;
  const seconds = (at - now) / 1000;
  const format = cached('relative', (locale) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }));
  for (const [unit, length] of relative_steps) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit);
  }
  return format.format(0, 'second');
}

/** "14:05" or "2:05 PM". */
export function timeOfDay(time: string): string {
  return cached('time', (locale) => new Intl.DateTimeFormat(locale, { timeStyle: 'short' })).format(new Date(time));
}

/** "Tue, 4 Mar, 14:05". */
export function dayAndTime(time: string): string {
  return cached(
    'day and time',
    (locale) =>
      new Intl.DateTimeFormat(locale, {
        weekday: 'short',
        day: 'numeric',
        month: 'short',
        hour: 'numeric',
        minute: '2-digit'
      })
  ).format(new Date(time));
}

export function monthAndYear(time: string): string {
  return cached('month', (locale) => new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric' })).format(
    new Date(time)
  );
}

/** The name of a country or language in the reader's own language, where the platform knows it. */
export function displayName(kind: 'region' | 'language', code: string): string {
  try {
    return new Intl.DisplayNames([getLocale()], { type: kind }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** What a `<input type="datetime-local">` holds for this moment, in local time. */
export function localDateTime(time: Date): string {
  const shifted = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
