/**
 * From what a user typed to a blob: a hash, its first digits, `sha256:` and a digest, a `blossom:` URI,
 * a ticket.
 */
import { SeedmintError } from "../../core/errors.ts";
import { type Hash, parseHash, parseSha256, type Sha256, shortHash } from "../../core/hash.ts";
import { type BlossomUri, parseBlossomUri } from "../../../swarm/gateway/blossom_uri.ts";
import type { BlobRecord, BlobStore } from "../../../swarm/store/blob_store.ts";
import { decodeTicket, isTicketLike, type Ticket } from "../ticket.ts";

/** What was meant. */
export type Target =
  | { readonly kind: "hash"; readonly hash: Hash }
  | { readonly kind: "sha256"; readonly sha256: Sha256; readonly uri?: BlossomUri }
  | { readonly kind: "ticket"; readonly hash: Hash; readonly ticket: Ticket };

const PREFIX_DIGITS_MIN = 4;
const PREFIX = /^[0-9a-f]+$/;

/**
 * Reads a target; first digits are looked up in `store`.
 *
 * @throws {SeedmintError} `usage`
 */
export function readTarget(text: string, store: BlobStore): Target {
  const trimmed = text.trim();
  try {
    if (isTicketLike(trimmed)) {
      const ticket = decodeTicket(trimmed);
      return { kind: "ticket", hash: ticket.hash, ticket };
    }
    if (/^sha256:/i.test(trimmed)) return { kind: "sha256", sha256: parseSha256(trimmed) };
    if (/^blossom:/i.test(trimmed)) {
      const uri = parseBlossomUri(trimmed);
      return { kind: "sha256", sha256: uri.sha256, uri };
    }
    const prefix = trimmed.replace(/…$/, "").toLowerCase();
    if (PREFIX.test(prefix) && prefix.length < 64) {
      return { kind: "hash", hash: findByPrefix(prefix, store) };
    }
    return { kind: "hash", hash: parseHash(trimmed) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SeedmintError("usage", error.message, { cause: error });
  }
}

/**
 * The blob of the store that `text` means.
 *
 * @throws {SeedmintError} `usage`, or `not-found` if the store does not have it.
 */
export function heldBlob(text: string, store: BlobStore): BlobRecord {
  const target = readTarget(text, store);
  const record = target.kind === "sha256"
    ? store.findBySha256(target.sha256)
    : store.status(target.hash);
  if (record !== undefined) return record;
  const shown = target.kind === "sha256" ? `sha256:${target.sha256}` : target.hash;
  throw new SeedmintError(
    "not-found",
    `The store does not have ${shown}; get fetches it, ls lists what is here`,
  );
}

/**
 * As {@link heldBlob}, and whole.
 *
 * @throws {SeedmintError} `not-found` if some of it is missing.
 */
export function wholeBlob(text: string, store: BlobStore): BlobRecord {
  const record = heldBlob(text, store);
  if (record.state === "complete") return record;
  throw new SeedmintError(
    "not-found",
    `Only a part of ${shortHash(record.hash)} is here; get fetches the rest`,
  );
}

function findByPrefix(prefix: string, store: BlobStore): Hash {
  if (prefix.length < PREFIX_DIGITS_MIN) {
    throw new SyntaxError(
      `Cannot find a blob by "${prefix}": at least ${PREFIX_DIGITS_MIN} digits wanted`,
    );
  }
  const found: Hash[] = [];
  for (const { hash } of store.list()) {
    if (hash.startsWith(prefix)) found.push(hash);
    if (found.length > 1) {
      throw new SyntaxError(`"${prefix}" begins more than one hash; give more digits`);
    }
  }
  if (found[0] !== undefined) return found[0];
  throw new SeedmintError(
    "not-found",
    `No blob of the store begins with ${prefix}; give all 64 digits to fetch it`,
  );
}
