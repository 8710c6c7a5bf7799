/** Kept receipts as the node's methods show them. */
import {
  type KeptReceipt,
  lease as trust,
  type ReceiptStore,
  writeReceipt,
} from "../../../trust/mod.ts";
import type {
  AnyReceiptView,
  LeaseReceiptView,
  ReceiptDetail,
  ReceiptQuery,
  ReceiptView,
} from "../api/receipt_methods.ts";

/** Receipts read at a time. */
const PAGE = 1000;

/** A Nostr key. */
const KEY = /^[0-9a-f]{64}$/;

/** What `query` asks for, the latest first. */
export function receiptViews(store: ReceiptStore, query: ReceiptQuery): AnyReceiptView[] {
  const { role, type, peerId, sinceMs, limit } = query;
  const isKey = peerId !== undefined && KEY.test(peerId);
  const common = {
    ...role === undefined ? {} : { role },
    ...sinceMs === undefined ? {} : { sinceS: Math.ceil(sinceMs / 1000) },
    ...limit === undefined ? {} : { limit },
  };
  const bytes = type === "lease" || isKey
    ? []
    : store.list({ ...common, ...peerId === undefined ? {} : { peerId } }).map(viewOf);
  const leases = type === "bytes" || (peerId !== undefined && !isKey) ? [] : store.leases
    .list({ ...common, ...peerId === undefined ? {} : { other: peerId } }).map(leaseViewOf);
  return [...bytes, ...leases].sort((a, b) => b.toMs - a.toMs).slice(0, limit ?? PAGE);
}

/** Those whose id begins with `id`: of two providers, or of both roles, one may be the same. */
export function receiptsOf(store: ReceiptStore, id: string): ReceiptDetail[] {
  const leases = store.leases.list({ idPrefix: id }).map(leaseDetailOf);
  return [...bytesReceiptsOf(store, id), ...leases];
}

function bytesReceiptsOf(store: ReceiptStore, id: string): ReceiptDetail[] {
  const found = new Map<string, ReceiptDetail>();
  let beforeS: number | undefined;
  while (true) {
    const page = store.list({ limit: PAGE, ...beforeS === undefined ? {} : { beforeS } });
    for (const kept of page) {
      const { receipt } = kept.signed;
      if (!receipt.id.startsWith(id)) continue;
      found.set(`${kept.role} ${receipt.provider} ${receipt.id}`, detailOf(kept));
    }
    const lastS = page.at(-1)?.signed.receipt.toS;
    // Those that end in the same second may be on both pages.
    const nextS = lastS === undefined ? undefined : lastS + 1;
    if (page.length < PAGE || nextS === beforeS) return [...found.values()];
    beforeS = nextS;
  }
}

function viewOf({ role, peerId, root, signed: { receipt } }: KeptReceipt): ReceiptView {
  const { id, provider, consumer, fromS, toS, bytes, msat, payments } = receipt;
  return {
    ...{ type: "bytes", id, role, peerId, provider, consumer, root: root ?? null },
    ...{ fromMs: fromS * 1000, toMs: toS * 1000, bytes, msat },
    mints: payments.map(({ mint }) => mint),
  };
}

function detailOf(kept: KeptReceipt): ReceiptDetail {
  const { salt, signed } = kept;
  return { ...viewOf(kept), text: writeReceipt(signed), salt: salt?.toHex() ?? null };
}

function leaseViewOf(kept: trust.KeptLeaseReceipt): LeaseReceiptView {
  const { role, state, image, reason, signed: { receipt } } = kept;
  const { lease, provider, consumer, fromS, toS, seconds, msatPerS, msat, payments } = receipt;
  const { paidMsat, refundSat, ending, error } = receipt;
  return {
    ...{ type: "lease", id: trust.leaseReceiptIdOf(lease), role, state, lease, provider, consumer },
    ...{ image: image ?? null, fromMs: fromS * 1000, toMs: toS * 1000, seconds, msatPerS, msat },
    ...{ paidMsat, refundSat, ending, error, mints: payments.map(({ mint }) => mint) },
    reason: reason ?? null,
  };
}

function leaseDetailOf(kept: trust.KeptLeaseReceipt): ReceiptDetail {
  const { salt, signed } = kept;
  const text = trust.writeLeaseReceipt(signed);
  return { ...leaseViewOf(kept), text, salt: salt?.toHex() ?? null };
}
