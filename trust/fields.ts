/** What the fields of receipts may be. Readers take exactly the fields that they know. */
import { EVIDENCE_MINTS_MAX, MINT_URL_CHARS_MAX, PEER_ID_CHARS_MAX } from "./limits.ts";

/** Whether a field is well formed. */
export type Check = (value: unknown) => boolean;

/** Payments at one mint, as a receipt names them. */
export interface MintEvidence {
  readonly mint: string;
  /** Y of each proof (NUT-00), 66 hex digits, ascending: who asks the mint learns that it was spent. */
  readonly ys: readonly string[];
  /** Ids of payments whose proofs are not named, 32 hex digits, ascending. */
  readonly ids: readonly string[];
}

const HEX_32 = /^[0-9a-f]{32}$/;
const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;
const POINT = /^0[23][0-9a-f]{64}$/;
const PEER_ID = /^[1-9A-HJ-NP-Za-km-z]+$/;
// deno-lint-ignore no-control-regex
const MINT_URL = /^https?:\/\/[^\s\x00-\x1f\x7f]+$/;

/** 32 hex digits. */
export const isHex32: Check = matches(HEX_32);
/** 64 hex digits. */
export const isHex64: Check = matches(HEX_64);
/** A BIP-340 signature, 128 hex digits. */
export const isSignature: Check = matches(HEX_128);

/** Whether `value` is an object with all of `fields`, but for those that are `optional`, and no other. */
export function hasFields(
  value: unknown,
  fields: Readonly<Record<string, Check>>,
  optional: readonly string[] = [],
): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  for (const name of Object.keys(value)) if (!Object.hasOwn(fields, name)) return false;
  return Object.entries(fields).every(([name, check]) =>
    Object.hasOwn(value, name)
      ? check((value as Readonly<Record<string, unknown>>)[name])
      : optional.includes(name)
  );
}

/** Whether `value` lists payments by ascending mint; how many of all there may be is not looked at. */
export function isEvidence(value: unknown): boolean {
  return Array.isArray(value) && value.length <= EVIDENCE_MINTS_MAX &&
    value.every((one) =>
      hasFields(one, { mint: isMintUrl, ys: isAscending(POINT), ids: isAscending(HEX_32) })
    ) &&
    isSorted(value.map(({ mint }: MintEvidence) => mint));
}

/** What each proof or payment is known by, so that none counts twice. */
export function keysOf(payments: readonly MintEvidence[]): string[] {
  return payments.flatMap(({ ys, ids }) => [...ys, ...ids]);
}

/** Whether no more proofs and payments are named than may be, and none twice. */
export function isWithin(
  payments: readonly MintEvidence[],
  max: { readonly ysCount: number; readonly idsCount: number },
): boolean {
  const keys = keysOf(payments);
  return new Set(keys).size === keys.length &&
    payments.reduce((sum, { ys }) => sum + ys.length, 0) <= max.ysCount &&
    payments.reduce((sum, { ids }) => sum + ids.length, 0) <= max.idsCount;
}

/** Whether a mint's URL can stand in a receipt. */
export function isMintUrl(value: unknown): value is string {
  return typeof value === "string" && value.length <= MINT_URL_CHARS_MAX && MINT_URL.test(value);
}

/** Whether this is the Y of a proof as a receipt names it. */
export function isY(value: string): boolean {
  return POINT.test(value);
}

/** Whether this is the id of a payment as a receipt names it. */
export function isPaymentId(value: string): boolean {
  return HEX_32.test(value);
}

/** Whether this is a libp2p peer id. */
export function isPeer(value: unknown): boolean {
  return typeof value === "string" && value.length <= PEER_ID_CHARS_MAX && PEER_ID.test(value);
}

/** A whole number from 0 on that a JSON number holds exactly. */
export function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A check for texts of a pattern. */
export function matches(pattern: RegExp): Check {
  return (value) => typeof value === "string" && pattern.test(value);
}

function isAscending(pattern: RegExp): Check {
  return (value) => Array.isArray(value) && value.every(matches(pattern)) && isSorted(value);
}

/** Each above the one before it, so that none is there twice. */
function isSorted(texts: readonly string[]): boolean {
  return texts.every((text, index) => index === 0 || texts[index - 1]! < text);
}
