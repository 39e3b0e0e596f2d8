import type { Ingest } from '$lib/api/types';
import { bitrate, decimal } from '$lib/format';
import { m } from '$lib/paraglide/messages.js';

export type Health = 'good' | 'warning' | 'bad';
export type Advice = { name: 'bitrate' | 'fps' | 'keyframes' | 'picture' | 'sound'; label: string; value: string; health: Health; text?: string };

/** What H.264 needs for a picture that is not blocky, in bits for one pixel of one frame; below the half of it, it shows. */
const bits_per_pixel_enough = 0.05;
const bitrate_max = 12_000_000;
const keyframe_interval_good_seconds = 2.5;
const keyframe_interval_bad_seconds = 5;

/** What arrives from the publisher, judged in words that say what to change. */
export function adviseOn(ingest: Ingest): Advice[] {
  return [picture(ingest), bitrateAdvice(ingest), fps(ingest), keyframes(ingest), sound(ingest)];
}

/** The worst of all, for one light. */
export function worst(advice: Advice[]): Health {
  if (advice.some((item) => item.health === 'bad')) return 'bad';
  return advice.some((item) => item.health === 'warning') ? 'warning' : 'good';
}

function picture(ingest: Ingest): Advice {
  const label = m.health_picture();
  if (!ingest.video_codec) return { name: 'picture', label, value: m.health_none(), health: 'bad', text: m.health_no_picture() };
  return { name: 'picture', label, value: `${ingest.width} × ${ingest.height}`, health: 'good' };
}

function bitrateAdvice(ingest: Ingest): Advice {
  const base = { name: 'bitrate' as const, label: m.health_bitrate(), value: bitrate(ingest.bitrate) };
  if (ingest.bitrate > bitrate_max) return { ...base, health: 'warning', text: m.health_bitrate_high() };
  const enough = ingest.width * ingest.height * Math.max(ingest.fps, 1) * bits_per_pixel_enough;
  if (ingest.video_codec && ingest.bitrate < enough / 2) {
    return { ...base, health: 'warning', text: m.health_bitrate_low({ bitrate: bitrate(enough) }) };
  }
  return { ...base, health: 'good' };
}

function fps(ingest: Ingest): Advice {
  const base = { name: 'fps' as const, label: m.health_fps(), value: m.fps_value({ fps: decimal(ingest.fps) }) };
  if (!ingest.video_codec || ingest.fps >= 23) return { ...base, health: 'good' };
  return { ...base, health: ingest.fps < 12 ? 'bad' : 'warning', text: m.health_fps_low() };
}

function keyframes(ingest: Ingest): Advice {
  const seconds = ingest.keyframe_interval_seconds;
  const base = { name: 'keyframes' as const, label: m.health_keyframes(), value: seconds > 0 ? m.seconds_short({ seconds: decimal(seconds) }) : '–' };
  if (seconds <= keyframe_interval_good_seconds) return { ...base, health: 'good' };
  return {
    ...base,
    health: seconds > keyframe_interval_bad_seconds ? 'bad' : 'warning',
    text: m.health_keyframes_long()
  };
}

function sound(ingest: Ingest): Advice {
  const label = m.health_sound();
  if (!ingest.audio_codec) return { name: 'sound', label, value: m.health_none(), health: 'warning', text: m.health_no_sound() };
  const codec = ingest.audio_codec.startsWith('mp4a') ? 'AAC' : ingest.audio_codec;
  return { name: 'sound', label, value: codec, health: 'good' };
}
