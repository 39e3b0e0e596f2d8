import type { Problem } from '../api/problem';
import type { EventFrame, Recover, SubscribeResult } from './protocol';

export type TopicEvent = { event: string; data: unknown };

export type TopicHandler = {
  /** Once for each event, in order, also those that were missed while the connection was gone. */
  on_event: (event: TopicEvent) => void;
  /** What the topic says of itself at each (re)subscription: the viewer count as it is now. */
  on_state?: (state: unknown) => void;
  /** More was missed than the server still has: load anew what the events would have told. */
  on_gap?: () => void;
  on_refused?: (problem: Problem) => void;
};

/** One topic: where it stands, and the rule that each event is handed on exactly once and in order. */
export class Subscription {
  readonly topic: string;
  #handlers = new Set<TopicHandler>();
  #epoch: string | undefined;
  #offset = 0;
  #asking = false;
  /** Events that came before the answer to the subscription; applied after what the answer brings. */
  #held: EventFrame[] = [];
  #state: unknown;

  constructor(topic: string) {
    this.topic = topic;
  }

  /** Where to recover from; nothing before the first answer, and on topics without a history. */
  get position(): Recover | undefined {
    return this.#epoch === undefined ? undefined : { epoch: this.#epoch, offset: this.#offset };
  }

  add(handler: TopicHandler): void {
    this.#handlers.add(handler);
    if (this.#state !== undefined) handler.on_state?.(this.#state);
  }

  /** Returns whether that was the last one. */
  remove(handler: TopicHandler): boolean {
    this.#handlers.delete(handler);
    return this.#handlers.size === 0;
  }

  begin(): void {
    this.#asking = true;
    this.#held = [];
  }

  answered(result: SubscribeResult): void {
    this.#asking = false;
    const before = this.position;
    const recovered = before !== undefined && result.recovered === true && result.epoch === before.epoch;
    if (recovered) {
      for (const missed of result.messages ?? []) this.#apply({ ...missed, type: 'event' });
    }
    if (result.epoch !== undefined) {
      this.#epoch = result.epoch;
      this.#offset = recovered ? Math.max(this.#offset, result.offset ?? 0) : (result.offset ?? 0);
    }
    if (result.state !== undefined && result.state !== null) {
      this.#state = result.state;
      for (const handler of [...this.#handlers]) handler.on_state?.(result.state);
    }
    // A topic without a history cannot say what was missed: after any loss it counts as a gap.
    const lost = before !== undefined ? !recovered : this.#answered_once && result.epoch === undefined;
    this.#answered_once = true;
    if (lost) for (const handler of [...this.#handlers]) handler.on_gap?.();
    const held = this.#held;
    this.#held = [];
    for (const frame of held) this.#apply(frame);
  }
  #answered_once = false;

  refused(problem: Problem): void {
    this.#asking = false;
    this.#held = [];
    for (const handler of [...this.#handlers]) handler.on_refused?.(problem);
  }

  received(frame: EventFrame): 'applied' | 'held' | 'gap' {
    if (this.#asking) {
      this.#held.push(frame);
      return 'held';
    }
    const continues = frame.epoch === this.#epoch && frame.offset === this.#offset + 1;
    const known = frame.epoch === this.#epoch && frame.offset !== undefined && frame.offset <= this.#offset;
    if (frame.offset !== undefined && !continues && !known) return 'gap';
    this.#apply(frame);
    return 'applied';
  }

  #apply(frame: EventFrame): void {
    if (frame.offset !== undefined && frame.epoch !== undefined) {
      if (frame.epoch === this.#epoch && frame.offset <= this.#offset) return;
      if (frame.epoch !== this.#epoch && this.#epoch !== undefined) return;
      this.#epoch = frame.epoch;
      this.#offset = frame.offset;
    }
    for (const handler of [...this.#handlers]) handler.on_event({ event: frame.event, data: frame.data });
  }
}
