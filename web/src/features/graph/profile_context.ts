import { getContext, setContext } from 'svelte';
import type { Profile } from '$lib/api/types';

const key = Symbol('profile');

/** The profile whose tabs are shown: loaded once by the layout around them. */
export function provideProfile(profile: () => Profile | undefined): void {
  setContext(key, profile);
}

export function useProfile(): () => Profile | undefined {
  return getContext<() => Profile | undefined>(key);
}
