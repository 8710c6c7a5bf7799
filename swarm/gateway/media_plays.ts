/**
 * Blobs that somebody watches before they are here: each is fetched once, whoever watches, what is
 * watched next comes first, and nothing is fetched that nobody watches any more.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import type { BlobAttributes, BlobReader, BlobStore } from "../store/blob_store.ts";
import { MEDIA_FETCHES_MAX, MEDIA_LINGER_MS, MEDIA_PIECE_BYTES, MEDIA_POLL_MS } from "./limits.ts";
import type { MediaFetch } from "./options.ts";
import { busy } from "../http/refusal.ts";
import type { Span } from "../http/sending.ts";

/** What is watched. */
export interface MediaBlob {
  readonly hash: Hash;
  /** Bytes, as the collection says. */
  readonly size: number;
  /** The collection that lists it; absent for a collection itself. */
  readonly collection?: Hash;
  readonly attributes: BlobAttributes;
}

/** One fetch, and who watches. */
interface Play {
  readonly blob: MediaBlob;
  readonly stop: AbortController;
  /** Where each viewer is, in bytes. */
  readonly positions: Set<{ at: number }>;
  /** Called when the fetch is over. */
  readonly listeners: Set<() => void>;
  viewerCount: number;
  stopLinger: () => void;
  over: { readonly error: unknown } | "running" | "done";
}

/** See the head of this file. */
export class MediaPlays implements AsyncDisposable {
  readonly #options: {
    readonly store: BlobStore;
    readonly fetch: MediaFetch;
    readonly clock: Clock;
  };
  readonly #plays = new Map<Hash, Play>();
  readonly #fetching = new Set<Promise<void>>();

  constructor(
    options: { readonly store: BlobStore; readonly fetch: MediaFetch; readonly clock: Clock },
  ) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const play of this.#plays.values()) {
      play.stopLinger();
      play.stop.abort(new SeedmintError("aborted", "The gateway is closing"));
    }
    await Promise.allSettled(this.#fetching);
  }

  /**
   * Bytes of `span` in order, as they come; an array is valid until the next one is asked for.
   *
   * @throws {Refusal} 503 when too many blobs are watched at one time.
   * @throws {SeedmintError} When nobody delivers it.
   */
  async *read(
    blob: MediaBlob,
    span: Span,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const play = this.#join(blob);
    try {
      const buffer = new Uint8Array(Math.min(MEDIA_PIECE_BYTES, span.end - span.start));
      for (let at = span.start; at < span.end;) {
        await using reader = await this.#readable(play, at, signal);
        const end = Math.min(span.end, heldEnd(reader, at));
        while (at < end) {
          signal.throwIfAborted();
          const target = buffer.subarray(0, Math.min(buffer.length, end - at));
          const count = await reader.read(at, target);
          if (count === 0) throw new SeedmintError("unavailable", "The blob ended early");
          at += count;
          yield target.subarray(0, count);
        }
      }
    } finally {
      this.#leave(play);
    }
  }

  /** Waits until all of a small blob is here. @throws as {@link read}. */
  async whole(blob: MediaBlob, signal: AbortSignal): Promise<void> {
    const play = this.#join(blob);
    try {
      while (play.over === "running") await this.#change(play, signal);
      if (play.over !== "done") throw play.over.error;
    } finally {
      this.#leave(play);
    }
  }

  #join(blob: MediaBlob): Play {
    const play = this.#plays.get(blob.hash) ?? this.#begin(blob);
    play.viewerCount++;
    play.stopLinger();
    return play;
  }

  #begin(blob: MediaBlob): Play {
    if (this.#plays.size >= MEDIA_FETCHES_MAX) {
      throw busy(503, "Too many things are being watched; try again later", 5);
    }
    const play: Play = {
      blob,
      stop: new AbortController(),
      positions: new Set(),
      listeners: new Set(),
      viewerCount: 0,
      stopLinger: () => {},
      over: "running",
    };
    this.#plays.set(blob.hash, play);
    const fetching = this.#fetch(play).finally(() => this.#fetching.delete(fetching));
    this.#fetching.add(fetching);
    return play;
  }

  async #fetch(play: Play): Promise<void> {
    const { blob, positions, stop } = play;
    try {
      await this.#options.fetch({
        ...blob,
        position: () => {
          let least: number | undefined;
          for (const { at } of positions) least = Math.min(least ?? Infinity, at);
          return least;
        },
        signal: stop.signal,
      });
      play.over = "done";
    } catch (error) {
      play.over = { error };
    }
    play.stopLinger();
    this.#forget(play);
    for (const listener of [...play.listeners]) listener();
  }

  /** A player that seeks leaves and comes again at once. */
  #leave(play: Play): void {
    play.viewerCount--;
    if (play.viewerCount > 0 || play.over !== "running") return;
    play.stopLinger = this.#options.clock.timer(MEDIA_LINGER_MS, () => {
      this.#forget(play);
      play.stop.abort(new SeedmintError("aborted", "Nobody watches it any more"));
    });
  }

  #forget(play: Play): void {
    if (this.#plays.get(play.blob.hash) === play) this.#plays.delete(play.blob.hash);
  }

  /** A reader that holds byte `at`, once there is one. */
  async #readable(play: Play, at: number, signal: AbortSignal): Promise<BlobReader> {
    const { store } = this.#options;
    const { hash, size } = play.blob;
    const group = Math.floor(at / GROUP_BYTES);
    const position = { at };
    play.positions.add(position);
    try {
      while (true) {
        signal.throwIfAborted();
        const record = store.status(hash);
        if (record !== undefined && record.size !== size) {
          throw new SeedmintError("corrupt", "The collection says another size than the blob has");
        }
        if (record !== undefined && record.visibility !== "public") {
          throw new SeedmintError("not-found", "Who has the blob does not show it to everybody");
        }
        if (record?.groups.has(group) === true) {
          const reader = await store.openReader(hash);
          if (reader.groups.has(group)) return reader;
          await reader[Symbol.asyncDispose]();
        }
        if (play.over === "done") throw new SeedmintError("unavailable", "The store let go of it");
        if (play.over !== "running") throw play.over.error;
        await this.#change(play, signal);
      }
    } finally {
      play.positions.delete(position);
    }
  }

  /** Waits for a moment, or until the fetch is over or the viewer gone. */
  async #change(play: Play, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.timer(MEDIA_POLL_MS, resolve);
    play.listeners.add(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    cancel();
    play.listeners.delete(resolve);
  }
}

/** Where the run of held bytes ends that `at` lies in. */
function heldEnd({ groups, size }: BlobReader, at: number): number {
  const group = Math.floor(at / GROUP_BYTES);
  for (const run of groups) {
    if (group < run.end) return group < run.start ? at : Math.min(size, run.end * GROUP_BYTES);
  }
  return at;
}
