/**
 * The detached signature of a catalog: a small signed text that names the catalog's bytes, so that
 * an old, an expired or an endless one is refused before a byte of it is fetched.
 */
import { createHash } from "node:crypto";
import { type Hash, isHash, isSha256, type Sha256, sha256FromBytes } from "../../src/core/hash.ts";
import { canonicalJson, parseCanonicalJson } from "../canonical_json.ts";
import {
  hasFields,
  isCount,
  isName,
  type KeySignature,
  readSignatures,
  signValue,
  withSignature,
} from "../root/mod.ts";
import { type Catalog, isRootId, isSequence, parseCatalog } from "./catalog.ts";
import { CATALOG_BYTES_MAX, SEAL_BYTES_MAX } from "./limits.ts";

/** What is signed. */
export interface SealStatement {
  readonly type: "seedmint/catalog-seal/v1";
  /** Id of the root. */
  readonly root: string;
  /** Name of the catalog. */
  readonly catalog: string;
  readonly sequence: number;
  /** Seconds since 1970. */
  readonly issuedS: number;
  readonly expiresS: number;
  /** Of the catalog's bytes. */
  readonly size: number;
  readonly blake3: Hash;
  readonly sha256: Sha256;
}

/** A statement with signatures, not checked yet. */
export interface Seal {
  readonly signed: SealStatement;
  /** Ascending by key. */
  readonly signatures: readonly KeySignature[];
}

/** The statement about a catalog whose bytes have these hashes. */
export function statementOf(
  catalog: Catalog,
  bytes: { readonly size: number; readonly blake3: Hash; readonly sha256: Sha256 },
): SealStatement {
  return {
    type: "seedmint/catalog-seal/v1",
    root: catalog.root,
    catalog: catalog.name,
    sequence: catalog.sequence,
    issuedS: catalog.issuedS,
    expiresS: catalog.expiresS,
    size: bytes.size,
    blake3: bytes.blake3,
    sha256: bytes.sha256,
  };
}

/** Adds the signature of a 32-byte secret. */
export async function signSeal(seal: Seal, secret: Uint8Array): Promise<Seal> {
  const signature = await signValue("seedmint/catalog-seal/v1", seal.signed, secret);
  return { signed: seal.signed, signatures: withSignature(seal.signatures, signature) };
}

/** The text of a seal. */
export function writeSeal(seal: Seal): string {
  return canonicalJson(seal);
}

/**
 * Reads the text of a seal; white space around it does not matter.
 *
 * @throws {SyntaxError} That says what is wrong.
 */
export function parseSeal(text: string): Seal {
  const value = text.length > SEAL_BYTES_MAX ? undefined : parseCanonicalJson(text.trim());
  const seal = readSeal(value);
  if (seal !== undefined) return seal;
  throw new SyntaxError(
    "Cannot read the signature of the catalog: what catalog sign writes wanted",
  );
}

/** Reads a seal out of parsed JSON. Never throws. */
export function readSeal(value: unknown): Seal | undefined {
  if (!hasFields(value, ["signed", "signatures"])) return undefined;
  const signatures = readSignatures(value.signatures);
  return signatures !== undefined && isStatement(value.signed)
    ? { signed: value.signed, signatures }
    : undefined;
}

function isStatement(value: unknown): value is SealStatement {
  const names = [
    "type",
    "root",
    "catalog",
    "sequence",
    "issuedS",
    "expiresS",
    "size",
    "blake3",
    "sha256",
  ];
  return hasFields(value, names) && value.type === "seedmint/catalog-seal/v1" &&
    isRootId(value.root) && isName(value.catalog) && isSequence(value.sequence) &&
    isCount(value.issuedS, 0) && isCount(value.expiresS, value.issuedS + 1) &&
    isCount(value.size, 2) && value.size <= CATALOG_BYTES_MAX && isHash(value.blake3) &&
    isSha256(value.sha256);
}

/**
 * Reads the catalog that a seal, checked already, is about. Its BLAKE3 is checked by who fetched it;
 * everything else here.
 *
 * @throws {SyntaxError} If the bytes are others, or say something else than the seal.
 */
export function openSealed(seal: Seal, bytes: Uint8Array): Catalog {
  const { signed } = seal;
  const wrong = (why: string) =>
    new SyntaxError(`Cannot use the catalog ${signed.catalog}: ${why}`);
  if (bytes.length !== signed.size) {
    throw wrong(`its signature is about ${signed.size} bytes, ${bytes.length} found`);
  }
  if (sha256Of(bytes) !== signed.sha256) {
    throw wrong("its bytes have another SHA-256 than its signature says");
  }
  const catalog = parseCatalog(bytes);
  const stated = statementOf(catalog, signed);
  if (canonicalJson(stated) === canonicalJson(signed)) return catalog;
  throw wrong("its name, root, sequence or times are others than its signature says");
}

/** SHA-256 of bytes in memory. */
export function sha256Of(bytes: Uint8Array): Sha256 {
  return sha256FromBytes(createHash("sha256").update(bytes).digest());
}
