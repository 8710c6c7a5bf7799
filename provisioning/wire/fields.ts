/** Readers of members that several messages have. Each gives undefined for what it does not take. */
import { isSha256, type Sha256 } from "../../src/core/hash.ts";
import { parsePublicKey } from "../../src/nostr/nostr.ts";
import type { PublishedPort } from "../ports.ts";
import type { Refund } from "./answer.ts";
import { asCount, asList, asMembers, asRaw, asText, type Members } from "./json.ts";
import { canonicalLeaseName } from "./lease_name.ts";
import { WIRE_LIMITS } from "./limits.ts";
import { readPublishedPort } from "./port.ts";

const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,64}$/;
const COMPRESSED_KEY = /^0[23][0-9a-f]{64}$/;

/** A short text. */
export function asName(value: unknown): string | undefined {
  return asText(value, WIRE_LIMITS.nameCharsMax);
}

/** A text for people of some lines. */
export function asLongText(value: unknown): string | undefined {
  return asText(value, 4 * WIRE_LIMITS.textCharsMax);
}

/** An address: of a host, a mint, an image. */
export function asAddress(value: unknown): string | undefined {
  return asText(value, WIRE_LIMITS.addressCharsMax);
}

/** The number of a port, or 0 for none. */
export function asPort(value: unknown): number | undefined {
  return asCount(value, 65535);
}

/** An id that a requester chose. */
export function asRequestId(value: unknown): string | undefined {
  return typeof value === "string" && REQUEST_ID.test(value) ? value : undefined;
}

/** A token, read no further. */
export function asToken(value: unknown): string | undefined {
  return asRaw(value, WIRE_LIMITS.tokenCharsMax);
}

/** A compressed key of 66 lower-case hex digits. */
export function asCompressedKey(value: unknown): string | undefined {
  return typeof value === "string" && COMPRESSED_KEY.test(value) ? value : undefined;
}

/** A Nostr key in hex, given as hex or `npub1…`. */
export function asNostrKey(value: unknown): string | undefined {
  return typeof value === "string" ? parsePublicKey(value) : undefined;
}

/** A SHA-256, with or without `sha256:` before it. */
export function asDigest(value: unknown): Sha256 | undefined {
  const hex = typeof value === "string" ? value.replace(/^sha256:/, "") : undefined;
  return isSha256(hex) ? hex : undefined;
}

/** A lease's name in its one form; another name, as of a standby's slot, stays as it is. */
export function asLease(value: unknown): string | undefined {
  const name = asText(value, 2 * WIRE_LIMITS.nameCharsMax);
  return name === undefined ? undefined : canonicalLeaseName(name) ?? name;
}

/** Ports that are passed through. */
export function asPorts(value: unknown): readonly PublishedPort[] | undefined {
  return asList(value, 2 * WIRE_LIMITS.portCountMax, readPublishedPort);
}

/** A receipt, read no further. */
export function asReceipt(value: unknown): Members | undefined {
  const members = asMembers(value);
  if (members === undefined) return undefined;
  return JSON.stringify(members).length <= WIRE_LIMITS.receiptCharsMax ? members : undefined;
}

/** What came back with an answer; undefined if nothing did, null if it cannot be read. */
export function readRefund(members: Members): Refund | undefined | null {
  if (members.refund_token === undefined || members.refund_token === null) return undefined;
  const token = asToken(members.refund_token);
  const amountSat = asCount(members.refund_amount_sat);
  return token === undefined || amountSat === undefined ? null : { token, amountSat };
}
