import { answered, api } from '$lib/api/client';
import type { Page } from '$lib/api/resource.svelte';
import type { Stream, StreamKey, StreamKeyState } from '$lib/api/types';

export type StreamStatus = Stream['status'];
export type StreamDetails = { title: string; description: string; scheduled_for?: string | null };

export function listStreams(
  query: { status: StreamStatus; following?: boolean; limit?: number },
  cursor?: string
): Promise<Page<Stream>> {
  return answered(api.GET('/api/v1/streams', { params: { query: { ...query, cursor } } }));
}

export function listStreamsOf(username: string, cursor?: string, limit?: number): Promise<Page<Stream>> {
  return answered(
    api.GET('/api/v1/users/{username}/streams', { params: { path: { username }, query: { cursor, limit } } })
  );
}

const page_length_max = 100;
/** A user has at most so many streams that are not yet live. */
const waiting_streams_max = 20;

/** What someone has scheduled, the soonest first. Streams that ended may lie between, so all pages are read until none can be missing. */
export async function listScheduledOf(username: string): Promise<Stream[]> {
  const scheduled: Stream[] = [];
  let cursor: string | undefined;
  do {
    const page = await listStreamsOf(username, cursor, page_length_max);
    scheduled.push(...page.items.filter((stream) => stream.status === 'scheduled' && stream.scheduled_for));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && scheduled.length < waiting_streams_max);
  return scheduled.sort((one, other) => one.scheduled_for!.localeCompare(other.scheduled_for!));
}

export function getStream(stream_id: string): Promise<Stream> {
  return answered(api.GET('/api/v1/streams/{stream_id}', { params: { path: { stream_id } } }));
}

export async function getMyStream(): Promise<Stream | null> {
  return (await answered(api.GET('/api/v1/users/me/stream'))).stream;
}

export function createStream(details: StreamDetails): Promise<Stream> {
  return answered(api.POST('/api/v1/streams', { body: details }));
}

export function updateStream(stream_id: string, changes: Partial<StreamDetails>): Promise<Stream> {
  return answered(
    api.PATCH('/api/v1/streams/{stream_id}', { params: { path: { stream_id } }, body: changes })
  );
}

export async function deleteStream(stream_id: string): Promise<void> {
  await answered(api.DELETE('/api/v1/streams/{stream_id}', { params: { path: { stream_id } } }));
}

export function endStream(stream_id: string): Promise<Stream> {
  return answered(api.POST('/api/v1/streams/{stream_id}/end', { params: { path: { stream_id } } }));
}

export function getStreamKey(): Promise<StreamKeyState> {
  return answered(api.GET('/api/v1/users/me/stream_key'));
}

export function createStreamKey(): Promise<StreamKey> {
  return answered(api.POST('/api/v1/users/me/stream_key'));
}

export async function deleteStreamKey(): Promise<void> {
  await answered(api.DELETE('/api/v1/users/me/stream_key'));
}
