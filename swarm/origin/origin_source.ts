/** An {@link Origin} as a source of verified chunk groups. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Range, RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../bao/geometry.ts";
import type { Origin, Source, SourceFetch } from "../ports.ts";
import type { BlobStore, Ingest } from "../store/blob_store.ts";
import { LOOK_AHEAD_GROUPS } from "./limits.ts";

/** Plain bytes of an origin, verified by the store against what is proven of the blob. */
export class OriginSource implements Source {
  readonly kind = "origin";
  readonly id: string;
  readonly #origin: Origin;
  readonly #store: BlobStore;

  constructor(options: { readonly origin: Origin; readonly store: BlobStore }) {
    this.id = options.origin.id;
    this.#origin = options.origin;
    this.#store = options.store;
  }

  async fetch(request: SourceFetch): Promise<{ readonly receivedBytes: number }> {
    let receivedBytes = 0;
    const onReceived = (bytes: number) => {
      receivedBytes += bytes;
      request.onReceived?.(bytes);
    };
    try {
      for (const run of request.groups) {
        await this.#fetchRun({ ...request, onReceived }, run);
      }
    } catch (error) {
      if (!isSeedmintError(error, "corrupt")) throw error;
      throw new SeedmintError(
        "corrupt",
        `Cannot take blob ${request.hash} from origin ${this.id}: its bytes are not those of the blob`,
        { cause: error },
      );
    }
    return { receivedBytes };
  }

  /** One run of groups; it ends early where peers brought what comes next. */
  async #fetchRun(request: SourceFetch, run: Range): Promise<void> {
    const start = firstNotHeld(this.#store.status(request.hash)?.groups, run.start);
    if (start === undefined || start >= run.end) return;
    await this.#fetchStretch(request, { start, end: run.end });
  }

  async #fetchStretch(request: SourceFetch, run: Range): Promise<void> {
    const { signal } = request;
    const opened = await this.#origin.open({
      offset: run.start * GROUP_BYTES,
      ...endOffset(run, request.size),
      signal,
    });
    const size = opened.size;
    if (size === undefined && request.size === undefined) {
      await this.#importWhole(request, opened.body);
      return;
    }
    if (size !== undefined && request.size !== undefined && size !== request.size) {
      await opened.body.cancel();
      throw new SeedmintError("corrupt", `${size} bytes found, ${request.size} are proven`);
    }
    const blobSize = (request.size ?? size)!;
    request.onGranted?.(blobSize);
    await using ingest = await this.#store.ingestPlain(request.hash, run.start, {
      ...request.attributes,
      size: blobSize,
      signal,
      ...(request.onVerified === undefined ? {} : { onVerified: request.onVerified }),
    });
    await this.#pour(request, { body: opened.body, ingest, run, blobSize });
  }

  async #pour(
    request: SourceFetch,
    options: {
      readonly body: ReadableStream<Uint8Array>;
      readonly ingest: Ingest;
      readonly run: Range;
      readonly blobSize: number;
    },
  ): Promise<void> {
    const { ingest, run } = options;
    let position = run.start * GROUP_BYTES;
    const end = Math.min(run.end, groupCountOf(options.blobSize));
    let lookAt = run.start + LOOK_AHEAD_GROUPS;
    const reader = options.body.getReader();
    try {
      while (true) {
        const read = await reader.read();
        if (read.done) break;
        position += read.value.length;
        await ingest.push(read.value);
        request.onReceived?.(read.value.length);
        const group = Math.floor(position / GROUP_BYTES);
        const isEnough = request.enough?.aborted === true;
        if (group >= end || (group < lookAt && !isEnough)) continue;
        lookAt = group + LOOK_AHEAD_GROUPS;
        if (isEnough || this.#isRestHeld(request.hash, group)) {
          return await this.#finishEarly(request.hash, { ingest, start: run.start });
        }
      }
      const isToTheEnd = end === groupCountOf(options.blobSize);
      if (isToTheEnd) await ingest.finish();
      else await this.#finishEarly(request.hash, { ingest, start: run.start });
    } finally {
      // Also when the rest is not wanted: the connection must not stay open.
      await reader.cancel().catch(() => {});
    }
  }

  /**
   * What comes next is held with the parents around it, so that what came can be verified without
   * the rest.
   */
  async #finishEarly(
    hash: Hash,
    options: { readonly ingest: Ingest; readonly start: number },
  ): Promise<void> {
    try {
      await options.ingest.finish();
    } catch (error) {
      // An ingest that ends before the end of the blob says so; here that is meant.
      const reached = firstNotHeld(this.#store.status(hash)?.groups, options.start);
      const isVerified = reached === undefined || reached > options.start;
      if (!isSeedmintError(error, "reset") || !isVerified) throw error;
    }
  }

  /** Whether peers brought what comes next, and enough of it to stop for. */
  #isRestHeld(hash: Hash, group: number): boolean {
    const groups = this.#store.status(hash)?.groups;
    if (groups === undefined || !groups.has(group)) return false;
    const next = firstNotHeld(groups, group);
    return next === undefined || next - group >= LOOK_AHEAD_GROUPS;
  }

  /** Nobody knows the size: the store takes it as a stream and checks the hash at the end. */
  async #importWhole(request: SourceFetch, body: ReadableStream<Uint8Array>): Promise<void> {
    const counted = body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (piece, controller) => {
          request.onReceived?.(piece.length);
          controller.enqueue(piece);
        },
      }),
    );
    const record = await this.#store.importStream(counted, {
      ...request.attributes,
      signal: request.signal,
      expected: { hash: request.hash },
    });
    request.onGranted?.(record.size);
    request.onVerified?.({ start: 0, end: groupCountOf(record.size) });
  }
}

/** The end of `run` for an origin; none where the run goes to the end of the blob anyway. */
function endOffset(run: Range, size: number | undefined): { readonly end?: number } {
  if (run.end === Infinity || size === undefined || run.end >= groupCountOf(size)) return {};
  return { end: run.end * GROUP_BYTES };
}

/** The first group from `from` on that is not in `groups`; undefined when there is none to come. */
function firstNotHeld(groups: RangeSet | undefined, from: number): number | undefined {
  if (groups === undefined) return from;
  for (const range of groups) {
    if (range.start <= from && from < range.end) {
      return range.end === Infinity ? undefined : range.end;
    }
  }
  return from;
}
