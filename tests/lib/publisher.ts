// A publisher such as OBS: ffmpeg with a moving picture and a tone, a keyframe each second.
import { Program } from './program.ts';
import { in_time } from './until.ts';
import type { Site } from './server.ts';

export interface PublisherOptions {
  frames_per_second?: number;
  size?: string;
  keyframe_seconds?: number;
}

export class Publisher {
  readonly program: Program;

  constructor(server: Site, key: string, options: PublisherOptions = {}) {
    const { frames_per_second: rate = 15, size = '320x180', keyframe_seconds = 1 } = options;
    this.program = new Program('ffmpeg', [
      '-hide_banner', '-nostdin', '-loglevel', 'error', '-progress', 'pipe:1', '-stats_period', '0.05', '-re',
      '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}`,
      '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000',
      '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p',
      '-threads', '1', '-g', String(rate * keyframe_seconds), '-keyint_min', String(rate * keyframe_seconds),
      '-b:v', '400k', '-c:a', 'aac', '-b:a', '64k',
      '-f', 'flv', `${server.rtmp_url}/${key}`,
    ]);
  }

  // When its first picture had been sent, as performance.now() says; no later than the truth plus 50 ms.
  async first_frame(): Promise<number> {
    await this.program.line(/^frame=[1-9]/);
    return performance.now();
  }

  // As when its network breaks: nothing is said, the connection ends.
  async kill(): Promise<void> {
    await this.program.kill();
  }

  // The server cut it off.
  async cut(within_ms?: number): Promise<void> {
    await in_time('the end of the publish', this.program.exited, within_ms);
  }

  // As when its operator stops it.
  async stop(): Promise<void> {
    if (this.program.running) await this.program.stop('SIGINT');
  }
}
