/**
 * Links with a speed, for networks and origins in memory: what one node sends and receives over all
 * its streams goes through one line each way.
 */
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream, Network, Origin, PeerAddress } from "../../swarm/ports.ts";

/** Bytes may be so far ahead of the line: what a socket would buffer. */
const AHEAD_MS = 10;

/** Bytes that pass the line at once: several users of it take turns. */
const TURN_BYTES = 64 * 1024;

/** A line that carries so many bytes a second, whoever uses it. */
export class Line {
  /** Bytes that passed. */
  bytes = 0;
  readonly #bytesPerSecond: number;
  readonly #clock: Pick<Clock, "monotonicMs" | "sleep">;
  #freeMs = 0;

  constructor(bytesPerSecond: number, clock: Pick<Clock, "monotonicMs" | "sleep">) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** Resolves when `count` bytes have passed. */
  async pass(count: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    for (let left = count; left > 0; left -= TURN_BYTES) {
      const turn = Math.min(left, TURN_BYTES);
      this.bytes += turn;
      const nowMs = this.#clock.monotonicMs();
      this.#freeMs = Math.max(this.#freeMs, nowMs) + (turn * 1000) / this.#bytesPerSecond;
      const waitMs = this.#freeMs - nowMs - AHEAD_MS;
      if (waitMs > 0) await this.#clock.sleep(waitMs, options);
    }
  }
}

/** The two lines of one node. */
export interface Links {
  readonly up: Line;
  readonly down: Line;
}

/** `network` over `links`. */
export function shapedNetwork(network: Network, links: Links): Network {
  return {
    peerId: network.peerId,
    addresses: () => network.addresses(),
    connections: () => network.connections(),
    openStream: async (peer: PeerAddress, protocol: string, options) =>
      new ShapedStream(await network.openStream(peer, protocol, options), links),
    handle: (protocol, handler, options) =>
      network.handle(protocol, (stream) => handler(new ShapedStream(stream, links)), options),
    onPeer: (listener) => network.onPeer(listener),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

class ShapedStream implements ByteStream {
  readonly peerId: string;
  readonly remoteAddr: string;
  readonly relayed: boolean;
  readonly #stream: ByteStream;
  readonly #links: Links;
  #sending: Promise<void> = Promise.resolve();

  constructor(stream: ByteStream, links: Links) {
    this.peerId = stream.peerId;
    this.remoteAddr = stream.remoteAddr;
    this.relayed = stream.relayed;
    this.#stream = stream;
    this.#links = links;
  }

  async read(): Promise<Uint8Array | undefined> {
    const bytes = await this.#stream.read();
    if (bytes !== undefined) await this.#links.down.pass(bytes.length);
    return bytes;
  }

  write(...parts: Uint8Array[]): Promise<void> {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    this.#sending = this.#sending.then(async () => {
      await this.#links.up.pass(size);
      await this.#stream.write(...parts);
    });
    this.#sending.catch(() => {});
    return this.#sending;
  }

  async closeWrite(): Promise<void> {
    await this.#sending;
    await this.#stream.closeWrite();
  }

  abort(reason: Error): void {
    this.#stream.abort(reason);
  }
}

/** Options of {@link shapedOrigin}. */
export interface ShapedOriginOptions {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The origin's own line, shared by all that read. */
  readonly line: Line;
  /** The reader's line. */
  readonly down?: Line;
  /** Called for each piece; may wait, or throw to break the body. */
  readonly onPiece?: (offset: number) => Promise<void> | void;
  readonly id?: string;
}

/** An origin with ranges that sends `bytes` over `line`. */
export function shapedOrigin(options: ShapedOriginOptions): Origin {
  const { bytes, line, down } = options;
  return {
    id: options.id ?? "memory:origin",
    open: ({ offset, end, signal }) => {
      let at = offset;
      const until = end ?? bytes.length;
      const body = new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          if (at >= until) return controller.close();
          const piece = bytes.subarray(at, Math.min(until, at + TURN_BYTES));
          await options.onPiece?.(at);
          await line.pass(piece.length, { signal });
          if (down !== undefined) await down.pass(piece.length, { signal });
          at += piece.length;
          controller.enqueue(piece);
        },
      }, { highWaterMark: 0 });
      return Promise.resolve({ body, offset, size: bytes.length });
    },
  };
}

/** A line that limits nothing. */
export function endlessLine(): Line {
  return new Line(Infinity, { monotonicMs: () => 0, sleep: () => Promise.resolve() });
}
