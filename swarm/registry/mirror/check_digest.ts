/** The SHA-256 of a blob that came by its BLAKE3. */
import { createHash } from "node:crypto";
import { type Hash, type Sha256, sha256FromBytes } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import { PIECE_BYTES } from "./limits.ts";

/** Bytes hashed in one turn: some milliseconds of the thread. */
const TURN_BYTES = 4 * 1024 * 1024;

/** A smaller blob is hashed before the word to a thread and back is worth it. */
const THREAD_BYTES_MIN = 1024 * 1024;

/** The pause between two turns where nobody waits for the end. */
const PAUSE_MS = 5;

/** Whatever fails there shows, if it is still so, when the bytes are read here. */
async function onItsThread(
  store: BlobStore,
  hash: Hash,
  signal: AbortSignal,
): Promise<Sha256 | undefined> {
  if ((store.status(hash)?.size ?? 0) < THREAD_BYTES_MIN) return undefined;
  try {
    return await store.learnSha256?.(hash, { signal });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/**
 * Computes it from the bytes unless the store knows it, and tells the store.
 *
 * @throws {SeedmintError} `not-found` if the blob is not complete.
 */
export async function sha256InStore(
  store: BlobStore,
  hash: Hash,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    /** Clients are given the bytes meanwhile: they come first. */
    readonly isGentle?: boolean;
  },
): Promise<Sha256> {
  const known = store.status(hash)?.sha256 ?? await onItsThread(store, hash, options.signal);
  if (known !== undefined) return known;
  await using reader = await store.openReader(hash);
  const digest = createHash("sha256");
  const pauseMs = options.isGentle === true ? PAUSE_MS : 0;
  const piece = new Uint8Array(Math.max(1, Math.min(PIECE_BYTES, reader.size)));
  for (let at = 0; at < reader.size;) {
    options.signal.throwIfAborted();
    const count = await reader.read(at, piece);
    if (count === 0) throw new Error(`the blob ended at ${at} of ${reader.size} bytes`);
    digest.update(piece.subarray(0, count));
    at += count;
    // Hashing takes the thread: others get a turn.
    if (at % TURN_BYTES < count) await options.clock.sleep(pauseMs, options);
  }
  const sha256 = sha256FromBytes(digest.digest());
  if (store.status(hash)?.state === "complete") store.setAttributes(hash, { sha256 });
  return sha256;
}
