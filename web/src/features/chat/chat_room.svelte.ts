import { Problem, problemText } from '$lib/api/problem';
import type { Message } from '$lib/api/types';
import { connection } from '$lib/realtime/connection.svelte';
import type { TopicEvent } from '$lib/realtime/subscription';
import { randomUuid } from '$lib/uuid';
import { deleteMessage, listMessages, page_size_max } from './chat_api';
import { markDeleted, mergeMessages, rowsOf, trimmed, withoutSent } from './message_list';
import type { Draft, Row } from './message_list';

/** Kept in the page while someone follows the newest; scrolled up, nothing is dropped. */
const kept_max = 4_000;
/** How far back a message is looked for: 6,000 messages, more than are kept. */
const pages_back_max = 60;

/** One room's chat: its messages in their one order, and one's own on their way. */
export class ChatRoom {
  readonly room_id: string;
  problem = $state.raw<Problem | undefined>(undefined);
  loading = $state(true);
  loading_older = $state(false);
  ready = $state(false);

  readonly #sent_here = new Set<string>();
  #messages = $state.raw<readonly Message[]>([]);
  #drafts = $state.raw<readonly Draft[]>([]);
  #cursor = $state<string | null | undefined>(undefined);
  #by_id = $derived(new Map(this.#messages.map((message) => [message.id, message])));
  #rows = $derived(rowsOf(this.#messages, this.#drafts, this.#sent_here));
  #user_id: () => string | undefined;
  /** Events of one frame are shown together: a busy room costs one update a frame, not one a message. */
  #arrived: Message[] = [];
  #frame = 0;
  #follows_newest = true;
  /** Done once older pages that are on their way have come. */
  #reading: Promise<void> = Promise.resolve();
  #trimmed = false;

  constructor(room_id: string, user_id: () => string | undefined) {
    this.room_id = room_id;
    this.#user_id = user_id;
  }

  get rows(): Row[] {
    return this.#rows;
  }

  get has_older(): boolean {
    return this.ready && (typeof this.#cursor === 'string' || this.#trimmed);
  }

  message(id: string): Message | undefined {
    return this.#by_id.get(id);
  }

  open(): () => void {
    const leave = connection.subscribe(`room:${this.room_id}`, {
      on_event: (event) => this.#received(event),
      on_gap: () => void this.load()
    });
    void this.load();
    return () => {
      leave();
      cancelAnimationFrame(this.#frame);
    };
  }

  /** The newest page. After a gap it may not reach what is already here: then the list starts anew from it. */
  load = async (): Promise<void> => {
    this.loading = true;
    try {
      const page = await listMessages(this.room_id);
      const oldest = page.items[page.items.length - 1];
      const newest_here = this.#messages[this.#messages.length - 1];
      const touches = !newest_here || !oldest || !page.next_cursor || oldest.seq <= newest_here.seq;
      if (!touches) this.#messages = [];
      if (!touches || !this.ready) {
        this.#cursor = page.next_cursor;
        this.#trimmed = false;
      }
      this.#add(page.items);
      this.problem = undefined;
      this.ready = true;
    } catch (error) {
      this.problem = Problem.from(error);
    }
    this.loading = false;
  };

  /** One page further back than what is here. */
  load_older = async (): Promise<void> => {
    const before = this.#messages.length;
    await this.#back_until(() => this.#messages.length > before);
  };

  /** Loads back to a message that someone answered, and all between. False: it is further back than is worth loading, or gone. */
  async reach(message_id: string): Promise<boolean> {
    await this.#reading;
    let pages = 0;
    const arrived = () => this.message(message_id) !== undefined;
    if (!arrived()) await this.#back_until(() => arrived() || ++pages >= pages_back_max, page_size_max);
    return arrived();
  }

  #back_until(enough: () => boolean, limit?: number): Promise<void> {
    if (!this.loading_older && this.has_older) this.#reading = this.#read_back(enough, limit);
    return this.#reading;
  }

  async #read_back(enough: () => boolean, limit?: number): Promise<void> {
    this.loading_older = true;
    try {
      // What was trimmed lies between the list and its cursor: then pages are read again from the newest.
      let cursor = this.#trimmed ? undefined : (this.#cursor ?? undefined);
      do {
        const page = await listMessages(this.room_id, cursor, limit);
        cursor = page.next_cursor ?? undefined;
        this.#add(page.items);
      } while (cursor !== undefined && !enough());
      this.#cursor = cursor ?? null;
      this.#trimmed = false;
      this.problem = undefined;
    } catch (error) {
      this.problem = Problem.from(error);
    }
    this.loading_older = false;
  }

