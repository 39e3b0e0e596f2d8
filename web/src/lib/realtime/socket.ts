import { Problem } from '../api/problem';
import { reconnectDelay } from './backoff';
import { close_code } from './protocol';
import type { AnswerFrame, EventFrame, ServerFrame, SubscribeResult, WelcomeFrame } from './protocol';
import { Subscription } from './subscription';
import type { TopicHandler } from './subscription';

export type SocketState = 'idle' | 'connecting' | 'open' | 'waiting';

/** The part of the browser's WebSocket that is used; tests give their own. */
export type Wire = {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(code?: number): void;
};

export type SocketOptions = {
  open: () => Wire;
  random?: () => number;
  request_timeout_ms?: number;
  /** From the call to the welcome frame. */
  connect_timeout_ms?: number;
  on_state?: (state: SocketState) => void;
  on_welcome?: (welcome: WelcomeFrame) => void;
  on_session_ended?: () => void;
};

type Pending = { resolve: (result: unknown) => void; reject: (problem: Problem) => void; timer: Timer };
type Timer = ReturnType<typeof setTimeout>;

const ping_interval_default_ms = 25_000;

/**
 * The page's one connection to the server. It lives as long as the page: it connects when asked to, comes back by itself, and
 * brings every subscription to exactly where it was (see Subscription). Requests do not survive a loss: they are rejected, and
 * who sent them decides (a chat message is sent again with the same client_id).
 */
export class Socket {
  #options: Required<Pick<SocketOptions, 'random' | 'request_timeout_ms' | 'connect_timeout_ms'>> & SocketOptions;
  #wire: Wire | undefined;
  #state: SocketState = 'idle';
  #attempt = 0;
  #next_id = 1;
  #pending = new Map<number, Pending>();
  #subscriptions = new Map<string, Subscription>();
  #reconnect_timer: Timer | undefined;
  #connect_timer: Timer | undefined;
  #ping_timer: Timer | undefined;
  #ping_interval_ms = ping_interval_default_ms;

  constructor(options: SocketOptions) {
    this.#options = { random: Math.random, request_timeout_ms: 10_000, connect_timeout_ms: 10_000, ...options };
  }

  get state(): SocketState {
    return this.#state;
  }

  /** Connects now, also where it would have waited longer. No-op while a connection stands or is being made. */
  connect(): void {
    if (this.#state === 'connecting' || this.#state === 'open') return;
    clearTimeout(this.#reconnect_timer);
    this.#setState('connecting');
    const wire = this.#options.open();
    this.#wire = wire;
    wire.onmessage = (event) => this.#received(wire, event.data);
    wire.onclose = (event) => this.#lost(wire, event.code);
    this.#connect_timer = setTimeout(() => this.#abandon(wire), this.#options.connect_timeout_ms);
  }

  /** Who is signed in changed: the socket is made anew with the cookie as it is now. */
  restart(): void {
    const wire = this.#wire;
    this.#attempt = 0;
    if (wire) {
      this.#detach(wire);
      wire.close(1000);
    }
    this.#setState('waiting');
    this.connect();
  }

  /** The network may have gone without a word (sleep, another Wi-Fi): asks, and reconnects where no answer comes. */
  probe(): void {
    if (this.#state === 'waiting') this.connect();
    else if (this.#state === 'open') this.#ping();
  }

  /** Sends a numbered request. Rejects with a Problem: the server's, or reason `network` where no answer came. */
  request<T>(type: string, fields: Record<string, unknown>): Promise<T> {
    const wire = this.#wire;
    if (this.#state !== 'open' || !wire) return Promise.reject(Problem.network());
    const id = this.#next_id++;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(Problem.network());
      }, this.#options.request_timeout_ms);
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject, timer });
      wire.send(JSON.stringify({ id, type, ...fields }));
    });
  }

