/** Peers and origins that behave as badly as a test wants, on real stores and a real clock. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import type { RangeSet } from "../../../src/core/range_set.ts";
import { systemClock } from "../../../src/host/system.ts";
import { truncateRanges } from "../../../swarm/bao/mod.ts";
import type { Holdings, Origin, Source, SourceFetch } from "../../../swarm/ports.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import { MemoryBlobStore } from "../../../swarm/store/memory_store.ts";

/** A store in memory that holds `bytes`. */
export async function storeWith(
  ...blobs: readonly Uint8Array[]
): Promise<{ readonly store: MemoryBlobStore; readonly hashes: Hash[] }> {
  const store = new MemoryBlobStore({ clock: systemClock });
  const hashes: Hash[] = [];
  for (const bytes of blobs) hashes.push((await store.importBytes(bytes)).hash);
  return { store, hashes };
}

/** Bytes that differ everywhere, from a seed. */
export function testBytes(size: number, seed: number = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed >>> 0;
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, size).slice();
}

/** How a fake peer behaves. */
export interface FakeBehaviour {
  readonly latencyMs?: number;
  /** Bytes a second over all its requests. */
  readonly throughput?: number;
  /** After so many bytes it says nothing more. */
  readonly hangsAfterBytes?: number;
  /** After so many bytes the connection ends, once. */
  readonly resetsAfterBytes?: number;
  /** From this byte of its responses on it lies. */
  readonly liesAfterBytes?: number;
  readonly refusesWith?: SeedmintError;
  /** What it asks for a MiB. */
  readonly priceMsatPerMiB?: number;
  /** It tells its price only when it is asked for something. */
  readonly hidesPrice?: boolean;
  /** The size that it claims instead of the true one. */
  readonly claimsSize?: number;
}

/** A peer whose store is here and whose network is a timer. */
export class FakePeer implements Source {
  readonly kind = "peer";
  readonly id: string;
  readonly requests: RangeSet[] = [];
  priceMsatPerMiB?: number;
  sentBytes = 0;
  readonly #from: BlobStore;
  readonly #to: BlobStore;
  readonly #behaviour: FakeBehaviour;
  #freeMs = 0;
  #hasReset = false;

  constructor(
    id: string,
    options: { readonly from: BlobStore; readonly to: BlobStore } & FakeBehaviour,
  ) {
    this.id = id;
    this.#from = options.from;
    this.#to = options.to;
    this.#behaviour = options;
    const { priceMsatPerMiB, hidesPrice } = options;
    if (priceMsatPerMiB !== undefined && hidesPrice !== true) {
      this.priceMsatPerMiB = priceMsatPerMiB;
    }
  }

  async fetch(request: SourceFetch): Promise<{ readonly receivedBytes: number }> {
    const { signal, hash } = request;
    const behaviour = this.#behaviour;
    this.requests.push(request.groups);
    await systemClock.sleep(behaviour.latencyMs ?? 0, { signal });
    if (behaviour.priceMsatPerMiB !== undefined) this.priceMsatPerMiB = behaviour.priceMsatPerMiB;
    if (behaviour.refusesWith !== undefined) throw behaviour.refusesWith;
    const record = this.#from.status(hash);
    if (record === undefined) throw new SeedmintError("not-found", "it does not have the blob");
    const size = behaviour.claimsSize ?? record.size;
    request.onGranted?.(size);
    const asked = truncateRanges(request.groups, record.size);
    const held = asked.intersect(record.groups);
    if (held.isEmpty) throw new SeedmintError("not-found", "it holds none of it");
    await using reader = await this.#from.openReader(hash);
    await using ingest = await this.#to.ingestEncoded(hash, held, {
      ...request.attributes,
      size,
      signal,
      ...(request.onVerified === undefined ? {} : { onVerified: request.onVerified }),
    });
    let receivedBytes = 0;
    for await (const piece of reader.encode(held, { signal })) {
      await this.#pace(piece.length, signal);
      if (this.sentBytes >= (behaviour.hangsAfterBytes ?? Infinity)) {
        await systemClock.sleep(3_600_000, { signal });
      }
      if (!this.#hasReset && this.sentBytes >= (behaviour.resetsAfterBytes ?? Infinity)) {
        this.#hasReset = true;
        throw new SeedmintError("reset", "the connection was reset", { retryable: true });
      }
      const lies = this.sentBytes >= (behaviour.liesAfterBytes ?? Infinity);
      if (lies) piece[0]! ^= 1;
      this.sentBytes += piece.length;
      receivedBytes += piece.length;
      request.onReceived?.(piece.length);
      await ingest.push(piece);
    }
    await ingest.finish();
    if (!held.equals(asked)) throw new SeedmintError("not-found", "it holds a part only");
    return { receivedBytes };
  }

  async holdings(hash: Hash, options: { readonly signal: AbortSignal }): Promise<Holdings> {
    await systemClock.sleep(this.#behaviour.latencyMs ?? 0, options);
    const record = this.#from.status(hash);
    if (record === undefined) return { state: "none" };
    return record.state === "complete"
      ? { state: "all", size: record.size }
      : { state: "some", size: record.size, groups: record.groups };
  }

  /** Waits until the link has room for `count` bytes more. */
  async #pace(count: number, signal: AbortSignal): Promise<void> {
    const { throughput } = this.#behaviour;
    if (throughput === undefined) {
      // Others must get a turn also when nothing limits this one.
      await Promise.resolve();
      return;
    }
    const nowMs = systemClock.monotonicMs();
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (count * 1000) / throughput;
    if (this.#freeMs - nowMs > 5) await systemClock.sleep(this.#freeMs - nowMs, { signal });
  }
}

/** An origin in memory. */
export class FakeOrigin implements Origin {
  readonly id = "http://origin.test/blob";
  readonly opened: number[] = [];
  readonly openedMs: number[] = [];
  sentBytes = 0;
  readonly #bytes: Uint8Array;
  readonly #options: {
    readonly throughput?: number;
    readonly tellsSize?: boolean;
    readonly fails?: SeedmintError;
  };

  constructor(
    bytes: Uint8Array,
    options: {
      readonly throughput?: number;
      readonly tellsSize?: boolean;
      readonly fails?: SeedmintError;
    } = {},
  ) {
    this.#bytes = bytes;
    this.#options = options;
  }

  open(options: { readonly offset: number; readonly end?: number; readonly signal: AbortSignal }) {
    this.opened.push(options.offset);
    this.openedMs.push(systemClock.monotonicMs());
    if (this.#options.fails !== undefined) return Promise.reject(this.#options.fails);
    const end = Math.min(options.end ?? Infinity, this.#bytes.length);
    let at = options.offset;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const piece = this.#bytes.slice(at, Math.min(end, at + 65536));
        if (piece.length === 0) return controller.close();
        const { throughput } = this.#options;
        if (throughput !== undefined) {
          await systemClock.sleep((piece.length * 1000) / throughput, { signal: options.signal });
        }
        at += piece.length;
        this.sentBytes += piece.length;
        controller.enqueue(piece);
      },
    }, { highWaterMark: 0 });
    return Promise.resolve({
      body,
      offset: options.offset,
      ...(this.#options.tellsSize === false ? {} : { size: this.#bytes.length }),
    });
  }
}

/** The bytes of a complete blob. */
export async function readWhole(store: BlobStore, hash: Hash): Promise<Uint8Array> {
  await using reader = await store.openReader(hash);
  const bytes = new Uint8Array(reader.size);
  let at = 0;
  while (at < bytes.length) at += await reader.read(at, bytes.subarray(at));
  return bytes;
}
