import type { Gift } from '$lib/api/types';

export const tiers = ['small', 'medium', 'large', 'legendary'] as const;
export type Tier = (typeof tiers)[number];

/** How a gift is celebrated: as the catalogue says, else by its price in US cents. */
export function tierOf(gift: Pick<Gift, 'animation' | 'price'>): Tier {
  const named = tiers.find((tier) => tier === gift.animation);
  if (named) return named;
  if (gift.price < 200) return 'small';
  if (gift.price < 2_000) return 'medium';
  return gift.price < 20_000 ? 'large' : 'legendary';
}
