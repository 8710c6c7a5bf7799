/** The child's side of one stream: asks a member for a part, and takes what it sends. */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream, Network, PeerAddress } from "../ports.ts";
import { FrameReader } from "../protocol/mod.ts";
import {
  ADDR_LENGTH_MAX,
  ADDRS_MAX,
  ANSWER_MS,
  CASCADE_PROTOCOL,
  MESSAGE_BYTES_MAX,
  PATH_MAX,
  WATCH_MS,
} from "./limits.ts";
import {
  cascadeFrame,
  decodeParentMessage,
  type ParentMessage,
  type PathFields,
} from "./messages.ts";
import { Patience } from "./patience.ts";
import type { ContentDigest } from "./names.ts";

/** How it went with one member. */
export type ParentOutcome =
  /** All that was wanted came. */
  | { readonly kind: "end" }
  /** It takes nobody, or not us any more, and names others. */
  | {
    readonly kind: "elsewhere";
    readonly peers: readonly PeerAddress[];
    /** Whether it only lacks a seat. */
    readonly isFull: boolean;
    /** From the member to upstream, if it was our parent until now. */
    readonly path?: readonly string[];
  }
  /** It did not answer. */
  | { readonly kind: "unreached"; readonly reason: string }
  /** It was our parent and is none any more. */
  | { readonly kind: "lost"; readonly reason: string; readonly path: readonly string[] };

/** Options of {@link hangBelow}. */
export interface ParentOptions {
  readonly network: Network;
  readonly peer: PeerAddress;
  readonly digest: ContentDigest;
  readonly size: number;
  readonly part: number;
  readonly offset: number;
  /** Up to where the part is here now. */
  readonly position: () => number;
  /** The part that this node is to pass on. */
  readonly home: number;
  /** Whether it is the nearest one above in the order. */
  readonly isNear: boolean;
  /** Whether any seat will do. */
  readonly isUrgent: boolean;
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
  /** Whether the member is one of the fleet, by its id or what it shows. */
  readonly isMember: (peerId: string, certificate?: Uint8Array) => Promise<boolean>;
  /** Called now and then: whether another member is to be tried now, and this one after it. */
  readonly mayMove: () => boolean;
  readonly clock: Clock;
  /** Called when the member became, or has, a parent: the way from it up to upstream. */
  readonly onPath: (path: readonly string[], top: string | undefined, patience: Patience) => void;
  /** Takes the next bytes. @throws {SeedmintError} when they are too many, or cannot be kept. */
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly signal: AbortSignal;
}

/**
 * Asks `peer` for the rest of a part and takes it.
 *
 * @throws {SeedmintError} Only for failures of our own: `storage`, `no-space`, `aborted`.
 */
export async function hangBelow(options: ParentOptions): Promise<ParentOutcome> {
  const { signal } = options;
  signal.throwIfAborted();
  let stream: ByteStream;
  const deadline = new AbortController();
  const stopDialling = options.clock.timer(
    ANSWER_MS,
    () => deadline.abort(new SeedmintError("timeout", "it did not answer in time")),
  );
  try {
    stream = await options.network.openStream(options.peer, CASCADE_PROTOCOL, {
      signal: AbortSignal.any([signal, deadline.signal]),
    });
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "unreached", reason: messageOf(error) };
  } finally {
    stopDialling();
  }
  const line = new ParentLine(stream, options);
  const onAbort = () => stream.abort(new SeedmintError("aborted", "The bytes are not wanted"));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await line.run();
  } finally {
    signal.removeEventListener("abort", onAbort);
    signal.throwIfAborted();
  }
}

class ParentLine {
  readonly #stream: ByteStream;
  readonly #options: ParentOptions;
  readonly #patience: Patience;
  #path: readonly string[] | undefined;
  #isMoving = false;
  #stopWatching: () => void = () => {};

  constructor(stream: ByteStream, options: ParentOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#patience = new Patience(options.clock.monotonicMs());
  }

