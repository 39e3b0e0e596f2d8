import { SvelteMap } from 'svelte/reactivity';
import { follow, unfollow } from './graph_api';

/**
 * Whom the reader follows, as far as this page has learned or changed it: every button for the same person shows the same,
 * at once, and goes back where the server says no.
 */
class Follows {
  #changed = new SvelteMap<string, boolean>();
  /** Grows with each change, so that lists of "people I follow" know when to load again. */
  changes = $state(0);

  is_following(username: string, loaded: boolean | null | undefined): boolean {
    return this.#changed.get(username) ?? loaded ?? false;
  }

  /** By how much a follower count that was loaded before differs by now. */
  count_change(username: string, loaded: boolean | null | undefined): number {
    const now = this.#changed.get(username);
    if (now === undefined || now === (loaded ?? false)) return 0;
    return now ? 1 : -1;
  }

  async set(username: string, following: boolean): Promise<void> {
    const before = this.#changed.get(username);
    this.#changed.set(username, following);
    try {
      await (following ? follow(username) : unfollow(username));
      this.changes++;
    } catch (error) {
      if (before === undefined) this.#changed.delete(username);
      else this.#changed.set(username, before);
      throw error;
    }
  }

  /** Someone else looks now. */
  forget(): void {
    this.#changed.clear();
    this.changes++;
  }
}

export const follows = new Follows();
