/** "2.50" or "2,5" → 250 US cents; undefined where it is no amount from 0.01 with at most two decimals. */
export function centsOf(text: string): number | undefined {
  const parts = /^(\d{1,8})(?:[.,](\d{1,2}))?$/.exec(text.trim());
  if (!parts) return undefined;
  const cents = Number(parts[1]) * 100 + Number((parts[2] ?? '').padEnd(2, '0'));
  return cents > 0 ? cents : undefined;
}
