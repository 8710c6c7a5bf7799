/**
 * What can be asked of a node about renting compute: offers on the market, and leases of one's own.
 * Parameters and results are plain JSON. Texts of providers come as they were sent: what shows them to
 * people makes them harmless first.
 */
import type { IsolationLevel, PublishedPort } from "../../../provisioning/ports.ts";
import type { NoteEvent } from "./methods.ts";

/** One tier of an offer. What the provider does not say is null. */
export interface TierView {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly diskMb: number | null;
  /** Thousandths of a sat for each second. */
  readonly rateMsatPerS: number;
  /** Leases of it that could begin now. */
  readonly slotCount: number | null;
}

/** What a provider has, and what is known of it. What it does not say is null. */
export interface OfferView {
  /** Nostr key, 64 hex digits. */
  readonly provider: string;
  readonly npub: string;
  readonly name: string;
  readonly location: string | null;
  readonly capabilities: readonly string[];
  readonly isolation: IsolationLevel | "unknown";
  readonly mints: readonly string[];
  /** Cheapest first. */
  readonly tiers: readonly TierView[];
  /** Whether it gave a sign of life lately. */
  readonly isOnline: boolean;
  /** When it last gave one, in milliseconds since 1970. */
  readonly seenMs: number | null;
  /** Of the last minutes, how many had a heartbeat, in percent: our own count, not its claim. */
  readonly uptimePercent: number | null;
  /** From 0 to 100, from what is known of it; null when nothing is. */
  readonly score: number | null;
  readonly activeCount: number | null;
  readonly freeCpuMillicores: number | null;
  readonly freeMemoryMb: number | null;
  readonly freeDiskMb: number | null;
  /** Whether it begins no new leases. */
  readonly isDraining: boolean;
  readonly backend: string | null;
  readonly arch: string | null;
  readonly minDurationS: number | null;
  readonly maxDurationS: number | null;
  /** Ports besides SSH. */
  readonly portCountMax: number | null;
  /** Whether tokens for it can be locked to it: without that, a token is as good as cash. */
  readonly takesLocked: boolean;
  /** Of our own requests those that it answers. */
  readonly verbs: readonly string[];
  /** Base address of its HTTP mode. */
  readonly apiEndpoint: string | null;
  /** When the offer was made, in milliseconds since 1970. */
  readonly createdMs: number;
  /** What speaks against it, in words. */
  readonly warnings: readonly string[];
}

/** What offers are sorted by, the best first. */
export const MARKET_SORTS = ["price", "score", "uptime", "capacity"] as const;

/** One of {@link MARKET_SORTS}. */
export type MarketSort = typeof MARKET_SORTS[number];

/** Which offers are wanted. What is absent does not matter. */
export interface MarketFilter {
  /** All of them. */
  readonly capabilities?: readonly string[];
  /** At least as strong. */
  readonly isolation?: IsolationLevel;
  readonly cpuMillicoresMin?: number;
  readonly memoryMbMin?: number;
  readonly diskMbMin?: number;
  /** The beginning of its location, whatever the case. */
  readonly location?: string;
  /** A mint that it takes. */
  readonly mint?: string;
  readonly arch?: string;
  /** Of its cheapest tier that fits. */
  readonly rateMsatPerSMax?: number;
  /** Whether those are told, too, that gave no sign of life lately. */
  readonly withOffline?: boolean;
}

/** `market.list` */
export interface MarketListParams extends MarketFilter {
  /** @default {"price"} */
  readonly sort?: MarketSort;
}

/** What is wanted of a lease before it is known from whom. */
export interface WantedLease {
  /** Nostr key as npub or hex, its first digits, or the name of one offer; absent: by the policy. */
  readonly provider?: string;
  /** Which providers come into question when none is named. */
  readonly filter?: MarketFilter;
  /** Id of a tier; absent: the cheapest that fits. */
  readonly tier?: string;
  /** Name and tag, or name and digest, as people write it. */
  readonly image?: string;
  /** How long it is to last, in seconds; or `budgetSat`, as long as that lasts. */
  readonly durationS?: number;
  /** Beside `durationS` the most that it may cost: a quote that somebody agreed to. */
  readonly budgetSat?: number;
}

