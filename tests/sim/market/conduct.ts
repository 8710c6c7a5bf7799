/** How nodes behave: most as they should, some for what they hope to gain. */

/** What a seller does with a buyer's money. */
export type SellerConduct =
  /** Delivers what was paid for, and one chunk group beyond. */
  | "honest"
  /** Asks nothing. */
  | "free"
  /** Takes payments, says that they count, and sends nothing. */
  | "taker"
  /** Says that a payment is no good, and keeps it. */
  | "refuser"
  /** Sends what does not match. */
  | "garbage"
  /** Delivers until a second payment is there, then stalls. */
  | "staller"
  /** Counts each byte twice. */
  | "overcharger"
  /** Asks a little, and more than anybody pays once it has a payment. */
  | "raiser";

/** What a buyer does for bytes. */
export type BuyerConduct =
  /** Pays when a payment is due. */
  | "honest"
  /** Hands over its first token again and again. */
  | "replayer"
  /** Hands over tokens that are locked to another seller. */
  | "double-spender"
  /** Pays less than the least. */
  | "under-payer"
  /** Pays each seller once, uses that up and the chunk group beyond, and leaves. */
  | "gracer";

/** All, in the order in which they are told. */
export const SELLER_CONDUCTS: readonly SellerConduct[] = [
  "honest",
  "free",
  "taker",
  "refuser",
  "garbage",
  "staller",
  "overcharger",
  "raiser",
];

/** All, in the order in which they are told. */
export const BUYER_CONDUCTS: readonly BuyerConduct[] = [
  "honest",
  "replayer",
  "double-spender",
  "under-payer",
  "gracer",
];

/** Whether a seller means to keep what it did not earn. */
export function isCheater(conduct: SellerConduct): boolean {
  return conduct !== "honest" && conduct !== "free";
}

/** A seller. */
export interface SellerNode {
  readonly id: string;
  readonly conduct: SellerConduct;
  readonly priceMsatPerMiB: number;
  readonly minTopUpSat: number;
  /** Bytes a second. */
  readonly bandwidth: number;
  readonly latencyMs: number;
}

/** A buyer. */
export interface BuyerNode {
  readonly id: string;
  readonly conduct: BuyerConduct;
  readonly thrift: "cheapest" | "balanced" | "fastest";
  /** Indexes of the sellers that it ever hears of. */
  readonly known: readonly number[];
}
