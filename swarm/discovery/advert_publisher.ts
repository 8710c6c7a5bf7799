/**
 * Puts single events on the relays: dates them so that none ties with an earlier one of its address,
 * signs them, keeps to the rate, and tells refusal from failure. What is to be published, and when,
 * is the announcer's decision.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import {
  type EventTemplate,
  type NostrEvent,
  nostrPublicKey,
  signEvent,
} from "../../src/nostr/nostr.ts";
import type { PublishReport } from "../../src/nostr/relay_pool.ts";
import {
  ADVERT_KIND,
  buildAdvert,
  buildNodeAdvert,
  buildWithdrawal,
  NODE_ADVERT_KIND,
} from "./advert.ts";
import type { Channel } from "./advert_policy.ts";
import type { AdvertState } from "./advert_state.ts";
import { type Binding, signBinding } from "./binding.ts";
import { ADVERT_LIMITS, type AnnouncerLimits } from "./limits.ts";
import { type OfferTerms, type PeerOffer, termsOf } from "./peer_offer.ts";

/** Bindings kept signed: one without a payment key, one with it, and room for a key that changed. */
const BINDINGS_MAX = 4;

/** What is needed of a pool of relays. */
export interface EventSink {
  readonly urls: readonly string[];
  publish(
    event: NostrEvent,
    options?: { readonly signal?: AbortSignal; readonly graceMs?: number },
  ): Promise<PublishReport>;
}

/** A node's keys. */
export interface AdvertIdentity {
  readonly peerId: string;
  /** 32-byte Ed25519 secret of the libp2p peer. */
  readonly libp2pSecretKey: Uint8Array;
  /** 32-byte secp256k1 secret. */
  readonly nostrSecretKey: Uint8Array;
}

/** Options of {@link AdvertPublisher}. */
export interface AdvertPublisherOptions {
  /** Relays for public blobs, and those for the fleet's; what has no relays is not advertised. */
  readonly relays: { readonly public?: EventSink; readonly fleet?: EventSink };
  readonly identity: AdvertIdentity;
  /** Addresses and conditions as they are now; those conditions are what the node's advert says. */
  readonly offer: () => Omit<PeerOffer, "peerId" | "binding">;
  /**
   * On which terms one blob is sold; undefined or without a price: it is free, and its advert says so.
   * Without this function every advert has the conditions of `offer`. Called often: from memory.
   */
  readonly offerFor?: (hash: Hash) => OfferTerms | undefined;
  readonly state: AdvertState;
  readonly clock: Clock;
  readonly limits: AnnouncerLimits;
  readonly signal: AbortSignal;
  /** Called when a relay that was down takes an event again. */
  readonly onBack: (channel: Channel) => void;
}

/** Answers that blame the way to the relay, or its load, and not the event. */
const PASSING_CODES = new Set(["unavailable", "timeout", "pending", "rate-limited", "error"]);

/** The key of an address in an {@link AdvertState}. */
export function markKey(channel: Channel, kind: number, d: string): string {
  return `${channel}/${kind}:${d}`;
}

/** Publishes adverts and withdrawals, one at a time. */
export class AdvertPublisher {
  readonly #options: AdvertPublisherOptions;
  readonly #nostrKey: string;
  readonly #bucket: TokenBucket;
  readonly #missed = new Set<string>();
  /** By payment key; empty for adverts without one. */
  readonly #bindings = new Map<string, Binding>();

