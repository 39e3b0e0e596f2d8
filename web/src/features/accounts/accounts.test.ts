import { describe, expect, it } from 'vitest';
import { Problem } from '$lib/api/problem';
import { nextPlace } from '$lib/next';
import { clampCrop, startCrop } from './crop';
import { deviceName } from './device';
import { Form } from './form.svelte';

describe('Form', () => {
  const problem = (reason: string, field?: string) => new Problem({ reason, status: 400, detail: 'as told', field });

  it('puts an error at the field that is at fault', async () => {
    const form = new Form(['username']);
    expect(await form.submit(() => Promise.reject(problem('username_taken')))).toBe(false);
    expect(form.errors.username).toMatch(/taken/);
    expect(form.error).toBeUndefined();
  });

  it('tells what concerns no field of its own as a whole', async () => {
    const form = new Form(['username']);
    await form.submit(() => Promise.reject(problem('invalid_argument', 'skills')));
    expect(form.errors).toEqual({});
    expect(form.error).toBe('as told');
  });

  it('forgets the last error when it is sent again', async () => {
    const form = new Form(['username']);
    await form.submit(() => Promise.reject(problem('x')));
    expect(await form.submit(() => Promise.resolve())).toBe(true);
    expect(form.error).toBeUndefined();
    expect(form.busy).toBe(false);
  });
});

describe('nextPlace', () => {
  const at = (next: string) => nextPlace(new URL(`https://live.example/signin?next=${encodeURIComponent(next)}`));
  it.each([
    ['/watch/1', '/watch/1'],
    ['/explore?status=ended', '/explore?status=ended'],
    ['https://evil.example/', '/'],
    ['//evil.example/x', '/'],
    ['/\\evil.example', '/'],
    ['javascript:alert(1)', '/'],
    ['', '/']
  ])('%s leads to %s', (next, place) => expect(at(next)).toBe(place));
});

describe('crop', () => {
  const image = { width: 400, height: 200 };
  it('starts in the middle', () => expect(startCrop(image)).toEqual({ x: 100, y: 0, size: 200 }));
  it.each([
    [{ x: -50, y: 10, size: 100 }, { x: 0, y: 10, size: 100 }],
    [{ x: 390, y: 190, size: 100 }, { x: 300, y: 100, size: 100 }],
    [{ x: 0, y: 0, size: 500 }, { x: 0, y: 0, size: 200 }]
  ])('stays within the picture', (crop, expected) => expect(clampCrop(crop, image)).toEqual(expected));
});

describe('deviceName', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1', 'Safari on iPhone'],
    ['curl/8.5.0', 'curl/8.5.0'],
    ['', 'Unknown device']
  ])('%s', (agent, name) => expect(deviceName(agent)).toBe(name));
});