/** What a lease would cost. */
export interface QuoteView {
  readonly provider: string;
  readonly npub: string;
  readonly providerName: string;
  readonly tier: TierView;
  readonly durationS: number;
  /** What buys the duration, fees of mints not included. */
  readonly amountSat: number;
  /** Mints that are taken. */
  readonly mints: readonly string[];
  readonly minDurationS: number | null;
  readonly maxDurationS: number | null;
  readonly isAvailable: boolean;
  /** Why not, or what to expect. */
  readonly note: string | null;
  readonly isImageHere: boolean | null;
  /** Whether the provider said so, or it was reckoned from its offer: old ones answer no quotes. */
  readonly isBinding: boolean;
}

/** A port of the container that is to be reached from outside. */
export interface PortWish {
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
  readonly label: string;
}

/** `lease.spawn` */
export interface SpawnParams extends WantedLease {
  readonly image: string;
  /** OpenSSH public keys, one each; absent: the node's own key for leases, made when missing. */
  readonly sshPublicKeys?: readonly string[];
  /** Whom to log in as; providers of our kind refuse all but root. @default {"root"} */
  readonly sshUser?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly ports?: readonly PortWish[];
  /** A token that was made elsewhere, instead of the wallet's; it is sent as it is. */
  readonly token?: string;
  /** Keeps it alive from the start: at most so much in all, top-ups only. */
  readonly keepaliveBudgetSat?: number;
  /**
   * Whether a person agreed to an amount above what is spent without asking: to `budgetSat`, and nothing
   * above it. @default {false}
   */
  readonly confirmed?: boolean;
  /** The same id again is the same spawn: it is paid once. @default {a new one} */
  readonly requestId?: string;
}

/** How far a request has got. */
export interface StepEvent {
  readonly event: "step";
  /** `choosing`, `paying`, `asking`, `waiting`, or a state in the words of the provider. */
  readonly state: string;
  readonly message: string;
  readonly bytes?: number;
  readonly size?: number;
}

/** Where a lease stands with us. */
export type LeaseState =
  /** Asked for and not answered yet. */
  | "pending"
  | "active"
  /** Over: stopped, run out, or gone at the provider. */
  | "ended"
  /** It never began. */
  | "failed";

/** How a lease is kept alive. */
export interface KeepaliveView {
  /** Most that top-ups may cost in all; what mints take is not in it. */
  readonly budgetSat: number;
  readonly spentSat: number;
  /** How much each top-up buys, in seconds. */
  readonly stepS: number;
}

/** A lease of ours. What is not known is null. */
export interface LeaseView {
  /** Its name here: the first digits of it are enough to name it. */
  readonly id: string;
  /** The `requestId` that it was asked for under; null for one that was found again with its provider. */
  readonly requestId: string | null;
  readonly state: LeaseState;
  readonly provider: string;
  readonly npub: string;
  readonly providerName: string | null;
  /** `container-<n>`, as its provider calls it. */
  readonly lease: string | null;
  /** `<provider>:container-<n>:<seconds>`. */
  readonly leaseId: string | null;
  /** What the provider said last of it, in its words. */
  readonly providerState: string | null;
  readonly tier: string | null;
  readonly image: string;
  readonly cpuMillicores: number | null;
  readonly memoryMb: number | null;
  readonly sshHost: string | null;
  readonly sshPort: number | null;
  readonly sshUser: string | null;
  /** What opens it where the provider knows no SSH keys; null where a key does. Secret. */
  readonly sshPassword: string | null;
  /** `SHA256:…`, as OpenSSH shows it. */
  readonly hostKeyFingerprint: string | null;
  /** File of the private key that opens it; null when the key is not the node's. */
  readonly identityFile: string | null;
  readonly ports: readonly PublishedPort[];
  readonly createdMs: number;
  readonly readyMs: number | null;
  readonly expiresMs: number | null;
  readonly endedMs: number | null;
  /** Given away for it, in all. */
  readonly paidSat: number;
  /** What mints took besides. */
  readonly feeSat: number;
  /** What came back. */
  readonly refundedSat: number;
  readonly keepalive: KeepaliveView | null;
  /** What went wrong or is to be done, in words. */
  readonly problem: string | null;
}

