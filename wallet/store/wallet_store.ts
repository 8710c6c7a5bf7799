/**
 * What the wallet keeps. The implementation on SQLite is `sqlite_wallet_store.ts`. Reads see the last
 * commit; changes go through {@link WalletStore.transact} and are on disk when it returns.
 */
import type {
  FrozenRequest,
  Operation,
  OperationKind,
  OperationStatus,
} from "../operations/operation.ts";
import type { MintTrust, MintUrl, PlannedOutput, Proof, ProofState } from "../types.ts";
import type { BuyingChanges, BuyingReads } from "./buying_store.ts";
import type { ChannelChanges, ChannelReads } from "./channel_store.ts";
import type { SellingChanges, SellingReads } from "./selling_store.ts";

/** Another process or task changed the operation first: read it again and look what is left to do. */
export class StaleOperationError extends Error {
  override readonly name = "StaleOperationError";
}

/** A proof with where it is. */
export interface ProofRecord extends Proof {
  /** hashToCurve(secret), 33 bytes in hex: its name towards the mint (NUT-07). */
  readonly y: string;
  readonly mint: MintUrl;
  readonly state: ProofState;
  /** The operation that reserved, spent or sent it. */
  readonly operationId?: string;
  /** It came from a backup and may be spent since: its mint is asked (NUT-07) before it is. */
  readonly needsRecheck?: boolean;
}

/** Proofs of one kind: enough to select by, without reading ten thousand rows. */
export interface Coin {
  readonly keysetId: string;
  readonly amount: bigint;
  readonly count: number;
}

/** An output with whose it is and what became of it. */
export interface OutputRecord extends PlannedOutput {
  readonly operationId: string;
  readonly phase: string;
  readonly mint: MintUrl;
  /** Place in its request, from 0. */
  readonly index: number;
  /** `signed`: its proof is in the store. `void`: the mint conclusively never signed it. */
  readonly state: "planned" | "signed" | "void";
}

/** What one mint's ecash is worth, in sat. */
export interface MintBalance {
  readonly mint: MintUrl;
  readonly free: bigint;
  readonly reserved: bigint;
  readonly outgoing: bigint;
  readonly incoming: bigint;
}

/** A mint that the user listed. */
export interface MintRecord {
  readonly url: MintUrl;
  readonly trust: MintTrust;
  /** Most sat that may be held there at a time; absent for no limit. */
  readonly exposureMaxSat?: bigint;
  /** Answer of `/v1/info` and the keysets as JSON, as `wallet/mint` cached them. */
  readonly cache?: string;
  readonly cachedMs?: number;
  /** Not asked before this, after failures. */
  readonly cooldownUntilMs?: number;
  /** Proven dishonest: nothing is swapped into it or accepted from it. */
  readonly blockedReason?: string;
  readonly addedMs: number;
}

/** A quote of a mint. Its id is a secret: whoever knows one without NUT-20 can take what was paid. */
export interface QuoteRecord {
  readonly mint: MintUrl;
  readonly kind: "mint" | "melt";
  readonly quoteId: string;
  readonly operationId: string;
  readonly amount: bigint;
  readonly feeReserve: bigint;
  /** The invoice. */
  readonly request: string;
  /** Never goes back: `UNPAID`, `PENDING`, `PAID`, `ISSUED`. */
  readonly state: string;
  readonly expiryMs?: number;
  /** Index of the NUT-20 key, of a mint quote. */
  readonly keyIndex?: number;
}

/** Why the holdings at a mint changed. */
export type LedgerKind =
  | "fund"
  | "send"
  | "reclaim"
  | "receive"
  | "melt"
  | "melt-change"
  | "swap-out"
  | "swap-in"
  | "fee"
  | "restore"
  | "loss";

/**
 * One change of what the wallet holds at a mint, in sat. The sum over a mint equals its proofs that are
 * free or reserved: `audit()` checks it. Incoming proofs count once they are redeemed; outgoing ones
 * stopped counting when they were made.
 */
export interface LedgerEntry {
  readonly operationId: string;
  readonly mint: MintUrl;
  readonly kind: LedgerKind;
  readonly delta: bigint;
  readonly atMs: number;
}

/** Somebody's payment to us, by the id they gave it. */
export interface IncomingPayment {
  /** 1 to 64 characters, unique for each payer. */
  readonly paymentId: string;
  /** Who pays: a peer id, or `local` for a token that the user pasted. */
  readonly payer: string;
  /** SHA-256 of the token's text, hex. */
  readonly tokenHash: string;
  readonly mint: MintUrl;
  readonly amount: bigint;
  /** Amount less this payment's share of the input fee. */
  readonly credit: bigint;
  /**
   * `credited`: taken offline, credit is given, not redeemed yet. `queued`: waits for redemption before
   * credit. `redeemed`: ours. `dead`: spent elsewhere; credit is taken back.
   */
  readonly state: "credited" | "queued" | "redeemed" | "dead";
  /** Redeem before this, in milliseconds since 1970: the locktime less a margin. */
  readonly redeemByMs?: number;
  readonly operationId?: string;
  /** Grows with each change of state. */
  readonly version: number;
  readonly createdMs: number;
}

