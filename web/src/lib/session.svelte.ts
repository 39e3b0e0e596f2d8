import { answered, api } from './api/client';
import { Problem } from './api/problem';
import type { Account, Instance } from './api/types';
import { connection } from './realtime/connection.svelte';
import { recall, remember } from './storage';

const hint_key = 'spaktok.signed_in';
/** How long the page waits for the socket to say who it is before it goes on as a guest. */
const welcome_wait_ms = 2_500;

/**
 * Who looks at the page. The cookie cannot be read from here, and asking `users/me` as a guest would be an error on each visit:
 * a hint of the last visit says whether to ask, and the socket's welcome frame corrects the hint.
 */
class Session {
  user = $state.raw<Account | null>(null);
  instance = $state.raw<Instance | null>(null);
  /** True once it is known whether someone is signed in. */
  known = $state(false);

  get signed_in(): boolean {
    return this.user !== null;
  }

  start(): () => void {
    const give_up = setTimeout(() => (this.known = true), welcome_wait_ms);
    connection.on_welcome((welcome) => {
      clearTimeout(give_up);
      if (welcome.user_id === (this.user?.id ?? null)) this.known = true;
      else if (welcome.user_id === null) this.#become(null);
      else void this.refresh();
    });
    connection.on_session_ended(() => this.#become(null));
    if (recall(hint_key) === 'yes') void this.refresh();
    void this.refresh_instance();
    return connection.start();
  }

  async refresh(): Promise<void> {
    try {
      this.#become(await answered(api.GET('/api/v1/users/me')));
    } catch (error) {
      const problem = Problem.from(error);
      if (problem.status === 401) this.#become(null);
      else this.known = true;
    }
  }

  async refresh_instance(): Promise<void> {
    try {
      this.instance = await answered(api.GET('/api/v1/instance'));
    } catch (error) {
      Problem.from(error);
    }
  }

  /** After signing in: the socket is made anew, so that it speaks as this user. */
  entered(user: Account): void {
    this.#become(user);
    connection.restart();
    if (this.instance?.setup_required) void this.refresh_instance();
  }

  updated(user: Account): void {
    this.#become(user);
  }

  async sign_out(): Promise<void> {
    await answered(api.DELETE('/api/v1/sessions/current'));
    this.#become(null);
    connection.restart();
  }

  #become(user: Account | null): void {
    this.user = user;
    this.known = true;
    remember(hint_key, user ? 'yes' : null);
  }
}

export const session = new Session();
