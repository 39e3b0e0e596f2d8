import { SvelteMap } from 'svelte/reactivity';
import { Problem } from '$lib/api/problem';
import { Resource } from '$lib/api/resource.svelte';
import type { Gift } from '$lib/api/types';
import { getGift, listGifts } from './gifts_api';

/** The gifts of this place: those that can be sent, and any that a chat tells of. */
class Catalogue {
  readonly #offered = new Resource(listGifts);
  readonly #others = new SvelteMap<string, Gift>();
  #asked = new Set<string>();
  #loaded = false;

  get problem(): Problem | undefined {
    return this.#offered.problem;
  }
  /** In their order; undefined until they are loaded. */
  get offered(): Gift[] | undefined {
    return this.#offered.data?.filter((gift) => gift.is_active);
  }

  load(): void {
    if (this.#loaded) return;
    this.#loaded = true;
    void this.reload();
  }
  reload = async (): Promise<void> => {
    await this.#offered.reload();
    if (this.#offered.problem) this.#loaded = false;
  };

  /** Retired ones too; undefined until it is known. */
  find(gift_id: string): Gift | undefined {
    return this.#offered.data?.find((gift) => gift.id === gift_id) ?? this.#others.get(gift_id);
  }
  /** Loads what the list does not have, once. */
  async want(gift_id: string): Promise<void> {
    if (!this.#offered.data || this.find(gift_id) || this.#asked.has(gift_id)) return;
    this.#asked.add(gift_id);
    try {
      this.#others.set(gift_id, await getGift(gift_id));
    } catch (error) {
      Problem.from(error);
    }
  }
}

export const catalogue = new Catalogue();
