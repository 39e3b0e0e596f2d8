import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A moving picture with a tone as HLS in fragmented MP4, in a directory of its own, until it is stopped. */
export function startBroadcast() {
  const directory = mkdtempSync(join(tmpdir(), 'spaktok-mock-'));
  const input = [
    '-re', '-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=30',
    '-re', '-f', 'lavfi', '-i', 'sine=frequency=330:sample_rate=48000'
  ];
  const encoding = [
    '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '60', '-b:v', '1500k',
    '-c:a', 'aac', '-b:a', '96k'
  ];
  const output = [
    '-f', 'hls', '-hls_time', '2', '-hls_list_size', '30', '-hls_segment_type', 'fmp4',
    '-hls_flags', 'delete_segments+program_date_time+independent_segments',
    '-master_pl_name', 'master.m3u8', join(directory, 'media.m3u8')
  ];
  const ffmpeg = spawn('ffmpeg', ['-loglevel', 'error', ...input, ...encoding, ...output], { stdio: ['ignore', 'ignore', 'inherit'] });
  ffmpeg.on('error', (error) => console.error(`no test broadcast: ${error.message}`));
  return {
    directory,
    stop() {
      ffmpeg.kill();
      rmSync(directory, { recursive: true, force: true });
    }
  };
}
