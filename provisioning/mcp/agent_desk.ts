/** What the tools of agents work with: renting as the node does it, in plain values. */

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** How a call is watched and ended. */
export interface AgentWork {
  readonly signal: AbortSignal;
  /** Told how far it has got, in words. */
  readonly onProgress: (message: string) => void;
}

/** Which offers are wanted; what is absent does not matter. */
export interface OfferWish {
  readonly capability?: string;
  readonly isolation?: string;
  readonly cpuMillicoresMin?: number;
  readonly memoryMbMin?: number;
  readonly diskMbMin?: number;
  readonly location?: string;
  readonly mint?: string;
  readonly uptimePercentMin?: number;
  readonly sort?: string;
  readonly withOffline?: boolean;
}

/** A lease that is thought of. */
export interface LeaseWish {
  /** Absent: chosen by the node's policy. */
  readonly provider?: string;
  readonly tier?: string;
  readonly image?: string;
  readonly durationS?: number;
  readonly budgetSat?: number;
}

/** What it would cost. */
export interface AgentQuote {
  readonly provider: string;
  readonly tier: string;
  /** Without the fees of mints. */
  readonly amountSat: number;
  readonly isAvailable: boolean;
  readonly note?: string;
  readonly members: Json;
}

/** How a lease is paid for: from the wallet, at most so much; or with a token of the agent's. */
export type LeasePayment = { readonly budgetSat: number } | { readonly token: string };

/** A lease that is wanted. */
export interface SpawnOrder {
  readonly requestId: string;
  readonly payment: LeasePayment;
  readonly provider?: string;
  readonly tier?: string;
  readonly image: string;
  readonly sshPublicKeys?: readonly string[];
  readonly sshUser?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly ports?: readonly {
    readonly containerPort: number;
    readonly protocol: "tcp" | "udp";
    readonly label: string;
  }[];
}

/** More time that is wanted. */
export interface TopUpOrder {
  readonly requestId: string;
  readonly lease: string;
  readonly payment: LeasePayment;
}

/** A lease of the node. */
export interface AgentLease {
  /** Its name with the node. */
  readonly id: string;
  /** Of the {@link SpawnOrder} that it came of; absent where that is not known. */
  readonly requestId?: string;
  /** Given away for it in all, fees included. */
  readonly costSat: number;
  /** Whose it is, and of which tier, as {@link AgentDesk.quote} takes them. */
  readonly provider: string;
  readonly tier?: string;
  readonly members: Json;
}

/** The node's side; `src/app` has it. All throw `SeedmintError`. */
export interface AgentDesk {
  offers(wish: OfferWish, work: AgentWork): Promise<readonly Json[]>;
  quote(wish: LeaseWish, work: AgentWork): Promise<AgentQuote>;
  /** The same id again is the same lease, paid once. */
  spawn(order: SpawnOrder, work: AgentWork): Promise<AgentLease>;
  leases(options: { readonly all: boolean }, work: AgentWork): Promise<readonly AgentLease[]>;
  /** Finds a lease of ours by any of its names, without asking its provider. */
  find(lease: string, work: AgentWork): Promise<AgentLease>;
  status(lease: string, work: AgentWork): Promise<AgentLease>;
  logs(lease: string, lineCount: number, work: AgentWork): Promise<Json>;
  exec(
    lease: string,
    command: { readonly words: readonly string[]; readonly timeoutMs: number },
    work: AgentWork,
  ): Promise<Json>;
  /** The same id again is the same top-up, paid once. */
  topUp(
    order: TopUpOrder,
    work: AgentWork,
  ): Promise<{ readonly costSat: number; readonly members: Json }>;
  restart(lease: string, work: AgentWork): Promise<AgentLease>;
  stop(lease: string, work: AgentWork): Promise<Json>;
  /** The most that fees of mints may come to for an amount. */
  feeMaxSat(amountSat: number): number;
}
