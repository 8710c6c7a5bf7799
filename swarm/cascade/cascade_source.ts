/**
 * An origin as the fleet asks it: for a blob of which nothing is here, members read it once between
 * them. What is left of one that peers brought in part is asked of the origin alone.
 */
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";
import { groupCountOf } from "../bao/geometry.ts";
import { OriginSource } from "../origin/mod.ts";
import type { Origin, Source, SourceFetch } from "../ports.ts";
import type { BringRequest } from "./cascade.ts";

/** Options of {@link CascadeSource}. */
export interface CascadeSourceOptions {
  readonly origin: Origin;
  readonly store: BlobStore;
  readonly bring: (request: BringRequest) => Promise<BlobRecord>;
}

/** See the head of this file. */
export class CascadeSource implements Source {
  readonly kind = "origin";
  readonly id: string;
  readonly #options: CascadeSourceOptions;
  readonly #alone: OriginSource;

  constructor(options: CascadeSourceOptions) {
    this.id = options.origin.id;
    this.#options = options;
    this.#alone = new OriginSource(options);
  }

  async fetch(request: SourceFetch): Promise<{ readonly receivedBytes: number }> {
    const { store } = this.#options;
    const isWhole = request.groups.first === 0 && store.status(request.hash) === undefined;
    const size = isWhole ? request.size ?? await this.#size(request.signal) : undefined;
    return size === undefined
      ? await this.#alone.fetch(request)
      : await this.#together(request, size);
  }

  async #together(
    request: SourceFetch,
    size: number,
  ): Promise<{ readonly receivedBytes: number }> {
    const { origin, bring } = this.#options;
    const { hash, enough, attributes } = request;
    request.onGranted?.(size);
    let receivedBytes = 0;
    const signals = enough === undefined ? [request.signal] : [request.signal, enough];
    try {
      await bring({
        hash,
        size,
        origin,
        signal: AbortSignal.any(signals),
        onProgress: (bytes) => {
          request.onReceived?.(bytes - receivedBytes);
          receivedBytes = bytes;
        },
        ...(attributes === undefined ? {} : { attributes }),
      });
    } catch (error) {
      if (request.signal.aborted || enough?.aborted !== true) throw error;
      return { receivedBytes };
    }
    request.onVerified?.({ start: 0, end: groupCountOf(size) });
    return { receivedBytes };
  }

  /** What the origin says that the size is, without reading on. */
  async #size(signal: AbortSignal): Promise<number | undefined> {
    const opened = await this.#options.origin.open({ offset: 0, signal });
    await opened.body.cancel();
    return opened.size;
  }
}
