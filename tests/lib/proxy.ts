// A TCP proxy before an engine, by which its connections can be cut in the middle of an answer.
import { type AddressInfo, createConnection, createServer, type Server as Listener, type Socket } from 'node:net';

export class Proxy {
  private readonly listener: Listener;
  private readonly sockets = new Set<Socket>();
  private cutting = false;
  private losing: { word: string; left: number; done: () => void } | undefined;

  private constructor(port: number) {
    this.listener = createServer((client) => {
      const engine = createConnection(port, '127.0.0.1');
      for (const [one, other] of [[client, engine], [engine, client]] as const) {
        this.sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
      }
      let is_asked = false; // for what the client is not to hear of
      client.on('data', (data) => {
        if (this.losing && data.includes(this.losing.word)) is_asked = true;
        engine.write(data);
      });
      engine.on('data', (data) => {
        if (is_asked && this.losing && data.includes(this.losing.word)) {
          this.losing.left -= 1;
          if (this.losing.left <= 0) this.losing.done();
          return client.destroy();
        }
        if (!this.cutting) return client.write(data);
        client.write(data.subarray(0, Math.floor(data.length / 2)));
        return client.destroy();
      });
    });
  }

  static async before(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    await new Promise<void>((resolve) => proxy.listener.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  // For so long, every answer is half of it and the end of the connection.
  async cut(ms: number): Promise<void> {
    this.cutting = true;
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.cutting = false;
  }

  // Ends so many connections when the engine has done what `word` asks for, and before its client hears of that.
  async lose_answers(word: string, count: number): Promise<void> {
    await new Promise<void>((done) => (this.losing = { word, left: count, done }));
    this.losing = undefined;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.listener.close(() => resolve()));
  }
}
