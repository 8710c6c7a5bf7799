/**
 * The work of one ingest: verify, write data, then parents, then say which groups are held. Runs in
 * a worker, or on the main thread where no worker is wanted. All calls are synchronous.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash } from "../../src/core/hash.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, PARENT_BYTES } from "../bao/geometry.ts";
import { BaoDecoder, PlainVerifier } from "../bao/mod.ts";
import { type Files, fileSizeOf, type PositionalFile } from "./files.ts";
import type { BlobFiles } from "./layout.ts";
import { SLAB_BYTES } from "./limits.ts";

/** What a job is told; it can be sent to a worker. */
export interface JobSpec {
  readonly hash: Hash;
  /** Claimed size in bytes. */
  readonly size: number;
  /** The lane, which exists; without it the bytes are verified and dropped. */
  readonly lane?: BlobFiles;
  /** The outboard of a complete blob, for plain bytes that are only verified. */
  readonly outboard?: string;
  readonly input:
    | { readonly kind: "encoded"; readonly boundaries: readonly number[] }
    | {
      readonly kind: "plain";
      readonly startGroup: number;
      /**
       * Where unverified bytes wait: a file of this job alone. If it is the data file of the lane,
       * then nobody else writes there, and verified bytes are in place already.
       */
      readonly stage?: string;
    };
}

/** The work of one ingest. */
export interface IngestJob {
  /** Verifies and writes; returns the groups that are held from now on, in order. */
  push(bytes: Uint8Array): readonly Range[];
  /** @throws {SeedmintError} `reset` if bytes are missing. */
  finish(): readonly Range[];
  close(): void;
}

/** Thrown by {@link IngestJob.push}: what was verified before `cause` is held all the same. */
export class JobFailure extends Error {
  readonly verified: readonly Range[];

  constructor(verified: readonly Range[], cause: unknown) {
    super("The ingest failed", { cause });
    this.verified = verified;
  }
}

/** Opens the files of `spec` and begins. */
export function openJob(spec: JobSpec, files: Files): IngestJob {
  return spec.input.kind === "encoded"
    ? new EncodedJob(spec, spec.input.boundaries, files)
    : new PlainJob(spec, spec.input, files);
}

/** Gathers neighbouring bytes into one write. */
class Gather {
  readonly #write: (offset: number, bytes: Uint8Array) => void;
  readonly #buffer: Bytes;
  #offset = 0;
  #filled = 0;

  constructor(bytesMax: number, write: (offset: number, bytes: Uint8Array) => void) {
    this.#buffer = new Uint8Array(bytesMax);
    this.#write = write;
  }

  add(offset: number, bytes: Uint8Array): void {
    const isNext = this.#filled > 0 && offset === this.#offset + this.#filled;
    if (!isNext || this.#filled + bytes.length > this.#buffer.length) {
      this.flush();
      this.#offset = offset;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  flush(): void {
    if (this.#filled === 0) return;
    this.#write(this.#offset, this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }
}

/** The files of a lane, written in the order that a crash asks for: data, then parents. */
class LaneWriter {
  readonly #data: PositionalFile | undefined;
  readonly #outboard: PositionalFile | undefined;
  readonly #parents: Gather;

  constructor(lane: BlobFiles | undefined, files: Files) {
    if (lane !== undefined) {
      this.#data = files.openExisting(lane.data);
      try {
        this.#outboard = files.openExisting(lane.outboard);
      } catch (error) {
        this.#data[Symbol.dispose]();
        throw error;
      }
    }
    const isWritten = lane !== undefined;
    this.#parents = new Gather(isWritten ? SLAB_BYTES / 16 : PARENT_BYTES, (offset, bytes) => {
      this.#outboard?.writeAt(offset, bytes);
    });
  }

  /** Writes verified data, which is not gathered: it comes in large pieces. */
  data(offset: number, bytes: Uint8Array): void {
    this.#data?.writeAt(offset, bytes);
  }

  parent(offset: number, pair: Uint8Array): void {
    if (this.#outboard !== undefined) this.#parents.add(offset, pair);
  }

  /** The parent at `offset` as it lies there, proven or not. */
  pairAt(offset: number): Uint8Array | undefined {
    return pairIn(this.#outboard, offset);
  }

  /** Writes the parents that are gathered. */
  flush(): void {
    this.#parents.flush();
  }

  close(): void {
    this.#data?.[Symbol.dispose]();
    this.#outboard?.[Symbol.dispose]();
  }
}

/** Takes a Bao-encoded response. */
class EncodedJob implements IngestJob {
  readonly #writer: LaneWriter;
  readonly #decoder: BaoDecoder;
  /** Verified and written, not yet told. */
  #runs: Range[] = [];

  constructor(spec: JobSpec, boundaries: readonly number[], files: Files) {
    this.#writer = new LaneWriter(spec.lane, files);
    try {
      this.#decoder = new BaoDecoder({
        hash: spec.hash,
        size: spec.size,
        ranges: RangeSet.fromBoundaries(boundaries),
        sink: {
          parent: (offset, pair) => this.#writer.parent(offset, pair),
          group: (index, bytes) => this.#groups(index, bytes),
          groupRun: (index, bytes) => this.#groups(index, bytes),
        },
      });
    } catch (error) {
      this.#writer.close();
      throw error;
    }
  }

  push(bytes: Uint8Array): readonly Range[] {
    let failure: unknown;
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      failure = error;
    }
    this.#writer.flush();
    const runs = this.#runs;
    this.#runs = [];
    if (failure !== undefined) throw new JobFailure(runs, failure);
    return runs;
  }

