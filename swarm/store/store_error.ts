/** The errors that every store gives, in one wording. */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import { shortHash } from "../../src/core/hash.ts";
import { BLOB_BYTES_MAX } from "../bao/geometry.ts";

/** The blob is absent, for `reason` if it just went. */
export function absentError(hash: Hash, action: string, reason?: string): SeedmintError {
  return new SeedmintError(
    "not-found",
    reason === undefined
      ? `Cannot ${action} blob ${hash}: this store does not hold it; add or fetch it first`
      : `Cannot ${action} blob ${hash}: ${reason}`,
  );
}

/** The blob is there in part only. */
export function incompleteError(hash: Hash, action: string): SeedmintError {
  return new SeedmintError(
    "not-found",
    `Cannot ${action} blob ${hash}: only a part of it is held; fetch the rest first`,
  );
}

/** A source claims a size that cannot be or that is proven to be another. */
export function sizeError(hash: Hash, claimed: number, proven?: number): SeedmintError {
  return new SeedmintError(
    "corrupt",
    proven === undefined
      ? `Cannot ingest blob ${hash}: its source claims ${claimed} bytes; 0 to ${BLOB_BYTES_MAX} are possible`
      : `Cannot ingest blob ${hash}: its source claims ${claimed} bytes, and ${proven} are proven`,
  );
}

/** Imported content is not what was expected. */
export function unexpectedError(name: string, wanted: string, found: string): SeedmintError {
  return new SeedmintError(
    "corrupt",
    `Cannot import ${name}: its hash is ${found}, and ${wanted} is expected; nothing was kept`,
  );
}

/** The quota leaves no room even after evicting what may go. */
export function quotaError(wantedBytes: number, freeBytes: number, quotaBytes: number) {
  return new SeedmintError(
    "no-space",
    `Cannot store ${wantedBytes} more bytes: ${freeBytes} of the quota of ${quotaBytes} bytes can be made free; ` +
      `unpin or remove blobs, or raise the quota`,
  );
}

/** A response ended before all that was asked came. */
export function missingError(hash: Hash): SeedmintError {
  return new SeedmintError(
    "reset",
    `Cannot finish the ingest of blob ${
      shortHash(hash)
    }: bytes are missing; ask again for what is not held`,
    { retryable: true },
  );
}

/** The ingest was cancelled: by its signal, or because the blob was removed or the store closed. */
export function abortedError(hash: Hash, why: string): SeedmintError {
  return new SeedmintError("aborted", `The ingest of blob ${shortHash(hash)} was stopped: ${why}`);
}

/** `error` as callers of a store handle it: a full disk is `no-space`, the rest `storage`. */
export function storageError(action: string, error: unknown): Error {
  if (isSeedmintError(error) || error instanceof TypeError || error instanceof RangeError) {
    return error;
  }
  const text = messageOf(error);
  if (/ENOSPC|os error 28|EDQUOT|os error 122|database or disk is full/.test(text)) {
    return new SeedmintError(
      "no-space",
      `Cannot ${action}: the disk is full; free some space or move the data directory`,
      { cause: error },
    );
  }
  if (/EROFS|os error 30|EACCES|os error 13|readonly database|EPERM|os error 1\b/.test(text)) {
    return new SeedmintError(
      "storage",
      `Cannot ${action}: the data directory cannot be written (${text}); check its owner and mount`,
      { cause: error },
    );
  }
  return new SeedmintError("storage", `Cannot ${action}: ${text}`, { cause: error });
}
