// A client of api/realtime.md.
import WebSocket from 'ws';

import { check_schema } from './contract.ts';
import { in_time, patience_ms } from './until.ts';
import type { Problem, Schemas, Visitor } from './visitor.ts';
import { problem_words } from './visitor.ts';

export type Message = Schemas['Message'];
export interface Position {
  epoch: string;
  offset: number;
}
export interface Event {
  type: 'event';
  topic: string;
  epoch?: string;
  offset?: number;
  event: string;
  data: any;
}
export interface Subscribed extends Position {
  topic: string;
  recovered: boolean;
  messages: Event[];
  state: any;
}
export interface Welcome {
  type: 'welcome';
  connection_id: number;
  user_id: string | null;
  ping_interval_seconds: number;
  limits: Record<string, number>;
}

// An answer that is an error, as "409 room_closed".
export class Refused extends Error {
  readonly problem: Problem;
  readonly retry_after_seconds: number | undefined;
  constructor(problem: Problem, retry_after_seconds: number | undefined) {
    super(problem_words(problem));
    this.problem = problem;
    this.retry_after_seconds = retry_after_seconds;
  }
}

interface Waiting {
  resolve(result: any): void;
  reject(error: Error): void;
}

export class Socket {
  readonly events: Event[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  close_code: number | undefined;
  welcome!: Welcome;
  private readonly socket: WebSocket;
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners = new Set<(event: Event) => void>();
  private readonly ignore_answers: boolean;
  private next_id = 1_000_000; // what is sent raw has smaller ones
  private welcomed!: Waiting;

  private constructor(socket: WebSocket, ignore_answers: boolean) {
    this.socket = socket;
    this.ignore_answers = ignore_answers;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.close_code = code;
        for (const { reject } of this.waiting.values()) reject(new Error(`the socket was closed with ${code}`));
        this.waiting.clear();
        this.welcomed.reject(new Error(`the socket was closed with ${code} before its welcome`));
        resolve({ code, reason: reason.toString() });
      });
    });
    socket.on('message', (data, is_binary) => {
      if (is_binary) throw new Error('a binary message came');
      this.on_message(JSON.parse(String(data)));
    });
  }

  // With the visitor's credentials.
  static async open(visitor: Visitor, { ignore_answers = false } = {}): Promise<Socket> {
    const headers = Object.fromEntries(visitor.headers());
    const socket = new WebSocket(visitor.server.realtime_url, { headers, perMessageDeflate: false });
    const client = new Socket(socket, ignore_answers);
    const failed = new Promise<never>((_, reject) => {
      socket.on('unexpected-response', (_request, response) => {
        reject(new Error(`the handshake was answered ${response.statusCode}`));
        socket.terminate();
      });
      // Of an open socket the close says it all.
      socket.on('error', reject);
    });
    failed.catch(() => undefined);
    const welcome = new Promise<Welcome>((resolve, reject) => (client.welcomed = { resolve, reject }));
    welcome.catch(() => undefined);
    client.welcome = await in_time('the welcome', Promise.race([welcome, failed]));
    return client;
  }

  get is_open(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  // The answer's result; throws Refused where it is an error.
  async request<T = any>(type: string, members: object = {}): Promise<T> {
    const id = this.next_id++;
    const answer = new Promise<T>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    answer.catch(() => undefined);
    this.socket.send(JSON.stringify({ id, type, ...members }));
    return await in_time(`the answer to ${type}`, answer);
  }

  async subscribe(topic: string, recover?: Position): Promise<Subscribed> {
    return await this.request<Subscribed>('subscribe', recover ? { topic, recover } : { topic });
  }

  async send(room_id: string, content: string, more: { client_id?: string; reply_to?: string } = {}): Promise<Message> {
    const client_id = more.client_id ?? crypto.randomUUID();
    const { message } = await this.request<{ message: Message }>('chat.send', { room_id, content, ...more, client_id });
    check_schema('Message', message);
    return message;
  }

  send_raw(data: string | Buffer): void {
    this.socket.send(data);
  }

  // The first event, come already or later, that `matches`.
  async event(what: string, matches: (event: Event) => boolean, within_ms = patience_ms): Promise<Event> {
    const come = this.events.find(matches);
    if (come) return come;
    let listener: ((event: Event) => void) | undefined;
    const found = new Promise<Event>((resolve, reject) => {
      listener = (event) => {
        if (matches(event)) resolve(event);
      };
      this.listeners.add(listener);
      void this.closed.then(({ code }) => reject(new Error(`the socket was closed with ${code} before ${what}`)));
    });
    try {
      return await in_time(`${what} among ${this.events.length} events`, found, within_ms);
    } finally {
      this.listeners.delete(listener!);
    }
  }

  named(event: string, topic?: string): Event[] {
    return this.events.filter((one) => one.event === event && (topic === undefined || one.topic === topic));
  }

  async close(): Promise<void> {
    this.socket.close(1000);
    await in_time('the end of the socket', this.closed);
  }

  // As a network that breaks: without a closing handshake.
  async drop(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  private on_message(message: any): void {
    switch (message.type) {
      case 'welcome':
        return this.welcomed.resolve(message);
      case 'answer': {
        const waiting = this.waiting.get(message.id);
        if (!waiting && this.ignore_answers) return; // to what was sent raw
        if (!waiting) throw new Error(`an answer to nothing: ${JSON.stringify(message)}`);
        this.waiting.delete(message.id);
        if (message.error) {
          check_schema('Problem', message.error);
          return waiting.reject(new Refused(message.error, message.retry_after_seconds));
        }
        return waiting.resolve(message.result);
      }
      case 'event': {
        check_event(message);
        this.events.push(message);
        for (const listener of [...this.listeners]) listener(message);
        return;
      }
      default:
        throw new Error(`an unknown message: ${JSON.stringify(message)}`);
    }
  }
}

function check_event(event: Event): void {
  if (event.data?.stream) check_schema('Stream', event.data.stream);
  if (event.event === 'message.created') check_schema('Message', event.data.message);
}

// The refusal of a request, as words; fails where it was granted.
export async function refusal(pending: Promise<unknown>): Promise<string> {
  try {
    await pending;
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
  return 'granted';
}
