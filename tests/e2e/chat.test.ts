// Chats that are longer than a page of their history.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { start_site } from '../lib/cluster.ts';
import { new_stream, type Person, set_up } from '../lib/people.ts';
import type { Site } from '../lib/server.ts';
import { type Message, Socket } from '../lib/socket.ts';
import { Browser } from './browser.ts';

const page_length = 50;

describe('a long chat', () => {
  let server: Site;
  let browser: Browser;
  let host: Person;
  let room_id: string;

  // On a connection of their own: so many at once are allowed to each.
  const say = async (texts: string[], more = {}) => {
    const socket = await Socket.open(host);
    const messages: Message[] = [];
    for (const text of texts) messages.push(await socket.send(room_id, text, more));
    await socket.close();
    return messages;
  };

  beforeAll(async () => {
    server = await start_site();
    host = await set_up(server);
    ({ id: room_id } = await new_stream(host));
    const [first] = await say(['The very first words']);
    for (let page = 0; page < 4; page += 1) await say(Array.from({ length: page_length }, (_, line) => `Page ${page}, line ${line}`));
    await say(['An answer to the first'], { reply_to: first!.id });
    browser = await Browser.open(server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.remove();
  });

  it('leads from an answer to the message that it answers, though that was not loaded', async () => {
    const page = await browser.person();
    await page.goto(`/watch/${room_id}`);
    const chat = page.getByRole('region', { name: 'Chat', exact: true });
    await chat.getByText('An answer to the first', { exact: true }).waitFor();
    await chat.getByRole('button', { name: 'an earlier message' }).click();
    await chat.getByText('The very first words', { exact: true }).waitFor();
    await expect.poll(() => chat.getByText('The very first words', { exact: true }).evaluate((words) => {
      const [own, list] = [words.getBoundingClientRect(), words.closest('[role="log"]')!.getBoundingClientRect()];
      return own.top >= list.top && own.bottom <= list.bottom;
    })).toBe(true);
    await page.getByRole('button', { name: 'To the newest' }).click();
    await chat.getByText('An answer to the first', { exact: true }).waitFor();
    await page.context().close();
    browser.expect_no_faults();
  });
});
