/**
 * Decoding and verifying a Bao response as it arrives. Nothing is handed on before it hashes to the
 * root, and memory stays at one group and one chaining value a level, whatever size is claimed.
 */
import { equalBytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { type Hash, hashToBytes, shortHash } from "../../src/core/hash.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupSizeAt, PARENT_BYTES } from "./geometry.ts";
import { CV_BYTES, kernel } from "./kernel/mod.ts";
import { childrenOf, intersects, rootOf, type Subtree, truncateRanges } from "./ranges.ts";

/** Where verified pieces go. Every array is valid only during the call. */
export interface DecodedSink {
  /** `pair` is the parent at byte `offset` of the pre-order outboard. */
  parent(offset: number, pair: Uint8Array): void;
  /** `bytes` is the whole of group `index`. */
  group(index: number, bytes: Uint8Array): void;
  /**
   * Room for the `size` bytes of the next group, which are not verified yet: they are copied there,
   * hashed there, and {@link group} gets this very array. Room in the kernel's window, but not in
   * its first {@link GROUP_BYTES}, saves a copy.
   */
  room?(size: number): Uint8Array;
}

/** What a {@link BaoDecoder} needs to know. */
export interface BaoDecoderOptions {
  readonly hash: Hash;
  /** The claimed size in bytes. It is proven once the last group has been emitted. */
  readonly size: number;
  /** The groups asked for; cut to `size` as the encoder does. */
  readonly ranges: RangeSet;
  readonly sink: DecodedSink;
}

/** A subtree that the stream must deliver next, and what it must hash to. */
interface Expected extends Subtree {
  readonly cv: Uint8Array;
}

/** Takes a response without a size prefix, in pieces of any length. */
export class BaoDecoder {
  readonly #hash: Hash;
  readonly #size: number;
  readonly #groupCount: number;
  readonly #boundaries: readonly number[];
  readonly #sink: DecodedSink;
  /** Right siblings on the path to the next item, the next item last. */
  readonly #stack: Expected[] = [];
  /** Holds an item whose bytes did not arrive in one piece. */
  readonly #pending = new Uint8Array(GROUP_BYTES);
  #pendingBytes = 0;
  readonly #cv = new Uint8Array(CV_BYTES);
  #failure: SeedmintError | undefined;

  /**
   * A response of no bytes (the empty blob, or no ranges) is complete at once.
   *
   * @throws {RangeError} If no blob can have this size.
   * @throws {SeedmintError} `corrupt` if size 0 is claimed and `hash` is not that of no bytes.
   */
  constructor(options: BaoDecoderOptions) {
    this.#hash = options.hash;
    this.#size = options.size;
    this.#sink = options.sink;
    this.#boundaries = truncateRanges(options.ranges, options.size).boundaries;
    const root = rootOf(options.size);
    this.#groupCount = root.count;
    if (intersects(this.#boundaries, root)) {
      this.#stack.push({ ...root, cv: hashToBytes(options.hash) });
    }
    if (this.#wanted() === 0) this.push(new Uint8Array(0));
  }

  /** Whether everything asked for has been verified and emitted. */
  get isDone(): boolean {
    return this.#stack.length === 0 && this.#failure === undefined;
  }

  /**
   * Verifies and emits what `bytes` complete. They may be reused afterwards. What the sink throws
   * passes through and ends the decoder.
   *
   * @throws {SeedmintError} `corrupt` at the first piece that does not match the root, and again at
   * every later call.
   */
  push(bytes: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.#consume(bytes);
    } catch (error) {
      this.#failure = error instanceof SeedmintError
        ? error
        : new SeedmintError("aborted", "Cannot go on decoding: the sink failed", { cause: error });
      throw error;
    }
  }

  /**
   * Says that no more bytes will come.
   *
   * @throws {SeedmintError} `reset` if the response is not complete; it names the missing item.
   */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const next = this.#stack.at(-1);
    if (next === undefined) return;
    throw new SeedmintError(
      "reset",
      `Cannot complete blob ${shortHash(this.#hash)}: the response ended before ${nameOf(next)}`,
      { retryable: true },
    );
  }

  #consume(bytes: Uint8Array): void {
    let at = 0;
    for (let wanted = this.#wanted(); wanted !== undefined; wanted = this.#wanted()) {
      const missing = wanted - this.#pendingBytes;
      const available = bytes.length - at;
      if (this.#pendingBytes === 0 && available >= wanted) {
        this.#accept(bytes.subarray(at, at + wanted));
        at += wanted;
        continue;
      }
      const taken = Math.min(missing, available);
      this.#pending.set(bytes.subarray(at, at + taken), this.#pendingBytes);
      this.#pendingBytes += taken;
      at += taken;
      if (taken < missing) return;
      this.#pendingBytes = 0;
      this.#accept(this.#pending.subarray(0, wanted));
    }
    if (at < bytes.length) {
      throw this.#corrupt(`${bytes.length - at} bytes follow the end of the response`);
    }
  }

  /** Bytes of the next item, or undefined after the last. */
  #wanted(): number | undefined {
    const next = this.#stack.at(-1);
    if (next === undefined) return undefined;
    return next.count === 1 ? groupSizeAt(next.start, this.#size) : PARENT_BYTES;
  }

  #accept(arrived: Uint8Array): void {
    const item = this.#stack.pop()!;
    const isRoot = item.count === this.#groupCount;
    let bytes = arrived;
    if (item.count === 1 && this.#sink.room !== undefined) {
      bytes = this.#sink.room(arrived.length);
      bytes.set(arrived);
    }
    if (item.count === 1) kernel.groupCv(bytes, item.start, isRoot, this.#cv, 0);
    else kernel.parentCv(bytes, isRoot, this.#cv, 0);
    if (!equalBytes(this.#cv, item.cv)) {
      this.#stack.push(item);
      throw this.#corrupt(`${nameOf(item)} does not match the root`);
    }
    if (item.count === 1) {
      this.#sink.group(item.start, bytes);
      return;
    }
    const [left, right] = childrenOf(item);
    if (intersects(this.#boundaries, right)) {
      this.#stack.push({ ...right, cv: bytes.slice(CV_BYTES) });
    }
    if (intersects(this.#boundaries, left)) {
      this.#stack.push({ ...left, cv: bytes.slice(0, CV_BYTES) });
    }
    this.#sink.parent(item.offset, bytes);
  }

  #corrupt(found: string): SeedmintError {
    return new SeedmintError("corrupt", `Cannot accept blob ${shortHash(this.#hash)}: ${found}`);
  }
}

function nameOf(item: Subtree): string {
  return item.count === 1
    ? `group ${item.start}`
    : `the parent of groups ${item.start} to ${item.start + item.count - 1}`;
}
