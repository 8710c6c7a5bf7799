/** What a trader of the paid world is told, and what it answers. */
import type { PaymentTerms } from "../../swarm/ports.ts";
import type { BalanceReport, HistoryEntry, OperationView } from "../../wallet/wallet_api.ts";

/** How a seller cheats. */
export type Cheat =
  /** Takes payments and sends nothing for them. */
  | "keeps"
  /** Spoils the content from some point on. */
  | "garbage"
  /** Sends nothing more when almost all is sent, and keeps the stream open. */
  | "stalls"
  /** Takes payments, redeems them, and says that it never got one. */
  | "denies"
  /** Takes every second payment, and answers that it is looked at for ever. */
  | "ponders";

/** What goes wrong between two peers with what this one sends. */
export interface WireTrouble {
  /** Messages of this type… */
  readonly message: string;
  /**
   * …are never sent, and the stream breaks; sent, and then the stream breaks; sent twice; sent late; or
   * never sent, and nobody is told.
   */
  readonly what: "drop" | "cut-after" | "twice" | "late" | "swallow";
  /** Every so many of them. */
  readonly every: number;
  /** How many times in all. */
  readonly count: number;
}

/** How a trader begins. */
export interface Opening {
  readonly walletDirectory: string;
  readonly storeDirectory: string;
  readonly seedWords: string;
  /** Secret of the peer id, in hex. */
  readonly peerSecret: string;
  /** 0 picks one. */
  readonly port: number;
  /** How far its clock is ahead of the machine's, in milliseconds. */
  readonly aheadMs: number;
  /** Sat per subject, peer and day. */
  readonly budgetSat: number;
  readonly wire?: readonly WireTrouble[];
}

/** What a trader can be told. */
export type Command =
  | ({ readonly do: "open" } & Opening)
  | {
    readonly do: "serve";
    readonly files: readonly string[];
    readonly cheat?: Cheat;
    /** Whether it offers the direct path. */
    readonly isDirect?: boolean;
    readonly bytesPerSecond?: number;
  }
  | {
    readonly do: "price";
    readonly priceMsatPerMiB: number;
    readonly minTopUpSat: number;
    readonly mints: readonly string[];
  }
  | {
    readonly do: "fetch";
    readonly hash: string;
    readonly address: string;
    /** As an advert has them; absent: the seller is asked. */
    readonly terms?: PaymentTerms;
    /** What may be bought at most, in bytes, as the wallet is told. */
    readonly bytesMax: number;
    readonly priceMaxMsatPerMiB: number;
    readonly waitMs: number;
    /** Whether it may take the direct path. */
    readonly isDirect?: boolean;
  }
  /** Offers a token of its own or of another, with an id, as messages of the protocol. */
  | {
    readonly do: "offer";
    readonly address: string;
    readonly paymentId: string;
    readonly token: string;
    /** Under another peer id. */
    readonly peerSecret?: string;
  }
  /** Asks for the whole blob without paying. */
  | { readonly do: "ask"; readonly address: string; readonly hash: string }
  /** Reads again what the store holds of a blob. */
  | { readonly do: "verify"; readonly hash: string }
  | { readonly do: "jump"; readonly ms: number }
  /** What was paid to sellers since the process began. */
  | { readonly do: "payments" }
  /** How often each fault point was passed. */
  | { readonly do: "passed" }
  | { readonly do: "settle" }
  | { readonly do: "report" };

/** Answer to `serve`. */
export interface Served {
  readonly address: string;
  readonly hashes: readonly string[];
}

/** Answer to `fetch`. */
export interface Fetched {
  readonly size: number;
  readonly failures: readonly { readonly code: string; readonly message: string }[];
}

/** Answer to `report`. */
export interface Report {
  readonly balance: BalanceReport;
  readonly audit: readonly string[];
  readonly history: readonly HistoryEntry[];
}

/** Answer to `settle`. */
export interface Settled {
  readonly open: readonly OperationView[];
  /** Those that still moved when time was up. */
  readonly unsettled: readonly OperationView[];
}

/** What a trader says unasked. */
export type TraderEvent =
  | { readonly event: "progress"; readonly bytes: number }
  | { readonly event: "note"; readonly message: string };
