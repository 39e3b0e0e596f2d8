/** Where each row of a list begins: measured heights where there are any, an estimate for the others. */
export class RowOffsets {
  readonly total: number;
  readonly #tops: Float64Array;
  readonly #items: readonly { key: string }[];
  #index_of: Map<string, number> | undefined;

  constructor(items: readonly { key: string }[], heights: ReadonlyMap<string, number>, height_estimate: number) {
    this.#items = items;
    this.#tops = new Float64Array(items.length + 1);
    for (let index = 0; index < items.length; index++) {
      this.#tops[index + 1] = this.#tops[index]! + (heights.get(items[index]!.key) ?? height_estimate);
    }
    this.total = this.#tops[items.length]!;
  }

  /** Top of a row by its place; past the last row, the list's end. */
  top(index: number): number {
    return this.#tops[Math.min(Math.max(index, 0), this.#items.length)]!;
  }

  top_of(key: string): number | undefined {
    if (!this.#index_of) {
      this.#index_of = new Map(this.#items.map((item, index) => [item.key, index]));
    }
    const index = this.#index_of.get(key);
    return index === undefined ? undefined : this.top(index);
  }

  /** The row at this height; the first or last one where it lies outside. */
  at(y: number): number {
    let low = 0;
    let high = Math.max(0, this.#items.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#tops[middle]! <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Rows that touch [from, to]: first, and one past the last. */
  range(from: number, to: number): { first: number; last: number } {
    if (this.#items.length === 0) return { first: 0, last: 0 };
    return { first: this.at(from), last: Math.min(this.#items.length, this.at(to) + 1) };
  }
}
