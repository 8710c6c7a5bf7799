/**
 * What can be asked of a node that lends compute: to begin, to end, and what it lends to whom.
 * Parameters and results are plain JSON; no password, token or key of a lease is in any of them.
 */
import type { LeaseState } from "../../../provisioning/leases/mod.ts";
import type { NoteEvent } from "./methods.ts";

/** What of a machine is meant; memory and disk in MiB. */
export interface ResourcesView {
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly diskMb: number;
}

/** A tier, and how often it can be had now. */
export interface TierView extends ResourcesView {
  readonly id: string;
  readonly name: string;
  readonly rateMsatPerS: number;
  /** Leases of it that there is room for; null while nothing is lent. */
  readonly slotCount: number | null;
}

/** What is denied: a Nostr key in hex, or an image by digest or by the start of its name. */
export interface DenialView {
  readonly kind: "key" | "image";
  readonly name: string;
  readonly reason: string;
}

/** `provider.status` */
export interface ProviderReport {
  /** `off`: nothing is lent, and nothing runs; `draining`: what runs runs on, nothing new is taken. */
  readonly state: "off" | "lending" | "draining";
  /** Why it does not lend though it should, in words; empty when all is well. */
  readonly problems: readonly string[];
  readonly name: string;
  /** The key that lessees know it by. */
  readonly npub: string;
  readonly publicKey: string;
  readonly tiers: readonly TierView[];
  readonly mints: readonly string[];
  /** The key that payments are locked to; null while the wallet is not open. */
  readonly paymentKey: string | null;
  readonly backend: {
    readonly name: string;
    /** Engine and version; null while it was not asked. */
    readonly description: string | null;
    /** Whether leases can run on it; null while it was not asked. */
    readonly ok: boolean | null;
    readonly problem: string | null;
    readonly isolation: string | null;
  };
  /** Where lessees connect; null when the settings do not say. */
  readonly publicHost: string | null;
  /** Where it lends over HTTP; null when it does not. */
  readonly httpUrl: string | null;
  /** For leases in all, and what of it is free; null while nothing is lent. */
  readonly total: ResourcesView | null;
  readonly free: ResourcesView | null;
  /** Leases that are ready, and those that something will still happen to. */
  readonly activeCount: number;
  readonly openCount: number;
  /** Leases that were delivered to their end. */
  readonly completedCount: number;
  /** Redeemed, refunds not taken off. */
  readonly earnedSat: number;
  readonly uptimePercent: number | null;
  /** The process that ends leases if this one dies; null where the engine needs none, or it is off. */
  readonly watchdogPid: number | null;
  readonly denied: readonly DenialView[];
}

/** One lease as its provider sees it. */
export interface LentLease {
  readonly number: number;
  /** `container-` and the number: its name on the engine. */
  readonly name: string;
  /** The provider's key, the name, when it was made: what receipts and relays know it by. */
  readonly leaseId: string;
  /** Nostr key of the lessee, in hex. */
  readonly owner: string;
  readonly state: LeaseState;
  readonly tier: string;
  readonly image: string;
  /** `sha256:` and 64 hex digits; null before it was brought. */
  readonly imageDigest: string | null;
  readonly sshPort: number;
  readonly ports: readonly { readonly hostPort: number; readonly containerPort: number }[];
  readonly createdMs: number;
  readonly readyMs: number | null;
  readonly expiresMs: number | null;
  /** What was redeemed for it, and what its time has used of that. */
  readonly creditMsat: number;
  readonly spentMsat: number;
  /** Why it ended; null while it lives. */
  readonly ending:
    | { readonly reason: string; readonly message: string; readonly atMs: number }
    | null;
  /** What was paid back, if anything was. */
  readonly refundedSat: number;
  /** What happened to it, when it was asked for alone. */
  readonly story: readonly { readonly atMs: number; readonly text: string }[];
}

/** Every method: parameters, events, result. */
export interface ProviderMethods {
  /** Begins to lend, and goes on after the next start of the node. */
  "provider.start": { params: Record<never, never>; event: NoteEvent; result: ProviderReport };
  /**
   * Ends it. Refuses while leases are open, unless `evict`: then they end, and what they did not use is
   * paid back.
   */
  "provider.stop": {
    params: { readonly evict: boolean };
    event: NoteEvent;
    result: ProviderReport;
  };
  "provider.status": { params: Record<never, never>; event: never; result: ProviderReport };
  /** Takes no new leases (`on`), or takes them again. */
  "provider.drain": { params: { readonly on: boolean }; event: never; result: ProviderReport };
  "provider.leases": {
    /** `all`: those that are over, too; `lease` one alone, with its story. */
    params: { readonly all: boolean; readonly lease?: string };
    event: never;
    result: { readonly leases: readonly LentLease[] };
  };
  /** Lends nothing more to a key (hex or npub), or of an image. */
  "provider.deny": {
    params: { readonly kind: "key" | "image"; readonly name: string; readonly reason: string };
    event: never;
    result: { readonly denied: readonly DenialView[] };
  };
  /** Takes {@link ProviderMethods} `provider.deny` back. */
  "provider.allow": {
    params: { readonly kind: "key" | "image"; readonly name: string };
    event: never;
    result: { readonly denied: readonly DenialView[] };
  };
  /** Ends a lease by the provider's own will; what is left of its payment is paid back. */
  "provider.evict": {
    params: { readonly lease: string; readonly reason: string };
    event: NoteEvent;
    result: LentLease;
  };
}
