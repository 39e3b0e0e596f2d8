// Every screen, in both themes: usable with a screen reader as far as axe can tell, and with the keyboard alone.
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { new_stream_key, type Person, set_up, sign_in } from '../lib/people.ts';
import { Publisher } from '../lib/publisher.ts';
import { Server } from '../lib/server.ts';
import { Socket } from '../lib/socket.ts';
import { until } from '../lib/until.ts';
import { ok } from '../lib/visitor.ts';
import { Browser, password, picture, screenshot, sign_up, type Theme } from './browser.ts';

async function serious_findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return await page.evaluate(async () => {
    const run = (globalThis as any).axe.run as (root: Document, options: object) => Promise<any>;
    const { violations } = await run(document, { resultTypes: ['violations'] });
    return violations
      .filter(({ impact }: any) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }: any) => nodes.map((node: any) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
  });
}

describe('the screens', () => {
  let server: Server;
  let browser: Browser;
  let host: Person;
  let publisher: Publisher;
  let stream_id: string;

  beforeAll(async () => {
    server = await Server.start({ settings: { 'thumbnail-interval': '2s' } });
    host = await set_up(server);
    publisher = new Publisher(server, await new_stream_key(host));
    const stream = await until('on air, with a thumbnail', async () => {
      const { stream: now } = ok(await host.api.GET('/api/v1/users/me/stream'));
      return now?.status === 'live' && now.thumbnail_url ? now : undefined;
    });
    stream_id = stream.id;
    ok(await host.api.POST('/api/v1/streams', { body: { title: 'Next week', scheduled_for: new Date(Date.now() + 7 * 86_400_000).toISOString() } }));
    const socket = await Socket.open(host);
    for (const text of ['Hello', 'A longer message, with a link https://example.org/ and a @mention', 'Bye']) await socket.send(stream_id, text);
    await socket.close();
    browser = await Browser.open(server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await publisher?.kill();
    await server?.remove();
  });

  const settled = async (page: Page) => {
    await page.getByRole('main').waitFor();
    await until('what was loading', async () => (await page.locator('[aria-busy="true"], .skeleton').count()) === 0);
  };
  // Gathered over all screens of a test, so that one run says everything that is to be done.
  const look_at = async (page: Page, name: string, theme: Theme): Promise<string[]> => {
    await settled(page);
    await screenshot(page, `${name}-${theme}`);
    return (await serious_findings(page)).map((finding) => `${name}: ${finding}`);
  };
  const screens: [string, string][] = [
    ['home', '/'],
    ['explore-live', '/explore'],
    ['explore-scheduled', '/explore?status=scheduled'],
    ['explore-ended', '/explore?status=ended'],
    ['following', '/following'],
    ['watch', '/watch/{stream}'],
    ['profile', '/@ada'],
    ['profile-about', '/@ada/about'],
    ['profile-followers', '/@ada/followers'],
    ['go-live', '/go-live'],
  ];
  const of_guests: [string, string][] = [
    ['sign-up', '/signup'],
    ['sign-in', '/signin'],
  ];
  const of_members: [string, string][] = [
    ['settings-profile', '/settings'],
    ['settings-appearance', '/settings/appearance'],
    ['settings-security', '/settings/security'],
  ];
  const missing: [string, string][] = [
    ['missing-page', '/no/such/page'],
    ['missing-profile', '/@nobody_at_all'],
    ['missing-stream', '/watch/00000000-0000-7000-8000-000000000000'],
  ];

  // Between them every screen is seen in both themes and at both widths.
  const looks: [Theme, number, string][] = [
    ['dark', 1440, ''],
    ['light', 390, 'phone-'],
  ];
  it.each(looks)('have no serious findings for a guest, %s, %i wide', async (theme, width, tag) => {
    const page = await browser.person({ theme, width });
    const findings: string[] = [];
    for (const [name, path] of [...screens, ...of_guests]) {
      await page.goto(path.replace('{stream}', stream_id));
      findings.push(...(await look_at(page, `${tag}guest-${name}`, theme)));
    }
    browser.expect_no_faults();
    for (const [name, path] of missing) {
      await page.goto(path);
      findings.push(...(await look_at(page, `${tag}${name}`, theme)));
    }
    // The browser itself says that what was asked for is not there.
    browser.allow(/status of 404/);
    await page.context().close();
    browser.expect_no_faults();
    expect(findings).toEqual([]);
  });

  const member_looks: [Theme, number, string][] = [
    ['light', 1440, ''],
    ['dark', 390, 'phone-'],
  ];
  it.each(member_looks)('have no serious findings for a member, %s, %i wide', async (theme, width, tag) => {
    const page = await browser.person({ theme, width });
    await sign_up(page, `member_${theme}`, 'A member');
    const findings: string[] = [];
    for (const [name, path] of [...screens, ...of_members]) {
      await page.goto(path.replace('{stream}', stream_id));
      findings.push(...(await look_at(page, `${tag}member-${name}`, theme)));
    }
    await page.context().close();
    browser.expect_no_faults();
    expect(findings).toEqual([]);
  });

  it('let someone sign up, find the stream and talk with the keyboard alone', async () => {
    const page = await browser.person();
    await page.goto('/');
    await settled(page);
    await tab_to(page, 'link', /^Sign up$/);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/signup*');
    for (const [name, text] of [['username', 'keyboard_only'], ['display_name', 'Keys'], ['email', 'keys@example.org'], ['password', password]] as const) {
      await tab_to(page, 'input', new RegExp(`^${name}$`));
      await page.keyboard.type(text);
    }
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.pathname === '/');
    await settled(page);
    await tab_to(page, 'link', /ada live|A stream|Watch/i);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/watch/${stream_id}`);
    await until('a picture', async () => await picture(page));
    await tab_to(page, 'textarea', /^Say something$/);
    await page.keyboard.type('No mouse here.');
    await page.keyboard.press('Enter');
    const listener = await sign_in(server, 'ada');
    await until('the message', async () => {
      const path = { room_id: stream_id };
      const { items } = ok(await listener.api.GET('/api/v1/rooms/{room_id}/messages', { params: { path } }));
      return items.some(({ content, sender }) => content === 'No mouse here.' && sender.username === 'keyboard_only');
    });
    await page.context().close();
    browser.expect_no_faults();
  });
});

// Presses Tab until what has the focus is of that kind and has that name.
async function tab_to(page: Page, kind: 'link' | 'input' | 'textarea', name: RegExp): Promise<void> {
  const seen: string[] = [];
  for (let press = 0; press < 80; press += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element) return undefined;
      const words = element.getAttribute('aria-label') ?? element.getAttribute('name') ?? element.textContent ?? '';
      return { tag: element.tagName.toLowerCase(), name: words.trim().replace(/\s+/g, ' ') };
    });
    if (!focused) continue;
    seen.push(`${focused.tag} ${focused.name}`);
    if (focused.tag === (kind === 'link' ? 'a' : kind) && name.test(focused.name)) return;
  }
  throw new Error(`the keyboard did not get to ${kind} ${name}:\n${seen.join('\n')}`);
}
