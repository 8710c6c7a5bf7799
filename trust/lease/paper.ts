/**
 * What providers and lessees hand each other: the receipt with its signatures so far, and from the
 * provider what opens its commitment to the image. It travels as JSON inside a private message.
 */
import { isSha256 } from "../../src/core/hash.ts";
import { hasFields, isHex64 } from "../fields.ts";
import { readLeaseReceipt, type SignedLeaseReceipt } from "./lease_receipt.ts";
import type { ImageOpening } from "./terms.ts";

/** A receipt on its way. */
export interface LeasePaper {
  readonly signed: SignedLeaseReceipt;
  readonly opening?: ImageOpening;
}

/** As JSON: `{"signed": {…}, "opening"?: {"digest", "salt"}}`. */
export function writeLeasePaper(
  { signed, opening }: LeasePaper,
): Readonly<Record<string, unknown>> {
  if (opening === undefined) return { signed };
  return { signed, opening: { digest: opening.digest, salt: opening.salt.toHex() } };
}

/** Reads what {@link writeLeasePaper} writes; undefined for anything else. Never throws. */
export function readLeasePaper(value: unknown): LeasePaper | undefined {
  const isOpening = (one: unknown) => hasFields(one, { digest: isSha256, salt: isHex64 });
  const fields = { signed: () => true, opening: isOpening };
  if (!hasFields(value, fields, ["opening"])) return undefined;
  const paper = value as { signed: unknown; opening?: { digest: string; salt: string } };
  const signed = readLeaseReceipt(paper.signed);
  if (signed === undefined) return undefined;
  const { opening } = paper;
  if (opening === undefined || !isSha256(opening.digest)) return { signed };
  const salt = Uint8Array.from(Uint8Array.fromHex(opening.salt));
  return { signed, opening: { digest: opening.digest, salt } };
}
