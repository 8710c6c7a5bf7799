/**
 * What can be asked of a node that sells: its services, which are prices for a part of what it serves,
 * and what it earned. Parameters and results are plain JSON.
 */
import type { NoteEvent } from "./methods.ts";

/** A price, and what it is for. */
export interface ServiceView {
  /** `default`, `visibility:public` (or `fleet`, `private`), or `content:` and a hash. */
  readonly id: string;
  readonly enabled: boolean;
  /** Thousandths of a sat for 2^20 bytes; 0 gives it away. */
  readonly priceMsatPerMiB: number;
  /** The least that one payment must be; null leaves it to the price. */
  readonly minTopUpSat: number | null;
  /** Mints whose ecash is taken for it; null for all that are listed. */
  readonly mints: readonly string[] | null;
  /** Of content: its name in the store; null when it has none or is not here. */
  readonly name: string | null;
}

/** What earnings are told by. */
export const EARNINGS_BY = ["day", "mint", "peer", "content"] as const;

/** One of {@link EARNINGS_BY}. */
export type EarningsBy = typeof EARNINGS_BY[number];

/** Earnings of one day, mint, peer or content. What does not apply is null. */
export interface EarningsRow {
  /** The day as `2026-01-31` (UTC), the URL, the peer id, or the hash. */
  readonly key: string;
  /** Content that was sold. */
  readonly soldBytes: number | null;
  /** What that cost its readers. */
  readonly earnedMsat: number | null;
  /** Credit that nobody came back for in time, or that a crash cost its reader. */
  readonly expiredMsat: number | null;
  /** Credit that was paid back. */
  readonly refundedMsat: number | null;
  /** Payments that count only once their mint has redeemed them. */
  readonly queuedSat: number | null;
  /** Payments taken and not redeemed at their mint yet. */
  readonly provisionalSat: number | null;
  /** Payments redeemed: money in the wallet. */
  readonly redeemedSat: number | null;
}

/** `earnings` */
export interface EarningsReport {
  readonly by: EarningsBy;
  /** Milliseconds since 1970; null for all. */
  readonly sinceMs: number | null;
  readonly rows: readonly EarningsRow[];
  readonly total: Omit<EarningsRow, "key">;
}

/** `services.set` */
export interface SetServiceParams {
  /**
   * As {@link ServiceView.id}; also `public`, `fleet`, `private`, or whatever else names content: a
   * hash, its first digits, a ticket.
   */
  readonly id: string;
  readonly priceMsatPerMiB: number;
  /** Absent: as before, or by the price. */
  readonly minTopUpSat?: number;
  /** Absent: as before, or all that are listed; an empty list is all that are listed again. */
  readonly mints?: readonly string[];
}

interface ById {
  readonly id: string;
}

/** Every method: parameters, events, result. */
export interface SellingMethods {
  "services.list": {
    params: Record<never, never>;
    event: never;
    result: { readonly services: readonly ServiceView[] };
  };
  "services.set": { params: SetServiceParams; event: NoteEvent; result: ServiceView };
  "services.enable": { params: ById; event: NoteEvent; result: ServiceView };
  "services.disable": { params: ById; event: NoteEvent; result: ServiceView };
  earnings: {
    params: { readonly by: EarningsBy; readonly sinceMs?: number };
    event: never;
    result: EarningsReport;
  };
}
