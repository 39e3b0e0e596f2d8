// What a new server asks of people who have read nothing but its pages: to set it up, sign up, go live with the command that the
// page shows, watch and talk.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';

import { start_site } from '../lib/cluster.ts';
import { Program } from '../lib/program.ts';
import type { Site } from '../lib/server.ts';
import { until } from '../lib/until.ts';
import { Browser, password, picture, screenshot, sign_up } from './browser.ts';

describe('a new server', () => {
  let server: Site;
  let browser: Browser;
  let admin: Page;
  let streamer: Page;
  let ffmpeg: Program | undefined;

  beforeAll(async () => {
    server = await start_site();
    browser = await Browser.open(server.url);
    [admin, streamer] = [await browser.person(), await browser.person({ theme: 'light' })];
  });
  afterAll(async () => {
    await ffmpeg?.kill();
    await browser?.close();
    await server?.remove();
  });

  it('tells who comes before its administrator what is missing', async () => {
    const guest = await browser.person();
    await guest.goto('/');
    await guest.getByText('This server has no administrator yet').waitFor();
    await guest.goto('/signup');
    await guest.getByText('This server has no administrator yet').waitFor();
    await guest.context().close();
    browser.expect_no_faults();
  });

  it('is set up with the link that it printed, and says at once that a name is reserved', async () => {
    const link = await server.setup_link();
    await admin.goto(link.pathname + link.search);
    await admin.getByLabel('Username').fill('Admin');
    await admin.getByText('This name is kept for the server. Choose another one.').waitFor();
    await admin.getByLabel('Username').fill('ada');
    await admin.getByText('This name is kept for the server.').waitFor({ state: 'detached' });
    await admin.getByLabel('Email').fill('ada@example.org');
    await admin.getByLabel('Password', { exact: true }).fill(password);
    await admin.getByRole('button', { name: 'Create administrator' }).click();
    await admin.getByRole('button', { name: 'Your menu' }).waitFor();
    expect(new URL(admin.url()).searchParams.has('token')).toBe(false);
    browser.expect_no_faults();
  });

  it('is live with the command that the page shows, key and all', async () => {
    await sign_up(streamer, 'grace', 'Grace');
    await streamer.getByRole('banner').getByRole('link', { name: 'Go live' }).click();
    await streamer.getByRole('button', { name: 'Make stream key' }).click();
    await streamer.getByRole('tab', { name: 'ffmpeg' }).click();
    const command = streamer.getByLabel('A moving test picture with a tone', { exact: true });
    expect(await command.textContent()).not.toContain('sk_');
    await streamer.getByRole('tabpanel').getByRole('button', { name: 'Show', exact: true }).first().click();
    ffmpeg = new Program('sh', ['-c', `exec ${await command.textContent()}`]);
    await until('the preview', async () => await picture(streamer));
    await streamer.getByText('You are on air.').waitFor();
    await streamer.getByText('Stream health').waitFor();
    await screenshot(streamer, 'stranger-on-air-light');
    browser.expect_no_faults();
  });

  it('shows the stream to the other, and they talk', async () => {
    await admin.goto('/');
    await admin.getByRole('main').getByRole('link', { name: /Grace|Watch now/ }).last().click();
    await admin.waitForURL('**/watch/*');
    await until('a picture', async () => await picture(admin));
    await admin.getByLabel('Say something').fill('It works!');
    await admin.getByLabel('Say something').press('Enter');
    await streamer.getByRole('region', { name: 'Chat', exact: true }).getByText('It works!', { exact: true }).waitFor();
    await screenshot(admin, 'stranger-watches-dark');
    browser.expect_no_faults();
  });
});
