/** A TCP proxy that misbehaves as it is told: the network between a node and its log. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { listenAnywhere } from '../free-ports.ts';

/** What the network does. `hole` lets packets vanish: nothing arrives, and neither end hears of the other's end. */
export type Network =
  | { readonly kind: 'fine' }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'hole'; readonly direction: 'up' | 'down' | 'both' }
  | { readonly kind: 'slow'; readonly delayMs: number };

/** So much is on its way in one direction of one connection; then its sender is held up. */
const WAITING_BYTES_MAX = 1024 * 1024;
const CONNECTIONS_MAX = 256;

export class TcpProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #network: Network = { kind: 'fine' };

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  /** Listens at a free port of this machine. `up` is from whoever connects to the target. */
  static async open(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await listenAnywhere(proxy.#server);
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get network(): Network {
    return this.#network;
  }

  set network(network: Network) {
    this.#network = network;
    if (network.kind === 'refuse') this.cut();
    else for (const link of this.#links) link.obey(network);
  }

  /** Ends all connections at once, with a reset. */
  cut(): void {
    for (const link of this.#links) link.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#network.kind === 'refuse' || this.#links.size >= CONNECTIONS_MAX) return void client.resetAndDestroy();
    const target = dial({ ...this.#target, allowHalfOpen: true });
    const link = new Link(client, target, () => this.#links.delete(link));
    this.#links.add(link);
    link.obey(this.#network);
  }
}

/** All that is between a node and the servers of its log. */
export class NodeNetwork {
  readonly #proxies: readonly TcpProxy[];

  private constructor(proxies: readonly TcpProxy[]) {
    this.#proxies = proxies;
  }

  static async open(targets: readonly { readonly host: string; readonly port: number }[]): Promise<NodeNetwork> {
    return new NodeNetwork(await Promise.all(targets.map((target) => TcpProxy.open(target))));
  }

  /** In the order of the targets. */
  get ports(): readonly number[] {
    return this.#proxies.map(({ port }) => port);
  }

  set state(state: Network) {
    for (const proxy of this.#proxies) proxy.network = state;
  }

  cut(): void {
    for (const proxy of this.#proxies) proxy.cut();
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}

/** One connection: two sockets, and a pipe in each direction. */
class Link {
  readonly #sockets: readonly [Socket, Socket];
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #onEnd: () => void;
  #ended = false;

  constructor(client: Socket, target: Socket, onEnd: () => void) {
    this.#sockets = [client, target];
    this.#onEnd = onEnd;
    const broken = () => this.destroy();
    this.#up = new Pipe(client, target, broken);
    this.#down = new Pipe(target, client, broken);
  }

  obey(network: Network): void {
    const isHole = (direction: 'up' | 'down') =>
      network.kind === 'hole' && (network.direction === direction || network.direction === 'both');
    const delayMs = network.kind === 'slow' ? network.delayMs : 0;
    this.#up.set({ open: !isHole('up'), delayMs });
    this.#down.set({ open: !isHole('down'), delayMs });
  }

  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#up.stop();
    this.#down.stop();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#onEnd();
  }
}

/** One direction. What comes is kept, in order, until it may go on: the bytes, the end, and the break of the connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #onBroken: () => void;
  #waiting: { readonly dueMs: number; readonly bytes: Buffer | 'end' | 'broken' }[] = [];
  #bytes = 0;
  #open = true;
  #delayMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, onBroken: () => void) {
    this.#from = from;
    this.#to = to;
    this.#onBroken = onBroken;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => this.#take('end'));
    from.on('error', () => {});
    from.on('close', () => this.#take('broken'));
    to.on('drain', () => this.#move());
    from.pause();
  }

  set(state: { readonly open: boolean; readonly delayMs: number }): void {
    this.#open = state.open;
    this.#delayMs = state.delayMs;
    this.#move();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#open = false;
  }

  #take(bytes: Buffer | 'end' | 'broken'): void {
    this.#waiting.push({ dueMs: performance.now() + this.#delayMs, bytes });
    if (bytes instanceof Buffer) this.#bytes += bytes.length;
    this.#move();
  }

  #move(): void {
    clearTimeout(this.#timer);
    while (this.#open && this.#waiting.length > 0 && !this.#to.writableNeedDrain) {
      const { dueMs, bytes } = this.#waiting[0]!;
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#move(), leftMs);
        break;
      }
      this.#waiting.shift();
      if (bytes === 'broken') {
        this.#onBroken();
        return;
      }
      if (bytes === 'end') this.#to.end();
      else {
        this.#bytes -= bytes.length;
        this.#to.write(bytes);
      }
    }
    if (this.#open && this.#bytes < WAITING_BYTES_MAX && !this.#to.writableNeedDrain) this.#from.resume();
    else this.#from.pause();
  }
}
