import { Resource } from '$lib/api/resource.svelte';
import { connection } from '$lib/realtime/connection.svelte';
import { listStreams } from './streams_api';

/** Thumbnails and viewer counts move on by themselves; a change of the list comes as an event and does not wait. */
const refresh_ms = 20_000;
const gather_ms = 800;
const row_max = 8;
const live_max = 25;

export class HomeStreams {
  readonly live = new Resource(async () => (await listStreams({ status: 'live', limit: live_max })).items);
  readonly scheduled = new Resource(async () => (await listStreams({ status: 'scheduled', limit: row_max })).items);
  readonly ended = new Resource(async () => (await listStreams({ status: 'ended', limit: row_max })).items);
  readonly following;
  #signed_in: () => boolean;
  #gather: ReturnType<typeof setTimeout> | undefined;

  constructor(signed_in: () => boolean) {
    this.#signed_in = signed_in;
    this.following = new Resource(async () =>
      this.#signed_in() ? (await listStreams({ status: 'live', following: true, limit: row_max })).items : []
    );
  }

  reload = (): void => {
    void this.live.reload();
    void this.scheduled.reload();
    void this.ended.reload();
    void this.following.reload();
  };

  /** Loads and keeps current until the returned function is called. */
  follow(): () => void {
    this.reload();
    const reload_soon = () => {
      clearTimeout(this.#gather);
      this.#gather = setTimeout(this.reload, gather_ms);
    };
    const leave = connection.subscribe('live', { on_event: reload_soon, on_gap: reload_soon });
    const timer = setInterval(() => {
      if (document.hidden) return;
      void this.live.reload();
      void this.following.reload();
    }, refresh_ms);
    return () => {
      leave();
      clearInterval(timer);
      clearTimeout(this.#gather);
    };
  }
}
