import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { reconnectDelay } from './backoff';
import { FakeWire } from './fake_wire';
import { Socket } from './socket';
import type { SocketOptions } from './socket';

const room = 'room:r1';

function setUp(options: Partial<SocketOptions> = {}) {
  const wires: FakeWire[] = [];
  const socket = new Socket({
    open: () => {
      const wire = new FakeWire();
      wires.push(wire);
      return wire;
    },
    random: () => 0,
    ...options
  });
  const wire = () => wires[wires.length - 1]!;
  return { socket, wires, wire };
}

/** Lets promises that are settled already run. */
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('requests', () => {
  it('are numbered and answered with their result', async () => {
    const { socket, wire } = setUp();
    socket.connect();
    wire().welcome();
    const first = socket.request('one', { a: 1 });
    const second = socket.request('two', {});
    expect(wire().sent).toEqual([
      { id: 1, type: 'one', a: 1 },
      { id: 2, type: 'two' }
    ]);
    wire().answer('two', { n: 2 });
    wire().answer('one', { n: 1 });
    await expect(first).resolves.toEqual({ n: 1 });
    await expect(second).resolves.toEqual({ n: 2 });
  });

  it('reject with the problem that the server tells', async () => {
    const { socket, wire } = setUp();
    socket.connect();
    wire().welcome();
    const request = socket.request('chat.send', {});
    wire().refuse('chat.send', { type: '/problems/flood', title: 'x', status: 429, detail: 'too fast' });
    await expect(request).rejects.toMatchObject({ reason: 'flood', status: 429, detail: 'too fast' });
  });

  it('reject after their deadline, and a late answer changes nothing', async () => {
    const { socket, wire } = setUp({ request_timeout_ms: 1000 });
    socket.connect();
    wire().welcome();
    const request = socket.request('slow', {});
    const outcome = expect(request).rejects.toMatchObject({ reason: 'network' });
    await vi.advanceTimersByTimeAsync(1000);
    await outcome;
    wire().answer('slow', {});
  });

  it('that are under way reject when the connection is lost', async () => {
    const { socket, wire } = setUp();
    socket.connect();
    wire().welcome();
    const request = socket.request('chat.send', {});
    wire().lose();
    await expect(request).rejects.toMatchObject({ reason: 'network', status: 0 });
  });

  it('reject at once without a connection', async () => {
    const { socket } = setUp();
    await expect(socket.request('x', {})).rejects.toBeInstanceOf(Problem);
  });
});

