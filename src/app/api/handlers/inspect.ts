/** Looking at the content of complete blobs: its other digest, and whether it lists a collection. */
import { createHash } from "node:crypto";
import { equalBytes } from "../../../core/bytes.ts";
import { isSeedmintError, SeedmintError } from "../../../core/errors.ts";
import { parseSha256, type Sha256, shortHash } from "../../../core/hash.ts";
import { COLLECTION_BYTES_MAX, decodeCollection } from "../../../../swarm/collection.ts";
import type { BlobRecord, BlobStore } from "../../../../swarm/store/blob_store.ts";
import type { GetParams } from "../methods.ts";
import { readWhole } from "../place.ts";

/** What every collection begins with: a map of two, `"v": 1`, then `"children"`. */
const COLLECTION_MAGIC = Uint8Array.fromHex("a2617601686368696c6472656e");

/**
 * Notes the SHA-256 of a complete blob.
 *
 * @throws {SeedmintError} `corrupt` if it is another.
 */
export async function checkSha256(
  store: BlobStore,
  record: BlobRecord,
  wanted: Sha256,
): Promise<void> {
  if (record.sha256 === wanted) return;
  const found = record.sha256 ?? await sha256Of(store, record);
  if (found === wanted) return store.setAttributes(record.hash, { sha256: wanted });
  throw new SeedmintError(
    "corrupt",
    `The content of ${shortHash(record.hash)} has SHA-256 ${found}, ${wanted} was wanted`,
  );
}

/** The SHA-256 of a complete blob, read once. */
export async function sha256Of(store: BlobStore, record: BlobRecord): Promise<Sha256> {
  const digest = createHash("sha256");
  await using reader = await store.openReader(record.hash);
  const buffer = new Uint8Array(1 << 20);
  for (let offset = 0; offset < record.size;) {
    const count = await reader.read(offset, buffer);
    if (count === 0) throw new SeedmintError("storage", `${record.hash} ended early`);
    digest.update(buffer.subarray(0, count));
    offset += count;
  }
  return parseSha256(digest.digest("hex"));
}

/**
 * Whether a complete blob is the list of a collection: told by whoever added it, or by its bytes.
 * One that is found by its bytes is marked, so that it is served as one and keeps its children.
 */
export async function isCollection(
  store: BlobStore,
  record: BlobRecord,
  as: GetParams["as"],
): Promise<boolean> {
  if (record.kind === "collection") return true;
  if (record.size < COLLECTION_MAGIC.length || record.size > COLLECTION_BYTES_MAX) return false;
  const head = new Uint8Array(COLLECTION_MAGIC.length);
  {
    await using reader = await store.openReader(record.hash);
    await reader.read(0, head);
  }
  if (as === "auto" && !equalBytes(head, COLLECTION_MAGIC)) return false;
  const bytes = await readWhole(store, record.hash);
  try {
    decodeCollection(bytes);
  } catch (error) {
    if (as === "auto" && isSeedmintError(error, "protocol")) return false;
    throw error;
  }
  await store.importBytes(bytes, { kind: "collection", visibility: record.visibility });
  return true;
}
