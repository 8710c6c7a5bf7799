/** The parent's side of one stream: bytes as they come, ticks when none do. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream, PeerAddress } from "../ports.ts";
import { dataFrameHead } from "../protocol/mod.ts";
import type { Child, Host } from "./host.ts";
import { CHILD_STALL_MS, PIECE_BYTES, TICK_MS, TIP_MS } from "./limits.ts";
import { cascadeFrame, type ParentMessage, type PathFields } from "./messages.ts";
import type { Part } from "./order.ts";

/** How fast members may be sent to. */
export interface UploadPace {
  /** The most bytes to send at once. */
  readonly sliceBytes: number;
  /** Milliseconds to wait before sending more, after `bytes` went to `peerId`. */
  take(peerId: string, bytes: number): number;
}

/** Options of {@link ChildStream}. */
export interface ChildStreamOptions {
  readonly stream: ByteStream;
  readonly isHome: boolean;
  readonly isNear: boolean;
  readonly addrs: readonly string[];
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
  readonly clock: Clock;
  readonly uploads?: UploadPace;
  /** Called with the count of bytes that were sent. */
  readonly onSent: (bytes: number) => void;
}

/** A child on its stream. */
export class ChildStream implements Child {
  readonly peerId: string;
  readonly isHome: boolean;
  readonly isNear: boolean;
  readonly addrs: readonly string[];
  readonly #options: ChildStreamOptions;
  #elsewhere: readonly PeerAddress[] | undefined;
  #hasNewPath = false;
  #dropped: Error | undefined;
  #wake: () => void = () => {};

  constructor(options: ChildStreamOptions) {
    this.#options = options;
    this.peerId = options.stream.peerId;
    this.isHome = options.isHome;
    this.isNear = options.isNear;
    this.addrs = options.addrs;
  }

  leave(peers: readonly PeerAddress[]): void {
    this.#elsewhere = peers;
    this.#wake();
  }

  pathChanged(): void {
    this.#hasNewPath = true;
    this.#wake();
  }

  drop(reason: Error): void {
    this.#dropped = reason;
    this.#options.stream.abort(reason);
    this.#wake();
  }

  /**
   * Feeds it `part` of `host` from `offset` to its end.
   *
   * @throws {SeedmintError} `reset` once the stream is broken.
   */
  async feed(host: Host, part: Part, offset: number): Promise<void> {
    const { certificate, uploads } = this.#options;
    const { content } = host;
    await this.#say({
      t: "feed",
      ...pathOf(host, part),
      ...(certificate === undefined ? {} : { certificate }),
    });
    const stopListening = content.onGrow(part, () => this.#wake());
    const { clock } = this.#options;
    let toldMs = clock.monotonicMs();
    let pauseMs = 0;
    try {
      for (let at = offset; at < part.end;) {
        if (this.#dropped !== undefined) throw this.#dropped;
        if (this.#elsewhere !== undefined) {
          return await this.#say({ t: "elsewhere", peers: this.#elsewhere });
        }
        if (this.#hasNewPath) {
          this.#hasNewPath = false;
          await this.#say({ t: "path", ...pathOf(host, part) });
        }
        const tip = content.tipOf(part);
        if (clock.monotonicMs() - toldMs >= TIP_MS) {
          toldMs = clock.monotonicMs();
          await this.#say({ t: "tick", tip });
        }
        const count = Math.min(PIECE_BYTES, uploads?.sliceBytes ?? PIECE_BYTES, tip - at);
        if (pauseMs > 0) {
          pauseMs = await this.#pause(pauseMs);
        } else if (count > 0) {
          at += await this.#send(host, at, count);
          pauseMs = uploads?.take(this.peerId, count) ?? 0;
        } else await this.#rest();
      }
    } finally {
      stopListening();
    }
    await this.#say({ t: "end" });
  }

  async #send(host: Host, offset: number, count: number): Promise<number> {
    const piece = new Uint8Array(count);
    const read = await host.content.read(offset, piece);
    if (read < count) throw new SeedmintError("storage", "The content that is passed on went away");
    await this.#write(dataFrameHead(count), piece);
    this.#options.onSent(count);
    return count;
  }

  /** Waits until there is something to do; says that this node is still here when that takes long. */
  async #rest(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<"woken" | "late">();
    this.#wake = () => resolve("woken");
    const stop = this.#options.clock.timer(TICK_MS, () => resolve("late"));
    const how = await promise;
    stop();
    this.#wake = () => {};
    if (how === "late") await this.#say({ t: "tick" });
  }

  /**
   * Waits for `ms`, or the part of it after which it says that this node is still here.
   *
   * @returns What is left to wait.
   */
  async #pause(ms: number): Promise<number> {
    const stepMs = Math.min(ms, TICK_MS);
    await this.#options.clock.sleep(stepMs);
    if (stepMs < ms && this.#dropped === undefined) await this.#say({ t: "tick" });
    return ms - stepMs;
  }

  async #say(message: ParentMessage): Promise<void> {
    await this.#write(cascadeFrame(message));
  }

  async #write(...parts: Uint8Array[]): Promise<void> {
    const { stream, clock } = this.#options;
    const room = stream.write(...parts);
    if (room === undefined) return;
    const stop = clock.timer(
      CHILD_STALL_MS,
      () => stream.abort(new Error(`it took nothing for ${CHILD_STALL_MS} ms`)),
    );
    try {
      await room;
    } finally {
      stop();
    }
  }
}

function pathOf(host: Host, part: Part): PathFields {
  const { path, top } = host.wayOf(part);
  return { path, ...(top === undefined ? {} : { top }) };
}
