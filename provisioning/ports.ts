/**
 * The seams of compute leases: what a provider and a lessee need of money, of images, of messages and
 * of the machine. `src/app` plugs the implementations together, tests plug in memory twins.
 */
import type { Sha256 } from "../src/core/hash.ts";

/** What a token says of itself, read offline and believed as far as it is checked. */
export interface TokenFacts {
  readonly mint: string;
  readonly unit: string;
  /** Face value, in sat. */
  readonly amountSat: number;
  /** The key that all its proofs are locked to, 66 hex digits; absent when they are not locked alike. */
  readonly lockedTo?: string;
  /** Until when nobody but that key can spend it, in seconds since 1970. */
  readonly locktimeS?: number;
  /** The payer's refund key, 66 hex digits. */
  readonly refundKey?: string;
  /** Whether each proof carries a valid proof of equality (NUT-12) of a keyset that we know. */
  readonly hasValidDleq: boolean;
  /** SHA-256 over its proofs' secrets: the same ecash has the same one, however it is written. */
  readonly id: Sha256;
  /**
   * Whether this till began to redeem it before: asked again, it gives the same amount again. So it pays
   * for what it was taken for, as the journal says, and for nothing else.
   */
  readonly wasTaken?: boolean;
}

/** Why a token is not taken: the stable strings of Paygress (seed-systems 1.4). */
export type TokenRefusal =
  | "invalid_token"
  | "non_whitelisted_mint"
  | "token_already_spent"
  | "token_pending"
  | "mint_network_error"
  | "unsupported_unit"
  | "mint_error";

/** What became of a redemption. */
export type Redeemed =
  /** In our wallet; `amountSat` is what arrived, the mint's fee taken off. */
  | { readonly status: "redeemed"; readonly amountSat: number; readonly feeSat: number }
  /** It is not known yet: ask again with the same id. */
  | { readonly status: "pending"; readonly retryMs: number }
  /** Nothing of it was kept. */
  | { readonly status: "refused"; readonly code: TokenRefusal; readonly message: string };

/** What became of paying something back. */
export type Refunded =
  | {
    readonly status: "refunded";
    /** One token; or one of each mint that paid in, with spaces between. */
    readonly token: string;
    /** What they hold: what was asked for, or less by what a mint takes for sending. */
    readonly amountSat: number;
    readonly mint: string;
  }
  | { readonly status: "pending"; readonly retryMs: number }
  /** Less than can be sent. */
  | { readonly status: "dust" };

/** The provider's till: the wallet implements it. Ids make every call idempotent across restarts. */
export interface Till {
  /** Mints whose ecash is taken. */
  readonly mints: readonly string[];
  /** The key that payments are locked to, 66 hex digits. */
  readonly paymentKey: string;
  /**
   * Reads a token without asking anybody.
   *
   * @throws {SeedmintError} `denied` with a {@link TokenRefusal} in `cause.code` if it cannot be taken.
   */
  inspect(token: string): TokenFacts;
  /** The id of a token as {@link inspect} has it, also of one that is not taken; undefined if it is none. */
  idOf(token: string): Sha256 | undefined;
  /** Redeems; the same id gives the same or a newer outcome, never a second credit. */
  redeem(
    request: { readonly id: string; readonly token: string },
    options: { readonly signal: AbortSignal },
  ): Promise<Redeemed>;
  /** Whether ecash can be locked to `key`: some 66 hex digits are no key. @default {all can be} */
  canLockTo?(key: string): boolean;
  /** Pays back; the same id gives the same token. Locked to `lockTo` when given. */
  refund(
    request: { readonly id: string; readonly amountSat: number; readonly lockTo?: string },
    options: { readonly signal: AbortSignal },
  ): Promise<Refunded>;
}

/** The lessee's purse: the wallet implements it. */
export interface Purse {
  /** The key that refunds are to be locked to, 66 hex digits. */
  readonly refundKey: string;
  /** Makes a token for a provider within the budgets; the same id gives the same token. */
  pay(
    request: {
      readonly id: string;
      readonly mints: readonly string[];
      readonly amountSat: number;
      /** Locks it to the provider, with our refund key behind. */
      readonly lockTo?: string;
      readonly locktimeS?: number;
      /** The provider's key, for budgets and history. */
      readonly payee: string;
    },
    options: { readonly signal: AbortSignal },
  ): Promise<
    | {
      readonly status: "ready";
      readonly token: string;
      readonly mint: string;
      readonly feeSat: number;
    }
    | { readonly status: "declined"; readonly reason: string }
  >;
  /**
   * Takes a refund in, of one token or several; the same text gives the same outcome, so it can be
   * asked again after a crash.
   *
   * @returns What arrived, in sat.
   * @throws {SeedmintError} `denied` or `invalid` if the token is worth nothing to us: spent, forged,
   * locked to somebody else; anything else is trouble that passes.
   */
  receive(token: string, options: { readonly signal: AbortSignal }): Promise<number>;
  /**
   * Takes back what the payment of this id still holds, now or after its locktime. It is asked until
   * the outcome is final, and may be asked again after that.
   */
  reclaim(id: string): Promise<Reclaimed>;
}

/** What became of taking a payment back. */
export type Reclaimed =
  /** It is ours again. */
  | { readonly status: "returned"; readonly amountSat: number }
  /** Its payee has redeemed it. */
  | { readonly status: "spent" }
  /** No token was made under this id, and none will be. */
  | { readonly status: "nothing" }
  /** It is locked still, or its mint does not answer. */
  | { readonly status: "waiting"; readonly retryMs: number };

