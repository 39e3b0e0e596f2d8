import type { Message } from '$lib/api/types';

/** A message of one's own that the server has not acknowledged. */
export type Draft = {
  client_id: string;
  content: string;
  reply_to: string | null;
  state: 'sending' | 'failed';
  /** Why it failed, in words. */
  reason?: string;
};

/** One row of the list. The key of one's own message does not change when it is acknowledged: its row stays in the page. */
export type Row =
  /** `count`: of equal gifts of one sender that follow each other, told as one. */
  | { key: string; message: Message; count: number; draft?: undefined }
  | { key: string; draft: Draft; message?: undefined };

/** Equal gifts of one sender, no more than this apart, are one combo. */
const combo_ms = 5_000;

/**
 * Adds messages to a list that is ordered by `seq`: in their place, each once, whatever way they came (event, history page,
 * recovery, the answer to a send). A known message is replaced by its newer state. Returns the same array where nothing changed.
 */
export function mergeMessages(list: readonly Message[], incoming: readonly Message[]): readonly Message[] {
  let merged: Message[] | undefined;
  for (const message of incoming) {
    const current: readonly Message[] = merged ?? list;
    const index = lowerBound(current, message.seq);
    const known = current[index];
    if (known && known.seq === message.seq) {
      if (!isNewer(message, known)) continue;
      merged ??= [...list];
      merged[index] = message;
    } else {
      merged ??= [...list];
      merged.splice(index, 0, message);
    }
  }
  return merged ?? list;
}

/** Marks a message as deleted; its place stays, so that replies to it keep theirs. */
export function markDeleted(list: readonly Message[], message_id: string, deleted_at: string): readonly Message[] {
  const index = list.findIndex((message) => message.id === message_id);
  const message = list[index];
  if (!message || message.deleted_at) return list;
  const marked = [...list];
  marked[index] = { ...message, content: '', deleted_at };
  return marked;
}

/** Drafts that have become messages by now, by whatever way these came. */
export function withoutSent(drafts: readonly Draft[], messages: readonly Message[], user_id: string | undefined): readonly Draft[] {
  if (drafts.length === 0) return drafts;
  const sent = new Set<string>();
  for (const message of messages) {
    if (message.client_id && message.sender.id === user_id) sent.add(message.client_id);
  }
  const left = drafts.filter((draft) => !sent.has(draft.client_id));
  return left.length === drafts.length ? drafts : left;
}

/**
 * `sent_here` are the client_ids that this page made. Only those serve as keys: what other clients chose may be the same twice.
 */
export function rowsOf(messages: readonly Message[], drafts: readonly Draft[], sent_here: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  let last: Message | undefined;
  for (const message of messages) {
    const before = rows[rows.length - 1];
    if (last && before?.message && isSameGift(before.message, message) && gapOf(last, message) <= combo_ms) {
      rows[rows.length - 1] = { ...before, count: before.count + 1 };
    } else {
      const own = message.client_id !== null && sent_here.has(message.client_id);
      rows.push({ key: own ? message.client_id! : message.id, message, count: 1 });
    }
    last = message;
  }
  for (const draft of drafts) rows.push({ key: draft.client_id, draft });
  return rows;
}

/** The newest `max`; what was dropped can be loaded again as history. */
export function trimmed(list: readonly Message[], max: number): readonly Message[] {
  return list.length > max ? list.slice(list.length - max) : list;
}

function isSameGift(one: Message, other: Message): boolean {
  const is_gift = (message: Message) => message.message_type === 'gift' && message.deleted_at === null;
  return is_gift(one) && is_gift(other) && one.sender.id === other.sender.id && one.content === other.content;
}

function gapOf(one: Message, other: Message): number {
  return Date.parse(other.timestamp) - Date.parse(one.timestamp);
}

function isNewer(message: Message, known: Message): boolean {
  return (
    (message.deleted_at !== null && known.deleted_at === null) ||
    (message.edited_at ?? '') > (known.edited_at ?? '')
  );
}

/** The first index whose `seq` is not below the given one. Chats grow at their end: that is looked at first. */
function lowerBound(list: readonly Message[], seq: number): number {
  const last = list[list.length - 1];
  if (!last || last.seq < seq) return list.length;
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
