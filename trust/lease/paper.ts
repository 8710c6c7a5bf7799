/**
 * What providers and lessees hand each other: the receipt with its signatures so far, and from the
 * provider what opens its commitment to the image. It travels as JSON inside a private message.
 */
import { isSha256, type Sha256 } from "../../src/core/hash.ts";
import { hasFields, isHex64 } from "../fields.ts";
import { readLeaseReceipt, type SignedLeaseReceipt } from "./lease_receipt.ts";
import type { ImageOpening } from "./terms.ts";

/** A receipt on its way. */
export interface LeasePaper {
  readonly signed: SignedLeaseReceipt;
  readonly opening?: ImageOpening;
}

/** As JSON: `{"signed": {…}, "opening"?: {"digest", "salt", "list"?}}`. */
export function writeLeasePaper(
  { signed, opening }: LeasePaper,
): Readonly<Record<string, unknown>> {
  if (opening === undefined) return { signed };
  const { digest, salt, list } = opening;
  return {
    signed,
    opening: { digest, salt: salt.toHex(), ...(list === undefined ? {} : { list }) },
  };
}

/** Reads what {@link writeLeasePaper} writes; undefined for anything else. Never throws. */
export function readLeasePaper(value: unknown): LeasePaper | undefined {
  const openings = { digest: isSha256, salt: isHex64, list: isSha256 };
  const isOpening = (one: unknown) => hasFields(one, openings, ["list"]);
  const fields = { signed: () => true, opening: isOpening };
  if (!hasFields(value, fields, ["opening"])) return undefined;
  const paper = value as {
    readonly signed: unknown;
    readonly opening?: { readonly digest: Sha256; readonly salt: string; readonly list?: Sha256 };
  };
  const signed = readLeaseReceipt(paper.signed);
  if (signed === undefined) return undefined;
  const { opening } = paper;
  if (opening === undefined) return { signed };
  return {
    signed,
    opening: { ...opening, salt: Uint8Array.from(Uint8Array.fromHex(opening.salt)) },
  };
}
