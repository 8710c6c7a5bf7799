/**
 * Telling others what this node seeds: keeps the adverts on the relays as the store is. A loop takes
 * one job after the other, in this order: the node's own advert, blobs that changed (collections,
 * tagged and pinned ones first), adverts whose time to refresh has come.
 */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/ports.ts";
import type { Announcer } from "../ports.ts";
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";
import { AdvertPolicy, type AnnouncePolicy, type Channel, isRoot } from "./advert_policy.ts";
import { AdvertPublisher, type AdvertPublisherOptions } from "./advert_publisher.ts";
import { ADVERT_LIMITS, ANNOUNCER_LIMITS, type AnnouncerLimits } from "./limits.ts";
import type { OfferTerms } from "./peer_offer.ts";

/** Options of {@link NostrAnnouncer.start}. */
export interface NostrAnnouncerOptions extends
  Pick<
    AdvertPublisherOptions,
    "relays" | "identity" | "offer" | "offerFor" | "state" | "clock"
  > {
  readonly store: Pick<BlobStore, "list" | "status">;
  readonly random: Random;
  /** @default {"all"} */
  readonly announce?: AnnouncePolicy;
  /** Further digests by which a blob may be looked up, as an image's manifests. */
  readonly digestsOf?: (record: BlobRecord) => readonly Sha256[];
  /** Whether another blob's advert stands for this one, as an image's for its layers. */
  readonly isPart?: (record: BlobRecord) => boolean;
  readonly limits?: Partial<AnnouncerLimits>;
  /** Told why an advert could not be published; it is tried again by itself. */
  readonly onError?: (error: Error) => void;
}

/** What the announcer has out there. */
export interface AnnouncerStatus {
  readonly advertCount: number;
  /** Changes that wait to be published. */
  readonly pendingCount: number;
  readonly lastError?: string;
}

interface Published {
  /** Undefined for an advert that the relays refused: it is tried again when it would be refreshed. */
  readonly channel: Channel | undefined;
  /** What the advert said; another value is news. */
  readonly content: string;
  readonly refreshAtMs: number;
}

const CHANNELS: readonly Channel[] = ["public", "fleet"];

/** {@link Announcer} by Nostr adverts. */
export class NostrAnnouncer implements Announcer, AsyncDisposable {
  readonly #options: NostrAnnouncerOptions;
  readonly #limits: AnnouncerLimits;
  readonly #policy: AdvertPolicy;
  readonly #publisher: AdvertPublisher;
  readonly #closing = new AbortController();
  readonly #published = new Map<Hash, Published>();
  readonly #dirtyRoots = new Set<Hash>();
  readonly #dirtySingles = new Set<Hash>();
  #nodeDueMs: number;
  /** Before this no blob's advert is published: more changes may come, or something failed. */
  #startAtMs: number;
  #catchUpFromMs = -Infinity;
  #failureCount = 0;
  #nodeFailureCount = 0;
  #lastError: string | undefined;
  #wake: () => void = () => {};
  #settled: (() => void)[] = [];
  #working = false;
  readonly #running: Promise<void>;

