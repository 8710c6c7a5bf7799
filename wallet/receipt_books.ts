/**
 * What the wallet's books say for receipts: which payments a peer made or got, each with the names (Y) of
 * its proofs, and what it was for. Structurally the books of `trust`, which the wallet does not import.
 */
import type { Hash } from "../src/core/hash.ts";
import type { RedeemPlan } from "./operations/redeem_plan.ts";
import type { WalletReads } from "./store/wallet_store.ts";

/** One payment. */
export interface BookedPayment {
  readonly mint: string;
  /** As its payer chose it: 16 bytes as hex. */
  readonly id: string;
  readonly ys: readonly string[];
}

/** What a peer was sold, ever. */
export interface DeliveredBooks {
  readonly bytes: number;
  readonly msat: number;
  /** Whatever it was for. */
  readonly peerMsat: number;
  /** In seconds since 1970. */
  readonly fromS: number;
  readonly payments: readonly BookedPayment[];
}

/** What a peer was paid, ever. */
export interface PaidBooks {
  readonly msat: number;
  /** Content of the root that was bought of it. */
  readonly rootBytes: number;
  readonly payments: readonly BookedPayment[];
}

/**
 * The latest payments of a peer that one question of it makes us read: a receipt names fewer, and those
 * before are in receipts before.
 */
const GOT_PAYMENTS_MAX = 512;

/** Payments to one peer that are looked at, the latest: more than it may name in any order. */
const MADE_PAYMENTS_MAX = 4096;

/** What a peer was sold, written down or not: of one content, or in all. */
export type SoldTo = (root?: Hash) => { readonly bytes: number; readonly msat: number };

/** What a peer was sold of `root` and in all; undefined when it was sold nothing of it. */
export function deliveredTo(
  store: WalletReads,
  peer: { readonly peerId: string; readonly soldTo: SoldTo },
  root: Hash,
): DeliveredBooks | undefined {
  const { peerId, soldTo } = peer;
  const ofRoot = soldTo(root);
  if (ofRoot.bytes <= 0) return undefined;
  const counted = (["credited", "redeemed"] as const)
    .flatMap((state) => store.incomingPayments({ payer: peerId, state, latest: GOT_PAYMENTS_MAX }))
    .sort((a, b) => a.createdMs - b.createdMs)
    .slice(-GOT_PAYMENTS_MAX);
  const plans = new Map<string, RedeemPlan | undefined>();
  const planOf = (id: string) =>
    plans.getOrInsertComputed(id, () => store.operation<RedeemPlan>(id)?.plan);
  return {
    bytes: ofRoot.bytes,
    msat: ofRoot.msat,
    peerMsat: soldTo().msat,
    fromS: Math.floor(Math.min(...counted.map((payment) => payment.createdMs)) / 1000) || 0,
    payments: counted.map(({ paymentId, mint, operationId }) => ({
      mint,
      id: paymentId,
      ys: operationId === undefined
        ? []
        : planOf(operationId)?.payments.find((one) =>
          one.payer === peerId && one.paymentId === paymentId
        )?.ys ?? [],
    })),
  };
}

/** What a peer was paid; undefined when nothing was. */
export function paidTo(store: WalletReads, peerId: string, root: Hash): PaidBooks | undefined {
  const parts = store.stripParts({ peer: peerId, states: ["revealed", "credited", "claimed"] });
  if (parts.length === 0) return undefined;
  const mints = new Map<string, string>();
  const mintOf = (id: string) =>
    mints.getOrInsertComputed(id, () => store.operation(id)?.mint ?? "");
  const bought = store.purchases({ subject: root, sinceMs: 0 })
    .filter((purchase) => purchase.peer === peerId && purchase.priceMsatPerMiB > 0);
  return {
    msat: Number(parts.reduce((sum, part) => sum + part.gross, 0n)) * 1000,
    rootBytes: bought.reduce(
      (sum, { used, priceMsatPerMiB }) => sum + Number(used / BigInt(priceMsatPerMiB)),
      0,
    ),
    payments: parts.slice(-MADE_PAYMENTS_MAX).map(({ operationId, paymentId, ys }) => ({
      mint: mintOf(operationId),
      id: paymentId,
      ys,
    })),
  };
}
