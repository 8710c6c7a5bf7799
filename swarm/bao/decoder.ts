/**
 * Decoding and verifying a Bao response as it arrives. Nothing is handed on before it hashes to the
 * root, and memory stays below 64 KiB, whatever size is claimed.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import { type Hash, hashToBytes, shortHash } from "../../src/core/hash.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { Batch, copyCv } from "./batch.ts";
import { GROUP_BYTES, groupSizeAt, PARENT_BYTES } from "./geometry.ts";
import { CV_BYTES } from "./kernel/mod.ts";
import { childrenOf, intersects, rootOf, type Subtree, truncateRanges } from "./ranges.ts";

/** Where verified pieces go. Every array is valid only during the call. */
export interface DecodedSink {
  /** `pair` is the parent at byte `offset` of the pre-order outboard. */
  parent(offset: number, pair: Uint8Array): void;
  /** `bytes` is the whole of group `index`. */
  group(index: number, bytes: Uint8Array): void;
  /**
   * If there is one it is called instead of {@link group}, with neighbouring groups from `index` on.
   * They lie in the kernel's window: nothing may be hashed during the call.
   */
  groupRun?(index: number, bytes: Uint8Array): void;
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

/** Levels of the tree of the largest blob, and some. */
const DEPTH_MAX = 64;

const CV_WORDS = CV_BYTES / 4;

/** Takes a response without a size prefix, in pieces of any length. */
export class BaoDecoder {
  readonly #hash: Hash;
  readonly #size: number;
  readonly #groupCount: number;
  readonly #boundaries: readonly number[];
  readonly #sink: DecodedSink;
  /** Right siblings on the path to the next item, the next item last, and what each must hash to. */
  readonly #stack: Subtree[] = [];
  readonly #stackCvs = new Int32Array(DEPTH_MAX * CV_WORDS);
  /** Items whose bytes are here and not yet hashed; empty between two calls of {@link push}. */
  readonly #batch = new Batch();
  /** Subtrees of the items in the batch. */
  readonly #batched: Subtree[] = [];
  /** Holds an item whose bytes did not arrive in one piece. */
  readonly #pending = new Uint8Array(GROUP_BYTES);
  #pendingBytes = 0;
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
      const words = new Int32Array(hashToBytes(options.hash).slice().buffer);
      this.#expect(root, words, 0);
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
      if (available < missing) {
        // First what was taken, of which the last item may lie where this one begins.
        this.#settle();
        this.#pending.set(at === 0 ? bytes : bytes.subarray(at), this.#pendingBytes);
        this.#pendingBytes += available;
        return;
      }
      if (this.#pendingBytes === 0) this.#take(bytes.subarray(at, at + wanted));
      else {
        this.#pending.set(bytes.subarray(at, at + missing), this.#pendingBytes);
        this.#pendingBytes = 0;
        this.#take(this.#pending.subarray(0, wanted));
      }
      at += missing;
      if (this.#batch.isFull) this.#settle();
    }
    this.#settle();
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

  /** Takes the bytes of the next item into the batch and looks from it to what comes then. */
  #take(bytes: Uint8Array): void {
    const item = this.#stack.pop()!;
    const isRoot = item.count === this.#groupCount;
    const expectedAt = this.#stack.length * CV_WORDS;
    this.#batched.push(item);
    if (item.count === 1) {
      this.#batch.addGroup(item.start, bytes, isRoot, this.#stackCvs, expectedAt);
      return;
    }
    const pairAt = this.#batch.addParent(bytes, isRoot, this.#stackCvs, expectedAt);
    const [left, right] = childrenOf(item);
    const { pairWords } = this.#batch;
    if (intersects(this.#boundaries, right)) this.#expect(right, pairWords, pairAt + CV_WORDS);
    if (intersects(this.#boundaries, left)) this.#expect(left, pairWords, pairAt);
  }

  #expect(subtree: Subtree, cvs: Int32Array, at: number): void {
    copyCv(cvs, at, this.#stackCvs, this.#stack.length * CV_WORDS);
    this.#stack.push(subtree);
  }

  /**
   * Hashes the batch and emits what is proven. What an item must hash to was taken from its parent
   * before that was proven, but a parent comes before its children, and nothing after the first
   * item that is wrong is emitted.
   */
  #settle(): void {
    const { count } = this.#batch;
    if (count === 0) return;
    const provenCount = this.#batch.proven();
    const wrong = this.#batched[provenCount];
    try {
      this.#emit(provenCount);
    } finally {
      this.#batch.clear();
      this.#batched.length = 0;
    }
    if (wrong !== undefined) throw this.#corrupt(`${nameOf(wrong)} does not match the root`);
  }

  #emit(count: number): void {
    const isInRuns = this.#sink.groupRun !== undefined;
    let groupCount = 0;
    for (let item = 0; item < count; item++) {
      const place = this.#batch.placeOf(item);
      if (place < 0) {
        this.#sink.parent(this.#batched[item]!.offset, this.#batch.pairAt(-1 - place));
        continue;
      }
      groupCount += 1;
      if (!isInRuns) this.#sink.group(this.#batch.indexAt(place), this.#batch.groupAt(place));
    }
    if (isInRuns) this.#emitRuns(groupCount);
  }

  /** Emits the first `count` groups of the batch in runs of neighbours. */
  #emitRuns(count: number): void {
    let first = 0;
    for (let place = 1; place <= count; place++) {
      const index = this.#batch.indexAt(first);
      if (place < count && this.#batch.indexAt(place) === index + place - first) continue;
      this.#sink.groupRun!(index, this.#batch.groupBytes(first, place));
      first = place;
    }
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
