import Compass from '@lucide/svelte/icons/compass';
import House from '@lucide/svelte/icons/house';
import Trophy from '@lucide/svelte/icons/trophy';
import Users from '@lucide/svelte/icons/users';
import Wallet from '@lucide/svelte/icons/wallet';
import type { Component } from 'svelte';
import { m } from '$lib/paraglide/messages.js';

export type Place = { href: string; label: () => string; icon: Component<{ size?: number }>; signed_in?: boolean; on_phone?: boolean };

/** The places that exist. A feature that comes adds its line here; what finds no room on a phone is in the menu. */
export const places: Place[] = [
  { href: '/', label: m.home, icon: House },
  { href: '/explore', label: m.explore, icon: Compass },
  { href: '/following', label: m.following_place, icon: Users, signed_in: true },
  { href: '/leaderboards', label: m.leaderboards, icon: Trophy, on_phone: false },
  { href: '/wallet', label: m.wallet, icon: Wallet, signed_in: true, on_phone: false }
];

export function isHere(href: string, pathname: string): boolean {
  return href === '/' ? pathname === '/' : pathname === href || pathname.startsWith(`${href}/`);
}
