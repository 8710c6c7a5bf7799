/** What can be asked of a node about receipts for bytes. Parameters and results are plain JSON. */
import type { Hash } from "../../core/hash.ts";

/** Which side of a receipt this node is. */
export const RECEIPT_ROLES = ["provider", "consumer"] as const;

/** One of {@link RECEIPT_ROLES}. */
export type ReceiptSide = typeof RECEIPT_ROLES[number];

/** A receipt that both signed. */
export interface ReceiptView {
  /** 32 hex digits, chosen by its provider. */
  readonly id: string;
  readonly role: ReceiptSide;
  /** The other side. */
  readonly peerId: string;
  /** Nostr keys, 64 hex digits. */
  readonly provider: string;
  readonly consumer: string;
  /** What it is about; null when this node does not know it any more. */
  readonly root: Hash | null;
  readonly fromMs: number;
  readonly toMs: number;
  /** Content that was delivered. */
  readonly bytes: number;
  /** What it cost. */
  readonly msat: number;
  /** Where the payments were made that it names. */
  readonly mints: readonly string[];
}

/** `receipts.show` */
export interface ReceiptDetail extends ReceiptView {
  /** The receipt as both signed it, canonical JSON. */
  readonly text: string;
  /** Opens the commitment in it, 64 hex digits: with it anyone can check what it is about. */
  readonly salt: string | null;
}

/** Parameters of `receipts.list`. */
export interface ReceiptQuery {
  readonly role?: ReceiptSide;
  readonly peerId?: string;
  /** Only those whose time ends then or later, in milliseconds since 1970. */
  readonly sinceMs?: number;
  /** @default {1000} */
  readonly limit?: number;
}

/** Receipts as the handlers see them; `src/app/lifecycle` puts the store of them behind it. */
export interface ReceiptAccess {
  /** The latest first. @throws {SeedmintError} `storage` */
  list(query: ReceiptQuery): Promise<readonly ReceiptView[]>;
  /**
   * Those whose id begins with `id`.
   *
   * @throws {SeedmintError} `storage`
   */
  find(id: string): Promise<readonly ReceiptDetail[]>;
}

/** Every method: parameters, events, result. */
export interface ReceiptMethods {
  "receipts.list": {
    params: ReceiptQuery;
    event: never;
    result: { readonly receipts: readonly ReceiptView[] };
  };
  "receipts.show": { params: { readonly id: string }; event: never; result: ReceiptDetail };
}