  /** The view says whether it shows the newest; only then may old ones be dropped. */
  set follows_newest(follows: boolean) {
    this.#follows_newest = follows;
  }

  send(content: string, reply_to: string | null): void {
    const draft: Draft = { client_id: randomUuid(), content, reply_to, state: 'sending' };
    this.#sent_here.add(draft.client_id);
    this.#drafts = [...this.#drafts, draft];
    void this.#deliver(draft);
  }

  /** Again with the same client_id: if the first did arrive after all, it stays one message. */
  send_again(client_id: string): void {
    const draft = this.#drafts.find((other) => other.client_id === client_id);
    if (!draft || draft.state !== 'failed') return;
    const again: Draft = { ...draft, state: 'sending', reason: undefined };
    this.#replace(again);
    void this.#deliver(again);
  }

  discard(client_id: string): void {
    this.#drafts = this.#drafts.filter((draft) => draft.client_id !== client_id);
  }

  async delete(message_id: string): Promise<void> {
    await deleteMessage(this.room_id, message_id);
    this.#messages = markDeleted(this.#messages, message_id, new Date().toISOString());
  }

  async #deliver(draft: Draft): Promise<void> {
    try {
      const result = await connection.request<{ message?: Message } | Message>('chat.send', {
        room_id: this.room_id,
        client_id: draft.client_id,
        content: draft.content,
        ...(draft.reply_to ? { reply_to: draft.reply_to } : {})
      });
      const message = 'content' in result ? result : result.message;
      if (message) this.#add([message]);
      this.discard(draft.client_id);
    } catch (error) {
      const problem = Problem.from(error);
      this.#replace({ ...draft, state: 'failed', reason: problemText(problem) });
    }
  }

  #replace(draft: Draft): void {
    this.#drafts = this.#drafts.map((other) => (other.client_id === draft.client_id ? draft : other));
  }

  #received({ event, data }: TopicEvent): void {
    if (event === 'message.created' || event === 'message.updated') {
      const message = messageIn(data);
      if (!message) return;
      this.#arrived.push(message);
      // A hidden tab has no frames; what arrives there must not pile up unsorted.
      if (document.hidden) this.#show_arrived();
      else this.#frame ||= requestAnimationFrame(() => this.#show_arrived());
    } else if (event === 'message.deleted') {
      this.#show_arrived();
      const deleted = data as { message_id?: string; id?: string; deleted_at?: string } | null;
      const id = deleted?.message_id ?? deleted?.id;
      if (id) this.#messages = markDeleted(this.#messages, id, deleted?.deleted_at ?? new Date().toISOString());
    }
  }

  #show_arrived(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const arrived = this.#arrived;
    this.#arrived = [];
    if (arrived.length > 0) this.#add(arrived);
  }

  #add(messages: readonly Message[]): void {
    const merged = mergeMessages(this.#messages, messages);
    const kept = this.#follows_newest && !this.loading_older ? trimmed(merged, kept_max) : merged;
    if (kept !== merged) this.#trimmed = true;
    this.#messages = kept;
    this.#drafts = withoutSent(this.#drafts, messages, this.#user_id());
  }
}

function messageIn(data: unknown): Message | undefined {
  const message = (data as { message?: unknown } | null)?.message ?? data;
  return typeof message === 'object' && message !== null && 'seq' in message && 'sender' in message
    ? (message as Message)
    : undefined;
}