/** A payment that we make for something, so that asking twice never pays twice, and budgets add up. */
export interface OutgoingPayment {
  readonly paymentId: string;
  /** What for: the hash of a blob or collection, or a lease. */
  readonly subject: string;
  /** To whom: a peer id. */
  readonly payee: string;
  readonly amount: bigint;
  /** Most that it may cost with all fees; what it did cost once it ended. */
  readonly cost: bigint;
  readonly state: "reserved" | "spent" | "returned";
  readonly operationId?: string;
  readonly createdMs: number;
}

/** How swaps between two mints went. */
export interface RouteRecord {
  readonly from: MintUrl;
  readonly to: MintUrl;
  /** Moving average of success, in thousandths. */
  readonly successPermille: number;
  readonly feePpm: number;
  readonly latencyMs: number;
  readonly cooldownUntilMs: number;
  readonly updatedMs: number;
}

/** Which operations. */
export interface OperationFilter {
  readonly status?: OperationStatus | readonly OperationStatus[];
  readonly kind?: OperationKind;
  /** Only those whose `nextAtMs` is not later. */
  readonly dueMs?: number;
  readonly parent?: string;
  /** Only those created before this one, for paging; newest first. */
  readonly before?: string;
  readonly limit?: number;
}

/** Which proofs. */
export interface ProofFilter {
  readonly mint?: MintUrl;
  readonly state?: ProofState;
  readonly operationId?: string;
  readonly keysetId?: string;
  /** Only those, not spent, whose mint must be asked first; or only those whose mint need not be. */
  readonly needsRecheck?: boolean;
}

/** Which entries of the ledger. */
export interface LedgerFilter {
  readonly operationId?: string;
  readonly mint?: MintUrl;
}

/** Which payments to us. */
export interface IncomingFilter {
  readonly payer?: string;
  readonly state?: IncomingPayment["state"];
  readonly operationId?: string;
  /** Only so many, the latest. */
  readonly latest?: number;
}

/** Which payments of ours. */
export interface SpendFilter {
  readonly subject?: string;
  readonly payee?: string;
  readonly sinceMs?: number;
}

/** What may change of an operation; null takes a field away. */
export type OperationChange<Plan> =
  & Partial<Pick<Operation<Plan>, "state" | "status" | "plan" | "fee" | "amount" | "attempts">>
  & { readonly nextAtMs?: number | null; readonly reason?: string | null };

/** Everything that can be read. */
export interface WalletReads extends SellingReads, BuyingReads, ChannelReads {
  operation<Plan = unknown>(id: string): Operation<Plan> | undefined;
  /** Newest first; with `dueMs`, the longest due first. */
  operations(filter?: OperationFilter): Operation[];
  /** When the next open operation is due; undefined when none is. */
  nextDueMs(): number | undefined;
  proofs(filter: ProofFilter): ProofRecord[];
  proof(y: string): ProofRecord | undefined;
  /** Where the proof with this secret is, for whoever does not know its Y yet. */
  stateOfSecret(secret: string): ProofState | undefined;
  /** What may be spent at `mint` now: select by these, then read the proofs with {@link proofsOf}. */
  coins(mint: MintUrl): Coin[];
  /** The oldest `coin.count` proofs of that kind that may be spent. */
  proofsOf(mint: MintUrl, coin: Coin): ProofRecord[];
  /** From an index, in microseconds for ten thousand proofs. */
  balances(): MintBalance[];
  outputs(operationId: string, phase?: string): OutputRecord[];
  request(operationId: string, phase: string): FrozenRequest | undefined;
  mints(): MintRecord[];
  mint(url: MintUrl): MintRecord | undefined;
  quote(mint: MintUrl, quoteId: string): QuoteRecord | undefined;
  quotes(operationId: string): QuoteRecord[];
  counter(keysetId: string): number;
  ledger(filter?: LedgerFilter): LedgerEntry[];
  incoming(payer: string, paymentId: string): IncomingPayment | undefined;
  incomingPayments(filter: IncomingFilter): IncomingPayment[];
  /** Sum of payments of a mint, or of a payer, that are credited and not redeemed. */
  unredeemedSat(filter: { readonly mint: MintUrl } | { readonly payer: string }): bigint;
  outgoing(paymentId: string): OutgoingPayment | undefined;
  /** Sum of `cost` of payments that are reserved or spent. */
  spentSat(filter: SpendFilter): bigint;
  route(from: MintUrl, to: MintUrl): RouteRecord | undefined;
  routes(): RouteRecord[];
}

