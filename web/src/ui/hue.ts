/** A hue that stays with a name: people are known by their colour in a chat. FNV-1a over the text, on the colour circle. */
export function hueOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash % 360;
}

/** Readable on the surfaces of both themes (at least 4.5 : 1). */
export function nameColour(id: string): string {
  const hue = hueOf(id);
  return `light-dark(oklch(0.48 0.13 ${hue}), oklch(0.8 0.12 ${hue}))`;
}
