export type Part = { kind: 'text' | 'mention' | 'link'; text: string; username?: string };

const pattern = /(https?:\/\/[^\s<>"']+)|(?<![A-Za-z0-9_@])@([A-Za-z0-9_]{3,30})(?![A-Za-z0-9_])/g;
/** Belongs to the sentence, not to the link before it. */
const trailing = /[.,;:!?)\]]+$/;

/** A message's content cut into what is shown differently. The parts together are the content, to the letter. */
export function partsOf(content: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  const text = (until: number) => {
    if (until > at) parts.push({ kind: 'text', text: content.slice(at, until) });
    at = until;
  };
  for (const match of content.matchAll(pattern)) {
    text(match.index);
    if (match[1] !== undefined) {
      const link = match[1].replace(trailing, '');
      parts.push({ kind: 'link', text: link });
      at += link.length;
    } else {
      parts.push({ kind: 'mention', text: match[0], username: match[2]!.toLowerCase() });
      at += match[0].length;
    }
  }
  text(content.length);
  return parts;
}

export function mentions(content: string, username: string | undefined): boolean {
  if (username === undefined) return false;
  const wanted = username.toLowerCase();
  return partsOf(content).some((part) => part.username === wanted);
}
