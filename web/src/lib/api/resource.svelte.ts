import { Problem } from './problem';

/** Something that is loaded, shown, and loaded again: its value outlives a failed reload. */
export class Resource<T> {
  data = $state.raw<T | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  loading = $state(true);

  #load: () => Promise<T>;
  #turn = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** Loads (again). Only the newest call's outcome counts. */
  reload = async (): Promise<void> => {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const data = await this.#load();
      if (turn !== this.#turn) return;
      this.data = data;
      this.problem = undefined;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.problem = Problem.from(error);
    }
    this.loading = false;
  };

  /** Drops what was loaded: the same place now shows something else. */
  reset(): void {
    this.#turn++;
    this.data = undefined;
    this.problem = undefined;
    this.loading = true;
  }
}

export type Page<T> = { items: T[]; next_cursor?: string | null };

/** A keyset list: pages are appended, nothing appears twice. */
export class Pages<T extends { id: string }> {
  items = $state.raw<T[]>([]);
  problem = $state.raw<Problem | undefined>(undefined);
  loading = $state(true);
  /** True once the first page is there. */
  ready = $state(false);

  #load: (cursor: string | undefined) => Promise<Page<T>>;
  #cursor = $state<string | null | undefined>(undefined);
  #turn = 0;

  constructor(load: (cursor: string | undefined) => Promise<Page<T>>) {
    this.#load = load;
  }

  get has_more(): boolean {
    return this.ready && typeof this.#cursor === 'string';
  }

  /** Starts again from the first page; what is shown stays until it has come. */
  reload = async (): Promise<void> => {
    await this.#fetch(undefined);
  };

  more = async (): Promise<void> => {
    if (this.loading || !this.has_more) return;
    await this.#fetch(this.#cursor ?? undefined);
  };

  /** Replaces one item in its place, where it is listed. */
  patch(id: string, change: Partial<T>): void {
    this.items = this.items.map((item) => (item.id === id ? { ...item, ...change } : item));
  }

  async #fetch(cursor: string | undefined): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const page = await this.#load(cursor);
      if (turn !== this.#turn) return;
      const before = cursor === undefined ? [] : this.items;
      const known = new Set(before.map((item) => item.id));
      this.items = [...before, ...page.items.filter((item) => !known.has(item.id))];
      this.#cursor = page.next_cursor;
      this.problem = undefined;
      this.ready = true;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.problem = Problem.from(error);
    }
    this.loading = false;
  }
}
