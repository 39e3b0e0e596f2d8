import type { GiftSent } from './gifts_api';
import { tierOf } from './tiers';
import type { Tier } from './tiers';

/** Equal gifts of one sender, no more than this apart, are one combo. */
export const combo_ms = 5_000;
/** Beside each other on the picture; more would hide it. */
export const banners_max = 3;
/** What waits beyond this is only counted: the smallest goes first. */
const waiting_max = 40;
const scenes_max = 8;
const remembered_max = 1_000;

const banner_ms: Record<Tier, number> = { small: 3_500, medium: 4_500, large: 6_000, legendary: 8_000 };
export const scene_ms: Record<Tier, number> = { small: 0, medium: 2_600, large: 4_200, legendary: 6_000 };

export type Banner = {
  key: string;
  sender: GiftSent['sender'];
  gift: GiftSent['gift'];
  tier: Tier;
  count: number;
  total: number;
  /** When the last of the combo came, and until when it is shown. In milliseconds. */
  last: number;
  until: number;
};
/** An animation over the picture. */
export type Scene = { key: string; sender: GiftSent['sender']; gift: GiftSent['gift']; tier: Tier; until: number };

/** What is shown of gifts, and what waits: a few at a time, however many come. Knows no clock of its own. */
export class GiftQueue {
  banners: readonly Banner[] = [];
  scene: Scene | undefined;

  #waiting: Banner[] = [];
  #scenes: Scene[] = [];
  #seen = new Set<string>();

  /** A gift that came before (a repeated event) changes nothing. */
  add(sent: GiftSent, now: number): void {
    if (this.#seen.has(sent.transaction_id)) return;
    this.#remember(sent.transaction_id);
    const tier = tierOf(sent.gift);
    if (!this.#extend(sent, now)) {
      const { sender, gift, count, total } = sent;
      this.#waiting.push({ key: sent.transaction_id, sender, gift, tier, count, total, last: now, until: 0 });
      dropSmallest(this.#waiting, waiting_max);
    }
    if (scene_ms[tier] > 0) {
      this.#scenes.push({ key: sent.transaction_id, sender: sent.sender, gift: sent.gift, tier, until: 0 });
      dropSmallest(this.#scenes, scenes_max);
    }
    this.step(now);
  }

  /** Takes away what has been shown for long enough and shows what waits. Returns when to call it again; undefined: not until something comes. */
  step(now: number): number | undefined {
    const kept = this.banners.filter((banner) => banner.until > now);
    while (kept.length < banners_max && this.#waiting.length > 0) {
      const next = this.#waiting.shift()!;
      kept.push({ ...next, until: now + banner_ms[next.tier] });
    }
    this.banners = kept;
    if (this.scene && this.scene.until <= now) this.scene = undefined;
    const next = this.scene ? undefined : this.#scenes.shift();
    if (next) this.scene = { ...next, until: now + scene_ms[next.tier] };
    const ends = this.banners.map((banner) => banner.until);
    if (this.scene) ends.push(this.scene.until);
    return ends.length > 0 ? Math.min(...ends) : undefined;
  }

  #extend(sent: GiftSent, now: number): boolean {
    const belongs = (banner: Banner) =>
      banner.sender.id === sent.sender.id && banner.gift.id === sent.gift.id && now - banner.last <= combo_ms;
    const grown = (banner: Banner): Banner => ({
      ...banner,
      count: banner.count + sent.count,
      total: banner.total + sent.total,
      last: now,
      until: banner.until > 0 ? Math.max(banner.until, now + banner_ms[banner.tier]) : 0
    });
    const shown = this.banners.findIndex(belongs);
    if (shown >= 0) {
      this.banners = this.banners.map((banner, index) => (index === shown ? grown(banner) : banner));
      return true;
    }
    const waits = this.#waiting.findIndex(belongs);
    if (waits < 0) return false;
    this.#waiting[waits] = grown(this.#waiting[waits]!);
    return true;
  }

  #remember(transaction_id: string): void {
    this.#seen.add(transaction_id);
    if (this.#seen.size > remembered_max) this.#seen.delete(this.#seen.values().next().value!);
  }
}

/** Keeps the order of those that stay. */
function dropSmallest<T extends { gift: { price: number } }>(list: T[], max: number): void {
  if (list.length <= max) return;
  let smallest = 0;
  list.forEach((item, index) => {
    if (item.gift.price < list[smallest]!.gift.price) smallest = index;
  });
  list.splice(smallest, 1);
}
