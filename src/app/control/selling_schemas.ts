/** Strict schemas of the parameters of what sells, and of receipts for it. */
import type { CreditMethods } from "../api/credit_methods.ts";
import { RECEIPT_ROLES, RECEIPT_TYPES, type ReceiptMethods } from "../api/receipt_methods.ts";
import { EARNINGS_BY, type SellingMethods } from "../api/selling_methods.ts";
import { PRICE_MSAT_PER_MIB_MAX } from "../config/money_values.ts";
import { v } from "../schema.ts";

/** Longest name of a service: a ticket may stand for its content. */
const NAME_CHARS_MAX = 16_384;
/** Longest address of a mint. */
const URL_CHARS_MAX = 256;
/** Most mints of one service: as many as a price may name. */
const MINTS_MAX = 16;
/** The largest least payment: 1,000,000 sat. */
const TOP_UP_SAT_MAX = 1_000_000;

/** Longest peer id. */
const PEER_CHARS_MAX = 128;
/** Receipts told at a time. */
const RECEIPTS_MAX = 1000;

const whole = (min: number, max: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
const text = (charsMax: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(charsMax));
const byId = v.strictObject({ id: text(NAME_CHARS_MAX) });

/** By name of the method. */
export const SELLING_SCHEMAS: Readonly<
  Record<keyof SellingMethods | keyof CreditMethods | keyof ReceiptMethods, v.GenericSchema>
> = {
  "services.list": v.strictObject({}),
  "services.set": v.strictObject({
    id: text(NAME_CHARS_MAX),
    priceMsatPerMiB: whole(0, PRICE_MSAT_PER_MIB_MAX),
    minTopUpSat: v.optional(whole(1, TOP_UP_SAT_MAX)),
    mints: v.optional(v.pipe(v.array(text(URL_CHARS_MAX)), v.maxLength(MINTS_MAX))),
  }),
  "services.enable": byId,
  "services.disable": byId,
  earnings: v.strictObject({
    by: v.picklist(EARNINGS_BY),
    sinceMs: v.optional(whole(0, Number.MAX_SAFE_INTEGER)),
  }),
  "credits.refund": v.strictObject({
    peerId: text(PEER_CHARS_MAX),
    peers: v.optional(v.pipe(v.array(text(URL_CHARS_MAX)), v.maxLength(MINTS_MAX))),
  }),
  "receipts.list": v.strictObject({
    role: v.optional(v.picklist(RECEIPT_ROLES)),
    type: v.optional(v.picklist(RECEIPT_TYPES)),
    peerId: v.optional(text(PEER_CHARS_MAX)),
    sinceMs: v.optional(whole(0, Number.MAX_SAFE_INTEGER)),
    limit: v.optional(whole(1, RECEIPTS_MAX)),
  }),
  "receipts.show": v.strictObject({
    id: v.pipe(v.string(), v.regex(/^[0-9a-f]{4,32}$/, "hex digits of an id wanted")),
  }),
};
