import { describe, expect, it } from 'vitest';
import { banners_max, combo_ms, GiftQueue, scene_ms } from './gift_queue';
import type { GiftSent } from './gifts_api';
import { tierOf } from './tiers';

let number = 0;
function sent(sender: string, price = 50, count = 1): GiftSent {
  const user = { id: sender, username: sender, display_name: sender, profile_picture_url: null };
  const gift = {
    id: `gift of ${price}`,
    name: 'Gift',
    price,
    image_url: '/gifts/rose.svg',
    animation: null,
    is_active: true,
    sort_order: 0
  };
  const transaction_id = String(++number);
  return { transaction_id, sender: user, gift, amount: price, count, total: price * count, created_at: '' };
}
const shown = (queue: GiftQueue) => queue.banners.map((banner) => `${banner.sender.id} ${banner.count}`);

describe('the queue of gifts', () => {
  it('makes a combo of equal gifts of one sender that come within five seconds', () => {
    const queue = new GiftQueue();
    queue.add(sent('ada'), 0);
    queue.add(sent('ada', 50, 2), combo_ms);
    queue.add(sent('bob'), combo_ms);
    queue.add(sent('ada', 100), combo_ms);
    expect(shown(queue)).toEqual(['ada 3', 'bob 1', 'ada 1']);
    expect(queue.banners[0]!.total).toBe(150);
  });

  it('begins a new one after five seconds', () => {
    const queue = new GiftQueue();
    queue.add(sent('ada', 30_000), 0);
    queue.add(sent('ada', 30_000), combo_ms + 1);
    expect(shown(queue)).toEqual(['ada 1', 'ada 1']);
  });

  it('shows a repeated event once', () => {
    const queue = new GiftQueue();
    const gift = sent('ada');
    queue.add(gift, 0);
    queue.add(gift, 10);
    expect(shown(queue)).toEqual(['ada 1']);
  });

  it('shows a few at a time, the others after them in their order', () => {
    const queue = new GiftQueue();
    for (const sender of ['a', 'b', 'c', 'd', 'e']) queue.add(sent(sender), 0);
    expect(shown(queue)).toEqual(['a 1', 'b 1', 'c 1']);
    expect(queue.banners).toHaveLength(banners_max);
    const end = queue.step(0)!;
    queue.step(end - 1);
    expect(shown(queue)).toEqual(['a 1', 'b 1', 'c 1']);
    queue.step(end);
    expect(shown(queue)).toEqual(['d 1', 'e 1']);
    queue.step(2 * end);
    expect(shown(queue)).toEqual([]);
    expect(queue.step(2 * end)).toBeUndefined();
  });

  it('plays one scene at a time, none for small gifts', () => {
    const queue = new GiftQueue();
    queue.add(sent('ada'), 0);
    expect(queue.scene).toBeUndefined();
    queue.add(sent('ada', 500), 0);
    queue.add(sent('bob', 50_000), 0);
    expect(queue.scene).toMatchObject({ tier: 'medium' });
    queue.step(scene_ms.medium);
    expect(queue.scene).toMatchObject({ tier: 'legendary', until: scene_ms.medium + scene_ms.legendary });
    queue.step(scene_ms.medium + scene_ms.legendary);
    expect(queue.scene).toBeUndefined();
  });

  it('drops the smallest of too many, never the largest', () => {
    const queue = new GiftQueue();
    for (let i = 0; i < 200; ++i) queue.add(sent(`small ${i}`, 500), 0);
    queue.add(sent('whale', 50_000), 0);
    for (let i = 0; i < 200; ++i) queue.add(sent(`more ${i}`, 500), 0);
    let now = 0;
    const senders: string[] = [];
    const scenes = new Set<string>();
    for (let next: number | undefined = 0; next !== undefined; next = queue.step(now)) {
      now = next;
      senders.push(...queue.banners.map((banner) => banner.sender.id));
      if (queue.scene) scenes.add(queue.scene.sender.id);
    }
    expect(new Set(senders).size).toBeLessThan(50);
    expect(senders).toContain('whale');
    expect(scenes).toContain('whale');
    expect(scenes.size).toBeLessThan(12);
  });
});

describe('a tier', () => {
  it('is what the catalogue says, else what the price is worth', () => {
    expect(tierOf({ animation: 'legendary', price: 1 })).toBe('legendary');
    expect([199, 200, 1_999, 2_000, 19_999, 20_000].map((price) => tierOf({ animation: 'rain', price }))).toEqual([
      'small',
      'medium',
      'medium',
      'large',
      'large',
      'legendary'
    ]);
  });
});
