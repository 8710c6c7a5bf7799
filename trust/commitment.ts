/**
 * What a receipt says instead of naming the content: a commitment that only who knows its salt can open.
 * The consumer chooses the salt, and nobody else learns from the receipt what was bought.
 */
import { createHash } from "node:crypto";
import { type Bytes, concatBytes, equalBytes, utf8 } from "../src/core/bytes.ts";
import type { Hash } from "../src/core/hash.ts";
import { SALT_BYTES } from "./limits.ts";

const DOMAIN = utf8("seedmint/receipt/root/v1");

/** What opens a commitment. */
export interface Opening {
  readonly root: Hash;
  /** 32 bytes. */
  readonly salt: Bytes;
}

/**
 * SHA-256 of the domain, the salt and the 32 bytes of the address; all but the last have a fixed length.
 *
 * @throws {RangeError} If the salt is not 32 bytes.
 */
export function commitmentOf({ root, salt }: Opening): Bytes {
  if (salt.length !== SALT_BYTES) {
    throw new RangeError(
      `Cannot commit to a blob: a salt of ${SALT_BYTES} bytes wanted, ${salt.length} found`,
    );
  }
  const bytes = concatBytes(DOMAIN, salt, Uint8Array.fromHex(root));
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}

/** Whether `opening` is what was committed to. Never throws. */
export function opensCommitment(commitment: Uint8Array, opening: Opening): boolean {
  return opening.salt.length === SALT_BYTES && equalBytes(commitmentOf(opening), commitment);
}
