/** What anybody may read: that there is a provider, and what it offers. */
import type { Clock } from "../../src/core/ports.ts";
import { signEvent } from "../../src/nostr/mod.ts";
import { buildOffer, type OfferBody, specMembers } from "../wire/mod.ts";
import type { Members } from "../wire/json.ts";
import { HTTP_LIMITS } from "./limits.ts";

/** The page of a provider; made anew now and then, for it is signed. */
export class OfferPage {
  readonly #options: {
    readonly offer: () => OfferBody | undefined;
    readonly secretKey: Uint8Array;
    readonly clock: Clock;
  };
  #made: { readonly atMs: number; readonly members: Members } | undefined;

  constructor(options: {
    readonly offer: () => OfferBody | undefined;
    readonly secretKey: Uint8Array;
    readonly clock: Clock;
  }) {
    this.#options = options;
  }

  /** Members of `GET /health`. */
  health(): Members {
    return {
      status: "healthy",
      service: "seedmint-provider",
      timestamp: Math.floor(this.#options.clock.nowMs() / 1000),
    };
  }

  /** Members of `GET /offers`; undefined while nothing is on offer. */
  offers(): Members | undefined {
    const nowMs = this.#options.clock.nowMs();
    if (this.#made !== undefined && Math.abs(nowMs - this.#made.atMs) <= HTTP_LIMITS.offerMs) {
      return this.#made.members;
    }
    const offer = this.#options.offer();
    this.#made = offer && { atMs: nowMs, members: this.#membersOf(offer, nowMs) };
    return this.#made?.members;
  }

  #membersOf(offer: OfferBody, nowMs: number): Members {
    const specs = offer.specs.map(specMembers);
    return {
      provider_name: offer.name,
      location: offer.location ?? null,
      specs,
      whitelisted_mints: offer.mints,
      // The names that servers of Paygress write, and those that its client reads: they differ.
      pod_specs: specs,
      success: true,
      offers: specs,
      mint_urls: offer.mints,
      minimum_duration_seconds: offer.terms?.minDurationS,
      payment_info: { accepted_tokens: ["cashu"], header_format: "X-Cashu: <token>" },
      provider_npub: offer.provider,
      // The same that relays have: what is said here can be checked against the provider's key.
      event: signEvent(
        buildOffer(offer, { createdAtS: Math.floor(nowMs / 1000) }),
        this.#options.secretKey,
      ),
    };
  }
}
