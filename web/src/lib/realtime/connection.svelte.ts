import { Problem } from '../api/problem';
import type { WelcomeFrame } from './protocol';
import { Socket } from './socket';
import type { SocketState, Wire } from './socket';
import type { TopicHandler } from './subscription';

/** A loss that is over this soon is not worth a word. */
const calm_before_line_ms = 800;

/** The page's socket, with its state as something that views can show. */
class Connection {
  #state = $state<SocketState>('idle');
  #line_shown = $state(false);
  #line_timer: ReturnType<typeof setTimeout> | undefined;
  #welcome_listeners = new Set<(welcome: WelcomeFrame) => void>();
  #ended_listeners = new Set<() => void>();
  #socket = new Socket({
    open: () => new WebSocket(realtimeUrl()) as unknown as Wire,
    on_state: (state) => this.#changed(state),
    on_welcome: (welcome) => this.#welcome_listeners.forEach((listener) => listener(welcome)),
    on_session_ended: () => this.#ended_listeners.forEach((listener) => listener())
  });

  get open(): boolean {
    return this.#state === 'open';
  }

  /** True while the page has been cut off for long enough that people would notice. */
  get reconnecting(): boolean {
    return this.#line_shown;
  }

  start(): () => void {
    const probe = () => this.#socket.probe();
    const visible = () => document.visibilityState === 'visible' && probe();
    addEventListener('online', probe);
    document.addEventListener('visibilitychange', visible);
    this.#socket.connect();
    return () => {
      removeEventListener('online', probe);
      document.removeEventListener('visibilitychange', visible);
    };
  }

  restart(): void {
    this.#socket.restart();
  }

  on_welcome(listener: (welcome: WelcomeFrame) => void): void {
    this.#welcome_listeners.add(listener);
  }

  on_session_ended(listener: () => void): void {
    this.#ended_listeners.add(listener);
  }

  subscribe(topic: string, handler: TopicHandler): () => void {
    return this.#socket.subscribe(topic, handler);
  }

  request<T = unknown>(type: string, fields: Record<string, unknown>): Promise<T> {
    return this.#socket.request<T>(type, fields).catch((error: unknown) => {
      throw Problem.from(error);
    });
  }

  #changed(state: SocketState): void {
    this.#state = state;
    if (state === 'open') {
      clearTimeout(this.#line_timer);
      this.#line_timer = undefined;
      this.#line_shown = false;
    } else if (this.#line_timer === undefined) {
      this.#line_timer = setTimeout(() => (this.#line_shown = true), calm_before_line_ms);
    }
  }
}

function realtimeUrl(): string {
  const url = new URL('/api/v1/realtime', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export const connection = new Connection();