  private constructor(options: NostrAnnouncerOptions) {
    const { clock, state, store } = options;
    this.#options = options;
    this.#limits = { ...ANNOUNCER_LIMITS, ...options.limits };
    this.#policy = new AdvertPolicy(options.announce ?? "all", this.#limits);
    this.#publisher = new AdvertPublisher({
      ...options,
      limits: this.#limits,
      signal: this.#closing.signal,
      onBack: (channel) => this.#catchUp(channel),
    });
    this.#nodeDueMs = clock.monotonicMs();
    this.#startAtMs = clock.monotonicMs() + this.#limits.debounceMs;
    for (const record of store.list()) {
      this.#policy.note(record.hash, this.#ownOf(record));
      this.#mark(record.hash, record);
    }
    // What an earlier run left out there and the store no longer has.
    for (const [key, mark] of state.entries()) this.#recall(key, mark);
    this.#running = this.#run();
  }

  /** Begins to advertise what the store holds. */
  static start(options: NostrAnnouncerOptions): NostrAnnouncer {
    return new NostrAnnouncer(options);
  }

  /** Looks again at a blob that changed in any way; also right for one that is gone. */
  announce(hash: Hash): void {
    if (this.#closing.signal.aborted) return;
    const { clock, store } = this.#options;
    const record = store.status(hash);
    const isIdle = this.#pendingCount === 0;
    const crossed = this.#policy.note(hash, this.#ownOf(record));
    const isCurrent = this.#isCurrent(hash, record);
    if (isCurrent && crossed.length === 0) return;
    if (!isCurrent) this.#mark(hash, record);
    for (const other of crossed) this.#mark(other, store.status(other));
    // News need not wait as long as what failed before.
    const soonMs = clock.monotonicMs() + this.#limits.debounceMs;
    this.#startAtMs = isIdle ? soonMs : Math.min(this.#startAtMs, soonMs);
    this.#wake();
  }

  /** Looks again at a blob that was removed. */
  withdraw(hash: Hash): void {
    this.announce(hash);
  }

  /**
   * Publishes the node's advert anew, and those of blobs whose price or other terms are not what they
   * were: addresses or conditions changed.
   */
  offerChanged(): void {
    if (this.#closing.signal.aborted) return;
    const { clock, store } = this.#options;
    const soonMs = clock.monotonicMs() + this.#limits.debounceMs;
    this.#nodeDueMs = soonMs;
    const isIdle = this.#pendingCount === 0;
    for (const [hash, { channel }] of this.#published) {
      const record = store.status(hash);
      // What the relays refused is left until its time: a price is no reason to try it sooner.
      if (channel !== undefined && !this.#isCurrent(hash, record)) this.#mark(hash, record);
    }
    if (isIdle && this.#pendingCount > 0) this.#startAtMs = soonMs;
    this.#wake();
  }

  /** What is out there. */
  status(): AnnouncerStatus {
    const advertised = this.#published.values().filter(({ channel }) => channel !== undefined);
    return {
      advertCount: [...advertised].length,
      pendingCount: this.#pendingCount,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** Resolves once nothing waits to be published. */
  async settled(): Promise<void> {
    if (this.#closing.signal.aborted || this.#isSettled()) return;
    await new Promise<void>((resolve) => this.#settled.push(resolve));
  }

  /** Stops; what is out there stays until it expires. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new SeedmintError("aborted", "The announcer was closed"));
    this.#wake();
    await this.#running;
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  get #pendingCount(): number {
    return this.#dirtyRoots.size + this.#dirtySingles.size;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      if (this.#isSettled()) { for (const resolve of this.#settled.splice(0)) resolve(); }
      const waitMs = this.#nextMs() - this.#options.clock.monotonicMs();
      if (waitMs > 0) {
        await this.#idle(waitMs);
        continue;
      }
      this.#working = true;
      await this.#step();
      this.#working = false;
    }
  }

  /** Does the most urgent job. */
  async #step(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#nodeDueMs <= nowMs) return await this.#stepNode();
    const hash = this.#takeDirty(nowMs) ?? this.#dueForRefresh(nowMs);
    if (hash === undefined) return;
    try {
      await this.#bring(hash);
      this.#failureCount = 0;
      if (this.#nodeFailureCount === 0) this.#lastError = undefined;
    } catch (error) {
      this.#blobFailed(hash, error);
    }
  }

  /** A relay may refuse this kind and take the others, so a failure here holds back nothing else. */
  async #stepNode(): Promise<void> {
    const { clock } = this.#options;
    let failure: unknown;
    for (const channel of CHANNELS) {
      if (!this.#publisher.hasRelays(channel)) continue;
      try {
        await this.#publisher.advertiseNode(channel);
      } catch (error) {
        failure = error;
      }
    }
    if (failure !== undefined) {
      this.#nodeDueMs = clock.monotonicMs() + this.#backoffMs(this.#nodeFailureCount++);
      return this.#tell(failure);
    }
    this.#nodeFailureCount = 0;
    if (this.#failureCount === 0) this.#lastError = undefined;
    // This small event is also what shows whether a relay that was down is back.
    this.#nodeDueMs = this.#publisher.missesRelay
      ? clock.monotonicMs() + this.#limits.missedLookMs
      : this.#refreshMs();
  }

  /** Makes the adverts of one blob as they should be. */
  async #bring(hash: Hash): Promise<void> {
    const record = this.#options.store.status(hash);
    const wanted = this.#isRoomFor(hash) ? this.#policy.decide(this.#ownOf(record)) : undefined;
    for (const channel of CHANNELS) {
      if (channel === wanted || !this.#publisher.isLive(channel, hash)) continue;
      if (this.#publisher.hasRelays(channel)) await this.#publisher.withdraw(channel, hash);
    }
    if (wanted === undefined || !this.#publisher.hasRelays(wanted)) {
      this.#published.delete(hash);
      return;
    }
    const sha256s = this.#digestsOf(record!);
    const terms = this.#publisher.termsFor(wanted, hash);
    await this.#publisher.advertise(wanted, { hash, size: record!.size, sha256s, terms });
    this.#published.set(hash, {
      channel: wanted,
      content: contentKey(sha256s, terms),
      refreshAtMs: this.#refreshMs(),
    });
  }

  /** What nobody could be asked about is tried again soon; what was refused, much later. */
  #blobFailed(hash: Hash, error: unknown): void {
    const { clock, store } = this.#options;
    if (this.#closing.signal.aborted) return;
    if (isSeedmintError(error, "denied")) {
      const refreshAtMs = this.#refreshMs();
      this.#published.set(hash, { channel: undefined, content: "", refreshAtMs });
    } else {
      this.#mark(hash, store.status(hash));
      this.#startAtMs = clock.monotonicMs() + this.#backoffMs(this.#failureCount++);
    }
    this.#tell(error);
  }

  /** Marks all adverts there, now that a relay is back that missed some; not for each flap of it. */
  #catchUp(channel: Channel): void {
    const { clock, store } = this.#options;
    if (clock.monotonicMs() < this.#catchUpFromMs) return;
    this.#catchUpFromMs = clock.monotonicMs() + this.#limits.missedLookMs;
    for (const [hash, published] of this.#published) {
      if (published.channel === channel) this.#mark(hash, store.status(hash));
    }
  }

  /** `record`, unless another advert stands for it: then it is to have none. */
  #ownOf(record: BlobRecord | undefined): BlobRecord | undefined {
    const isPart = record !== undefined && this.#options.isPart?.(record) === true;
    return isPart ? undefined : record;
  }

  #digestsOf(record: BlobRecord): readonly Sha256[] {
    return [
      ...(record.sha256 === undefined ? [] : [record.sha256]),
      ...this.#options.digestsOf?.(record) ?? [],
    ];
  }

  /** Whether the adverts of a blob are as they should be already. */
  #isCurrent(hash: Hash, record: BlobRecord | undefined): boolean {
    const wanted = this.#policy.decide(this.#ownOf(record));
    const published = this.#published.get(hash);
    if (published?.channel !== undefined) {
      if (published.channel !== wanted) return false;
      const terms = this.#publisher.termsFor(wanted, hash);
      return published.content === contentKey(this.#digestsOf(record!), terms);
    }
    return wanted === undefined &&
      !CHANNELS.some((channel) => this.#publisher.isLive(channel, hash));
  }

  #recall(key: string, mark: { readonly createdAtS: number; readonly live: boolean }): void {
    const { clock, state, store } = this.#options;
    // An advert this old has expired on its own; only its date would matter, and no longer does.
    if (mark.createdAtS + this.#limits.withdrawnKeptS < clock.nowMs() / 1000) {
      return state.delete(key);
    }
    const hash = /\/30081:([0-9a-f]{64})$/.exec(key)?.[1] as Hash | undefined;
    if (mark.live && hash !== undefined) this.#mark(hash, store.status(hash));
  }

  #mark(hash: Hash, record: BlobRecord | undefined): void {
    const root = record === undefined || isRoot(record);
    (root ? this.#dirtyRoots : this.#dirtySingles).add(hash);
    (root ? this.#dirtySingles : this.#dirtyRoots).delete(hash);
  }

  #takeDirty(nowMs: number): Hash | undefined {
    if (this.#startAtMs > nowMs) return undefined;
    for (const dirty of [this.#dirtyRoots, this.#dirtySingles]) {
      const { value } = dirty.values().next();
      if (value === undefined) continue;
      dirty.delete(value);
      return value;
    }
    return undefined;
  }

  #dueForRefresh(nowMs: number): Hash | undefined {
    for (const [hash, { refreshAtMs }] of this.#published) {
      if (refreshAtMs <= nowMs) return hash;
    }
    return undefined;
  }

  #nextMs(): number {
    let blobsMs = this.#pendingCount > 0 ? this.#startAtMs : Infinity;
    for (const { refreshAtMs } of this.#published.values()) {
      blobsMs = Math.min(blobsMs, refreshAtMs);
    }
    if (this.#failureCount > 0) blobsMs = Math.max(blobsMs, this.#startAtMs);
    return Math.min(this.#nodeDueMs, blobsMs);
  }

  /** A third of the lifetime on, give or take a fifth of it, so that hosts do not publish in step. */
  #refreshMs(): number {
    const { clock, random } = this.#options;
    const thirdMs = (ADVERT_LIMITS.lifetimeS * 1000) / 3;
    return clock.monotonicMs() + thirdMs * (0.8 + 0.4 * random.float());
  }

  #backoffMs(failureCount: number): number {
    const doubledMs = this.#limits.retryMinMs * 2 ** Math.min(failureCount, 16);
    return Math.min(doubledMs, this.#limits.retryMaxMs) * (0.5 + this.#options.random.float());
  }

  #tell(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#lastError = messageOf(error);
    this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
  }

  #isRoomFor(hash: Hash): boolean {
    return this.#published.has(hash) || this.#published.size < this.#limits.advertsMax;
  }

  #isSettled(): boolean {
    return !this.#working && this.#pendingCount === 0 &&
      this.#nodeDueMs > this.#options.clock.monotonicMs();
  }

  async #idle(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.timer(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }
}

/** Equal for adverts that say the same. */
function contentKey(sha256s: readonly Sha256[], terms: OfferTerms): string {
  return `${sha256s.join()} ${JSON.stringify(terms)}`;
}
