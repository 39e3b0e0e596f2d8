import { ok, password, type Schemas, Visitor } from './visitor.ts';
import type { Site } from './server.ts';

export interface Person extends Visitor {
  id: string;
  username: string;
}

let count = 0;
export function new_name(prefix = 'user'): string {
  count += 1;
  return `${prefix}_${process.pid.toString(36)}_${count}`;
}

// The first account of a server, made with the link that it printed.
export async function set_up(server: Site, username = 'ada'): Promise<Person> {
  const token = (await server.setup_link()).searchParams.get('token')!;
  const visitor = new Visitor(server);
  const body = { token, username, email: `${username}@example.org`, password, transport: 'bearer' as const };
  return signed_in(visitor, ok(await visitor.api.POST('/api/v1/setup', { body })));
}

export async function sign_up(server: Site, username = new_name()): Promise<Person> {
  const visitor = new Visitor(server);
  const body = { username, email: `${username}@example.org`, password, transport: 'bearer' as const };
  return signed_in(visitor, ok(await visitor.api.POST('/api/v1/users', { body })));
}

export async function sign_in(server: Site, login: string): Promise<Person> {
  const visitor = new Visitor(server);
  const body = { login, password, transport: 'bearer' as const };
  return signed_in(visitor, ok(await visitor.api.POST('/api/v1/sessions', { body })));
}

function signed_in(visitor: Visitor, { user, token }: Schemas['SignedIn']): Person {
  visitor.token = token;
  return Object.assign(visitor, { id: user.id, username: user.username });
}

export async function new_stream(owner: Visitor, title = 'A stream'): Promise<Schemas['Stream']> {
  return ok(await owner.api.POST('/api/v1/streams', { body: { title } }));
}

export async function new_stream_key(owner: Visitor): Promise<string> {
  return ok(await owner.api.POST('/api/v1/users/me/stream_key')).key;
}

// All items of a list, page by page; fails where a page repeats its cursor.
export async function all_pages<T>(
  page: (cursor?: string) => Promise<{ items: T[]; next_cursor: string | null }>,
  between?: () => Promise<unknown>,
): Promise<T[]> {
  const items: T[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    const { items: more, next_cursor } = await page(cursor);
    items.push(...more);
    if (next_cursor === null) return items;
    if (seen.has(next_cursor)) throw new Error(`the cursor ${next_cursor} came twice`);
    seen.add(next_cursor);
    cursor = next_cursor;
    await between?.();
  }
}
