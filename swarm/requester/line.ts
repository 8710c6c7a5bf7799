/** Streams to one peer: opened when needed, used for one request at a time, kept for the next. */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream, Network, PeerAddress } from "../ports.ts";
import {
  BLOBS_PROTOCOL,
  FrameReader,
  type Message,
  messageFrame,
  type RequestMessage,
  RESPONSE_MESSAGE_BYTES_MAX,
} from "../protocol/mod.ts";
import type { Cancellation } from "./cancellation.ts";
import { IDLE_LINES_MAX, LINE_IDLE_MS } from "./limits.ts";

/** One stream and its frames, in the hands of one request. */
export class Line {
  readonly stream: ByteStream;
  /** Whether it served a request before: then it may have been closed since. */
  readonly isReused: boolean;
  readonly #reader: FrameReader;
  readonly #cancel: Cancellation;
  #hasAnswered = false;

  constructor(held: HeldStream, cancel: Cancellation) {
    this.stream = held.stream;
    this.isReused = held.isReused;
    this.#reader = held.reader;
    this.#cancel = cancel;
  }

  /** Whether anything came back for this request. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  async send(message: RequestMessage): Promise<void> {
    const room = this.stream.write(messageFrame(message));
    if (room !== undefined) await this.#cancel.wait(room);
  }

  /**
   * The next message or bytes of data.
   *
   * @throws {SeedmintError} `reset` when the provider closed instead.
   */
  async next(): Promise<Message | Uint8Array> {
    const frame = await this.#cancel.wait(this.#reader.next());
    if (frame === undefined) {
      throw new SeedmintError("reset", "it closed the stream instead of answering", {
        retryable: true,
      });
    }
    this.#hasAnswered = true;
    return frame;
  }

  /** Says that bytes of data which {@link next} gave are not used any more. */
  release(bytes: Uint8Array): void {
    this.#reader.release(bytes);
  }

  async nextMessage(): Promise<Message> {
    const frame = await this.next();
    if (frame instanceof Uint8Array) {
      throw new SeedmintError("protocol", "it sent data before it granted any");
    }
    return frame;
  }
}

interface HeldStream {
  readonly stream: ByteStream;
  readonly reader: FrameReader;
  readonly isReused: boolean;
  readonly idleSinceMs: number;
}

/** Options of {@link LinePool}. */
export interface LinePoolOptions {
  readonly network: Network;
  readonly peer: PeerAddress;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** All streams to one peer. */
export class LinePool {
  readonly #options: LinePoolOptions;
  #idle: HeldStream[] = [];
  #isClosed = false;

  constructor(options: LinePoolOptions) {
    this.#options = options;
  }

  /**
   * Lends a line to `use`, which must have read its answer to the end when it returns. When `use`
   * fails or the caller gives up, the stream is aborted. A kept stream that turns out to be closed
   * is replaced once by a new one.
   */
  async lend<T>(cancel: Cancellation, use: (line: Line) => Promise<T>): Promise<T> {
    while (true) {
      const held = this.#takeIdle() ?? await this.#open(cancel);
      const { stream } = held;
      const line = new Line(held, cancel);
      cancel.breaks((reason) => stream.abort(reason));
      try {
        const result = await use(line);
        this.#keep(held);
        return result;
      } catch (error) {
        stream.abort(error instanceof Error ? error : new Error(messageOf(error)));
        cancel.signal.throwIfAborted();
        const isStale = line.isReused && !line.hasAnswered && isSeedmintError(error, "reset");
        if (!isStale) throw error;
        this.#dropIdle("a stream beside it was closed");
      } finally {
        cancel.breaks(undefined);
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#dropIdle("the requester is done");
  }

  #takeIdle(): HeldStream | undefined {
    const oldestMs = this.#options.clock.monotonicMs() - LINE_IDLE_MS;
    while (true) {
      const held = this.#idle.pop();
      if (held === undefined || held.idleSinceMs > oldestMs) return held;
      held.stream.abort(new Error("it was idle for too long"));
    }
  }

  #keep(held: HeldStream): void {
    if (this.#isClosed || this.#idle.length >= IDLE_LINES_MAX) {
      held.stream.abort(new Error("the requester is done"));
      return;
    }
    const idleSinceMs = this.#options.clock.monotonicMs();
    this.#idle.push({ ...held, isReused: true, idleSinceMs });
  }

  #dropIdle(why: string): void {
    const dropped = this.#idle;
    this.#idle = [];
    for (const { stream } of dropped) stream.abort(new Error(why));
  }

  async #open(cancel: Cancellation): Promise<HeldStream> {
    const { network, peer, clock } = this.#options;
    const opening = network.openStream(peer, BLOBS_PROTOCOL, { signal: cancel.signal });
    let isTaken = false;
    // A network that answers after the caller gave up must not leave a stream behind.
    opening.then((stream) => {
      if (!isTaken && cancel.signal.aborted) stream.abort(new Error("nobody waits for it"));
    }, () => {});
    const stream = await cancel.wait(opening);
    isTaken = true;
    const reader = new FrameReader(stream, {
      messageBytesMax: RESPONSE_MESSAGE_BYTES_MAX,
      isDataAllowed: true,
    });
    return { stream, reader, isReused: false, idleSinceMs: clock.monotonicMs() };
  }
}
