import { describe, expect, it } from 'vitest';
import type { Ingest } from '$lib/api/types';
import { adviseOn, worst } from './ingest_advice';
import { withoutCounting } from './player/playback.svelte';
import { playerAction } from './player/shortcuts';
import type { KeyPress } from './player/shortcuts';

const good: Ingest = {
  protocol: 'rtmp',
  video_codec: 'avc1.64001f',
  audio_codec: 'mp4a.40.2',
  width: 1920,
  height: 1080,
  fps: 30,
  bitrate: 4_500_000,
  keyframe_interval_seconds: 2,
  connected: true
};

describe('adviseOn', () => {
  it.each<[string, Partial<Ingest>, string, string]>([
    ['keyframes at the good interval', { keyframe_interval_seconds: 2.5 }, 'keyframes', 'good'],
    ['keyframes a little too far apart', { keyframe_interval_seconds: 2.6 }, 'keyframes', 'warning'],
    ['keyframes far apart', { keyframe_interval_seconds: 5.1 }, 'keyframes', 'bad'],
    ['a bitrate that is too low for the picture', { bitrate: 1_000_000 }, 'bitrate', 'warning'],
    ['a bitrate that few can receive', { bitrate: 12_000_001 }, 'bitrate', 'warning'],
    ['few frames', { fps: 20 }, 'fps', 'warning'],
    ['very few frames', { fps: 8 }, 'fps', 'bad'],
    ['no picture', { video_codec: '' }, 'picture', 'bad'],
    ['no sound', { audio_codec: '' }, 'sound', 'warning']
  ])('%s', (_name, changes, name, health) => {
    const advice = adviseOn({ ...good, ...changes }).find((item) => item.name === name)!;
    expect(advice.health).toBe(health);
    expect(Boolean(advice.text)).toBe(health !== 'good');
  });

  it('finds nothing wrong with a good stream', () => expect(worst(adviseOn(good))).toBe('good'));
  it('is as bad as its worst part', () =>
    expect(worst(adviseOn({ ...good, fps: 8, keyframe_interval_seconds: 3 }))).toBe('bad'));
});

describe('playerAction', () => {
  const press = (key: string, changes: Partial<KeyPress> = {}): KeyPress => ({ key, ctrl: false, target_role: 'other', ...changes });
  it.each<[string, KeyPress, string | undefined]>([
    ['space', press(' '), 'toggle'],
    ['k', press('k'), 'toggle'],
    ['a capital letter too', press('M'), 'mute'],
    ['arrow', press('ArrowLeft'), 'back_a_little'],
    ['nothing while someone types', press('k', { target_role: 'text' }), undefined],
    ['nothing with Ctrl', press('f', { ctrl: true }), undefined],
    ['space on a button presses the button', press(' ', { target_role: 'button' }), undefined],
    ['letters on a button still work', press('m', { target_role: 'button' }), 'mute'],
    ['arrows on a slider move the slider', press('ArrowUp', { target_role: 'slider' }), undefined],
    ['an unknown key', press('x'), undefined]
  ])('%s', (_name, given, action) => expect(playerAction(given)).toBe(action));
});

describe('withoutCounting', () => {
  it.each([
    ['/live/1/master.m3u8', '/live/1/master.m3u8?counted=0'],
    ['/live/1/media.m3u8?a=1', '/live/1/media.m3u8?a=1&counted=0'],
    ['/live/1/media.m3u8?counted=0', '/live/1/media.m3u8?counted=0'],
    ['/live/1/7.m4s', '/live/1/7.m4s']
  ])('%s', (url, expected) => expect(withoutCounting(url)).toBe(expected));
});
