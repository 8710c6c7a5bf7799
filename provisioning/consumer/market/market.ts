/** The market: who offers what, as relays have it and as its signers say. */
import type { Clock } from "../../../src/core/ports.ts";
import type { RelayPool } from "../../../src/nostr/mod.ts";
import type { ProviderScores } from "../ports.ts";
import type { Candidate, ChoicePolicy } from "./choose.ts";
import type { MarketFilter, MarketSort } from "./filter.ts";
import type { Listing } from "./listing.ts";

/** What a market needs. */
export interface MarketOptions {
  readonly pool: Pick<RelayPool, "query" | "subscribe">;
  readonly clock: Clock;
  readonly scores?: ProviderScores;
}

/** The market, as far as it was read. */
export class Market implements Disposable {
  constructor(_options: MarketOptions) {
  }

  /** Reads offers and heartbeats anew; one provider's alone when it is named (64 hex digits). */
  refresh(_options: { readonly signal: AbortSignal; readonly provider?: string }): Promise<void> {
    throw new Error("not yet");
  }

  /** Refreshes unless that was done less than `maxAgeMs` ago. @default {30000} */
  ensureFresh(
    _options: { readonly signal: AbortSignal; readonly maxAgeMs?: number },
  ): Promise<void> {
    throw new Error("not yet");
  }

  /** Keeps up with what is published from now on, until it is disposed of. */
  follow(): void {
    throw new Error("not yet");
  }

  /** Who fits, with the tiers that fit, in order. @default sort {"price"} */
  list(
    _options: { readonly filter?: MarketFilter; readonly sort?: MarketSort } = {},
  ): readonly Listing[] {
    throw new Error("not yet");
  }

  /**
   * The provider that is meant by a key, `npub1…`, a unique beginning (8 digits or more) of a key, or a
   * unique name.
   *
   * @throws {SeedmintError} `not-found`, or `usage` if several are meant.
   */
  find(_selector: string): Listing {
    throw new Error("not yet");
  }

  /** Tiers of providers that fit a policy, the best first. */
  choose(_policy: ChoicePolicy, _options?: { readonly specId?: string }): readonly Candidate[] {
    throw new Error("not yet");
  }

  [Symbol.dispose](): void {}
}
