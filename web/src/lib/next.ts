/** Where to go after signing in. Only places of this page: an address of another site is no place to send someone. */
export function nextPlace(url: URL): string {
  const next = url.searchParams.get('next');
  if (!next || !next.startsWith('/')) return '/';
  const target = new URL(next, url.origin);
  return target.origin === url.origin ? target.pathname + target.search : '/';
}
