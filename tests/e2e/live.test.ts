// The main path, as people walk it: one goes live, another watches, both talk.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';

import { Cluster, start_site } from '../lib/cluster.ts';
import { set_up } from '../lib/people.ts';
import { Publisher } from '../lib/publisher.ts';
import type { Site } from '../lib/server.ts';
import { until } from '../lib/until.ts';
import { ask, Browser, picture, screenshot, sign_up } from './browser.ts';

describe('going live, watching and talking', () => {
  let server: Site;
  let browser: Browser;
  let streamer: Page;
  let viewer: Page;
  let publisher: Publisher | undefined;
  let key: string;
  let stream_id: string;

  beforeAll(async () => {
    server = await start_site({ 'thumbnail-interval': '2s', 'reconnect-grace': '60s' });
    await set_up(server);
    browser = await Browser.open(server.url);
    [streamer, viewer] = [await browser.person(), await browser.person({ theme: 'light' })];
  });
  afterAll(async () => {
    await publisher?.kill();
    await browser?.close();
    await server?.remove();
  });

  const shown_key = async () => {
    const panel = streamer.getByText('Copy it now: it is shown only this once.');
    await panel.waitFor();
    await streamer.getByRole('button', { name: 'Show', exact: true }).click();
    const code = streamer.getByLabel('Stream key', { exact: true });
    await until('the key in clear', async () => (await code.textContent())?.startsWith('sk_'));
    return (await code.textContent())!.trim();
  };
  // The video goes on, and what it shows is a picture. Its time begins anew where it goes on at another node.
  const plays = async (page: Page, seconds = 1.5) => {
    let first = await until('a picture', async () => await picture(page));
    const later = await until('the video to go on', async () => {
      const now = await picture(page);
      if (now && now.time < first.time) first = now;
      return now && now.time > first.time + seconds ? now : undefined;
    });
    expect(later.brightness).toBeGreaterThan(20);
    expect(later.contrast).toBeGreaterThan(20);
    return later;
  };
  const say = async (page: Page, text: string) => {
    await page.getByLabel('Say something').fill(text);
    await page.getByLabel('Say something').press('Enter');
  };
  const hears = async (page: Page, text: string) =>
    await page.getByRole('region', { name: 'Chat', exact: true }).getByText(text, { exact: true }).waitFor();

  it('signs up on the page', async () => {
    await sign_up(streamer, 'grace', 'Grace');
    await sign_up(viewer, 'lin', 'Lin');
    browser.expect_no_faults();
  });

  it('gives the streamer an address and a key', async () => {
    await streamer.goto('/go-live');
    await streamer.getByRole('button', { name: 'Make stream key' }).click();
    key = await shown_key();
    expect(key).toMatch(/^sk_[A-Za-z0-9_-]{30,}$/);
    await streamer.getByText(`rtmp://localhost:${server.rtmp_port}/live`, { exact: true }).first().waitFor();
    ({ id: stream_id } = await ask<{ id: string }>(streamer, 'POST', '/streams', { title: 'A keyboard from scratch' }));
    browser.expect_no_faults();
  });

  it('shows the first picture to who waits within three seconds of the first keyframe', async () => {
    await viewer.goto(`/watch/${stream_id}`);
    await viewer.getByText('Waiting for the streamer').first().waitFor();
    publisher = new Publisher(server, key);
    const published_at = await publisher.first_frame();
    await until('the first picture', async () => await picture(viewer), { every_ms: 20 });
    const waited = (performance.now() - published_at) / 1000;
    console.log(`first picture ${waited.toFixed(2)} s after the first keyframe`);
    expect(waited).toBeLessThan(3);
    await plays(viewer);
    browser.expect_no_faults();
  });

  it('tells the streamer that they are on air, and how well', async () => {
    await streamer.getByText('Stream health').first().waitFor();
    await plays(streamer, 0.5);
    await screenshot(streamer, 'go-live-on-air-dark');
    browser.expect_no_faults();
  });

  it('carries what each says to the other', async () => {
    const streamer_watches = await streamer.context().newPage();
    await streamer_watches.goto(`/watch/${stream_id}`);
    await streamer_watches.getByLabel('Say something').waitFor();
    await say(viewer, 'What switches are these?');
    await hears(streamer_watches, 'What switches are these?');
    await hears(viewer, 'What switches are these?');
    await say(streamer_watches, 'Tactile ones, lubed.');
    await hears(viewer, 'Tactile ones, lubed.');
    await viewer.getByText('2 viewers').first().waitFor();
    await plays(streamer_watches, 0.5);
    await screenshot(viewer, 'watch-light');
    await screenshot(streamer_watches, 'watch-dark');
    await streamer_watches.close();
    browser.expect_no_faults();
  });

  it('is found on the home page by a guest, who may watch', async () => {
    const guest = await browser.person({ width: 390 });
    await guest.goto('/');
    await guest.getByRole('link', { name: /A keyboard from scratch/ }).first().click();
    await guest.waitForURL(`**/watch/${stream_id}`);
    await plays(guest, 0.5);
    await guest.getByRole('link', { name: 'Sign in to chat' }).waitFor();
    await screenshot(guest, 'watch-phone-dark');
    await guest.context().close();
    browser.expect_no_faults();
  });

  it('goes on for viewers where the publisher breaks off and returns', async () => {
    await publisher!.kill();
    await until('the server to notice', async () => {
      const { stream } = await ask<{ stream: any }>(streamer, 'GET', '/users/me/stream');
      return stream.ingest.connected === false;
    });
    publisher = new Publisher(server, key);
    await until('the server to have it back', async () => {
      const { stream } = await ask<{ stream: any }>(streamer, 'GET', '/users/me/stream');
      return stream.ingest.connected === true;
    });
    await plays(viewer, 3);
    expect(new URL(viewer.url()).pathname).toBe(`/watch/${stream_id}`);
    browser.expect_no_faults();
  });

  it('cuts the publisher off where the key is replaced on the page, and takes the new key', async () => {
    await streamer.bringToFront();
    await streamer.getByRole('button', { name: 'New key' }).first().click();
    await streamer.getByRole('dialog').getByRole('button', { name: 'New key' }).click();
    await publisher!.cut();
    const replaced = await until('another key', async () => {
      const text = (await streamer.getByLabel('Stream key', { exact: true }).textContent())?.trim();
      return text?.startsWith('sk_') && text !== key ? text : undefined;
    });
    publisher = new Publisher(server, replaced);
    await plays(viewer, 3);
    browser.expect_no_faults();
  });

  it('is served by every node', async () => {
    for (const node of server instanceof Cluster ? server.nodes : []) {
      const metrics = await (await fetch(node.metrics_url)).text();
      expect(metrics).toMatch(/^spaktok_http_requests_total\{[^}]*operation="get_live_file"[^}]*\} [1-9]/m);
    }
  });

  it('ends on the page, for everyone who watches', async () => {
    await streamer.getByRole('button', { name: 'End stream' }).first().click();
    await streamer.getByRole('dialog').getByRole('button', { name: 'End stream' }).click();
    await viewer.getByText('This stream has ended').first().waitFor();
    await viewer.getByText('The stream has ended, and its chat is closed.').waitFor();
    await publisher!.cut();
    await screenshot(viewer, 'watch-ended-light');
    browser.expect_no_faults();
  });
});
