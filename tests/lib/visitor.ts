// Someone who uses the API: a browser (cookie) or a program (bearer token). Each answer is held against the contract.
import createClient, { type Client } from 'openapi-fetch';

import { check_answer } from './contract.ts';
import type { components, paths } from './schema.d.ts';
import type { Site } from './server.ts';

export type Schemas = components['schemas'];
export type Problem = Schemas['Problem'];

export const password = 'correct horse battery';

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export class Visitor {
  readonly api: Client<paths>;
  readonly server: Site;
  token: string | undefined;
  readonly cookies = new Map<string, string>();
  // What a browser would add: the Origin of its page. Overwritten by tests of the check.
  origin: string | undefined;

  constructor(server: Site) {
    this.server = server;
    // The address may change when the server starts again, so it is asked for each time.
    this.api = createClient<paths>({
      baseUrl: 'http://server.invalid',
      fetch: (request: Request) => this.send(request),
    });
  }

  // Like fetch, with this visitor's credentials and the contract's check.
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return await this.send(new Request(new URL(path, 'http://server.invalid'), init));
  }

  // Without the check: for what the contract says nothing about.
  async fetch_unchecked(path: string, init: RequestInit = {}): Promise<Response> {
    return await fetch(new URL(path, this.server.url), { ...init, headers: this.headers(new Headers(init.headers)) });
  }

  headers(given: Headers = new Headers()): Headers {
    const headers = new Headers(given);
    if (this.token && !headers.has('authorization')) headers.set('authorization', `Bearer ${this.token}`);
    if (this.cookies.size > 0) {
      headers.set('cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    }
    if (this.origin !== undefined) headers.set('origin', this.origin);
    return headers;
  }

  private async send(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const body = ['GET', 'HEAD'].includes(request.method) ? undefined : await request.arrayBuffer();
    const response = await fetch(new URL(pathname + search, this.server.url), {
      method: request.method,
      headers: this.headers(request.headers),
      redirect: 'manual',
      ...(body && body.byteLength > 0 ? { body } : {}),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    check_answer(request.method, pathname, response, bytes);
    this.keep_cookies(response);
    return new Response([101, 204, 304].includes(response.status) ? null : bytes, response);
  }

  private keep_cookies(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const name = pair!.slice(0, pair!.indexOf('='));
      const value = pair!.slice(pair!.indexOf('=') + 1);
      if (value === '' || /max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}

// The answer's data; a test that meets an error here shows it.
export function ok<T>(answer: Answer<T>): T {
  if (!answer.response.ok) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data as T;
}

// The problem that was answered, as "409 username_taken" or "400 invalid_field bio".
export async function problem(pending: Promise<Answer<unknown>>): Promise<string> {
  const { error, response } = await pending;
  if (response.ok) return String(response.status);
  return problem_words(error as Problem);
}

export function problem_words({ status, type, field }: Problem): string {
  return [status, type.replace('/problems/', ''), field].filter((word) => word !== undefined).join(' ');
}
