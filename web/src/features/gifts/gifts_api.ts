import { answered, api } from '$lib/api/client';
import type { Gift, SentGift, UserSummary } from '$lib/api/types';

/** Equal gifts of one sender, as the stream's topic tells them. */
export type GiftSent = {
  transaction_id: string;
  sender: UserSummary;
  gift: Gift;
  amount: number;
  count: number;
  total: number;
  created_at: string;
};

export async function listGifts(): Promise<Gift[]> {
  return (await answered(api.GET('/api/v1/gifts'))).items;
}

export function getGift(gift_id: string): Promise<Gift> {
  return answered(api.GET('/api/v1/gifts/{gift_id}', { params: { path: { gift_id } } }));
}

/** Repeated with the same key, it is the same gift. */
export function sendGift(stream_id: string, gift_id: string, key: string): Promise<SentGift> {
  return answered(
    api.POST('/api/v1/streams/{stream_id}/gifts', {
      params: { path: { stream_id }, header: { 'Idempotency-Key': key } },
      body: { gift_id }
    })
  );
}

export type NewGift = { name: string; price: number; image_url: string; animation: string; sort_order: number };

export function addGift(gift: NewGift): Promise<Gift> {
  return answered(api.POST('/api/v1/gifts', { body: gift }));
}

export function setGiftActive(gift_id: string, is_active: boolean): Promise<Gift> {
  return answered(api.PATCH('/api/v1/gifts/{gift_id}', { params: { path: { gift_id } }, body: { is_active } }));
}