  /** Writes neighbouring groups from where they were hashed, without a copy. */
  #groups(index: number, bytes: Uint8Array): void {
    this.#writer.data(index * GROUP_BYTES, bytes);
    appendRun(this.#runs, index, index + Math.ceil(bytes.length / GROUP_BYTES));
  }

  finish(): readonly Range[] {
    this.#decoder.finish();
    return [];
  }

  close(): void {
    this.#writer.close();
  }
}

/** Takes plain bytes: staged first, held once a proven subtree above them matches. */
class PlainJob implements IngestJob {
  readonly #writer: LaneWriter;
  readonly #stage: PositionalFile | undefined;
  readonly #known: PositionalFile | undefined;
  readonly #isInPlace: boolean;
  readonly #verifier: PlainVerifier;
  readonly #size: number;
  #offset: number;
  #runs: Range[] = [];

  constructor(
    spec: JobSpec,
    input: { readonly startGroup: number; readonly stage?: string },
    files: Files,
  ) {
    this.#size = spec.size;
    this.#offset = input.startGroup * GROUP_BYTES;
    this.#isInPlace = spec.lane === undefined || input.stage === spec.lane.data;
    this.#writer = new LaneWriter(spec.lane, files);
    try {
      if (input.stage !== undefined) this.#stage = files.openExisting(input.stage);
      if (spec.outboard !== undefined && fileSizeOf(spec.outboard) !== undefined) {
        this.#known = files.openReadOnly(spec.outboard);
      }
      this.#verifier = new PlainVerifier({
        hash: spec.hash,
        size: spec.size,
        startGroup: input.startGroup,
        knownPair: (offset) => this.#writer.pairAt(offset) ?? pairIn(this.#known, offset),
        onVerified: (range, parents) => this.#verified(range, parents),
      });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  push(bytes: Uint8Array): readonly Range[] {
    // Bytes past the claimed end are refused by the verifier and need no room.
    const inside = bytes.subarray(0, Math.max(0, this.#size - this.#offset));
    if (inside.length > 0) this.#stage?.writeAt(this.#offset, inside);
    this.#offset += bytes.length;
    try {
      this.#verifier.push(bytes);
    } catch (error) {
      throw new JobFailure(this.#takeRuns(), error);
    }
    return this.#takeRuns();
  }

  finish(): readonly Range[] {
    try {
      this.#verifier.finish();
    } catch (error) {
      // What others proved meanwhile may have made a part of it verifiable.
      throw new JobFailure(this.#takeRuns(), error);
    }
    return this.#takeRuns();
  }

  close(): void {
    this.#writer.close();
    this.#stage?.[Symbol.dispose]();
    this.#known?.[Symbol.dispose]();
  }

  #takeRuns(): Range[] {
    const runs = this.#runs;
    this.#runs = [];
    return runs;
  }

  #verified(range: Range, parents: ReadonlyMap<number, Uint8Array>): void {
    if (!this.#isInPlace) this.#moveToLane(range);
    for (const [offset, pair] of parents) this.#writer.parent(offset, pair);
    this.#writer.flush();
    this.#runs.push(range);
  }

  #moveToLane(range: Range): void {
    if (this.#stage === undefined) return;
    const end = Math.min(range.end * GROUP_BYTES, this.#size);
    const buffer = new Uint8Array(Math.min(SLAB_BYTES, end - range.start * GROUP_BYTES));
    for (let offset = range.start * GROUP_BYTES; offset < end;) {
      const part = buffer.subarray(0, Math.min(buffer.length, end - offset));
      if (this.#stage.readAtSync(offset, part) !== part.length) {
        throw new Error(`the staging file of a fetch lost bytes at ${offset}`);
      }
      this.#writer.data(offset, part);
      offset += part.length;
    }
  }
}

function pairIn(outboard: PositionalFile | undefined, offset: number): Uint8Array | undefined {
  const pair = new Uint8Array(PARENT_BYTES);
  return outboard?.readAtSync(offset, pair) === PARENT_BYTES ? pair : undefined;
}

function appendRun(runs: Range[], start: number, end: number): void {
  const last = runs.at(-1);
  if (last?.end === start) runs[runs.length - 1] = { start: last.start, end };
  else runs.push({ start, end });
}
