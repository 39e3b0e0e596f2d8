// A browser with several people in it: each has cookies and storage of their own. What no page may do is collected.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { type Browser as Chromium, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

import { patience_ms } from '../lib/until.ts';

const screenshots = path.join(path.dirname(fileURLToPath(import.meta.url)), 'screenshots');
const executable = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--autoplay-policy=no-user-gesture-required',
];

export type Theme = 'dark' | 'light';

export interface PersonOptions {
  theme?: Theme;
  width?: number;
}

export class Browser {
  private readonly faults: string[] = [];
  private readonly allowed: RegExp[] = [];

  private constructor(
    private readonly chromium: Chromium,
    readonly origin: string,
  ) {}

  static async open(origin: string): Promise<Browser> {
    return new Browser(await chromium.launch({ executablePath: executable, args: flags }), origin);
  }

  async person({ theme = 'dark', width = 1440 }: PersonOptions = {}): Promise<Page> {
    const phone = width < 600;
    const context = await this.chromium.newContext({
      baseURL: this.origin,
      colorScheme: theme,
      reducedMotion: 'reduce',
      locale: 'en-GB',
      viewport: { width, height: phone ? 844 : 900 },
      hasTouch: phone,
    });
    context.setDefaultTimeout(patience_ms);
    this.watch(context);
    return await context.newPage();
  }

  // A console error that belongs to what a test does: a page that is not there, a server that is gone.
  allow(pattern: RegExp): void {
    this.allowed.push(pattern);
  }

  // Fails where a page wrote an error to its console, threw one, or asked another host for something.
  expect_no_faults(): void {
    const faults = this.faults.splice(0).filter((fault) => !this.allowed.some((pattern) => pattern.test(fault)));
    this.allowed.splice(0);
    expect(faults).toEqual([]);
  }

  async close(): Promise<void> {
    await this.chromium.close();
  }

  private watch(context: BrowserContext): void {
    context.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(`console: ${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (error) => this.faults.push(`thrown: ${error.error().stack ?? error.error().message}`));
    context.on('request', (request) => {
      const url = new URL(request.url());
      if (/^(https?|wss?):$/.test(url.protocol) && url.host !== new URL(this.origin).host) {
        this.faults.push(`asked another host: ${request.url()}`);
      }
    });
  }
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

export const password = 'correct horse battery';

export async function sign_up(page: Page, username: string, display_name: string): Promise<void> {
  await page.goto('/signup');
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Display name').fill(display_name);
  await page.getByLabel('Email').fill(`${username}@example.org`);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Sign up' }).click();
  await page.waitForURL((url) => url.pathname === '/');
  await page.getByRole('button', { name: 'Your menu' }).waitFor();
}

// Asks the API as the page does, with its cookie and its origin.
export async function ask<T>(page: Page, method: string, path: string, body?: object): Promise<T> {
  return await page.evaluate(
    async ({ method, path, body }) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`/api/v1${path}`, { method, ...(body ? { headers, body: JSON.stringify(body) } : {}) });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    { method, path, body },
  );
}

export interface Picture {
  time: number;
  // Of what is shown, 0 to 255; a black picture has neither.
  brightness: number;
  contrast: number;
}

// What the page's video shows now; undefined where it shows nothing yet.
export async function picture(page: Page): Promise<Picture | undefined> {
  return await page.evaluate(() => {
    const video = document.querySelector('video');
    if (!video || video.readyState < 2 || video.videoWidth === 0) return undefined;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 36];
    const context = canvas.getContext('2d')!;
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let [sum, squares] = [0, 0];
    for (let i = 0; i < data.length; i += 4) {
      const value = (data[i]! + data[i + 1]! + data[i + 2]!) / 3;
      sum += value;
      squares += value * value;
    }
    const count = data.length / 4;
    const brightness = sum / count;
    return { time: video.currentTime, brightness, contrast: Math.sqrt(squares / count - brightness * brightness) };
  });
}
