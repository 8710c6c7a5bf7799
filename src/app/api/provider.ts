/** Lending compute as the handlers see it; `src/app/lifecycle/provider` puts the provider behind it. */
import type { DenialView, LentLease, ProviderReport } from "./provider_methods.ts";

/** The lending of a running node. */
export interface ProviderAccess {
  /**
   * Begins to lend, and remembers that for the next start.
   *
   * @throws {SeedmintError} `usage` for settings that do not do; `unavailable`, `locked`, `storage`.
   */
  start(options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Ends it. With `evict` leases are ended and settled first.
   *
   * @throws {SeedmintError} `denied` while leases are open, unless `evict`.
   */
  stop(
    options: {
      readonly evict: boolean;
      readonly signal: AbortSignal;
      readonly onNote: (message: string) => void;
    },
  ): Promise<void>;
  report(): ProviderReport;
  /** @throws {SeedmintError} `unavailable` while nothing is lent, as for all below. */
  drain(on: boolean): void;
  leases(options: { readonly all: boolean; readonly lease?: string }): readonly LentLease[];
  deny(denial: DenialView): readonly DenialView[];
  allow(kind: DenialView["kind"], name: string): readonly DenialView[];
  /** Resolves when it is gone and settled. */
  evict(
    options: { readonly lease: string; readonly reason: string; readonly signal: AbortSignal },
  ): Promise<LentLease>;
  /** Why it does not lend though it should. */
  problems(): readonly string[];
}
