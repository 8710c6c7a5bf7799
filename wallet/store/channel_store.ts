/** What the wallet's memory keeps of payment channels, as a seller and as a buyer. */
import type { MintUrl } from "../types.ts";

/**
 * Where a channel is in which we are paid.
 *
 *     open ⇄ closing ──▶ closed    its swap paid what its last balance says
 *                └─────▶ lost      its buyer took it back after the expiry
 */
export type ChannelState = "open" | "closing" | "closed" | "lost";

/** A channel in which we are paid. Its funding proofs are `incoming`, of its operation. */
export interface ChannelRecord {
  /** 32 bytes in hex. */
  readonly id: string;
  /** The operation that closes it. */
  readonly operationId: string;
  readonly payer: string;
  readonly mint: MintUrl;
  /** Its first message, from which all else follows. */
  readonly terms: string;
  readonly capacity: bigint;
  /** The highest that was signed, in sat. */
  readonly balance: bigint;
  /** What of it is credit, in sat. */
  readonly credit: bigint;
  /** Of the outputs that are signed. */
  readonly keysetId: string;
  readonly signature: string;
  readonly updateCount: number;
  readonly state: ChannelState;
  /** When a balance was last signed, in milliseconds since 1970. */
  readonly movedMs: number;
  readonly createdMs: number;
}

/** A balance that we signed. */
export interface BalanceRecord {
  /** The payment that carries it. */
  readonly paymentId: string;
  readonly operationId: string;
  readonly balance: bigint;
  readonly keysetId: string;
  readonly signature: string;
  readonly createdMs: number;
}

/** What can be read. */
export interface ChannelReads {
  channel(id: string): ChannelRecord | undefined;
  channelOf(operationId: string): ChannelRecord | undefined;
  /** Those that are open or closing, the oldest first. */
  openChannels(filter?: { readonly payer?: string; readonly mint?: MintUrl }): ChannelRecord[];
  /** What a payer's payments came to, in sat: those that are ours for good, and those that were lost. */
  paidBy(payer: string): { readonly redeemed: bigint; readonly dead: bigint };
  /** What we signed in a channel, the lowest first. */
  signedBalances(operationId: string): BalanceRecord[];
  /** The highest that we signed. */
  lastBalance(operationId: string): BalanceRecord | undefined;
  signedBalance(paymentId: string): BalanceRecord | undefined;
}

/** What can be changed, inside a transaction. */
export interface ChannelChanges {
  insertChannel(channel: ChannelRecord): void;
  /** Balances only grow; who pays and for what never changes. */
  updateChannel(
    id: string,
    change: Partial<
      Pick<
        ChannelRecord,
        "balance" | "credit" | "keysetId" | "signature" | "updateCount" | "state" | "movedMs"
      >
    >,
  ): ChannelRecord;
  /** @throws {Error} If it is not above every balance of the channel, or its payment is no part. */
  insertSignedBalance(record: BalanceRecord): void;
}
