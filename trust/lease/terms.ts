/** What a receipt says of the machine by hash alone: its tier, and its image under a salt. */
import { createHash } from "node:crypto";
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import type { Sha256 } from "../../src/core/hash.ts";
import { canonicalJson } from "../canonical_json.ts";
import { LEASE_SALT_BYTES } from "./limits.ts";

const TIER_DOMAIN = utf8("seedmint/receipt/tier/v1");
const IMAGE_DOMAIN = utf8("seedmint/receipt/image/v1");

/** What was on offer under one name. */
export interface TierTerms {
  readonly id: string;
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly msatPerS: number;
}

/** What opens the commitment to an image. Both sides of a lease know it, and nobody else. */
export interface ImageOpening {
  /** SHA-256 of the platform's manifest. */
  readonly digest: Sha256;
  /** 32 bytes. */
  readonly salt: Bytes;
  /** Where the lessee named a list of images for several platforms, its SHA-256. Not committed to. */
  readonly list?: Sha256;
}

/**
 * SHA-256 of the domain and of the canonical JSON of `cpu_millicores`, `disk_mb`, `id`, `memory_mb` and
 * `rate_msats_per_sec`, the names that offers have: who has the offer can check it.
 *
 * @throws {TypeError} For numbers that are not safe integers.
 */
export function tierHash(tier: TierTerms): string {
  const text = canonicalJson({
    cpu_millicores: tier.cpuMillicores,
    disk_mb: tier.diskMb,
    id: tier.id,
    memory_mb: tier.memoryMb,
    rate_msats_per_sec: tier.msatPerS,
  });
  return createHash("sha256").update(TIER_DOMAIN).update(text).digest("hex");
}

/**
 * SHA-256 of the domain, the salt and the 32 bytes of the digest; all of them have a fixed length.
 *
 * @throws {RangeError} If the salt is not 32 bytes.
 */
export function imageCommitment({ digest, salt }: Omit<ImageOpening, "list">): string {
  if (salt.length !== LEASE_SALT_BYTES) {
    throw new RangeError(
      `Cannot commit to an image: a salt of ${LEASE_SALT_BYTES} bytes wanted, ${salt.length} found`,
    );
  }
  const bytes = concatBytes(IMAGE_DOMAIN, salt, Uint8Array.fromHex(digest));
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether `opening` is what was committed to. Never throws. */
export function opensImage(commitment: string, opening: ImageOpening): boolean {
  return opening.salt.length === LEASE_SALT_BYTES && imageCommitment(opening) === commitment;
}