  async run(): Promise<ParentOutcome> {
    this.#watch();
    let ours: unknown;
    try {
      await this.#ask();
      return await this.#take((error) => ours = error);
    } catch (error) {
      if (ours !== undefined) throw ours;
      if (this.#isMoving) return this.#elsewhere([]);
      return this.#ended(messageOf(error));
    } finally {
      this.#stopWatching();
      this.#stream.abort(new SeedmintError("aborted", "The part was taken"));
    }
  }

  async #ask(): Promise<void> {
    const { digest, size, part, offset, home, network, certificate } = this.#options;
    const { isNear, isUrgent } = this.#options;
    const addrs = network.addresses().filter((addr) => addr.length <= ADDR_LENGTH_MAX);
    await this.#stream.write(cascadeFrame({
      t: "ask",
      digest,
      size,
      part,
      offset,
      home,
      addrs: addrs.slice(0, ADDRS_MAX),
      ...(isNear ? { near: true } : {}),
      ...(isUrgent ? { urgent: true } : {}),
      ...(certificate === undefined ? {} : { certificate }),
    }));
  }

  async #take(onOwnFailure: (error: unknown) => void): Promise<ParentOutcome> {
    const { clock } = this.#options;
    const reader = new FrameReader<ParentMessage>(this.#stream, {
      messageBytesMax: MESSAGE_BYTES_MAX,
      isDataAllowed: true,
      decode: decodeParentMessage,
    });
    for (;;) {
      const frame = await reader.next();
      if (frame === undefined) return this.#ended("it closed the stream");
      if (frame instanceof Uint8Array) {
        if (this.#path === undefined) return this.#ended("it sent bytes before it said so");
        this.#patience.gained(clock.monotonicMs());
        try {
          this.#options.onBytes(frame);
        } catch (error) {
          onOwnFailure(error);
          throw error;
        }
        reader.release(frame);
        continue;
      }
      this.#patience.heard(clock.monotonicMs());
      const outcome = await this.#heard(frame);
      if (outcome !== undefined) return outcome;
    }
  }

  async #heard(message: ParentMessage): Promise<ParentOutcome | undefined> {
    switch (message.t) {
      case "feed": {
        const { peer, isMember } = this.#options;
        if (this.#path !== undefined) return this.#ended("it began twice");
        if (!await isMember(peer.peerId, message.certificate)) {
          return { kind: "unreached", reason: "it is no member of the fleet" };
        }
        return this.#takePath(message);
      }
      case "path":
        return this.#takePath(message);
      case "tick":
        if (message.tip !== undefined) {
          const { clock, position } = this.#options;
          this.#patience.told(message.tip, position(), clock.monotonicMs());
        }
        return undefined;
      case "elsewhere":
        return this.#elsewhere(message.peers, message.full);
      case "end":
        return { kind: "end" };
      default:
        return message satisfies never;
    }
  }

  /** A path that leads back here is left by the first of its members alone, or all would leave. */
  #takePath({ path: above, top }: PathFields): ParentOutcome | undefined {
    const { peer, network, onPath } = this.#options;
    const path = [peer.peerId, ...above];
    const loopEnd = path.indexOf(network.peerId);
    const isNew = this.#path === undefined;
    this.#path = path;
    if (loopEnd >= 0) {
      if (isNew) return { kind: "elsewhere", peers: [], isFull: false };
      const isFirst = path.slice(0, loopEnd).every((peerId) => network.peerId < peerId);
      if (isFirst) return this.#ended("its bytes came from this node");
    }
    if (path.length > PATH_MAX) return this.#ended("it is too far from upstream");
    onPath(path, top, this.#patience);
    return undefined;
  }

  #elsewhere(peers: readonly PeerAddress[], isFull = false): ParentOutcome {
    const path = this.#path;
    return { kind: "elsewhere", peers, isFull, ...(path === undefined ? {} : { path }) };
  }

  #ended(reason: string): ParentOutcome {
    return this.#path === undefined
      ? { kind: "unreached", reason }
      : { kind: "lost", reason, path: this.#path };
  }

  #watch(): void {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    const look = () => {
      const nowMs = clock.monotonicMs();
      const isLate = this.#path === undefined && nowMs - startMs >= ANSWER_MS;
      const reason = isLate
        ? "it did not answer in time"
        : this.#patience.reasonToLeave(nowMs, this.#path?.length ?? 0);
      if (reason !== undefined) return this.#stream.abort(new SeedmintError("timeout", reason));
      if (this.#path !== undefined && this.#options.mayMove()) {
        this.#isMoving = true;
        return this.#stream.abort(new SeedmintError("aborted", "Another parent is tried"));
      }
      this.#stopWatching = clock.timer(WATCH_MS, look);
    };
    this.#stopWatching = clock.timer(WATCH_MS, look);
  }
}
