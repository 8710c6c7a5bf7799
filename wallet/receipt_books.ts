/**
 * What the wallet's books say for receipts: which payments a peer made or got, each with the names (Y) of
 * its proofs, and what it was for. Structurally the books of `trust`, which the wallet does not import.
 */
import type { Hash } from "../src/core/hash.ts";
import { msatOf } from "./credit_units.ts";
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

/** Payments of one peer that are looked at, the latest: more than any receipt names. */
const PAYMENTS_MAX = 4096;

/** Both sides of one peer. */
export interface PeerBooks {
  /** What was sold to it; undefined when nothing was. */
  readonly delivered: DeliveredBooks | undefined;
  /** What it was paid; undefined when nothing was. */
  readonly paid: PaidBooks | undefined;
}

/** What there is between this node and a peer, of `root` and in all. */
export function booksOf(store: WalletReads, peerId: string, root: Hash): PeerBooks {
  return { delivered: deliveredTo(store, peerId, root), paid: paidTo(store, peerId, root) };
}

function deliveredTo(
  store: WalletReads,
  peerId: string,
  root: Hash,
): DeliveredBooks | undefined {
  const sales = store.sales({ payer: peerId }).filter((sale) => sale.kind === "content");
  const ofRoot = sales.filter((sale) => sale.root === root);
  const bytes = ofRoot.reduce((sum, sale) => sum + sale.bytes, 0);
  if (bytes === 0) return undefined;
  const msat = (rows: typeof sales) =>
    Number(msatOf(rows.reduce((sum, sale) => sum + sale.units, 0n)));
  const counted = store.incomingPayments({ payer: peerId }).filter(({ state }) =>
    state === "credited" || state === "redeemed"
  ).slice(-PAYMENTS_MAX);
  const plans = new Map<string, RedeemPlan | undefined>();
  const planOf = (id: string) =>
    plans.getOrInsertComputed(id, () => store.operation<RedeemPlan>(id)?.plan);
  return {
    bytes,
    msat: msat(ofRoot),
    peerMsat: msat(sales),
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

function paidTo(store: WalletReads, peerId: string, root: Hash): PaidBooks | undefined {
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
    payments: parts.slice(-PAYMENTS_MAX).map(({ operationId, paymentId, ys }) => ({
      mint: mintOf(operationId),
      id: paymentId,
      ys,
    })),
  };
}
