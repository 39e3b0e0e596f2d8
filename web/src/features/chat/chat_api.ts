import { answered, api } from '$lib/api/client';
import type { Page } from '$lib/api/resource.svelte';
import type { Message } from '$lib/api/types';

const page_size = 50;
export const page_size_max = 100;

/** Newest first. */
export function listMessages(room_id: string, cursor?: string, limit = page_size): Promise<Page<Message>> {
  return answered(
    api.GET('/api/v1/rooms/{room_id}/messages', {
      params: { path: { room_id }, query: { limit, cursor } }
    })
  );
}

export async function deleteMessage(room_id: string, message_id: string): Promise<void> {
  await answered(
    api.DELETE('/api/v1/rooms/{room_id}/messages/{message_id}', { params: { path: { room_id, message_id } } })
  );
}
