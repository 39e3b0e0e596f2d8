import type { TopicEvent } from '$lib/realtime/subscription';
import type { GiftSent } from './gifts_api';

/** The gift that an event of a stream's topic tells of; undefined where it tells of something else. */
export function giftIn({ event, data }: TopicEvent): GiftSent | undefined {
  if (event !== 'gift.sent' || typeof data !== 'object' || data === null) return undefined;
  return 'gift' in data && 'sender' in data && 'transaction_id' in data ? (data as GiftSent) : undefined;
}
