import { Resource } from '$lib/api/resource.svelte';
import type { Stream } from '$lib/api/types';
import { connection } from '$lib/realtime/connection.svelte';
import { getMyStream } from './streams_api';

/** The ingest's figures are refreshed by the server about every two seconds while on air. */
const live_refresh_ms = 2_500;
const idle_refresh_ms = 10_000;

/** What the studio shows: the stream that is live, or that the next publish goes to, with what arrives from the publisher. */
export class MyStream {
  readonly resource = new Resource<Stream | null>(getMyStream);

  get stream(): Stream | null {
    return this.resource.data ?? null;
  }
  get live(): boolean {
    return this.stream?.status === 'live';
  }

  follow(user_id: string): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const turn = async () => {
      clearTimeout(timer);
      if (!document.hidden || this.resource.loading) await this.resource.reload();
      if (!stopped) timer = setTimeout(turn, this.live ? live_refresh_ms : idle_refresh_ms);
    };
    void turn();
    // Going live is told at once; the figures are asked for.
    const reload = () => void this.resource.reload();
    const leave = [
      connection.subscribe(`user:${user_id}`, { on_event: reload, on_gap: reload }),
      connection.subscribe('live', { on_event: reload, on_gap: reload })
    ];
    return () => {
      stopped = true;
      clearTimeout(timer);
      for (const end of leave) end();
    };
  }
}
