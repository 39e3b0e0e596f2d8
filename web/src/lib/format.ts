import { m } from '$lib/paraglide/messages.js';
import { getLocale } from '$lib/paraglide/runtime.js';

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();

/**
 * The reader's own form of the page's language: who reads English in Britain has a 24-hour clock and the day before the month.
 */
export function regionalLocale(locale: string, preferred: readonly string[]): string {
  return preferred.find((tag) => tag.toLowerCase().split('-')[0] === locale.toLowerCase().split('-')[0]) ?? locale;
}

function currentLocale(): string {
  return regionalLocale(getLocale(), globalThis.navigator?.languages ?? []);
}

function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(
  key: string,
  make: (locale: string) => T
): T {
  const locale = currentLocale();
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

/** US cents as the reader writes dollars: 1050 → "$10.50". */
export function usd(cents: number): string {
  return cached('usd', (locale) => new Intl.NumberFormat(locale, { style: 'currency', currency: 'USD' })).format(cents / 100);
}

/** An amount in a currency's minor units as the reader writes it: 1513 JPY → "¥1,513". */
export function money(minor: number, currency: string): string {
  const format = cached(`money ${currency}`, (locale) => new Intl.NumberFormat(locale, { style: 'currency', currency }));
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
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

/** "Tomorrow at 14:05" for the days about `now`, else "Tue 4 Mar at 14:05". In the reader's time zone. */
export function dayAndTime(time: string, now: number = Date.now()): string {
  const days = calendarDays(new Date(now), new Date(time));
  const day =
    Math.abs(days) <= 1
      ? cached('relative', (locale) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })).format(days, 'day')
      : cached(
          'day',
          (locale) => new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short' })
        ).format(new Date(time));
  return m.day_at_time({ day: capitalized(day), time: timeOfDay(time) });
}

/** Midnights between two moments. A day with a clock change is not 24 hours long, so the dates are counted, not the hours. */
function calendarDays(from: Date, to: Date): number {
  const day = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
  return day(to) - day(from);
}

function capitalized(text: string): string {
  const [first = '', ...rest] = text;
  return first.toLocaleUpperCase(currentLocale()) + rest.join('');
}

export function monthAndYear(time: string): string {
  return cached('month', (locale) => new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric' })).format(
    new Date(time)
  );
}

/** The name of a country or language in the reader's own language, where the platform knows it. */
export function displayName(kind: 'region' | 'language', code: string): string {
  try {
    return new Intl.DisplayNames([currentLocale()], { type: kind }).of(code) ?? code;
  } catch {
    return code;
  }
}

/** What a `<input type="datetime-local">` holds for this moment, in local time. */
export function localDateTime(time: Date): string {
  const shifted = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
