import type { Wire } from './socket';

/** A WebSocket for tests: they see what was sent and say what comes. */
export class FakeWire implements Wire {
  onopen: Wire['onopen'] = null;
  onmessage: Wire['onmessage'] = null;
  onclose: Wire['onclose'] = null;
  sent: Record<string, unknown>[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.closed = true;
  }

  receive(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  welcome(user_id: string | null = null): void {
    this.receive({ type: 'welcome', connection_id: 'c', user_id, ping_interval_seconds: 25 });
  }

  lose(code = 1006): void {
    this.onclose?.({ code });
  }

  /** The last request of this type. */
  last(type: string): Record<string, unknown> {
    const found = this.sent.findLast((request) => request.type === type);
    if (!found) throw new Error(`no ${type} was sent`);
    return found;
  }

  count(type: string): number {
    return this.sent.filter((request) => request.type === type).length;
  }

  answer(type: string, result: unknown): void {
    this.receive({ type: 'answer', id: this.last(type).id, result });
  }

  refuse(type: string, error: unknown): void {
    this.receive({ type: 'answer', id: this.last(type).id, error });
  }

  event(topic: string, event: string, data: unknown, position?: { epoch: string; offset: number }): void {
    this.receive({ type: 'event', topic, event, data, ...position });
  }
}
