import { answered, api } from '$lib/api/client';
import type { Page } from '$lib/api/resource.svelte';
import type { FollowItem, Profile } from '$lib/api/types';

export function getProfile(username: string): Promise<Profile> {
  return answered(api.GET('/api/v1/users/{username}', { params: { path: { username } } }));
}

export async function follow(username: string): Promise<void> {
  await answered(api.PUT('/api/v1/users/{username}/follow', { params: { path: { username } } }));
}

export async function unfollow(username: string): Promise<void> {
  await answered(api.DELETE('/api/v1/users/{username}/follow', { params: { path: { username } } }));
}

export function listFollowers(username: string, cursor?: string): Promise<Page<FollowItem>> {
  return answered(
    api.GET('/api/v1/users/{username}/followers', { params: { path: { username }, query: { cursor } } })
  );
}

export function listFollowing(username: string, cursor?: string): Promise<Page<FollowItem>> {
  return answered(
    api.GET('/api/v1/users/{username}/following', { params: { path: { username }, query: { cursor } } })
  );
}
