import { answered, api } from '$lib/api/client';
import type { Place } from '$lib/api/types';

export const sides = ['senders', 'streamers'] as const;
export type Side = (typeof sides)[number];
export const periods = ['day', 'week', 'all'] as const;
export type Period = (typeof periods)[number];

export async function getLeaderboard(side: Side, period: Period, limit: number): Promise<Place[]> {
  return (await answered(api.GET('/api/v1/leaderboards/{side}', { params: { path: { side }, query: { period, limit } } }))).items;
}

export async function getStreamLeaderboard(stream_id: string): Promise<Place[]> {
  return (await answered(api.GET('/api/v1/streams/{stream_id}/leaderboard', { params: { path: { stream_id } } }))).items;
}