/** A lease of ours: `id`, its first digits, `container-<n>` or `<provider>:container-<n>:<seconds>`. */
interface ByLease {
  readonly lease: string;
}

/** `lease.topup` */
export interface TopUpParams extends ByLease {
  /** For how long, in seconds; or `budgetSat`, for as long as that lasts. */
  readonly durationS?: number;
  readonly budgetSat?: number;
  /** A token that was made elsewhere, instead of the wallet's. */
  readonly token?: string;
  readonly confirmed?: boolean;
  /** The same id again is the same top-up: it is paid once. @default {a new one} */
  readonly requestId?: string;
}

/** `lease.logs` */
export interface LeaseLogs {
  /** As it came, control characters included. */
  readonly text: string;
  readonly isTruncated: boolean;
}

/** `lease.exec` */
export interface LeaseExec {
  /** As they came, control characters included. */
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly isTruncated: boolean;
}

/** `lease.sync` */
export interface LeaseSync {
  /** Leases that were not known here, or taken for over. */
  readonly found: readonly LeaseView[];
  /** Leases that turned out to be over. */
  readonly ended: readonly LeaseView[];
  /** Npubs of providers that did not answer. */
  readonly silent: readonly string[];
  /** Providers that were not asked before the time was over. */
  readonly unaskedCount: number;
}

/** Every method: parameters, events, result. */
export interface LeaseMethods {
  "market.list": {
    params: MarketListParams;
    event: NoteEvent;
    result: { readonly offers: readonly OfferView[] };
  };
  "market.show": {
    /** As {@link WantedLease.provider}. */
    params: { readonly provider: string };
    event: NoteEvent;
    result: OfferView;
  };
  "market.quote": { params: WantedLease; event: NoteEvent | StepEvent; result: QuoteView };
  "lease.spawn": { params: SpawnParams; event: NoteEvent | StepEvent; result: LeaseView };
  "lease.ls": {
    /** `all`: those that are over, too. */
    params: { readonly all?: boolean };
    event: never;
    result: { readonly leases: readonly LeaseView[] };
  };
  /** Asks the provider. */
  "lease.status": { params: ByLease; event: NoteEvent; result: LeaseView };
  "lease.logs": {
    params: ByLease & { readonly lineCount: number };
    event: NoteEvent;
    result: LeaseLogs;
  };
  "lease.exec": {
    params: ByLease & {
      /** Program and arguments; no shell looks at them. */
      readonly command: readonly string[];
      readonly timeoutMs: number;
    };
    event: NoteEvent;
    result: LeaseExec;
  };
  "lease.topup": {
    params: TopUpParams;
    event: NoteEvent | StepEvent;
    result: { readonly lease: LeaseView; readonly extendedS: number; readonly paidSat: number };
  };
  "lease.restart": { params: ByLease; event: NoteEvent; result: LeaseView };
  "lease.stop": {
    params: ByLease;
    event: NoteEvent;
    result: {
      readonly lease: LeaseView;
      /** What came back and is in the wallet. */
      readonly refundSat: number;
      /** What the provider says that it paid back. */
      readonly claimedSat: number;
      /** What of that is still to be taken in: its mint may be away. */
      readonly comingSat: number;
    };
  };
  "lease.keepalive": {
    /** `budgetSat` 0 ends it. */
    params: ByLease & { readonly budgetSat: number; readonly stepS?: number };
    event: NoteEvent;
    result: LeaseView;
  };
  /** Finds leases of this node's key that it forgot: asks all who are on the market. */
  "lease.sync": { params: Record<never, never>; event: NoteEvent; result: LeaseSync };
}
