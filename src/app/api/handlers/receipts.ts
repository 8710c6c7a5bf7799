/** Methods of a node that keeps receipts. */
import { SeedmintError } from "../../../core/errors.ts";
import type { Handler, NodeParts } from "../parts.ts";
import type { ReceiptAccess } from "../receipt_methods.ts";

/** Receipts that both sides signed, the latest first. */
export const listReceipts: Handler<"receipts.list"> = async (parts, params) => ({
  receipts: await receiptsOf(parts).list(params),
});

/** One receipt, by its id or the first digits of it. */
export const showReceipt: Handler<"receipts.show"> = async (parts, { id }) => {
  const found = await receiptsOf(parts).find(id);
  if (found.length === 1) return found[0]!;
  throw new SeedmintError(
    found.length === 0 ? "not-found" : "usage",
    found.length === 0
      ? `There is no receipt ${id}: see receipts ls`
      : `Several receipts begin with ${id}: give more digits`,
  );
};

function receiptsOf({ receipts }: NodeParts): ReceiptAccess {
  if (receipts !== undefined) return receipts;
  throw new SeedmintError("unavailable", "Cannot look at receipts: none are kept here");
}
