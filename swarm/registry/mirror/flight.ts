/**
 * One blob on its way in, shared by all who wait for it.
 *
 *     beginning --trusted mapping--> streaming --all groups, SHA-256 right--> here
 *         |                             |
 *         +--whole, checked at its end--+--nobody is left--> failed
 *
 * Bytes may be read while it is streaming, where the store holds them; otherwise only once it is here.
 */
import type { Hash } from "../../../src/core/hash.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES } from "../../bao/geometry.ts";
import type { BlobRecord, BlobStore } from "../../store/blob_store.ts";
import type { Digest } from "../names.ts";
import type { Target } from "./access.ts";

/** What a flight is for. */
export interface FlightRequest {
  readonly target: Target;
  readonly digest: Digest;
  /** Bytes, as a verified manifest or its registry says. */
  readonly size: number;
  readonly mediaType?: string;
  /** The manifest that lists it, whose advert tells who has it. */
  readonly parent?: Digest;
}

/** Where a flight stands. */
type State =
  | { readonly state: "beginning" }
  | { readonly state: "streaming"; readonly hash: Hash }
  | { readonly state: "here"; readonly hash: Hash }
  | { readonly state: "failed"; readonly error: unknown };

/** See the head of this file. */
export class Flight {
  readonly request: FlightRequest;
  readonly startedMs: number;
  /** Resolves when it is over, well or not. */
  readonly over: Promise<void>;
  readonly #store: BlobStore;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #abort = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  readonly #readers = new Set<object>();
  readonly #positions = new Set<{ at: number }>();
  readonly #listeners = new Set<() => void>();
  #state: State = { state: "beginning" };
  /** What the store holds of a streaming blob, looked at once for all who wait. */
  #held: RangeSet = RangeSet.EMPTY;
  #stopLooking: (() => void) | undefined;

  constructor(
    request: FlightRequest,
    parts: { readonly store: BlobStore; readonly clock: Clock; readonly pollMs: number },
  ) {
    this.request = request;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#pollMs = parts.pollMs;
    this.startedMs = parts.clock.monotonicMs();
    this.over = this.#over.promise;
  }

  /** Ends the work for it. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get state(): State["state"] {
    return this.#state.state;
  }

  /** Why it failed, if it did. */
  get error(): unknown {
    return this.#state.state === "failed" ? this.#state.error : undefined;
  }

  /** Whether every byte came, and only its SHA-256 is still to be computed. */
  get isAllHere(): boolean {
    const state = this.#state;
    const record = state.state === "streaming" ? this.#store.status(state.hash) : undefined;
    return record !== undefined && record.groups.count * GROUP_BYTES >= record.size;
  }

  /** Its bytes may be read as they are verified. */
  stream(hash: Hash): void {
    if (this.#isOver()) return;
    this.#become({ state: "streaming", hash });
  }

  /** What was streaming came to nothing; readers wait until something else is here whole. */
  restart(): void {
    if (this.#isOver()) return;
    this.#become({ state: "beginning" });
  }

  arrived({ hash }: BlobRecord): void {
    this.#become({ state: "here", hash });
    this.#over.resolve();
  }

  fail(error: unknown): void {
    this.#become({ state: "failed", error });
    this.#over.resolve();
  }

  cancel(reason: unknown): void {
    this.#abort.abort(reason);
  }

  /** Where somebody waits for bytes; the furthest behind of them. */
  position(): number | undefined {
    let least: number | undefined;
    for (const { at } of this.#positions) least = Math.min(least ?? Infinity, at);
    return least;
  }

  /**
   * Waits until the byte `at` can be read, and says in which blob of the store.
   *
   * @throws What the flight failed with; `signal.reason`.
   */
  async readable(at: number, signal: AbortSignal): Promise<Hash> {
    const position = { at };
    this.#positions.add(position);
    try {
      for (;;) {
        signal.throwIfAborted();
        const hash = this.#readableNow(at);
        if (hash !== undefined) return hash;
        await this.#change(signal);
      }
    } finally {
      this.#positions.delete(position);
    }
  }

  /** Takes note that somebody reads it, until the result is disposed of. */
  read(): Disposable {
    const reader = {};
    this.#readers.add(reader);
    return {
      [Symbol.dispose]: () => {
        if (this.#readers.delete(reader) && this.#readers.size === 0) this.#tell();
      },
    };
  }

  /** Waits until nobody reads it, no longer than `ms`. @throws `signal.reason` */
  async unread(options: { readonly ms: number; readonly signal: AbortSignal }): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + options.ms;
    while (this.#readers.size > 0 && this.#clock.monotonicMs() < untilMs) {
      options.signal.throwIfAborted();
      await this.#change(options.signal, untilMs - this.#clock.monotonicMs());
    }
    options.signal.throwIfAborted();
  }

  /** Waits until there is something to read, it failed, or `ms` passed. */
  async begun(options: { readonly ms: number; readonly signal: AbortSignal }): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + options.ms;
    while (this.#clock.monotonicMs() < untilMs) {
      options.signal.throwIfAborted();
      if (this.#isOver()) return;
      if (this.#state.state === "streaming" && !this.#held.isEmpty) return;
      await this.#change(options.signal, untilMs - this.#clock.monotonicMs());
    }
  }

  #readableNow(at: number): Hash | undefined {
    const state = this.#state;
    switch (state.state) {
      case "beginning":
        return undefined;
      case "failed":
        throw state.error;
      case "here": {
        if (this.#store.status(state.hash)?.state === "complete") return state.hash;
        const { digest } = this.request;
        throw new SeedmintError(
          "unavailable",
          `Cannot go on with blob ${digest}: the store let go of it; raise the store's quota`,
          { retryable: true },
        );
      }
      case "streaming":
        return this.#held.has(Math.floor(at / GROUP_BYTES)) ? state.hash : undefined;
      default:
        return state satisfies never;
    }
  }

  /** Waits for the next change, or no longer than `ms`. */
  async #change(signal: AbortSignal, ms: number = Infinity): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = ms === Infinity ? undefined : this.#clock.timer(Math.max(0, ms), resolve);
    const onAbort = () => resolve();
    this.#listeners.add(resolve);
    this.#look();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      cancel?.();
      this.#listeners.delete(resolve);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** While bytes stream in and somebody waits, looks now and then what came. */
  #look(): void {
    if (this.#state.state !== "streaming" || this.#stopLooking !== undefined) return;
    if (this.#listeners.size === 0) return;
    this.#stopLooking = this.#clock.timer(this.#pollMs, () => {
      this.#stopLooking = undefined;
      if (this.#refresh()) this.#tell();
      else this.#look();
    });
  }

  /** @returns Whether more is held than before, or less. */
  #refresh(): boolean {
    if (this.#state.state !== "streaming") return false;
    const held = this.#store.status(this.#state.hash)?.groups ?? RangeSet.EMPTY;
    const isNew = !held.equals(this.#held);
    this.#held = held;
    return isNew;
  }

  #isOver(): boolean {
    return this.#state.state === "here" || this.#state.state === "failed";
  }

  #become(state: State): void {
    this.#state = state;
    this.#stopLooking?.();
    this.#stopLooking = undefined;
    this.#held = RangeSet.EMPTY;
    this.#refresh();
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
