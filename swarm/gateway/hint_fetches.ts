/** Fetching what somebody said is elsewhere (Blossom BUD-10): few at a time, each blob once. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { hintsOf } from "./blossom_uri.ts";
import type { Exchange } from "./exchange.ts";
import { HINT_FETCH_MS, HINT_FETCHES_MAX, UPLOAD_BYTES_MAX } from "./limits.ts";
import type { FetchBySha256 } from "./options.ts";
import { busy } from "../http/refusal.ts";

/** Follows the hints of requests that may make us fetch; who may is the caller's business. */
export class HintFetches {
  readonly #options: { readonly fetchBySha256: FetchBySha256 | undefined; readonly clock: Clock };
  readonly #underWay = new Map<Sha256, Promise<boolean>>();

  constructor(
    options: { readonly fetchBySha256: FetchBySha256 | undefined; readonly clock: Clock },
  ) {
    this.#options = options;
  }

  /** Whether the blob is here after the hints of the request's query were followed. */
  async fetch(sha256: Sha256, exchange: Exchange): Promise<boolean> {
    const { fetchBySha256 } = this.#options;
    const hints = hintsOf(exchange.head.query);
    const isHinted = hints.servers.length > 0 || hints.authors.length > 0;
    if (fetchBySha256 === undefined || !isHinted) return false;
    const known = this.#underWay.get(sha256);
    if (known !== undefined) return await known;
    if (this.#underWay.size >= HINT_FETCHES_MAX) {
      throw busy(503, "Too many blobs are being fetched; try again later", 5);
    }
    const fetching = this.#fetch(fetchBySha256, { sha256, hints, signal: exchange.signal });
    this.#underWay.set(sha256, fetching);
    try {
      return await fetching;
    } finally {
      this.#underWay.delete(sha256);
    }
  }

  async #fetch(
    fetchBySha256: FetchBySha256,
    wanted: {
      readonly sha256: Sha256;
      readonly hints: ReturnType<typeof hintsOf>;
      readonly signal: AbortSignal;
    },
  ): Promise<boolean> {
    const late = new AbortController();
    const stop = this.#options.clock.timer(HINT_FETCH_MS, () => late.abort());
    try {
      return await fetchBySha256({
        sha256: wanted.sha256,
        ...wanted.hints,
        sizeMax: UPLOAD_BYTES_MAX,
        signal: AbortSignal.any([wanted.signal, late.signal]),
      });
    } catch {
      return false;
    } finally {
      stop();
    }
  }
}
