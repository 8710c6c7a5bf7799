/**
 * Verifying plain bytes, as an origin sends them: without parents between them. The chaining values
 * of the groups are kept until a whole subtree has arrived whose value is already proven; with
 * nothing proven but the root, that is the whole blob.
 */
import { equalBytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { type Hash, hashToBytes, shortHash } from "../../src/core/hash.ts";
import type { Range } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupSizeAt, PARENT_BYTES } from "./geometry.ts";
import { GroupCvs } from "./group_cvs.ts";
import { CV_BYTES, kernel } from "./kernel/mod.ts";
import { childrenOf, rootOf, type Subtree } from "./ranges.ts";
import { subtreeOfCvs } from "./tree.ts";

/**
 * The parent at a byte offset of the pre-order outboard, if it is there. It need not be proven: one
 * that does not hash to what its own parent says is taken as missing.
 */
export type KnownPair = (offset: number) => Uint8Array | undefined;

/** What a {@link PlainVerifier} needs to know. */
export interface PlainVerifierOptions {
  readonly hash: Hash;
  /** Claimed size in bytes. */
  readonly size: number;
  /** Index of the group that the bytes begin with; see {@link verifiableStart}. */
  readonly startGroup: number;
  readonly knownPair: KnownPair;
  /**
   * Called in order with every run of groups that has been proven, and the parents inside it by
   * their byte offset in the outboard.
   */
  readonly onVerified: (groups: Range, parents: ReadonlyMap<number, Uint8Array>) => void;
}

/** A subtree with a proven chaining value. */
interface Proven extends Subtree {
  readonly cv: Uint8Array;
}

/**
 * The last group at or before `group` from which plain bytes can be verified: where the smallest
 * subtree begins that contains `group` and whose chaining value is proven.
 */
export function verifiableStart(
  options: {
    readonly hash: Hash;
    readonly size: number;
    readonly group: number;
    readonly knownPair: KnownPair;
  },
): number {
  return provenFrom(options.hash, options.size, options.group, options.knownPair).at(-1)?.start ??
    options.group;
}

/** Takes the plain bytes of a blob from one group on, in pieces of any length. */
export class PlainVerifier {
  readonly #options: PlainVerifierOptions;
  readonly #groupCount: number;
  /** Proven subtrees that follow each other, the next one last. */
  readonly #targets: Proven[];
  /** Groups of the next target that have been hashed. */
  readonly #cvs = new GroupCvs();
  readonly #group = new Uint8Array(GROUP_BYTES);
  #filled = 0;
  #failure: SeedmintError | undefined;

  /**
   * @throws {RangeError} If no blob can have this size, or nothing proven begins at `startGroup`.
   */
  constructor(options: PlainVerifierOptions) {
    const { hash, size, startGroup, knownPair } = options;
    this.#options = options;
    this.#groupCount = rootOf(size).count;
    this.#targets = provenFrom(hash, size, startGroup, knownPair);
    const start = this.#targets.at(-1)?.start;
    if (start !== startGroup) {
      throw new RangeError(
        `Cannot verify blob ${shortHash(hash)} from group ${startGroup} on: ` +
          (start === undefined
            ? `it has ${this.#groupCount} groups`
            : `the proven subtree around it begins at group ${start}, begin there`),
      );
    }
  }

  /**
   * Hashes `bytes`, which may be reused afterwards.
   *
   * @throws {SeedmintError} `corrupt` once a subtree does not match or bytes follow the end, and
   * again at every later call.
   */
  push(bytes: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    let rest = bytes;
    while (rest.length > 0) {
      const target = this.#targets.at(-1);
      if (target === undefined) throw this.#fail(`${rest.length} bytes follow its end`);
      rest = this.#take(target, rest);
    }
  }

