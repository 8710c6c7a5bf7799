/** What can be asked of a node about receipts. Parameters and results are plain JSON. */
import type { Hash } from "../../core/hash.ts";

/** Which side of a receipt this node is. */
export const RECEIPT_ROLES = ["provider", "consumer"] as const;

/** One of {@link RECEIPT_ROLES}. */
export type ReceiptSide = typeof RECEIPT_ROLES[number];

/** What a receipt is for. */
export const RECEIPT_TYPES = ["bytes", "lease"] as const;

/** One of {@link RECEIPT_TYPES}. */
export type ReceiptType = typeof RECEIPT_TYPES[number];

/** A receipt for bytes that both signed. */
export interface ReceiptView {
  readonly type: "bytes";
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

/** A receipt for a lease. */
export interface LeaseReceiptView {
  readonly type: "lease";
  /** 32 hex digits, made of the lease's id. */
  readonly id: string;
  readonly role: ReceiptSide;
  /**
   * `agreed`: both signed it; `offered`: the provider did, and the lessee may yet; `one-sided`: the other
   * side did not, which makes it worth less.
   */
  readonly state: "offered" | "agreed" | "one-sided";
  /** `<provider>:container-<n>:<seconds>`, or `<provider>:request-<hex>:<seconds>`. */
  readonly lease: string;
  /** Nostr keys, 64 hex digits. */
  readonly provider: string;
  readonly consumer: string;
  /** SHA-256 of the image's manifest; null when it is not known here. */
  readonly image: string | null;
  readonly fromMs: number;
  readonly toMs: number;
  /** Time that was delivered and charged. */
  readonly seconds: number;
  readonly msatPerS: number;
  /** What it cost. */
  readonly msat: number;
  readonly paidMsat: number;
  readonly refundSat: number;
  readonly ending: string;
  /** With what it failed; empty otherwise. */
  readonly error: string;
  readonly mints: readonly string[];
  /** Why it is one-sided. */
  readonly reason: string | null;
}

/** What stands behind a view. */
interface ReceiptText {
  /** The receipt as it was signed, canonical JSON. */
  readonly text: string;
  /** Opens the commitment in it, 64 hex digits: with it anyone can check what it is about. */
  readonly salt: string | null;
}

/** A receipt of either type. */
export type AnyReceiptView = ReceiptView | LeaseReceiptView;

/** `receipts.show` */
export type ReceiptDetail = AnyReceiptView & ReceiptText;

/** Parameters of `receipts.list`. */
export interface ReceiptQuery {
  readonly role?: ReceiptSide;
  readonly type?: ReceiptType;
  /** A peer's, or a Nostr key of 64 hex digits: leases know no peers. */
  readonly peerId?: string;
  /** Only those whose time ends then or later, in milliseconds since 1970. */
  readonly sinceMs?: number;
  /** @default {1000} */
  readonly limit?: number;
}

/** Receipts as the handlers see them; `src/app/lifecycle` puts the store of them behind it. */
export interface ReceiptAccess {
  /** The latest first. @throws {SeedmintError} `storage` */
  list(query: ReceiptQuery): Promise<readonly AnyReceiptView[]>;
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
    result: { readonly receipts: readonly AnyReceiptView[] };
  };
  "receipts.show": { params: { readonly id: string }; event: never; result: ReceiptDetail };
}
