/** The digest of bytes that are in memory. */
import { createHash } from "node:crypto";
import { sha256FromBytes } from "../../../src/core/hash.ts";
import { type Digest, digestOf } from "../names.ts";

/** The digest that registries name `bytes` by. */
export function digestOfBytes(bytes: Uint8Array): Digest {
  return digestOf(sha256FromBytes(createHash("sha256").update(bytes).digest()));
}
