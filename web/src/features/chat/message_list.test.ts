import { describe, expect, it } from 'vitest';
import type { Message } from '$lib/api/types';
import { mentions, partsOf } from './content';
import { markDeleted, mergeMessages, rowsOf, trimmed, withoutSent } from './message_list';
import type { Draft } from './message_list';

function message(seq: number, changes: Partial<Message> = {}): Message {
  return {
    id: seq.toString(16).padStart(24, '0'),
    room_id: 'r',
    sender: { id: 'u1', username: 'ada', display_name: 'Ada', profile_picture_url: null },
    message_type: 'text',
    content: `message ${seq}`,
    timestamp: '2026-01-31T08:09:10.123Z',
    seq,
    client_id: null,
    reply_to: null,
    edited_at: null,
    deleted_at: null,
    ...changes
  };
}
const seqs = (list: readonly Message[]) => list.map(({ seq }) => seq);
const draft = (client_id: string): Draft => ({ client_id, content: 'x', reply_to: null, state: 'sending' });

describe('mergeMessages', () => {
  it.each<[string, number[], number[], number[]]>([
    ['appends what is newer', [1, 2], [3, 4], [1, 2, 3, 4]],
    ['puts a history page before', [5, 6], [4, 3, 2], [2, 3, 4, 5, 6]],
    ['fills holes', [1, 5], [3], [1, 3, 5]],
    ['takes each once', [1, 2, 3], [2, 3, 4], [1, 2, 3, 4]],
    ['sorts what comes into an empty list', [], [3, 1, 2], [1, 2, 3]]
  ])('%s', (_name, before, incoming, after) => {
    expect(seqs(mergeMessages(before.map((seq) => message(seq)), incoming.map((seq) => message(seq))))).toEqual(after);
  });

  it('ends in the same list whatever the order of arrival', () => {
    const all = Array.from({ length: 200 }, (_, index) => message(index * 3 + 1));
    // A fixed shuffle: each step by a number that shares no factor with the length.
    const shuffled = all.map((_, index) => all[(index * 73) % all.length]!);
    let list: readonly Message[] = [];
    for (let index = 0; index < shuffled.length; index += 7) list = mergeMessages(list, shuffled.slice(index, index + 11));
    expect(seqs(list)).toEqual(seqs(all));
  });

  it('returns the same array where nothing changed, so that nothing is drawn again', () => {
    const list = [message(1), message(2)];
    expect(mergeMessages(list, [message(2)])).toBe(list);
    expect(mergeMessages(list, [])).toBe(list);
  });

  it('takes the newer state of a known message, and never an older one', () => {
    const deleted = message(1, { content: '', deleted_at: '2026-01-31T09:00:00.000Z' });
    expect(mergeMessages([message(1)], [deleted])[0]!.deleted_at).not.toBeNull();
    expect(mergeMessages([deleted], [message(1)])[0]!.deleted_at).not.toBeNull();
  });
});

describe('markDeleted', () => {
  it('empties the message and keeps its place', () => {
    const list = markDeleted([message(1), message(2)], message(1).id, '2026-01-31T09:00:00.000Z');
    expect(list[0]).toMatchObject({ seq: 1, content: '', deleted_at: '2026-01-31T09:00:00.000Z' });
  });

  it('changes nothing for a message that is not here or is deleted already', () => {
    const list = [message(1, { deleted_at: '2026-01-31T09:00:00.000Z' })];
    expect(markDeleted(list, 'unknown', 'now')).toBe(list);
    expect(markDeleted(list, message(1).id, 'now')).toBe(list);
  });
});

describe('drafts', () => {
  it('go once their message has come, by whatever way', () => {
    const drafts = [draft('a'), draft('b')];
    expect(withoutSent(drafts, [message(1, { client_id: 'a' })], 'u1')).toEqual([draft('b')]);
  });

  it("stay when somebody else's message has the same client_id", () => {
    const drafts = [draft('a')];
    expect(withoutSent(drafts, [message(1, { client_id: 'a' })], 'u2')).toBe(drafts);
  });

  it('keep their key when they become messages', () => {
    const sent_here = new Set(['a']);
    const before = rowsOf([message(1)], [draft('a')], sent_here);
    const after = rowsOf([message(1), message(2, { client_id: 'a' })], [], sent_here);
    expect(after[1]!.key).toBe(before[1]!.key);
  });

  it('have keys that no other client can take', () => {
    const rows = rowsOf([message(1, { client_id: 'z' }), message(2, { client_id: 'z' })], [], new Set());
    expect(new Set(rows.map(({ key }) => key)).size).toBe(2);
  });
});

describe('trimmed', () => {
  it('keeps the newest', () => {
    expect(seqs(trimmed([message(1), message(2), message(3)], 2))).toEqual([2, 3]);
  });
  it('returns the same array at the limit', () => {
    const list = [message(1), message(2)];
    expect(trimmed(list, 2)).toBe(list);
  });
});

describe('partsOf', () => {
  it.each([
    ['plain text', 'hello', ['text:hello']],
    ['a mention', 'hi @Ada!', ['text:hi ', 'mention:@Ada', 'text:!']],
    ['no mention within a word or an address', 'a@ada.org x@bob', ['text:a@ada.org x@bob']],
    ['a link without the full stop after it', 'see https://a.example/x.', ['text:see ', 'link:https://a.example/x', 'text:.']],
    ['no link of another scheme', 'javascript:alert(1)', ['text:javascript:alert(1)']]
  ])('%s', (_name, content, expected) => {
    expect(partsOf(content).map(({ kind, text }) => `${kind}:${text}`)).toEqual(expected);
  });

  it('loses no letter', () => {
    const content = '@ada @bob_1 (https://x.example), http://y.example/?q=@ada!\n@';
    expect(partsOf(content).map(({ text }) => text).join('')).toBe(content);
  });
});

describe('mentions', () => {
  it('looks at whole names without regard to case', () => {
    expect(mentions('hello @ADA', 'ada')).toBe(true);
    expect(mentions('hello @adamant', 'ada')).toBe(false);
    expect(mentions('hello @ada', undefined)).toBe(false);
  });
});
