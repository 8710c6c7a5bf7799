/** What the parts of a provider share. */
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Lease, LeaseJournal, StoryEntry } from "../leases/mod.ts";
import type { Backend, Images, Resources, Till } from "../ports.ts";
import type { ErrorAnswer, ReceiptAnswer, ReceiptRequest } from "../wire/mod.ts";
import type { KeyFaults } from "./key_rates.ts";
import type { LeaseTime } from "./lease_time.ts";
import type { ProviderSettings } from "./settings.ts";
import type { TokenBudget } from "./token_budget.ts";

/** What is needed of SSH: `provisioning/ssh` has it. */
export interface SshKit {
  /** A new host key in OpenSSH's form, and its fingerprint as OpenSSH shows it. */
  newHostKey(): Promise<{ readonly privateKey: string; readonly fingerprint: string }>;
  /**
   * Resolves once an SSH server answers there with its banner.
   *
   * @throws `signal.reason`, or {@link SeedmintError} `unavailable` if it gives up earlier.
   */
  awaitBanner(
    address: { readonly host: string; readonly port: number },
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
}

/** Who signs receipts: `trust` has it. */
export interface ReceiptDesk {
  answer(
    request: ReceiptRequest,
    lease: Lease,
    options: { readonly signal: AbortSignal },
  ): Promise<ReceiptAnswer | ErrorAnswer>;
}

/** What happens in a provider. */
export type ProviderEvent =
  /** A lease changed its state, or its end. */
  | { readonly type: "lease"; readonly lease: Lease; readonly story?: StoryEntry }
  /** What is on offer changed. */
  | { readonly type: "offer" }
  /** Instances without a lease were removed. */
  | { readonly type: "swept"; readonly name: string }
  /** Something failed and is tried again; one line, without anything secret. */
  | { readonly type: "problem"; readonly message: string };

/** What a provider is made of. */
export interface ProviderOptions {
  /** Nostr key of the provider, 64 hex digits. */
  readonly provider: string;
  readonly settings: ProviderSettings;
  readonly journal: LeaseJournal;
  readonly backend: Backend;
  readonly till: Till;
  readonly images: Images;
  readonly ssh: SshKit;
  readonly clock: Clock;
  readonly random: Random;
  readonly receipts?: ReceiptDesk;
}

/** What the parts of a provider share. */
export interface ProviderContext extends ProviderOptions {
  readonly time: LeaseTime;
  readonly tokens: TokenBudget;
  /** Keys whose leases' SSH did not answer. */
  readonly silent: KeyFaults;
  /** Aborted when the provider closes. */
  readonly signal: AbortSignal;
  readonly emit: (event: ProviderEvent) => void;
  /** What leases may take in all, as measured last. */
  readonly total: () => Resources;
}
