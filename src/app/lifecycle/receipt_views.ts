/** Kept receipts as the node's methods show them. */
import { type KeptReceipt, type ReceiptStore, writeReceipt } from "../../../trust/mod.ts";
import type { ReceiptDetail, ReceiptQuery, ReceiptView } from "../api/receipt_methods.ts";

/** Receipts read at a time. */
const PAGE = 1000;

/** What `query` asks for, the latest first. */
export function receiptViews(store: ReceiptStore, query: ReceiptQuery): ReceiptView[] {
  const { role, peerId, sinceMs, limit } = query;
  return store.list({
    ...role === undefined ? {} : { role },
    ...peerId === undefined ? {} : { peerId },
    ...sinceMs === undefined ? {} : { sinceS: Math.ceil(sinceMs / 1000) },
    ...limit === undefined ? {} : { limit },
  }).map(viewOf);
}

/** Those whose id begins with `id`: of two providers, or of both roles, one may be the same. */
export function receiptsOf(store: ReceiptStore, id: string): ReceiptDetail[] {
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
    ...{ id, role, peerId, provider, consumer, root: root ?? null },
    ...{ fromMs: fromS * 1000, toMs: toS * 1000, bytes, msat },
    mints: payments.map(({ mint }) => mint),
  };
}

function detailOf(kept: KeptReceipt): ReceiptDetail {
  const { salt, signed } = kept;
  return { ...viewOf(kept), text: writeReceipt(signed), salt: salt?.toHex() ?? null };
}