  /**
   * Says that no more bytes will come. What others proven meanwhile makes verifiable is verified.
   *
   * @throws {SeedmintError} `reset` if the blob did not end here; what was verified stays so.
   */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const target = this.#targets.at(-1);
    if (target === undefined) return;
    if (this.#options.size === 0) {
      this.#appendGroup(target, this.#group.subarray(0, 0));
      return;
    }
    this.#settleProvenSince(target);
    throw new SeedmintError(
      "reset",
      `Cannot complete blob ${shortHash(this.#options.hash)}: ` +
        `the bytes ended in group ${target.start + this.#cvs.count} of ${this.#groupCount}`,
      { retryable: true },
    );
  }

  /** Hashes what belongs to `target` and returns the rest. */
  #take(target: Proven, bytes: Uint8Array): Uint8Array {
    const index = target.start + this.#cvs.count;
    const groupSize = groupSizeAt(index, this.#options.size);
    const fullCount = Math.min(
      Math.floor(bytes.length / GROUP_BYTES),
      target.count - this.#cvs.count,
      this.#groupCount - 1 - index,
    );
    if (this.#filled === 0 && fullCount > 0) {
      this.#cvs.appendGroups(bytes.subarray(0, fullCount * GROUP_BYTES), index);
      this.#settle(target);
      return bytes.subarray(fullCount * GROUP_BYTES);
    }
    const taken = Math.min(bytes.length, groupSize - this.#filled);
    if (taken === groupSize) {
      this.#appendGroup(target, bytes.subarray(0, taken));
      return bytes.subarray(taken);
    }
    this.#group.set(bytes.subarray(0, taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === groupSize) {
      this.#filled = 0;
      this.#appendGroup(target, this.#group.subarray(0, groupSize));
    }
    return bytes.subarray(taken);
  }

  #appendGroup(target: Proven, bytes: Uint8Array): void {
    this.#cvs.appendGroup(bytes, target.start + this.#cvs.count, this.#groupCount === 1);
    this.#settle(target);
  }

  /** Compares `target` once all its groups are hashed. */
  #settle(target: Proven): void {
    if (this.#cvs.count < target.count) return;
    this.#compare(target, this.#cvs.bytes);
    this.#targets.pop();
    this.#cvs.clear();
  }

  /**
   * Parents may have been proven since the start, by peers that brought what follows: then smaller
   * subtrees than `target` can be compared, and the bytes so far are not lost.
   */
  #settleProvenSince(target: Proven): void {
    const { hash, size, knownPair } = this.#options;
    const cvs = this.#cvs.bytes;
    let done = 0;
    for (const proven of provenFrom(hash, size, target.start, knownPair).reverse()) {
      if (proven.start !== target.start + done || done + proven.count > this.#cvs.count) break;
      const end = done + proven.count;
      this.#compare(proven, cvs.subarray(done * CV_BYTES, end * CV_BYTES));
      done = end;
    }
    if (done === 0) return;
    this.#targets.pop();
    this.#cvs.clear();
  }

  /** Compares `target`, the chaining values of whose groups are `cvs`, and reports it. */
  #compare(target: Proven, cvs: Uint8Array): void {
    const { cv, parents } = target.count === 1
      ? { cv: cvs, parents: new Uint8Array(0) }
      : subtreeOfCvs(cvs, target.count === this.#groupCount);
    const end = target.start + target.count;
    if (!equalBytes(cv, target.cv)) {
      throw this.#fail(`groups ${target.start} to ${end - 1} do not match the root`);
    }
    const byOffset = new Map<number, Uint8Array>();
    for (let at = 0; at < parents.length; at += PARENT_BYTES) {
      byOffset.set(target.offset + at, parents.subarray(at, at + PARENT_BYTES));
    }
    this.#options.onVerified({ start: target.start, end }, byOffset);
  }

  #fail(found: string): SeedmintError {
    this.#failure = new SeedmintError(
      "corrupt",
      `Cannot accept blob ${shortHash(this.#options.hash)}: ${found}`,
    );
    return this.#failure;
  }
}

/**
 * The smallest proven subtrees from the one that contains `group` to the end, the first one last.
 * Empty when `group` is past the end.
 */
function provenFrom(hash: Hash, size: number, group: number, knownPair: KnownPair): Proven[] {
  const root = rootOf(size);
  const cv = new Uint8Array(CV_BYTES);
  const proven: Proven[] = [];
  const open: Proven[] = [{ ...root, cv: hashToBytes(hash) }];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.start + node.count <= group) continue;
    const pair = node.count === 1 ? undefined : knownPair(node.offset);
    if (pair?.length === PARENT_BYTES) {
      kernel.parentCv(pair, node.count === root.count, cv, 0);
      if (equalBytes(cv, node.cv)) {
        const [left, right] = childrenOf(node);
        open.push({ ...right, cv: pair.slice(CV_BYTES) }, { ...left, cv: pair.slice(0, CV_BYTES) });
        continue;
      }
    }
    proven.push(node);
  }
  return proven.reverse();
}
