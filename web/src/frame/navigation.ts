import Compass from '@lucide/svelte/icons/compass';
import House from '@lucide/svelte/icons/house';
import Users from '@lucide/svelte/icons/users';
import type { Component } from 'svelte';
import { m } from '$lib/paraglide/messages.js';

export type Place = { href: string; label: () => string; icon: Component<{ size?: number }>; signed_in?: boolean };

/** The places that exist. A feature that comes adds its line here. */
export const places: Place[] = [
  { href: '/', label: m.home, icon: House },
  { href: '/explore', label: m.explore, icon: Compass },
  { href: '/following', label: m.following_place, icon: Users, signed_in: true }
];

export function isHere(href: string, pathname: string): boolean {
  return href === '/' ? pathname === '/' : pathname === href || pathname.startsWith(`${href}/`);
}
