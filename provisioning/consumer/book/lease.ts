/**
 * A lease in the lessee's book.
 *
 *     asking --access--> live --stop/cut short--> stopping --answer/time--> ended
 *        \--------------> failed     \----------- expired ------------------^
 *
 * A `failed` lease becomes `live` all the same when the provider answers late, and an `ended` one that
 * was taken for expired when its provider, long away, says that it goes on.
 */
import type { Sha256 } from "../../../src/core/hash.ts";
import type { PublishedPort } from "../../ports.ts";
import type { WantedPort } from "../../wire/mod.ts";
import type { EndReason, ProviderAddress } from "../ports.ts";

/** Where a lease stands. */
export type LeaseStage =
  /** It is being paid and asked for. */
  | "asking"
  /** It is ours to use. */
  | "live"
  /** It is to end, or has ended early: what is left of the money is being asked for. */
  | "stopping"
  /** It was had, and is over. */
  | "ended"
  /** It was never had. */
  | "failed";

/** What was asked for. */
export interface WantedLease {
  readonly specId: string;
  readonly specName: string;
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly diskMb?: number;
  readonly rateMsatPerS: number;
  readonly image: string;
  readonly imageDigest?: Sha256;
  /** Values may be secret. */
  readonly env?: Readonly<Record<string, string>>;
  readonly ports?: readonly WantedPort[];
  readonly template?: string;
  /** Whom to log in as; absent: root. */
  readonly sshUser?: string;
  readonly sshPublicKey: string;
  /** Old providers insist on one; where they set it, it opens the lease. Secret. */
  readonly sshPassword: string;
  /** The file of the private key that goes with `sshPublicKey`, if it is ours. */
  readonly sshKeyPath?: string;
}

/** How a provider is paid. */
export interface PaymentTerms {
  readonly mints: readonly string[];
  /** The key that tokens are locked to, 66 hex digits; absent: they are handed over unlocked. */
  readonly lockTo?: string;
  /** The least minutes that the lock must hold. */
  readonly locktimeMin?: number;
  /** Our key that refunds are locked to, 66 hex digits. It stays, so that requests stay the same. */
  readonly refundKey: string;
}

/** How the lease is reached, as the provider said and we checked. */
export interface LeaseAccess {
  /** `container-<n>`. */
  readonly lease: string;
  /** `<provider>:container-<n>:<seconds>`. */
  readonly leaseId?: string;
  /** A name or an address, fit for a command line; absent if the provider named none that is. */
  readonly host?: string;
  readonly sshPort: number;
  readonly sshUsername: string;
  /** Whether it is opened by a password, not by a key. */
  readonly usesPassword: boolean;
  /** What opens a lease of a provider that knows no SSH keys. Secret. */
  readonly password?: string;
  /** `SHA256:…`, as OpenSSH shows it. The first one told stays. */
  readonly hostKeyFingerprint?: string;
  readonly ports: readonly PublishedPort[];
  /** When the paid time began, in milliseconds since 1970. */
  readonly readyMs: number;
}

/** How a lease is kept alive. Money is in sat, times are in milliseconds. */
export interface KeepAlive {
  /** The most that all its top-ups may cost. */
  readonly budgetSat: number;
  /** What one top-up adds. */
  readonly stepMs: number;
  /** A top-up is made when less than this is left. */
  readonly leadMs: number;
  /** Until when it is kept alive, in milliseconds since 1970. */
  readonly untilMs?: number;
}

/** How a lease ended. */
export interface LeaseEnd {
  readonly reason: EndReason;
  /** For people. */
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** A lease in the book. Times are in milliseconds since 1970. */
export interface BookedLease {
  /** Ours, eight characters; what people name it by. */
  readonly id: string;
  readonly stage: LeaseStage;
  readonly address: ProviderAddress;
  readonly providerName: string;
  readonly wanted: WantedLease;
  readonly createdMs: number;
  readonly changedMs: number;
  readonly access?: LeaseAccess;
  /** When the paid time is over. */
  readonly expiresMs?: number;
  /** The provider's own word for its state, when it last said one. */
  readonly providerState?: string;
  /** When the provider last said something of it. */
  readonly heardMs?: number;
  readonly end?: LeaseEnd;
  /** What the provider did not keep of its word. */
  readonly complaints: readonly string[];
  readonly keepAlive?: KeepAlive;
  /** How it is paid for, as the provider's offer said when it was begun. */
  readonly payment: PaymentTerms;
  /** Those of our verbs that the provider answers, as its offer said. */
  readonly verbs: readonly string[];
  /** Whether it was found with the provider, not begun from this book. */
  readonly isRecovered: boolean;
  /** Whether receipts are to hear of its end still. */
  readonly owesReceipt: boolean;
}