describe('subscriptions', () => {
  it('hand on events in order and drop what was seen already', async () => {
    const { socket, wire } = setUp();
    const seen: unknown[] = [];
    socket.connect();
    wire().welcome();
    socket.subscribe(room, { on_event: ({ data }) => seen.push(data) });
    wire().answer('subscribe', { topic: room, epoch: 'e', offset: 3 });
    await settle();
    wire().event(room, 'm', 4, { epoch: 'e', offset: 4 });
    wire().event(room, 'm', 4, { epoch: 'e', offset: 4 });
    wire().event(room, 'm', 5, { epoch: 'e', offset: 5 });
    expect(seen).toEqual([4, 5]);
  });

  it('recover what was missed, exactly once, after a reconnect', async () => {
    const { socket, wire } = setUp();
    const seen: unknown[] = [];
    let gaps = 0;
    socket.connect();
    wire().welcome();
    socket.subscribe(room, { on_event: ({ data }) => seen.push(data), on_gap: () => gaps++ });
    wire().answer('subscribe', { topic: room, epoch: 'e', offset: 1 });
    await settle();
    wire().event(room, 'm', 2, { epoch: 'e', offset: 2 });
    wire().lose();
    await vi.advanceTimersByTimeAsync(1000);
    wire().welcome();
    expect(wire().last('subscribe')).toMatchObject({ topic: room, recover: { epoch: 'e', offset: 2 } });
    // An event that overtakes the answer is held back, and not applied twice when the answer brings it too.
    wire().event(room, 'm', 4, { epoch: 'e', offset: 4 });
    expect(seen).toEqual([2]);
    wire().answer('subscribe', {
      topic: room,
      epoch: 'e',
      offset: 4,
      recovered: true,
      messages: [
        { topic: room, event: 'm', data: 3, epoch: 'e', offset: 3 },
        { topic: room, event: 'm', data: 4, epoch: 'e', offset: 4 }
      ]
    });
    await settle();
    wire().event(room, 'm', 5, { epoch: 'e', offset: 5 });
    expect(seen).toEqual([2, 3, 4, 5]);
    expect(gaps).toBe(0);
  });

  it('tell a gap where the server cannot recover, and go on from its position', async () => {
    const { socket, wire } = setUp();
    const seen: unknown[] = [];
    let gaps = 0;
    socket.connect();
    wire().welcome();
    socket.subscribe(room, { on_event: ({ data }) => seen.push(data), on_gap: () => gaps++ });
    wire().answer('subscribe', { topic: room, epoch: 'old', offset: 7 });
    await settle();
    expect(gaps).toBe(0);
    wire().lose();
    await vi.advanceTimersByTimeAsync(1000);
    wire().welcome();
    wire().answer('subscribe', { topic: room, epoch: 'new', offset: 2, recovered: false, messages: [] });
    await settle();
    expect(gaps).toBe(1);
    wire().event(room, 'm', 'x', { epoch: 'new', offset: 3 });
    expect(seen).toEqual(['x']);
  });

  it('fetch what a hole on a standing connection hides', async () => {
    const { socket, wire } = setUp();
    const seen: unknown[] = [];
    socket.connect();
    wire().welcome();
    socket.subscribe(room, { on_event: ({ data }) => seen.push(data) });
    wire().answer('subscribe', { topic: room, epoch: 'e', offset: 1 });
    await settle();
    wire().event(room, 'm', 3, { epoch: 'e', offset: 3 });
    expect(wire().last('subscribe').recover).toEqual({ epoch: 'e', offset: 1 });
    wire().answer('subscribe', {
      topic: room,
      epoch: 'e',
      offset: 3,
      recovered: true,
      messages: [2, 3].map((offset) => ({ topic: room, event: 'm', data: offset, epoch: 'e', offset }))
    });
    await settle();
    expect(seen).toEqual([2, 3]);
  });

  it('of topics without a history tell a gap after each reconnect', async () => {
    const { socket, wire } = setUp();
    let gaps = 0;
    const states: unknown[] = [];
    socket.connect();
    wire().welcome();
    socket.subscribe('live', { on_event: () => undefined, on_gap: () => gaps++, on_state: (state) => states.push(state) });
    wire().answer('subscribe', { topic: 'live', state: { n: 1 } });
    await settle();
    expect(gaps).toBe(0);
    wire().lose();
    await vi.advanceTimersByTimeAsync(1000);
    wire().welcome();
    wire().answer('subscribe', { topic: 'live', state: { n: 2 } });
    await settle();
    expect(gaps).toBe(1);
    expect(states).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('are shared by listeners and ended by the last one', async () => {
    const { socket, wire } = setUp();
    const seen: string[] = [];
    socket.connect();
    wire().welcome();
    const leave_one = socket.subscribe('live', { on_event: () => seen.push('one') });
    const leave_other = socket.subscribe('live', { on_event: () => seen.push('other') });
    expect(wire().count('subscribe')).toBe(1);
    wire().answer('subscribe', { topic: 'live' });
    await settle();
    leave_one();
    expect(wire().count('unsubscribe')).toBe(0);
    wire().event('live', 'x', null);
    leave_other();
    expect(wire().count('unsubscribe')).toBe(1);
    wire().event('live', 'x', null);
    expect(seen).toEqual(['other']);
  });

  it('that the server refuses say so', async () => {
    const { socket, wire } = setUp();
    const refused: string[] = [];
    socket.connect();
    wire().welcome();
    socket.subscribe('room:secret', { on_event: () => undefined, on_refused: (problem) => refused.push(problem.reason) });
    wire().refuse('subscribe', { type: '/problems/forbidden', title: '', status: 403, detail: '' });
    await settle();
    expect(refused).toEqual(['forbidden']);
  });
});

describe('the connection', () => {
  it('comes back after a loss, waiting longer each time', async () => {
    const { socket, wires, wire } = setUp();
    socket.connect();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      wire().lose();
      const before = wires.length;
      let waited = 0;
      while (wires.length === before) {
        await vi.advanceTimersByTimeAsync(50);
        waited += 50;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([250, 500, 1000, 2000]);
  });

  it('is given up where no welcome comes', async () => {
    const { socket, wires } = setUp({ connect_timeout_ms: 3000 });
    socket.connect();
    await vi.advanceTimersByTimeAsync(3000);
    expect(wires[0]!.closed).toBe(true);
    expect(socket.state).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1000);
    expect(wires).toHaveLength(2);
  });

  it('is given up where a ping is not answered', async () => {
    const { socket, wires, wire } = setUp({ request_timeout_ms: 5000 });
    socket.connect();
    wire().welcome();
    await vi.advanceTimersByTimeAsync(25_000);
    expect(wire().count('ping')).toBe(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(wires[0]!.closed).toBe(true);
    expect(socket.state).not.toBe('open');
  });

  it('says when the session was ended, and comes back as a guest', async () => {
    let ended = 0;
    const { socket, wires, wire } = setUp({ on_session_ended: () => ended++ });
    socket.connect();
    wire().welcome('u1');
    wire().lose(4401);
    expect(ended).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(wires).toHaveLength(2);
  });

  it('is made anew by restart, and what the old one still says is not heard', async () => {
    const { socket, wires, wire } = setUp();
    const seen: unknown[] = [];
    socket.connect();
    wire().welcome();
    socket.subscribe('live', { on_event: ({ data }) => seen.push(data) });
    const old = wire();
    socket.restart();
    expect(old.closed).toBe(true);
    expect(wires).toHaveLength(2);
    old.event('live', 'x', 'late');
    wire().welcome('u1');
    expect(wire().count('subscribe')).toBe(1);
    expect(seen).toEqual([]);
  });

  it('comes back at once when the network does', async () => {
    const { socket, wires, wire } = setUp();
    socket.connect();
    wire().welcome();
    wire().lose();
    socket.probe();
    expect(wires).toHaveLength(2);
  });
});

describe('reconnectDelay', () => {
  it.each([
    ['the first time, lowest', 1, 1006, 0, 250],
    ['the first time, highest', 1, 1006, 1, 500],
    ['at its ceiling', 30, 1006, 1, 30_000],
    ['after a restart, spread from nothing', 1, 1012, 0, 0],
    ['after a restart, over two seconds', 1, 1012, 1, 2_000],
    ['after too many requests, never soon', 1, 4429, 0, 10_000]
  ])('%s', (_name, attempt, code, random, expected) => {
    expect(reconnectDelay(attempt, code, () => random)).toBe(expected);
  });
});
