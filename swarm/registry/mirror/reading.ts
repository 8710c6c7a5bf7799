/** Bodies of blobs out of the store, whole ones and those that are still coming in. */
import { messageOf, SeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { GROUP_BYTES } from "../../bao/geometry.ts";
import type { BlobReader, BlobRecord, BlobStore } from "../../store/blob_store.ts";
import type { Digest } from "../names.ts";
import type { BlobDelivery } from "../ports.ts";
import type { Flight } from "./flight.ts";
import { PIECE_BYTES } from "./limits.ts";

/** Bytes wanted: from `start` up to, not including, `end`. */
interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A blob that is complete here. */
export class StoredDelivery implements BlobDelivery {
  readonly digest: Digest;
  readonly size: number;
  readonly record: BlobRecord;
  readonly #store: BlobStore;

  constructor(store: BlobStore, digest: Digest, record: BlobRecord) {
    this.#store = store;
    this.digest = digest;
    this.record = record;
    this.size = record.size;
  }

  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array<ArrayBuffer>> {
    const { hash } = this.record;
    return readAsItComes(this.#store, { range, signal, readable: () => Promise.resolve(hash) });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** A flight that somebody holds on to. */
export interface JoinedFlight {
  readonly flight: Flight;
  /** Lets go of it. */
  readonly release: () => void;
}

/** A blob that is coming in. */
export class ArrivingDelivery implements BlobDelivery {
  readonly digest: Digest;
  readonly size: number;
  readonly #store: BlobStore;
  readonly #rejoin: (failed: Flight) => JoinedFlight | undefined;
  #joined: JoinedFlight;

  /** @param parts `rejoin` gives another flight after one failed, if that may do better. */
  constructor(
    parts: {
      readonly store: BlobStore;
      readonly joined: JoinedFlight;
      readonly rejoin: (failed: Flight) => JoinedFlight | undefined;
    },
  ) {
    this.#store = parts.store;
    this.#joined = parts.joined;
    this.#rejoin = parts.rejoin;
    const { digest, size } = parts.joined.flight.request;
    this.digest = digest;
    this.size = size;
  }

  async *read(
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const readable = (at: number) => this.#readable(at, signal);
    using _reader = this.#joined.flight.read();
    yield* readAsItComes(this.#store, { range, signal, readable });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#joined.release();
    return Promise.resolve();
  }

  async #readable(at: number, signal: AbortSignal): Promise<Hash> {
    for (;;) {
      const { flight, release } = this.#joined;
      try {
        return await flight.readable(at, signal);
      } catch (error) {
        signal.throwIfAborted();
        const next = flight.state === "failed" ? this.#rejoin(flight) : undefined;
        if (next === undefined) throw undeliverable(this.digest, error);
        release();
        this.#joined = next;
      }
    }
  }
}

/** A blob whose size alone is asked for. */
export class HeadDelivery implements BlobDelivery {
  readonly digest: Digest;
  readonly size: number;

  constructor(digest: Digest, size: number) {
    this.digest = digest;
    this.size = size;
  }

  // deno-lint-ignore require-yield -- it is asked for by HEAD, and has no body to give
  async *read(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    await Promise.reject(
      new SeedmintError("protocol", `Blob ${this.digest} was asked for without its bytes`),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Before the first byte this is a 404, and the client asks the registry itself. */
function undeliverable(digest: Digest, cause: unknown): SeedmintError {
  return new SeedmintError(
    "not-found",
    `Cannot deliver blob ${digest}: ${messageOf(cause)}; ask its registry`,
    { cause, retryable: true },
  );
}

/** Reads what the store holds, in order; where it ends, waits until more may be read. */
async function* readAsItComes(
  store: BlobStore,
  options: {
    readonly range: ByteRange;
    readonly signal: AbortSignal;
    /** Resolves once the byte at an offset can be read, with the blob to read it from. */
    readonly readable: (at: number) => Promise<Hash>;
  },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { range, signal } = options;
  const buffer = new Uint8Array(Math.max(0, Math.min(PIECE_BYTES, range.end - range.start)));
  for (let at = range.start; at < range.end;) {
    const hash = await options.readable(at);
    await using reader = await store.openReader(hash);
    const end = Math.min(range.end, heldEnd(reader, at));
    const startAt = at;
    while (at < end) {
      signal.throwIfAborted();
      const count = await reader.read(at, buffer.subarray(0, Math.min(buffer.length, end - at)));
      if (count === 0) break;
      at += count;
      yield buffer.subarray(0, count);
    }
    if (at === startAt) {
      // It was held a moment ago: the store let go of it, and will not have it in a moment either.
      throw new SeedmintError("unavailable", `Cannot read blob ${hash} at byte ${at}; ask again`, {
        retryable: true,
      });
    }
  }
}

/** Where the run of held bytes ends that `at` lies in; `at` itself if it lies in none. */
function heldEnd(reader: BlobReader, at: number): number {
  const group = Math.floor(at / GROUP_BYTES);
  for (const run of reader.groups) {
    if (run.start > group) break;
    if (group < run.end) return Math.min(reader.size, run.end * GROUP_BYTES);
  }
  return at;
}
