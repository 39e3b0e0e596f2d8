/** The time as views show it ("3 minutes ago"): ticks each second while someone looks. */
class Clock {
  #now = $state(Date.now());
  #watchers = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  get now(): number {
    return this.#now;
  }

  /** Keeps the clock running until the returned function is called; for use in an `$effect`. */
  watch = (): (() => void) => {
    if (this.#watchers++ === 0) {
      this.#now = Date.now();
      this.#timer = setInterval(() => (this.#now = Date.now()), 1000);
    }
    return () => {
      if (--this.#watchers === 0) clearInterval(this.#timer);
    };
  };
}

export const clock = new Clock();