  /** Listens to a topic until the returned function is called. Several listeners share one subscription. */
  subscribe(topic: string, handler: TopicHandler): () => void {
    let subscription = this.#subscriptions.get(topic);
    if (!subscription) {
      subscription = new Subscription(topic);
      this.#subscriptions.set(topic, subscription);
      subscription.add(handler);
      if (this.#state === 'open') void this.#subscribe(subscription);
    } else {
      subscription.add(handler);
    }
    const joined = subscription;
    return () => this.#leave(joined, handler);
  }

  #leave(subscription: Subscription, handler: TopicHandler): void {
    if (!subscription.remove(handler)) return;
    if (this.#subscriptions.get(subscription.topic) !== subscription) return;
    this.#subscriptions.delete(subscription.topic);
    if (this.#state !== 'open') return;
    // An unsubscribe that got no answer is harmless: events of topics that nobody listens to are dropped here.
    this.request('unsubscribe', { topic: subscription.topic }).catch(() => undefined);
  }

  async #subscribe(subscription: Subscription): Promise<void> {
    const wire = this.#wire;
    subscription.begin();
    try {
      const recover = subscription.position;
      const result = await this.request<SubscribeResult>('subscribe', {
        topic: subscription.topic,
        ...(recover ? { recover } : {})
      });
      if (wire === this.#wire) subscription.answered(result);
    } catch (error) {
      const problem = Problem.from(error);
      if (problem.status === 0) {
        // No answer on a connection that stands: it is not to be trusted. After a loss the next welcome subscribes again.
        if (wire && wire === this.#wire && this.#state === 'open') this.#abandon(wire);
        return;
      }
      subscription.refused(problem);
    }
  }

  #received(wire: Wire, data: unknown): void {
    if (wire !== this.#wire || typeof data !== 'string') return;
    const frame = JSON.parse(data) as ServerFrame;
    this.#schedulePing();
    if (frame.type === 'event') this.#event(frame);
    else if (frame.type === 'answer') this.#answer(frame);
    else if (frame.type === 'welcome') this.#welcome(frame);
  }

  #welcome(frame: WelcomeFrame): void {
    clearTimeout(this.#connect_timer);
    if (frame.ping_interval_seconds) this.#ping_interval_ms = frame.ping_interval_seconds * 1000;
    this.#setState('open');
    this.#schedulePing();
    this.#options.on_welcome?.(frame);
    for (const subscription of this.#subscriptions.values()) void this.#subscribe(subscription);
  }

  #answer(frame: AnswerFrame): void {
    // Answers show that requests get through; only then is the next loss a first attempt again.
    this.#attempt = 0;
    const pending = this.#pending.get(frame.id);
    if (!pending) return;
    this.#pending.delete(frame.id);
    clearTimeout(pending.timer);
    if (frame.error === undefined) pending.resolve(frame.result);
    else pending.reject(Problem.fromBody(frame.error, 500));
  }

  #event(frame: EventFrame): void {
    const subscription = this.#subscriptions.get(frame.topic);
    if (!subscription) return;
    // A hole on a standing connection: what is missing is fetched as after a reconnect.
    if (subscription.received(frame) === 'gap') void this.#subscribe(subscription);
  }

  #schedulePing(): void {
    clearTimeout(this.#ping_timer);
    this.#ping_timer = setTimeout(() => this.#ping(), this.#ping_interval_ms);
  }

  #ping(): void {
    const wire = this.#wire;
    this.request('ping', {}).catch((error: unknown) => {
      if (Problem.from(error).status === 0 && wire && wire === this.#wire) this.#abandon(wire);
    });
  }

  /** Gives a connection up without waiting for its close, which a dead network never delivers. */
  #abandon(wire: Wire): void {
    this.#lost(wire, 1006);
    wire.close(1000);
  }

  #detach(wire: Wire): void {
    wire.onmessage = null;
    wire.onclose = null;
    this.#wire = undefined;
    clearTimeout(this.#connect_timer);
    clearTimeout(this.#ping_timer);
    clearTimeout(this.#reconnect_timer);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) {
      clearTimeout(request.timer);
      request.reject(Problem.network());
    }
  }

  #lost(wire: Wire, code: number): void {
    if (wire !== this.#wire) return;
    this.#detach(wire);
    this.#attempt++;
    this.#setState('waiting');
    if (code === close_code.session_ended) this.#options.on_session_ended?.();
    const delay = reconnectDelay(this.#attempt, code, this.#options.random);
    this.#reconnect_timer = setTimeout(() => this.connect(), delay);
  }

  #setState(state: SocketState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.on_state?.(state);
  }
}
