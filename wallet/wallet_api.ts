/**
 * What a wallet can be asked for: by the command line and the control socket, by the swarm's payer, by
 * programs. Parameters and results are plain JSON; amounts are whole numbers of sat, in names that end
 * with `Sat`. The implementation is `Wallet` in `wallet.ts`.
 */
import type { SellerCredit } from "./buying/credits.ts";
import type { OperationKind, OperationStatus } from "./operations/operation.ts";
import type { LedgerKind } from "./store/wallet_store.ts";
import type { MintTrust } from "./types.ts";

export type { SellerCredit } from "./buying/credits.ts";

/** Options of what may take long. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** An operation as people see it. Holds no secret, except `token` and `invoice` where asked for. */
export interface OperationView {
  readonly id: string;
  readonly kind: OperationKind;
  readonly state: string;
  readonly status: OperationStatus;
  readonly mint: string;
  readonly peerMint: string | null;
  readonly amountSat: number;
  /** Paid so far. */
  readonly feeSat: number;
  /** The most that it may cost on top of the amount; null before it is known. */
  readonly feeMaxSat: number | null;
  readonly reason: string | null;
  readonly nextAtMs: number | null;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** `balance` */
export interface BalanceReport {
  readonly totalSat: number;
  readonly mints: readonly {
    readonly mint: string;
    readonly trust: MintTrust | null;
    readonly freeSat: number;
    readonly reservedSat: number;
    /** In tokens given away and not seen redeemed: not counted in the total. */
    readonly outgoingSat: number;
    /** Taken and not redeemed yet: not counted in the total. */
    readonly incomingSat: number;
  }[];
}

/** `mints` */
export interface MintView {
  readonly url: string;
  readonly trust: MintTrust;
  readonly name: string | null;
  readonly version: string | null;
  /** NUTs that it supports. */
  readonly nuts: readonly number[];
  readonly inputFeePpk: number | null;
  readonly exposureMaxSat: number | null;
  readonly blockedReason: string | null;
  readonly online: boolean | null;
  readonly latencyMs: number | null;
}

/** One line of `history`. */
export interface HistoryEntry extends OperationView {
  readonly entries: readonly {
    readonly mint: string;
    readonly kind: LedgerKind;
    readonly deltaSat: number;
    readonly atMs: number;
  }[];
}

/** What a payment would take. */
export type PaymentPlan =
  | {
    readonly kind: "direct";
    readonly mint: string;
    readonly amountSat: number;
    readonly feeMaxSat: number;
  }
  | {
    readonly kind: "swap";
    readonly from: string;
    readonly to: string;
    readonly amountSat: number;
    readonly feeMaxSat: number;
  }
  | { readonly kind: "insufficient"; readonly reason: string };

/** What `preparePayment` is asked. */
export interface PaymentRequest {
  /** Makes asking twice harmless: the same id gives the same token. @default {random} */
  readonly paymentId?: string;
  readonly acceptedMints: readonly string[];
  readonly priceSat: number;
  /** Most for the amount and all fees. @default {the budgets} */
  readonly budgetSat?: number;
  readonly maxFeeSat?: number;
  /** The payee's key (33 bytes, hex): the token is locked to it, with our refund key behind. */
  readonly lockTo?: string;
  /** When a locked token comes back to us, in seconds since 1970. */
  readonly locktimeS?: number;
  /** What for and to whom, for budgets. */
  readonly subject?: string;
  readonly payee?: string;
  /** The user agreed to a payment above the budgets. @default {false} */
  readonly confirmed?: boolean;
}

/** What came of it. */
export type PaymentOutcome =
  | {
    readonly status: "ready";
    readonly paymentId: string;
    readonly token: string;
    readonly costSat: number;
  }
  | { readonly status: "declined"; readonly reason: string };

/** The wallet. Methods throw {@link SeedmintError} whose message says what to do. */
export interface WalletApi {
  balance(): Promise<BalanceReport>;

  mints(options?: WaitOptions & { readonly probe?: boolean }): Promise<readonly MintView[]>;
  /** Lists a mint, after asking it who it is. */
  addMint(
    request: { readonly url: string; readonly trust: MintTrust; readonly exposureMaxSat?: number },
    options?: WaitOptions,
  ): Promise<MintView>;
  /** @throws {SeedmintError} `denied` while money is held there, unless `force`. */
  removeMint(request: { readonly url: string; readonly force?: boolean }): Promise<void>;

