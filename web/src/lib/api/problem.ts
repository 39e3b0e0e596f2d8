import { m } from '$lib/paraglide/messages.js';

/** What went wrong with a request, told as the server tells it (RFC 9457), or as the network does (status 0). */
export class Problem extends Error {
  /** The stable reason: the last part of the problem's `type`, e.g. `username_taken`; `network` where nothing answered. */
  readonly reason: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** The field of the request that is at fault. */
  readonly field: string | undefined;
  readonly request_id: string | undefined;
  readonly retry_after_seconds: number | undefined;

  constructor(parts: {
    reason: string;
    status: number;
    title?: string;
    detail?: string;
    field?: string;
    request_id?: string;
    retry_after_seconds?: number;
  }) {
    super(parts.detail || parts.title || parts.reason);
    this.name = 'Problem';
    this.reason = parts.reason;
    this.status = parts.status;
    this.title = parts.title ?? '';
    this.detail = parts.detail ?? '';
    this.field = parts.field;
    this.request_id = parts.request_id;
    this.retry_after_seconds = parts.retry_after_seconds;
  }

  static network(): Problem {
    return new Problem({ reason: 'network', status: 0 });
  }

  /** From the body of an answer, whatever it is: a proxy in between may have put its own page there. */
  static fromBody(body: unknown, status: number, retryAfter?: string | null): Problem {
    const parts = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
    const text = (name: string) => (typeof parts[name] === 'string' ? (parts[name] as string) : undefined);
    const seconds = Number(retryAfter);
    return new Problem({
      reason: text('type')?.split('/').pop() || `http_${status}`,
      status: typeof parts.status === 'number' ? parts.status : status,
      title: text('title'),
      detail: text('detail'),
      field: text('field'),
      request_id: text('request_id'),
      retry_after_seconds: retryAfter && Number.isFinite(seconds) ? seconds : undefined
    });
  }

  static from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    // fetch() rejects with a TypeError where no answer came; anything else is a fault of the page and must be seen.
    if (!(error instanceof TypeError)) console.error(error);
    return Problem.network();
  }
}

/** One sentence for people. */
export function problemText(problem: Problem): string {
  if (problem.status === 0) return m.problem_network();
  if (problem.status === 429) {
    return problem.retry_after_seconds
      ? m.problem_too_many_requests_seconds({ seconds: problem.retry_after_seconds })
      : m.problem_too_many_requests();
  }
  if (problem.status >= 500) return m.problem_server();
  return problem.detail || problem.title || m.problem_unknown();
}
