import { Resource } from '$lib/api/resource.svelte';
import type { Stream } from '$lib/api/types';
import { connection } from '$lib/realtime/connection.svelte';
import type { TopicEvent } from '$lib/realtime/subscription';
import { reaction_kinds } from './reactions';
import type { ReactionKind } from './reactions';
import { getStream } from './streams_api';

/** One stream as the watch page follows it: loaded once, then kept current by its topic. */
export class WatchedStream {
  readonly stream_id: string;
  readonly #resource: Resource<Stream>;
  /** False while the publisher has dropped and may return: the broadcast goes on, its picture stands. */
  publisher_connected = $state(true);

  #reaction_listeners = new Set<(kind: ReactionKind) => void>();
  #event_listeners = new Set<(event: TopicEvent) => void>();

  constructor(stream_id: string) {
    this.stream_id = stream_id;
    this.#resource = new Resource(() => getStream(stream_id));
  }

  get stream(): Stream | undefined {
    return this.#resource.data;
  }
  get problem() {
    return this.#resource.problem;
  }
  get loading(): boolean {
    return this.#resource.loading;
  }
  reload = (): Promise<void> => this.#resource.reload();

  /** Loads and follows until the returned function is called. Following a live stream counts as watching it. */
  follow(): () => void {
    void this.reload();
    return connection.subscribe(`stream:${this.stream_id}`, {
      on_event: (event) => this.#received(event),
      on_state: (state) => {
        const stream = streamIn(state);
        if (stream) this.replace(stream);
      },
      on_gap: () => void this.reload()
    });
  }

  replace(stream: Stream): void {
    // What only the owner sees is not in events: it stays as it was last loaded.
    const ingest = stream.ingest === undefined ? this.stream?.ingest : stream.ingest;
    this.#resource.data = { ...stream, ingest };
  }

  on_reaction(listener: (kind: ReactionKind) => void): () => void {
    this.#reaction_listeners.add(listener);
    return () => this.#reaction_listeners.delete(listener);
  }

  /** Hears all that the topic tells, for what is no part of the stream itself. */
  on_event(listener: (event: TopicEvent) => void): () => void {
    this.#event_listeners.add(listener);
    return () => this.#event_listeners.delete(listener);
  }

  #received(received: TopicEvent): void {
    for (const listener of this.#event_listeners) listener(received);
    const { event, data } = received;
    if (event === 'viewers') {
      this.#change(viewersIn(data));
    } else if (event === 'publisher') {
      this.publisher_connected = (data as { connected?: unknown } | null)?.connected !== false;
    } else if (event === 'reaction') {
      const kind = (data as { kind?: unknown } | null)?.kind;
      const known = reaction_kinds.find((name) => name === kind);
      if (known) for (const listener of this.#reaction_listeners) listener(known);
    } else if (event === 'stream.deleted') {
      this.#resource.reset();
      void this.reload();
    } else if (event.startsWith('stream.')) {
      const stream = streamIn(data);
      if (stream?.id === this.stream_id) this.replace(stream);
      else void this.reload();
    }
  }

  #change(changes: Partial<Stream>): void {
    if (this.stream && this.stream.status !== 'ended') this.#resource.data = { ...this.stream, ...changes };
  }
}

function viewersIn(data: unknown): Partial<Stream> {
  const count = (data as { viewers_count?: unknown } | null)?.viewers_count;
  return typeof count === 'number' ? { viewers_count: count } : {};
}

/** An event carries the whole stream, or only says which one changed. */
function streamIn(data: unknown): Stream | undefined {
  const stream = (data as { stream?: unknown } | null)?.stream ?? data;
  return typeof stream === 'object' && stream !== null && 'status' in stream && 'user' in stream
    ? (stream as Stream)
    : undefined;
}
