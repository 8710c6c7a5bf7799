/** What the wallet's memory keeps of selling: credit of payers, sales, prices and refunds. */

/** What a payer has at this node. Units: see `wallet/credit_units.ts`. */
export interface CreditAccount {
  /** A peer id. */
  readonly payer: string;
  /** Sum of the credit of its payments that count, in sat. It sinks when one turns out dead. */
  readonly paid: bigint;
  /** In units: what was sold to it, and what expired, was lost in a crash, or was paid back. */
  readonly used: bigint;
  /** In units: taken ahead by answers under way. */
  readonly drawn: bigint;
  /** The highest price that was charged to it. */
  readonly priceMaxMsatPerMiB: number;
  /** Where its ecash goes back to: the refund key of its last payment that had one, 66 hex digits. */
  readonly refundKey?: string;
  /** When it last paid or was sold something, in milliseconds since 1970. */
  readonly movedMs: number;
}

/** Why credit was used up. */
export type SaleKind =
  /** Content was sent. */
  | "content"
  /** It was drawn ahead when the process died. */
  | "lost"
  /** Too little was left to be paid back, for longer than credit is kept. */
  | "expired"
  /** It was paid back, in ecash. */
  | "refund";

/** What was sold to one payer on one day of one blob or collection. */
export interface SaleRecord {
  /** Days since 1970, UTC. */
  readonly day: number;
  readonly payer: string;
  readonly kind: SaleKind;
  /** The address of what was asked for; empty unless the kind is `content`. */
  readonly root: string;
  /** Content, in bytes; 0 unless the kind is `content`. */
  readonly bytes: number;
  /** What it cost. */
  readonly units: bigint;
}

/** Sums of sales, by what they were asked for by. */
export interface SaleTotal {
  /** A day as decimal text, a peer id, or the address of content. */
  readonly key: string;
  readonly kind: SaleKind;
  readonly bytes: number;
  readonly units: bigint;
}

/** Sums of payments of peers. */
export interface IncomeTotal {
  /** A day as decimal text, a peer id, or a mint. */
  readonly key: string;
  readonly state: "queued" | "credited" | "redeemed" | "dead";
  readonly count: number;
  readonly amount: bigint;
  readonly credit: bigint;
}

/** A price, as it was set. */
export interface ServiceRecord {
  /** `default`, `visibility:…` or `content:…`. */
  readonly id: string;
  readonly enabled: boolean;
  readonly priceMsatPerMiB: number;
  readonly minTopUpSat?: number;
  readonly mints?: readonly string[];
  readonly updatedMs: number;
}

/** Credit that went back to its payer. */
export interface CreditRefund {
  readonly payer: string;
  /** Days since 1970, UTC: there is one a day for each payer. */
  readonly period: number;
  /** The send operation. */
  readonly operationId: string;
  readonly createdMs: number;
}

/** Which accounts. */
export interface CreditFilter {
  /** Only those that did not move since. */
  readonly idleSinceMs?: number;
  /** Only those with something drawn. */
  readonly isDrawn?: boolean;
  /** Only those that have something left. */
  readonly hasCredit?: boolean;
  readonly limit?: number;
}

/** What can be read. */
export interface SellingReads {
  creditAccount(payer: string): CreditAccount | undefined;
  /** The longest idle first. */
  creditAccounts(filter?: CreditFilter): CreditAccount[];
  sales(filter?: { readonly payer?: string }): SaleRecord[];
  /** What a payer was sold, in all or of one content; the rows are added up where they lie. */
  soldTo(payer: string, root?: string): { readonly bytes: number; readonly units: bigint };
  saleTotals(by: "day" | "peer" | "content", options?: { readonly sinceDay?: number }): SaleTotal[];
  /** Of payments by peers, not of tokens that the user pasted. */
  incomeTotals(
    by: "day" | "peer" | "mint",
    options?: { readonly sinceMs?: number },
  ): IncomeTotal[];
  /** The mints that a payer paid with, the latest first. */
  mintsOfPayer(payer: string): string[];
  services(): ServiceRecord[];
  creditRefund(payer: string, period: number): CreditRefund | undefined;
  /** The refund that a send operation is for. */
  creditRefundOf(operationId: string): CreditRefund | undefined;
  /** Refunds whose operation has failed, or whose token was taken back. */
  lostCreditRefunds(): CreditRefund[];
  /** The latest one. */
  lastCreditRefund(payer: string): CreditRefund | undefined;
  /** Refunds since then, of all payers. */
  creditRefundCount(sinceMs: number): number;
}

/** What can be changed, inside a transaction. */
export interface SellingChanges {
  /**
   * Takes units ahead of their use. An answer that goes on while nothing is left owes at most one group.
   *
   * @throws {Error} If there are fewer left.
   */
  drawCredit(
    payer: string,
    draw: { readonly units: bigint; readonly priceMsatPerMiB: number },
  ): void;
  /** Gives back what was drawn, in order to sell it or because it was not used. */
  returnCredit(payer: string, units: bigint): void;
  /**
   * Books a sale and uses up the payer's credit for it, below 0 if it must be. With negative numbers it
   * takes back what was booked and not sent.
   */
  addSale(sale: SaleRecord): void;
  /** Where the payer's ecash may go back to. */
  putRefundKey(payer: string, publicKey: string): void;
  putService(service: ServiceRecord): void;
  removeService(id: string): void;
  /** @throws {Error} If the payer has one of that day. */
  addCreditRefund(refund: CreditRefund): void;
  /** The refund came to nothing. Returns whether there was one. */
  removeCreditRefund(payer: string, period: number): boolean;
}
