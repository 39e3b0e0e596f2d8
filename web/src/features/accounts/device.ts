import { m } from '$lib/paraglide/messages.js';

const browsers: [RegExp, string][] = [
  [/\bEdgA?\//, 'Edge'],
  [/\b(OPR|Opera)\//, 'Opera'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\b(HeadlessChrome|Chrome|Chromium|CriOS)\//, 'Chrome'],
  [/\bSafari\//, 'Safari']
];
const systems: [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux']
];

/** "Firefox on Linux"; what is no browser says its own first word ("curl/8.5"). */
export function deviceName(user_agent: string): string {
  const browser = browsers.find(([pattern]) => pattern.test(user_agent))?.[1];
  const system = systems.find(([pattern]) => pattern.test(user_agent))?.[1];
  if (browser && system) return m.browser_on_system({ browser, system });
  return browser ?? (user_agent.trim().split(/\s+/)[0] || m.unknown_device());
}

export function isPhone(user_agent: string): boolean {
  return /\b(iPhone|Android.+Mobile)\b/.test(user_agent);
}
