// Reading what a player reads: playlists (RFC 8216) and the files that they name.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { run } from './program.ts';
import type { Visitor } from './visitor.ts';

export interface Segment {
  uri: string;
  duration: number;
  discontinuity: boolean;
  program_date_time: string | undefined;
  // The EXT-X-MAP in force.
  map: string | undefined;
}

export interface MediaPlaylist {
  version: number;
  target_duration: number;
  media_sequence: number;
  discontinuity_sequence: number;
  ended: boolean;
  segments: Segment[];
  text: string;
}

// A quoted value may hold commas.
const attribute = (line: string, name: string) => {
  const found = new RegExp(`[:,]${name}=(?:"([^"]*)"|([^,]*))`).exec(line);
  return found?.[1] ?? found?.[2];
};

// Throws where the playlist breaks a rule that players rely on.
export function parse_media_playlist(text: string): MediaPlaylist {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines[0] !== '#EXTM3U') throw new Error(`no playlist: ${text.slice(0, 200)}`);
  const number = (tag: string) => {
    const line = lines.find((candidate) => candidate.startsWith(`#${tag}:`));
    return line === undefined ? undefined : Number(line.slice(tag.length + 2));
  };
  const playlist: MediaPlaylist = {
    version: number('EXT-X-VERSION') ?? 1,
    target_duration: number('EXT-X-TARGETDURATION') ?? Number.NaN,
    media_sequence: number('EXT-X-MEDIA-SEQUENCE') ?? 0,
    discontinuity_sequence: number('EXT-X-DISCONTINUITY-SEQUENCE') ?? 0,
    ended: lines.includes('#EXT-X-ENDLIST'),
    segments: [],
    text,
  };
  if (!Number.isInteger(playlist.target_duration)) throw new Error(`no target duration: ${text}`);
  let map: string | undefined;
  let next: Partial<Segment> = {};
  for (const line of lines) {
    if (line.startsWith('#EXT-X-MAP:')) map = attribute(line, 'URI');
    else if (line === '#EXT-X-DISCONTINUITY') next.discontinuity = true;
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) next.program_date_time = line.slice(25);
    else if (line.startsWith('#EXTINF:')) next.duration = Number.parseFloat(line.slice(8));
    else if (!line.startsWith('#')) {
      if (next.duration === undefined) throw new Error(`a segment without its duration: ${line}`);
      // RFC 8216, 4.3.3.1: rounded to the nearest whole second, no segment is longer than the target.
      if (Math.round(next.duration) > playlist.target_duration) throw new Error(`longer than the target: ${text}`);
      playlist.segments.push({
        uri: line,
        duration: next.duration,
        discontinuity: next.discontinuity ?? false,
        program_date_time: next.program_date_time,
        map,
      });
      next = {};
    }
  }
  return playlist;
}

export interface Variant {
  uri: string;
  bandwidth: number;
  codecs: string;
  resolution: string | undefined;
  frame_rate: number | undefined;
}

export function parse_master_playlist(text: string): Variant[] {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines[0] !== '#EXTM3U') throw new Error(`no playlist: ${text.slice(0, 200)}`);
  return lines.flatMap((line, i) => {
    if (!line.startsWith('#EXT-X-STREAM-INF:')) return [];
    const frame_rate = attribute(line, 'FRAME-RATE');
    return [
      {
        uri: lines[i + 1]!,
        bandwidth: Number(attribute(line, 'BANDWIDTH')),
        codecs: attribute(line, 'CODECS') ?? '',
        resolution: attribute(line, 'RESOLUTION'),
        frame_rate: frame_rate === undefined ? undefined : Number(frame_rate),
      },
    ];
  });
}

// What a player does first: the master playlist, then its first variant.
export async function read_master(visitor: Visitor, playback_url: string): Promise<{ variants: Variant[]; media_url: string }> {
  const answer = await visitor.fetch(playback_url);
  if (!answer.ok) throw new Error(`${playback_url} was answered ${answer.status}`);
  const variants = parse_master_playlist(await answer.text());
  return { variants, media_url: resolve(playback_url, variants[0]!.uri) };
}

export async function read_media(visitor: Visitor, media_url: string): Promise<MediaPlaylist> {
  const answer = await visitor.fetch(media_url);
  if (!answer.ok) throw new Error(`${media_url} was answered ${answer.status}`);
  return parse_media_playlist(await answer.text());
}

export function resolve(base: string, uri: string): string {
  const url = new URL(uri, new URL(base, 'http://server.invalid'));
  return url.pathname + url.search;
}

export interface Decoded {
  codecs: string[];
  width: number;
  height: number;
  frames: number;
}

// Fetches segments with their initialisation section and has ffprobe decode every frame of them.
export async function decode(visitor: Visitor, media_url: string, segments: Segment[]): Promise<Decoded> {
  const bytes: Buffer[] = [];
  for (const uri of [segments[0]!.map!, ...segments.map((segment) => segment.uri)]) {
    const answer = await visitor.fetch(resolve(media_url, uri));
    if (!answer.ok) throw new Error(`${uri} was answered ${answer.status}`);
    bytes.push(Buffer.from(await answer.arrayBuffer()));
  }
  const directory = await mkdtemp(path.join(tmpdir(), 'spaktok-segments-'));
  try {
    const file = path.join(directory, 'segments.mp4');
    await writeFile(file, Buffer.concat(bytes));
    const entries = 'stream=codec_name,codec_type,width,height,nb_read_frames';
    const probe = await run('ffprobe', ['-v', 'error', '-count_frames', '-show_entries', entries, '-of', 'json', file]);
    if (probe.code !== 0 || probe.stderr !== '') throw new Error(`ffprobe: ${probe.stderr}`);
    const streams = (JSON.parse(probe.stdout) as { streams: any[] }).streams;
    const video = streams.find(({ codec_type }) => codec_type === 'video');
    return {
      codecs: streams.map(({ codec_name }) => codec_name as string).sort(),
      width: video?.width ?? 0,
      height: video?.height ?? 0,
      frames: Number(video?.nb_read_frames ?? 0),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