/** One layer of an image, whole and verified in the blob store. */
export interface ImageLayer {
  /** Of the layer as it is stored, compressed or not. */
  readonly sha256: Sha256;
  /** Of the uncompressed tar, as the image's configuration says. */
  readonly diffId: Sha256;
  readonly mediaType: string;
  /** Bytes as stored. */
  readonly size: number;
  open(): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** What an image runs: the `config` of the OCI image configuration, as far as it is used. */
export interface ImageConfig {
  readonly user?: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir?: string;
  readonly exposedPorts: readonly string[];
}

/** An image that is here, whole. */
export interface Image {
  /** SHA-256 of the platform's manifest. */
  readonly digest: Sha256;
  /** SHA-256 of what the name led to, where that is a list of images for several platforms. */
  readonly listDigest?: Sha256;
  /** As people write it. */
  readonly name: string;
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
}

/** Where images come from: the swarm and registries, by `src/app`. */
export interface Images {
  /**
   * Brings an image in and keeps it until released. For a lessee nothing of ours is used: no
   * credential, no fleet or private blob, no payment.
   *
   * @throws {SeedmintError} `not-found`, `denied` (not allowed here), `unavailable`, `no-space`.
   */
  bring(
    reference: string,
    options: {
      readonly signal: AbortSignal;
      readonly onProgress?: (bytes: number, size: number | undefined) => void;
    },
  ): Promise<Image>;
  /** Whether it is here already, by digest or by a tag that was resolved lately. */
  has(reference: string): boolean;
}

/** What a machine can give. */
export interface Resources {
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly diskMb: number;
}

/** How well a lease is kept apart, from weak to strong, as Paygress names it. */
export type IsolationLevel = "shared-kernel" | "dedicated-host" | "attested-research-tier";

/** A port that is passed through from the host into the container. */
export interface PublishedPort {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
  readonly label: string;
}

/** What an instance is made of. Everything that the reaper needs stands in its labels, too. */
export interface InstanceSpec {
  /** `container-<integer>`; also the instance's name on the engine. */
  readonly leaseId: string;
  /** The lessee's Nostr key, 64 hex digits. */
  readonly owner: string;
  /** When it must be gone, in milliseconds since 1970; extended by {@link Backend.extend}. */
  readonly expiresMs: number;
  readonly image: Image;
  readonly resources: Resources;
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly PublishedPort[];
  readonly ssh: {
    readonly hostPort: number;
    /** OpenSSH public keys, one a line. */
    readonly authorizedKeys: readonly string[];
    /** Only when an old client asks for one. */
    readonly password?: string;
    readonly user: string;
    /** OpenSSH private key of the host, made by us. */
    readonly hostKey: string;
  };
}

/** What an engine says of an instance. An engine that does not answer is `unknown`, never `absent`. */
export type InstanceState = "running" | "stopped" | "absent" | "unknown";

/** One instance with our label, as reconciliation needs it. */
export interface InstanceSummary {
  readonly leaseId: string;
  readonly owner: string;
  readonly expiresMs: number;
  readonly state: Exclude<InstanceState, "absent">;
}

/** What an instance uses now. */
export interface InstanceStats {
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly pidCount: number;
  readonly diskMb: number;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/** How a command inside an instance ended. */
export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** Whether output was cut at the limit. */
  readonly isTruncated: boolean;
}

/** What an engine can and cannot do here. */
export interface BackendProbe {
  /** Whether leases can run on it now; if not, `problem` says what to do. */
  readonly ok: boolean;
  readonly problem?: string;
  /** Engine and version, for people. */
  readonly description: string;
  readonly isolation: IsolationLevel;
  /** For the offer: `lxc`, `oci`, `vm`, … */
  readonly capabilities: readonly string[];
}

/**
 * One container engine. All calls are idempotent by lease id, bounded in time, and throw
 * `SeedmintError` (`unavailable` when the engine does not answer, `denied`, `no-space`, `not-found`).
 */
export interface Backend extends AsyncDisposable {
  readonly name: "runc" | "docker" | "podman" | "lxd" | "incus" | "kubernetes" | "proxmox";
  probe(): Promise<BackendProbe>;
  /** What the machine or cluster has in all for leases, measured. */
  capacity(): Promise<Resources>;
  /** Makes the image ready to start: unpacked or imported, once per digest. */
  prepare(image: Image, options: { readonly signal: AbortSignal }): Promise<void>;
  create(spec: InstanceSpec, options: { readonly signal: AbortSignal }): Promise<void>;
  start(leaseId: string): Promise<void>;
  restart(leaseId: string): Promise<void>;
  pause(leaseId: string): Promise<void>;
  resume(leaseId: string): Promise<void>;
  /** Ends it and removes all of it; fine when it is gone. Returns once it is absent. */
  destroy(leaseId: string): Promise<void>;
  state(leaseId: string): Promise<InstanceState>;
  /** Keeps the new end with the instance, for reconciliation and for the watchdog. */
  extend(leaseId: string, expiresMs: number): Promise<void>;
  stats(leaseId: string): Promise<InstanceStats>;
  logs(leaseId: string, options: { readonly lineCount: number }): Promise<string>;
  exec(
    leaseId: string,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ExecResult>;
  /** All instances of this provider, whichever process made them, and none of another one. */
  list(): Promise<readonly InstanceSummary[]>;
  /**
   * Puts back what running instances lack of what connects them and keeps them apart, where something
   * else on the machine may take it away. Called often: cheap where all is there.
   *
   * @returns A line for each thing that was put back, or that could not be.
   */
  repair?(): Promise<readonly string[]>;
  /** Where lessees connect: the address that `hostPort`s are published on, as seen from outside. */
  readonly publicHost: string;
}
