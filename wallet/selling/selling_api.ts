/**
 * What can be asked of a {@link Seller}. The shapes that the swarm plugs into are those of its port
 * `Gate` (`swarm/ports.ts`), said again since neither imports the other.
 */
import type { Hash } from "../../src/core/hash.ts";

/** Who asks for something, as far as the connection proves it. */
export interface Viewer {
  readonly peerId: string;
  /** A configured member of the fleet: never charged. */
  readonly fleet: boolean;
}

/** On which terms bytes are sold. */
export interface PaymentTerms {
  /** Thousandths of a sat for 2^20 bytes of content. */
  readonly priceMsatPerMiB: number;
  /** The least that one payment must be, in sat. */
  readonly minTopUpSat: number;
  /** Mints whose ecash is taken; those whose ecash counts at once come first. */
  readonly mints: readonly string[];
  /** The key that payments are locked to, 66 hex digits. */
  readonly p2pk: string;
  /** The least minutes until the payer may take an unused payment back. */
  readonly locktimeMin: number;
  /** The most that a payment channel of this payer may hold, in sat; absent where there are none. */
  readonly channelSat?: number;
}

/** What is decided on a request for content. */
export type GateDecision =
  | { readonly decision: "free" }
  | ({ readonly decision: "pay" } & PaymentTerms)
  | { readonly decision: "deny"; readonly code: string };

/** A payment, or a question about one (no token). */
export interface OfferedPayment {
  /** Chosen by the payer, 16 bytes. */
  readonly id: Uint8Array<ArrayBuffer>;
  /** A Cashu token, or a message of a payment channel. */
  readonly token?: string;
}

/** What became of a payment. */
export type PaymentAnswer =
  | { readonly answer: "credited"; readonly creditMsat: number }
  | { readonly answer: "pending"; readonly retryMs: number }
  | { readonly answer: "refused"; readonly code: string; readonly retryMs?: number };

/** A reader's credit as one answer uses it up; see the swarm's `Meter`. */
export interface Meter extends AsyncDisposable {
  readonly creditMsat: number;
  readonly isLow: boolean;
  take(groupSizes: readonly number[]): number;
  giveBack(bytes: number): void;
  more(signal: AbortSignal): Promise<void>;
}

/** Who may be shown a blob. */
export type Visibility = "public" | "fleet" | "private";

/** What a price is for. */
export type ServiceId = "default" | `visibility:${Visibility}` | `content:${Hash}`;

/** A price. */
export interface Service {
  readonly id: ServiceId;
  /** One that is not enabled says nothing: the next that fits decides. */
  readonly enabled: boolean;
  /** Thousandths of a sat for 2^20 bytes; 0 is free. */
  readonly priceMsatPerMiB: number;
  /** The least that one payment must be, in sat. @default {what 32 MiB cost, and at least 64} */
  readonly minTopUpSat?: number;
  /** Mints whose ecash is taken for it. @default {all that are listed} */
  readonly mints?: readonly string[];
}

/** What was earned, by day, mint, peer or content. Amounts of msat are exact to 2^-20 msat below. */
export interface EarningsRow {
  /** `2026-11-21`, the address of a mint, a peer id, or the address of content. */
  readonly key: string;
  /** Content sent, in bytes. */
  readonly soldBytes: number;
  /** What it cost, in msat, rounded down. */
  readonly soldMsat: number;
  /** The exact amount, in units of 2^-20 msat. */
  readonly soldUnits: bigint;
  /** Credit that expired, and that a crash lost to its payer, in msat. */
  readonly expiredMsat: number;
  /** Credit that was paid back, in msat. */
  readonly refundedMsat: number;
  /** Payments that count and are not redeemed, in sat after fees. */
  readonly provisionalSat: number;
  /** Payments that wait for their redemption and do not count, in sat after fees. */
  readonly queuedSat: number;
  /** Payments that were redeemed, in sat after fees. */
  readonly redeemedSat: number;
}

/** All of them. */
export interface EarningsReport {
  readonly by: EarningsBy;
  readonly rows: readonly EarningsRow[];
  readonly total: Omit<EarningsRow, "key">;
}

/** What earnings are summed by. By mint there are payments only, by content sales only. */
export type EarningsBy = "day" | "mint" | "peer" | "content";

/** What came of asking for credit back. */
export type RefundAnswer =
  /** Ecash locked to the payer's own key; the same text each time it is asked for. */
  | { readonly status: "refunded"; readonly token: string; readonly amountSat: number }
  /** It is being made: ask again. */
  | { readonly status: "pending"; readonly retryMs: number }
  | { readonly status: "declined"; readonly code: RefundRefusal; readonly reason: string };

/** Why credit is not paid back. */
export type RefundRefusal =
  /** Less than {@link REFUND_MIN_SAT} is left: it stays usable. */
  | "dust"
  /** No payment named a key that ecash can go back to. */
  | "no-key"
  /** An answer is under way that uses the credit. */
  | "in-use"
  /** One refund a day for each payer, and some in an hour for all. */
  | "busy"
  /** No mint holds enough at the moment. */
  | "unavailable";

/** Messages of payment channels, once there are any. */
export interface ChannelIntake {
  /**
   * Takes a message. What it is worth is credited in the wallet's store.
   *
   * @returns What became of it.
   */
  pay(
    request: {
      readonly payer: string;
      readonly paymentId: string;
      readonly message: string;
      /** The least that one payment must be, in sat. */
      readonly topUpMinSat?: number;
      /** Mints that it may be of. @default {all that are listed} */
      readonly mints?: ReadonlySet<string>;
    },
  ): Promise<
    | { readonly answer: "credited" }
    | { readonly answer: "pending"; readonly retryMs: number }
    | { readonly answer: "refused"; readonly code: string; readonly retryMs?: number }
  >;
}

/** A {@link ChannelIntake} that says whom it takes messages of. */
export interface ChannelDesk extends ChannelIntake {
  /** The most that a channel of the payer may hold, in sat; 0 for none. */
  allowanceOf(payer: string): number;
}

/** Options of `Wallet.seller`. */
export interface SellerOptions {
  /** The collections that list `hash`, from memory. @default {none} */
  readonly collectionsOf?: (hash: Hash) => Iterable<Hash>;
  /** Who may be shown `hash`, from memory. @default {by no visibility} */
  readonly visibilityOf?: (hash: Hash) => Visibility | undefined;
  /** @default {messages of channels are refused} */
  readonly channel?: ChannelIntake & Partial<ChannelDesk>;
}
