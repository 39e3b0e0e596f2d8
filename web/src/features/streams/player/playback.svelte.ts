import type Hls from 'hls.js';
import type { ErrorData } from 'hls.js';
import { recall, remember } from '$lib/storage';

export type PlaybackState = 'loading' | 'playing' | 'paused' | 'stalled' | 'ended' | 'unsupported';

const volume_key = 'spaktok.volume';
/** Further behind than this, the LIVE chip offers the way back. */
const at_edge_seconds = 9;
/** The picture stands for this long before the page says that the publisher is gone. */
const stalled_after_ms = 4_000;
const retry_base_ms = 1_000;
const retry_ceiling_ms = 8_000;

/**
 * One live playlist on one <video>: hls.js where the browser has Media Source Extensions, the browser's own HLS on Apple's.
 * Keeps trying for as long as it is attached; whether the broadcast is over is known by its owner, not guessed from errors.
 */
export class Playback {
  state = $state<PlaybackState>('loading');
  muted = $state(false);
  volume = $state(1);
  /** The browser allowed only silent playing; cleared by the first unmute. */
  muted_by_browser = $state(false);
  position = $state(0);
  window_start = $state(0);
  window_end = $state(0);
  /** Where "live" is: a little before the window's end, so that a hiccup does not stop the picture. */
  live_position = $state(0);
  behind_seconds = $state(0);
  has_picture = $state(false);

  #video: HTMLVideoElement | undefined;
  #hls: Hls | undefined;
  #url = '';
  #leave: (() => void)[] = [];
  #retry_timer: ReturnType<typeof setTimeout> | undefined;
  #stall_timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #wants_to_play = true;

  constructor(options: { muted?: boolean } = {}) {
    const stored = Number(recall(volume_key) ?? 'NaN');
    this.volume = Number.isFinite(stored) ? Math.min(1, Math.max(0, stored)) : 1;
    this.muted = options.muted ?? false;
  }

  get at_edge(): boolean {
    return this.behind_seconds <= at_edge_seconds;
  }

  /** The window that can be rewound, in seconds. */
  get window_seconds(): number {
    return Math.max(0, this.live_position - this.window_start);
  }