/** Changes, all of them inside one transaction. Each asserts what must hold and throws on a mistake. */
export interface WalletTransaction
  extends WalletReads, SellingChanges, BuyingChanges, ChannelChanges {
  insertOperation(operation: Operation): void;
  /**
   * Writes the changed fields; `rev`, `updatedMs` and, when the state changes, `attempts` (0) follow.
   * One that ends has no `nextAtMs`.
   *
   * @returns The operation as it now is.
   * @throws {StaleOperationError} If the row's `rev` is not `operation.rev`.
   */
  updateOperation<Plan>(
    operation: Operation<Plan>,
    change: OperationChange<Plan>,
  ): Operation<Plan>;
  /** free → reserved for the operation. @throws {StaleOperationError} If one is not free any more. */
  reserveProofs(operationId: string, ys: readonly string[]): void;
  /** reserved → free: only when nothing that spends them was sent, or a fence proved it void. */
  releaseProofs(operationId: string, ys?: readonly string[]): void;
  /**
   * Any state but spent → `state`. The operation stays unless one is given; a proof that becomes free
   * has none.
   */
  moveProofs(ys: readonly string[], state: ProofState, operationId?: string): void;
  /** @throws {Error} If a Y is known already: the same ecash twice is a mistake or an attack. */
  insertProofs(
    proofs: readonly (Proof & { readonly y: string })[],
    options: { readonly mint: MintUrl; readonly state: ProofState; readonly operationId?: string },
  ): void;
  /** The mint was asked (NUT-07) and they are not spent: they may be. */
  markChecked(ys: readonly string[]): void;
  /** Takes `count` counters of NUT-13 for ever and returns the first. */
  takeCounters(keysetId: string, count: number): number;
  /** Moves the counter to `atLeast` if it is behind, after a restore. */
  advanceCounter(keysetId: string, atLeast: number): void;
  /** Takes the next index of a NUT-20 key for ever. */
  takeQuoteKeyIndex(): number;
  /** @throws {Error} If a blinded message was planned before, by whichever operation. */
  insertOutputs(
    operationId: string,
    phase: string,
    options: { readonly mint: MintUrl; readonly outputs: readonly PlannedOutput[] },
  ): void;
  markOutputs(blinded: readonly string[], state: "signed" | "void"): void;
  /** Freezes with `sendCount` 0. @throws {Error} If the phase has one with another body. */
  freezeRequest(request: Omit<FrozenRequest, "sendCount">): void;
  /** Counts one handing over to the network. Returns the new count. */
  countSend(operationId: string, phase: string): number;
  /** Notes when a mint first said of a request that its money is gone. Returns that time. */
  noteDoubt(operationId: string, phase: string, atMs: number): number;
  putMint(mint: MintRecord): void;
  removeMint(url: MintUrl): void;
  /**
   * Inserts, or moves state and expiry on; an older observation changes nothing, and the other fields
   * stay as they were first. A melt quote may go from `PENDING` back to `UNPAID` (its payment failed).
   *
   * @throws {SeedmintError} `protocol` if the mint gave the same quote to another operation.
   */
  putQuote(quote: QuoteRecord): void;
  addLedger(entries: readonly LedgerEntry[]): void;
  /** Inserts or, with a `version` one higher, updates. @throws {StaleOperationError} */
  putIncoming(payment: IncomingPayment): void;
  putOutgoing(payment: OutgoingPayment): void;
  putRoute(route: RouteRecord): void;
}

/** Options of {@link WalletStore.transact}. */
export interface TransactOptions {
  /**
   * It outlives this process, but a power cut may undo it until the next change that is not so, or
   * {@link WalletStore.flush}: for what is only noted, or told to nobody before. @default {false}
   */
  readonly isLazy?: boolean;
}

/** The wallet's memory. One process at a time owns it. */
export interface WalletStore extends WalletReads, Disposable {
  /**
   * Runs `change` in one transaction; nothing of it is kept when it throws. It must not await.
   *
   * @throws {SeedmintError} `storage` or `no-space`
   */
  transact<T>(change: (tx: WalletTransaction) => T, options?: TransactOptions): T;
  /**
   * Resolves once all changes are on disk, lazy ones, too. The thread goes on meanwhile.
   *
   * @throws {SeedmintError} `storage` or `no-space`
   */
  flush(): Promise<void>;
  /**
   * Checks the books: the ledger of each mint against its proofs, proofs against operations, outputs
   * against requests. Returns what does not hold, in words; empty when all is well.
   */
  audit(): string[];
}
