import { describe, expect, it, vi } from 'vitest';
import { listScheduledOf } from './streams_api';

type Listed = { id: string; status: string; scheduled_for: string | null };
const pages = vi.hoisted(() => [] as Listed[][]);

vi.mock('$lib/api/client', () => ({
  answered: (answer: unknown) => answer,
  api: {
    GET: async (_path: string, { params }: { params: { query: { cursor?: string } } }) => {
      const index = Number(params.query.cursor ?? 0);
      return { items: pages[index], next_cursor: index + 1 < pages.length ? String(index + 1) : null };
    }
  }
}));

const scheduled = (id: string, day: number): Listed => ({ id, status: 'scheduled', scheduled_for: `2026-03-${10 + day}T12:00:00Z` });
const ended = (id: string): Listed => ({ id, status: 'ended', scheduled_for: null });

describe('listScheduledOf', () => {
  it('finds what lies on later pages behind streams that have ended, the soonest first', async () => {
    pages.splice(0, pages.length, [scheduled('late', 3), ended('one')], [ended('two')], [scheduled('soon', 1)]);
    expect((await listScheduledOf('ada')).map(({ id }) => id)).toEqual(['soon', 'late']);
  });

  it('reads no page more once all that there may be are found', async () => {
    const twenty = Array.from({ length: 20 }, (_, index) => scheduled(`of ${index}`, index % 9));
    pages.splice(0, pages.length, twenty, [scheduled('beyond', 1)]);
    expect(await listScheduledOf('ada')).toHaveLength(20);
  });
});