  constructor(options: AdvertPublisherOptions) {
    this.#options = options;
    this.#nostrKey = nostrPublicKey(options.identity.nostrSecretKey);
    this.#bucket = new TokenBucket({
      perSecond: options.limits.publishesPerSecond,
      burst: options.limits.publishesBurst,
      clock: options.clock,
    });
  }

  /** Whether a relay was down when something was published, and has not been seen since. */
  get missesRelay(): boolean {
    return this.#missed.size > 0;
  }

  /** Whether anything can be published there. */
  hasRelays(channel: Channel): boolean {
    return (this.#options.relays[channel]?.urls.length ?? 0) > 0;
  }

  /** Whether an advert of the blob was published there and not withdrawn. */
  isLive(channel: Channel, hash: Hash): boolean {
    return this.#options.state.get(markKey(channel, ADVERT_KIND, hash))?.live === true;
  }

  /** What an advert of the blob there says of money: nothing to the fleet, which never pays. */
  termsFor(channel: Channel, hash: Hash): OfferTerms {
    if (channel === "fleet") return {};
    const { offer, offerFor } = this.#options;
    if (offerFor === undefined) return termsOf(offer());
    const terms = offerFor(hash) ?? {};
    return (terms.priceMsatPerMiB ?? 0) > 0 ? termsOf(terms) : {};
  }

  /**
   * Publishes a blob's advert with the terms that {@link termsFor} gave.
   *
   * @throws {SeedmintError} `denied` if every relay that answered refuses it, `unavailable` if none
   * could be asked.
   */
  async advertise(
    channel: Channel,
    blob: {
      readonly hash: Hash;
      readonly size: number;
      readonly sha256s: readonly Sha256[];
      readonly terms: OfferTerms;
    },
  ): Promise<void> {
    const offer = await this.#offer(blob.terms);
    const createdAtS = this.#date(markKey(channel, ADVERT_KIND, blob.hash));
    await this.#publish(channel, buildAdvert({ ...blob, offer, createdAtS }));
  }

  /**
   * Publishes the node's advert.
   *
   * @throws {SeedmintError} As {@link advertise}.
   */
  async advertiseNode(channel: Channel): Promise<void> {
    const terms = channel === "fleet" ? {} : termsOf(this.#options.offer());
    const offer = await this.#offer(terms);
    const createdAtS = this.#date(markKey(channel, NODE_ADVERT_KIND, ""));
    await this.#publish(channel, buildNodeAdvert({ offer, createdAtS }));
  }

  /**
   * Withdraws a blob's advert.
   *
   * @throws {SeedmintError} As {@link advertise}.
   */
  async withdraw(channel: Channel, hash: Hash): Promise<void> {
    const { state, signal } = this.#options;
    const key = markKey(channel, ADVERT_KIND, hash);
    const createdAtS = this.#date(key);
    const [replacement, deletion] = buildWithdrawal({
      kind: ADVERT_KIND,
      d: hash,
      nostrKey: this.#nostrKey,
      createdAtS,
    });
    await this.#publish(channel, replacement);
    state.set(key, { createdAtS, live: false });
    // The replacement says it all; a relay that takes no requests may keep it until it expires.
    await this.#publish(channel, deletion).catch(() => signal.throwIfAborted());
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
    const { clock, identity, limits, relays, signal } = this.#options;
    const waitMs = this.#bucket.take(1);
    if (waitMs > 0) await clock.sleep(waitMs, { signal });
    const event = signEvent(template, identity.nostrSecretKey);
    const { graceMs } = limits;
    const { acceptedCount, outcomes } = await relays[channel]!.publish(event, { signal, graceMs });
    this.#noteMissed(channel, outcomes);
    if (acceptedCount > 0) return;
    const isRefused = outcomes.some(({ code }) => !PASSING_CODES.has(code));
    const why = outcomes.map(({ relay, reason }) => `${relay}: ${reason}`).join("; ");
    throw new SeedmintError(
      isRefused ? "denied" : "unavailable",
      `Cannot publish an advert: no relay took it: ${why}`,
      { retryable: true },
    );
  }

  /** Remembers relays that were down; one that is back is to get every advert again. */
  #noteMissed(channel: Channel, outcomes: PublishReport["outcomes"]): void {
    let isBack = false;
    for (const { relay, accepted, code } of outcomes) {
      if (code === "unavailable" || code === "timeout") this.#missed.add(relay);
      else if (accepted && this.#missed.delete(relay)) isBack = true;
    }
    if (isBack) this.#options.onBack(channel);
  }

  /** What we offer now on these terms, with a binding that is good for some days. */
  async #offer(terms: OfferTerms): Promise<PeerOffer> {
    const { clock, identity } = this.#options;
    const { addrs } = this.#options.offer();
    const nowS = Math.floor(clock.nowMs() / 1000);
    const key = terms.p2pk ?? "";
    let binding = this.#bindings.get(key);
    if (binding === undefined || binding.expiresS - nowS < ADVERT_LIMITS.bindingS / 2) {
      const claim = { nostrKey: this.#nostrKey, peerId: identity.peerId, p2pk: terms.p2pk };
      binding = await signBinding(claim, {
        secretKey: identity.libp2pSecretKey,
        expiresS: nowS + ADVERT_LIMITS.bindingS,
      });
      if (this.#bindings.size >= BINDINGS_MAX) this.#bindings.clear();
      this.#bindings.set(key, binding);
    }
    return { addrs, ...terms, peerId: identity.peerId, binding };
  }
}
