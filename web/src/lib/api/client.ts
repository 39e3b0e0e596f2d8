import createClient from 'openapi-fetch';
import { Problem } from './problem';
import type { paths } from './schema';

export const api = createClient<paths>({ baseUrl: '/', credentials: 'same-origin' });

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The body of a good answer; everything else is thrown as a Problem. */
export async function answered<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    throw Problem.from(error);
  }
  if (!answer.response.ok) {
    throw Problem.fromBody(answer.error, answer.response.status, answer.response.headers.get('retry-after'));
  }
  return answer.data as T;
}
