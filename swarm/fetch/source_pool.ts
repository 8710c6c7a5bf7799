/**
 * The sources of one collection: who has it is found once and used for all its children. A liar met
 * on one child is asked for none, nor is a peer whose price was not paid for one.
 */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Discovery, ProviderHint, Source } from "../ports.ts";
import { withoutFleetTerms } from "./fleet_hints.ts";
import { DISCOVERY_MS_MAX } from "./limits.ts";
import type { FetchContext } from "./options.ts";
import type { FetchFailure } from "./report.ts";

/** Sources remembered for one collection. */
const POOL_SOURCES_MAX = 64;

/** See the head of this file. */
export class SourcePool implements AsyncDisposable {
  readonly failures: FetchFailure[] = [];
  readonly #context: FetchContext;
  readonly #sources = new Map<string, Source>();
  readonly #banned = new Set<string>();
  readonly #listeners = new Set<() => void>();
  readonly #abort = new AbortController();
  readonly #searching: Promise<void>;
  #isEnded = false;

  constructor(root: Hash, context: FetchContext) {
    this.#context = context;
    for (const source of context.sources ?? []) this.#add(source);
    for (const peer of context.peers ?? []) this.#addPeer(peer);
    this.#searching = this.#search(root);
  }

  /** Everyone known that was not banned. */
  get sources(): readonly Source[] {
    return [...this.#sources.values()].filter((source) => !this.#banned.has(source.id));
  }

  /** Whether nobody more is to be expected. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Leaves a source out from now on. */
  ban(id: string): void {
    this.#banned.add(id);
  }

  isBanned(id: string): boolean {
    return this.#banned.has(id);
  }

  /** Calls `listener` when somebody was found or the search ended. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What a fetch of one child is given: those who have the collection are found for it as well. */
  contextOf(signal: AbortSignal): FetchContext {
    const sourceOf = (peer: ProviderHint) =>
      this.#banned.has(peer.peerId) ? undefined : this.#sources.get(peer.peerId);
    const discovery: Discovery = {
      find: (_query, options = {}) => this.#hints(options.signal),
    };
    const { peers: _peers, ...context } = this.#context;
    return { ...context, sources: this.sources, sourceOf, discovery, signal };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new DOMException("The fetch is over", "AbortError"));
    await this.#searching;
  }

  /** Peers found after the fetch of a child began. */
  async *#hints(signal?: AbortSignal): AsyncGenerator<ProviderHint> {
    const told = new Set(this.#sources.keys());
    while (!this.#isEnded && signal?.aborted !== true) {
      await this.#nextChange(signal);
      for (const id of this.#sources.keys()) {
        if (told.has(id)) continue;
        told.add(id);
        yield { peerId: id, addrs: [], via: "peer", bound: false };
      }
    }
  }

  #nextChange(signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.onChange(resolve);
    signal?.addEventListener("abort", () => resolve(), { once: true });
    return promise.finally(stop);
  }

  async #search(root: Hash): Promise<void> {
    const { discovery, clock } = this.#context;
    const { signal } = this.#abort;
    const stopWaiting = clock.timer(DISCOVERY_MS_MAX, () => this.#end());
    try {
      if (discovery !== undefined) {
        for await (const hint of discovery.find({ hash: root }, { signal })) {
          if (signal.aborted) break;
          this.#addPeer(hint);
        }
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#noteFailure({ id: "discovery", code: "unavailable", message: messageOf(error) });
      }
    } finally {
      stopWaiting();
      this.#end();
    }
  }

  #end(): void {
    this.#isEnded = true;
    this.#tell();
  }

  #addPeer(peer: ProviderHint): void {
    if (this.#sources.has(peer.peerId)) return;
    try {
      const { herd, sourceOf } = this.#context;
      const source = sourceOf?.(withoutFleetTerms(peer, herd));
      if (source !== undefined) this.#add(source);
    } catch (error) {
      this.#noteFailure({
        id: peer.peerId,
        code: error instanceof SeedmintError ? error.code : "unavailable",
        message: messageOf(error),
      });
    }
  }

  #noteFailure(failure: FetchFailure): void {
    if (this.failures.length < POOL_SOURCES_MAX) this.failures.push(failure);
  }

  #add(source: Source): void {
    if (this.#sources.size >= POOL_SOURCES_MAX) return;
    this.#sources.set(source.id, source);
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
