/**
 * Telling others what this node seeds: keeps the adverts on the relays as the store is. A loop takes
 * one job after the other, in this order: the node's own advert, blobs that changed (collections,
 * tagged and pinned ones first), adverts whose time to refresh has come.
 */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import {
  type EventTemplate,
  type NostrEvent,
  nostrPublicKey,
  signEvent,
} from "../../src/nostr/nostr.ts";
import type { PublishReport } from "../../src/nostr/relay_pool.ts";
import type { Announcer } from "../ports.ts";
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";
import {
  ADVERT_KIND,
  buildAdvert,
  buildNodeAdvert,
  buildWithdrawal,
  NODE_ADVERT_KIND,
} from "./advert.ts";
import { AdvertPolicy, type AnnouncePolicy, type Channel, isRoot } from "./advert_policy.ts";
import type { AdvertState } from "./advert_state.ts";
import { type Binding, signBinding } from "./binding.ts";
import { ADVERT_LIMITS, ANNOUNCER_LIMITS, type AnnouncerLimits } from "./limits.ts";
import type { PeerOffer } from "./peer_offer.ts";

/** What the announcer needs of a pool of relays. */
export interface EventSink {
  readonly urls: readonly string[];
  publish(
    event: NostrEvent,
    options?: { readonly signal?: AbortSignal },
  ): Promise<PublishReport>;
}

/** Options of {@link NostrAnnouncer.start}. */
export interface NostrAnnouncerOptions {
  readonly store: Pick<BlobStore, "list" | "status">;
  /** Relays for public blobs, and those for the fleet's; what has no relays is not advertised. */
  readonly relays: { readonly public?: EventSink; readonly fleet?: EventSink };
  readonly identity: {
    readonly peerId: string;
    /** 32-byte Ed25519 secret of the libp2p peer. */
    readonly libp2pSecretKey: Uint8Array;
    /** 32-byte secp256k1 secret. */
    readonly nostrSecretKey: Uint8Array;
  };
  /** Addresses and conditions as they are now. */
  readonly offer: () => Omit<PeerOffer, "peerId" | "binding">;
  readonly state: AdvertState;
  readonly clock: Clock;
  readonly random: Random;
  /** @default {"all"} */
  readonly announce?: AnnouncePolicy;
  /** Further digests by which a blob may be looked up, as an image's manifests. */
  readonly digestsOf?: (record: BlobRecord) => readonly Sha256[];
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
  readonly channel: Channel;
  /** What the advert said; another value is news. */
  readonly content: string;
  readonly refreshAtMs: number;
}

const CHANNELS: readonly Channel[] = ["public", "fleet"];

/** {@link Announcer} by Nostr adverts. */
export class NostrAnnouncer implements Announcer, AsyncDisposable {
  readonly #options: NostrAnnouncerOptions;
  readonly #limits: AnnouncerLimits;
  readonly #nostrKey: string;
  readonly #policy: AdvertPolicy;
  readonly #bucket: TokenBucket;
  readonly #closing = new AbortController();
  readonly #published = new Map<Hash, Published>();
  readonly #dirtyRoots = new Set<Hash>();
  readonly #dirtySingles = new Set<Hash>();
  #nodeDueMs: number;
  #startAtMs: number;
  #failureCount = 0;
  #nodeFailureCount = 0;
  #lastError: string | undefined;
  #binding: { readonly binding: Binding; readonly p2pk: string | undefined } | undefined;
  #wake: () => void = () => {};
  #settled: (() => void)[] = [];
  #working = false;
  readonly #running: Promise<void>;