  /** An invoice to pay from any Lightning wallet; the ecash arrives once it is paid. */
  fund(
    request: { readonly mint?: string; readonly amountSat: number },
    options?: WaitOptions,
  ): Promise<
    {
      readonly operation: OperationView;
      readonly invoice: string;
      readonly expiresMs: number | null;
    }
  >;

  /** Redeems a token: at a trusted or accepted mint only. `swapTo` sweeps it elsewhere at once. */
  receive(
    request: { readonly token: string },
    options?: WaitOptions,
  ): Promise<{ readonly operation: OperationView; readonly receivedSat: number }>;

  /**
   * The operations that cost something come in two steps: `prepare…` reserves and shows the fees,
   * {@link confirm} goes on, {@link cancel} (or five minutes) lets go.
   */
  prepareSend(
    request: {
      readonly mint?: string;
      readonly amountSat: number;
      readonly lockTo?: string;
      readonly locktimeS?: number;
    },
    options?: WaitOptions,
  ): Promise<OperationView>;
  preparePay(
    request: { readonly invoice: string; readonly mint?: string; readonly maxFeeSat?: number },
    options?: WaitOptions,
  ): Promise<OperationView>;
  /** To a Lightning address or LNURL-pay. */
  prepareWithdraw(
    request: {
      readonly to: string;
      readonly amountSat: number;
      readonly mint?: string;
      readonly maxFeeSat?: number;
    },
    options?: WaitOptions,
  ): Promise<OperationView>;
  prepareSwap(
    request: {
      readonly from: string;
      readonly to: string;
      readonly amountSat: number;
      readonly maxFeeSat?: number;
    },
    options?: WaitOptions,
  ): Promise<OperationView>;
  /** Goes on with what was prepared and returns when it ended or waits for the outside. */
  confirm(id: string, options?: WaitOptions): Promise<OperationView>;
  cancel(id: string): Promise<OperationView>;

  operation(id: string): Promise<OperationView>;
  /** The token of a send, for as long as it is not reclaimed. */
  token(id: string): Promise<string>;
  /**
   * Proof of payment of a melt: what the payee's invoice was made from, 32 bytes in hex. Not money.
   *
   * @throws {SeedmintError} `not-found` unless the invoice is paid and its mint gave the proof.
   */
  preimage(id: string): Promise<string>;
  /** Takes back a token that nobody redeemed: now if it is not locked, else after its locktime. */
  reclaim(id: string, options?: WaitOptions): Promise<OperationView>;
  /** Resolves when the operation ended or needs a person. */
  wait(id: string, options?: WaitOptions): Promise<OperationView>;

  plan(
    request: { readonly acceptedMints: readonly string[]; readonly amountSat: number },
  ): Promise<PaymentPlan>;
  /** Never throws for trouble of wallet or mints: it declines. */
  preparePayment(request: PaymentRequest, options?: WaitOptions): Promise<PaymentOutcome>;

  history(
    request?: { readonly limit?: number; readonly before?: string },
  ): Promise<readonly HistoryEntry[]>;
  /** Open operations and those that need a person. */
  pending(): Promise<readonly OperationView[]>;
  /** Drives one, or all open operations, now. */
  resume(
    request?: { readonly id?: string },
    options?: WaitOptions,
  ): Promise<readonly OperationView[]>;

  /** What sellers of bytes have of us, those dealt with last first. */
  credits(): Promise<readonly SellerCredit[]>;
  /** Receives what a seller pays back, and books it. The same again is harmless. */
  takeRefund(
    request: { readonly peerId: string; readonly token: string },
    options?: WaitOptions,
  ): Promise<{ readonly operation: OperationView; readonly receivedSat: number }>;

  /** Writes one encrypted file (mode 0600) that `restoreBackup` reads with the same seed. */
  backup(path: string): Promise<{ readonly path: string; readonly bytes: number }>;
  /**
   * Everything that can be found again: from the file if one is given, and from every listed mint.
   * `replace` gives up what the wallet holds for what the file holds; a copy of it is kept, in the
   * clear, at `replacedPath`.
   *
   * @throws {SeedmintError} `denied` when something would be lost, without `replace`.
   */
  restore(
    request: {
      readonly path?: string;
      readonly mints?: readonly string[];
      readonly replace?: boolean;
    },
    options?: WaitOptions,
  ): Promise<
    {
      readonly operations: readonly OperationView[];
      readonly foundSat: number;
      readonly replacedPath?: string;
    }
  >;
  /** The books, checked: empty when all is well. */
  audit(): Promise<readonly string[]>;
}