  async attach(video: HTMLVideoElement, url: string): Promise<void> {
    this.detach();
    this.#video = video;
    this.#url = withoutCounting(url);
    video.volume = this.volume;
    video.muted = this.muted;
    this.#listen(video);
    if (prefersNative(video)) {
      video.src = this.#url;
      void this.play();
      return;
    }
    const player = await import('hls.js/light').catch(() => undefined);
    if (this.#video !== video) return;
    // The connection is gone: the player's own script did not come either.
    if (player === undefined) return this.#retry();
    const HlsPlayer = player.default;
    if (HlsPlayer.isSupported()) this.#attachHls(HlsPlayer, video);
    else this.state = 'unsupported';
  }

  detach(): void {
    clearTimeout(this.#retry_timer);
    clearTimeout(this.#stall_timer);
    for (const leave of this.#leave) leave();
    this.#leave = [];
    this.#hls?.destroy();
    this.#hls = undefined;
    const video = this.#video;
    this.#video = undefined;
    if (video) {
      video.removeAttribute('src');
      video.load();
    }
    this.state = 'loading';
    this.has_picture = false;
  }

  async play(): Promise<void> {
    const video = this.#video;
    if (!video) return;
    this.#wants_to_play = true;
    try {
      await video.play();
    } catch (error) {
      if ((error as DOMException).name !== 'NotAllowedError' || video.muted) return;
      video.muted = true;
      this.muted_by_browser = true;
      await video.play().catch(() => (this.state = 'paused'));
    }
  }

  pause(): void {
    this.#wants_to_play = false;
    this.#video?.pause();
  }

  toggle(): void {
    if (this.#video?.paused) void this.play();
    else this.pause();
  }

  seek(position: number): void {
    if (!this.#video || this.window_seconds === 0) return;
    this.#video.currentTime = Math.min(Math.max(position, this.window_start), this.#edge());
    this.#measure();
  }

  seek_by(seconds: number): void {
    if (this.#video) this.seek(this.#video.currentTime + seconds);
  }

  jump_to_live(): void {
    this.seek(this.#edge());
    void this.play();
  }

  set_volume(volume: number): void {
    if (!this.#video) return;
    this.#video.volume = Math.min(1, Math.max(0, volume));
    this.#video.muted = volume <= 0;
    remember(volume_key, String(this.#video.volume));
  }

  set_muted(muted: boolean): void {
    if (!this.#video) return;
    this.#video.muted = muted;
    this.muted_by_browser = false;
    if (!muted && this.#video.volume === 0) this.set_volume(0.5);
  }

  /** The broadcast is over. */
  finish(): void {
    this.#wants_to_play = false;
    this.detach();
    this.state = 'ended';
  }

  #attachHls(HlsPlayer: typeof Hls, video: HTMLVideoElement): void {
    const hls = new HlsPlayer({
      // How near to the edge to play is the playlist's to say (HOLD-BACK, PART-HOLD-BACK); a rewind may go back
      // as far as the window does.
      maxLiveSyncPlaybackRate: 1.06,
      backBufferLength: 90,
      xhrSetup: (request, url) => request.open('GET', withoutCounting(url), true)
    });
    this.#hls = hls;
    hls.on(HlsPlayer.Events.ERROR, (_event, data) => this.#failed(HlsPlayer, data));
    hls.on(HlsPlayer.Events.FRAG_BUFFERED, () => (this.#failures = 0));
    // A broadcast that goes on at another node has other numbers, and nothing of what was listed before. hls.js may stand still
    // there where it has played out: what goes on is played as anew.
    let newest: number | undefined;
    hls.on(HlsPlayer.Events.LEVEL_LOADED, (_event, { details }) => {
      const goes_on_elsewhere = newest !== undefined && details.startSN > newest + 1;
      newest = details.endSN;
      if (goes_on_elsewhere) void this.attach(video, this.#url);
    });
    hls.on(HlsPlayer.Events.MANIFEST_PARSED, () => this.#wants_to_play && void this.play());
    hls.loadSource(this.#url);
    hls.attachMedia(video);
  }

  #failed(HlsPlayer: typeof Hls, data: ErrorData): void {
    if (!data.fatal || !this.#hls) return;
    if (data.type === HlsPlayer.ErrorTypes.MEDIA_ERROR && this.#failures++ < 3) {
      this.#hls.recoverMediaError();
      return;
    }
    this.#retry();
  }

  /** Attaches anew after a while; the broadcast may have begun a moment ago, or the server may be restarting. */
  #retry(): void {
    const video = this.#video;
    const url = this.#url;
    if (!video) return;
    const delay = Math.min(retry_ceiling_ms, retry_base_ms * 2 ** this.#failures++);
    const failures = this.#failures;
    clearTimeout(this.#retry_timer);
    this.#retry_timer = setTimeout(() => {
      void this.attach(video, url);
      this.#failures = failures;
    }, delay);
  }

  #listen(video: HTMLVideoElement): void {
    const on = (names: string[], listener: () => void) => {
      for (const name of names) video.addEventListener(name, listener);
      this.#leave.push(() => names.forEach((name) => video.removeEventListener(name, listener)));
    };
    on(['playing'], () => this.#moved('playing'));
    on(['pause'], () => this.#moved('paused'));
    on(['waiting', 'stalled'], () => this.#waits());
    on(['loadeddata'], () => (this.has_picture = true));
    on(['timeupdate', 'progress', 'seeking', 'durationchange'], () => this.#measure());
    on(['volumechange'], () => {
      this.muted = video.muted;
      this.volume = video.volume;
    });
    on(['ended'], () => this.#waits());
    on(['error'], () => this.#hls === undefined && this.#retry());
    // While nothing plays no event comes, but the edge moves on.
    const ticker = setInterval(() => this.#measure(), 1000);
    this.#leave.push(() => clearInterval(ticker));
  }

  #moved(state: 'playing' | 'paused'): void {
    clearTimeout(this.#stall_timer);
    this.#stall_timer = undefined;
    this.state = state;
    if (state === 'playing') this.has_picture = true;
  }

  #waits(): void {
    if (this.#video?.paused && this.state === 'paused') return;
    if (this.state !== 'stalled') this.state = 'loading';
    this.#stall_timer ??= setTimeout(() => {
      this.#stall_timer = undefined;
      if (this.state === 'loading') this.state = 'stalled';
    }, stalled_after_ms);
  }

  #edge(): number {
    return this.#hls?.liveSyncPosition ?? Math.max(this.window_start, this.window_end - 4);
  }

  #measure(): void {
    const video = this.#video;
    if (!video) return;
    this.position = video.currentTime;
    const ranges = video.seekable;
    if (ranges.length > 0) {
      this.window_start = ranges.start(0);
      this.window_end = ranges.end(ranges.length - 1);
    }
    this.live_position = this.#edge();
    const latency = this.#hls ? this.#hls.latency : this.window_end - video.currentTime;
    this.behind_seconds = Number.isFinite(latency) ? Math.max(0, latency) : 0;
    // Time moves: whatever "waiting" was told before is over.
    if (!video.paused && video.readyState >= 3 && this.state !== 'playing') this.#moved('playing');
  }
}

/** Apple's browsers play HLS best by themselves; others that claim to can do less than hls.js. */
function prefersNative(video: HTMLVideoElement): boolean {
  const apple = navigator.vendor.startsWith('Apple');
  return apple && video.canPlayType('application/vnd.apple.mpegurl') !== '';
}

/** The page is counted as a viewer by its socket; the playlist must not count it once more. */
export function withoutCounting(url: string): string {
  if (!/\.m3u8($|\?)/.test(url) || /[?&]counted=/.test(url)) return url;
  return url + (url.includes('?') ? '&' : '?') + 'counted=0';
}