  private constructor(options: NostrAnnouncerOptions) {
    const { clock, identity, state, store } = options;
    this.#options = options;
    this.#limits = { ...ANNOUNCER_LIMITS, ...options.limits };
    this.#nostrKey = nostrPublicKey(identity.nostrSecretKey);
    this.#policy = new AdvertPolicy(options.announce ?? "all", this.#limits);
    this.#bucket = new TokenBucket({
      perSecond: this.#limits.publishesPerSecond,
      burst: this.#limits.publishesBurst,
      clock,
    });
    this.#nodeDueMs = clock.monotonicMs();
    this.#startAtMs = clock.monotonicMs() + this.#limits.debounceMs;
    for (const record of store.list()) {
      this.#policy.note(record.hash, record);
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
    if (this.#dirtyRoots.size + this.#dirtySingles.size === 0) {
      this.#startAtMs = clock.monotonicMs() + this.#limits.debounceMs;
    }
    const crossed = this.#policy.note(hash, record);
    if (!this.#isCurrent(hash, record)) this.#mark(hash, record);
    for (const other of crossed) this.#mark(other, store.status(other));
    this.#wake();
  }

  /** Looks again at a blob that was removed. */
  withdraw(hash: Hash): void {
    this.announce(hash);
  }

  /** Publishes the node's advert anew: its addresses or conditions changed. */
  offerChanged(): void {
    this.#nodeDueMs = this.#options.clock.monotonicMs() + this.#limits.debounceMs;
    this.#wake();
  }

  /** What is out there. */
  status(): AnnouncerStatus {
    return {
      advertCount: this.#published.size,
      pendingCount: this.#dirtyRoots.size + this.#dirtySingles.size,
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
      try {
        await this.#step();
      } catch (error) {
        if (!signal.aborted) this.#failed(error);
      }
      this.#working = false;
    }
  }

  /** Does the most urgent job; a job that fails is put back. */
  async #step(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#nodeDueMs <= nowMs) return await this.#publishNode();
    const hash = this.#takeDirty() ?? this.#dueForRefresh(nowMs);
    if (hash === undefined) return;
    try {
      await this.#bring(hash);
      this.#failureCount = 0;
      if (this.#nodeFailureCount === 0) this.#lastError = undefined;
    } catch (error) {
      this.#mark(hash, this.#options.store.status(hash));
      throw error;
    }
  }

  /** Makes the adverts of one blob as they should be. */
  async #bring(hash: Hash): Promise<void> {
    const record = this.#options.store.status(hash);
    const wanted = this.#isRoomFor(hash) ? this.#policy.decide(record) : undefined;
    for (const channel of CHANNELS) {
      if (channel !== wanted) await this.#withdrawFrom(channel, hash);
    }
    if (wanted === undefined || !this.#hasRelays(wanted)) return;
    const offer = await this.#offer();
    const sha256s = this.#digestsOf(record!);
    const createdAtS = this.#date(keyOf(wanted, ADVERT_KIND, hash));
    await this.#publish(
      wanted,
      buildAdvert({ offer, hash, size: record!.size, sha256s, createdAtS }),
    );
    this.#published.set(hash, {
      channel: wanted,
      content: sha256s.join(),
      refreshAtMs: this.#refreshMs(),
    });
  }

  #digestsOf(record: BlobRecord): readonly Sha256[] {
    return [
      ...(record.sha256 === undefined ? [] : [record.sha256]),
      ...this.#options.digestsOf?.(record) ?? [],
    ];
  }

  /** Whether the adverts of a blob are as they should be already. */
  #isCurrent(hash: Hash, record: BlobRecord | undefined): boolean {
    const wanted = this.#policy.decide(record);
    const published = this.#published.get(hash);
    if (published !== undefined) {
      return published.channel === wanted && published.content === this.#digestsOf(record!).join();
    }
    return wanted === undefined &&
      CHANNELS.every((channel) =>
        this.#options.state.get(keyOf(channel, ADVERT_KIND, hash))?.live !== true
      );
  }

  async #withdrawFrom(channel: Channel, hash: Hash): Promise<void> {
    const key = keyOf(channel, ADVERT_KIND, hash);
    if (this.#options.state.get(key)?.live !== true) return;
    if (this.#hasRelays(channel)) {
      const createdAtS = this.#date(key);
      const events = buildWithdrawal({
        kind: ADVERT_KIND,
        d: hash,
        nostrKey: this.#nostrKey,
        createdAtS,
      });
      for (const event of events) await this.#publish(channel, event);
      this.#options.state.set(key, { createdAtS, live: false });
    }
    if (this.#published.get(hash)?.channel === channel) this.#published.delete(hash);
  }

  /** A relay may refuse this kind and take the others, so a failure here holds back nothing else. */
  async #publishNode(): Promise<void> {
    const { clock, onError } = this.#options;
    const offer = await this.#offer();
    let failure: unknown;
    for (const channel of CHANNELS) {
      if (!this.#hasRelays(channel)) continue;
      const createdAtS = this.#date(keyOf(channel, NODE_ADVERT_KIND, ""));
      try {
        await this.#publish(channel, buildNodeAdvert({ offer, createdAtS }));
      } catch (error) {
        failure = error;
      }
    }
    this.#closing.signal.throwIfAborted();
    if (failure === undefined) {
      this.#nodeFailureCount = 0;
      if (this.#failureCount === 0) this.#lastError = undefined;
      this.#nodeDueMs = this.#refreshMs();
      return;
    }
    this.#lastError = messageOf(failure);
    this.#nodeDueMs = clock.monotonicMs() + this.#backoffMs(this.#nodeFailureCount++);
    onError?.(failure as Error);
  }

  /**
   * A date later than the last one of this address, kept before it is used: of two events of one
   * second relays would keep the one with the lower id, which is chance.
   */
  #date(key: string): number {
    const { clock, state } = this.#options;
    const nowS = Math.floor(clock.nowMs() / 1000);
    const createdAtS = Math.max(nowS, (state.get(key)?.createdAtS ?? -1) + 1);
    state.set(key, { createdAtS, live: true });
    return createdAtS;
  }

  async #publish(channel: Channel, template: EventTemplate): Promise<void> {
    const { clock, identity, relays } = this.#options;
    const { signal } = this.#closing;
    const waitMs = this.#bucket.take(1);
    if (waitMs > 0) await clock.sleep(waitMs, { signal });
    const event = signEvent(template, identity.nostrSecretKey);
    const report = await relays[channel]!.publish(event, { signal });
    if (report.acceptedCount > 0) return;
    const why = report.outcomes.map(({ relay, reason }) => `${relay}: ${reason}`).join("; ");
    throw new SeedmintError("unavailable", `Cannot publish an advert: no relay took it: ${why}`, {
      retryable: true,
    });
  }

  async #offer(): Promise<PeerOffer> {
    const { clock, identity } = this.#options;
    const now = this.#options.offer();
    const nowS = Math.floor(clock.nowMs() / 1000);
    const kept = this.#binding;
    if (
      kept === undefined || kept.p2pk !== now.p2pk ||
      kept.binding.expiresS - nowS < ADVERT_LIMITS.bindingS / 2
    ) {
      const claim = { nostrKey: this.#nostrKey, peerId: identity.peerId, p2pk: now.p2pk };
      const binding = await signBinding(claim, {
        secretKey: identity.libp2pSecretKey,
        expiresS: nowS + ADVERT_LIMITS.bindingS,
      });
      this.#binding = { binding, p2pk: now.p2pk };
    }
    return { ...now, peerId: identity.peerId, binding: this.#binding!.binding };
  }

  #recall(key: string, mark: { readonly createdAtS: number; readonly live: boolean }): void {
    const { clock, state } = this.#options;
    const nowS = clock.nowMs() / 1000;
    // An advert this old has expired on its own; only its date would matter, and no longer does.
    if (mark.createdAtS + this.#limits.withdrawnKeptS < nowS) return state.delete(key);
    const hash = /\/30081:([0-9a-f]{64})$/.exec(key)?.[1] as Hash | undefined;
    if (mark.live && hash !== undefined) this.#mark(hash, this.#options.store.status(hash));
  }

  #mark(hash: Hash, record: BlobRecord | undefined): void {
    const root = record === undefined || isRoot(record);
    (root ? this.#dirtyRoots : this.#dirtySingles).add(hash);
    (root ? this.#dirtySingles : this.#dirtyRoots).delete(hash);
  }

  #takeDirty(): Hash | undefined {
    if (this.#startAtMs > this.#options.clock.monotonicMs()) return undefined;
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
    let nextMs = this.#nodeDueMs;
    if (this.#dirtyRoots.size + this.#dirtySingles.size > 0) {
      nextMs = Math.min(nextMs, this.#startAtMs);
    }
    for (const { refreshAtMs } of this.#published.values()) nextMs = Math.min(nextMs, refreshAtMs);
    return this.#failureCount > 0 ? Math.max(nextMs, this.#startAtMs) : nextMs;
  }

  /** A third of the lifetime on, give or take a fifth of it, so that hosts do not publish in step. */
  #refreshMs(): number {
    const { clock, random } = this.#options;
    const thirdMs = (ADVERT_LIMITS.lifetimeS * 1000) / 3;
    return clock.monotonicMs() + thirdMs * (0.8 + 0.4 * random.float());
  }

  #failed(error: unknown): void {
    const { clock, onError } = this.#options;
    this.#lastError = messageOf(error);
    this.#startAtMs = clock.monotonicMs() + this.#backoffMs(this.#failureCount++);
    onError?.(error instanceof Error ? error : new Error(String(error)));
  }

  #backoffMs(failureCount: number): number {
    const doubledMs = this.#limits.retryMinMs * 2 ** Math.min(failureCount, 16);
    return Math.min(doubledMs, this.#limits.retryMaxMs) * (0.5 + this.#options.random.float());
  }

  #isRoomFor(hash: Hash): boolean {
    return this.#published.has(hash) || this.#published.size < this.#limits.advertsMax;
  }

  #hasRelays(channel: Channel): boolean {
    return (this.#options.relays[channel]?.urls.length ?? 0) > 0;
  }

  #isSettled(): boolean {
    return !this.#working && this.#dirtyRoots.size + this.#dirtySingles.size === 0 &&
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

function keyOf(channel: Channel, kind: number, d: string): string {
  return `${channel}/${kind}:${d}`;
}
