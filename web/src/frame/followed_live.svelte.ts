import { listStreams } from '$features/streams/streams_api';
import { Resource } from '$lib/api/resource.svelte';
import { connection } from '$lib/realtime/connection.svelte';

const refresh_ms = 45_000;
/** Several streams may begin at once: one request for all of them. */
const gather_ms = 600;
const shown_max = 12;

/** Who of those I follow is live: loaded now and then, and at once when one of them goes live or off. */
export class FollowedLive {
  readonly streams = new Resource(async () => {
    return (await listStreams({ status: 'live', following: true, limit: shown_max })).items;
  });
  #gather: ReturnType<typeof setTimeout> | undefined;

  follow(user_id: string): () => void {
    void this.streams.reload();
    const reload_soon = () => {
      clearTimeout(this.#gather);
      this.#gather = setTimeout(() => void this.streams.reload(), gather_ms);
    };
    const listener = { on_event: reload_soon, on_gap: reload_soon };
    const leave = [connection.subscribe(`user:${user_id}`, listener), connection.subscribe('live', listener)];
    const timer = setInterval(() => !document.hidden && reload_soon(), refresh_ms);
    return () => {
      for (const end of leave) end();
      clearInterval(timer);
      clearTimeout(this.#gather);
      this.streams.reset();
    };
  }
}
