/** A number of 32 bits that stays with a text: FNV-1a, its bits mixed once more (MurmurHash3's end) so that like texts differ in all of them. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A hue that stays with a name: people are known by their colour in a chat. */
export function hueOf(text: string): number {
  return hashOf(text) % 360;
}

/** Readable on the surfaces of both themes (at least 4.5 : 1). */
export function nameColour(id: string): string {
  const hue = hueOf(id);
  return `light-dark(oklch(0.48 0.13 ${hue}), oklch(0.8 0.12 ${hue}))`;
}
