/**
 * Where the keys of a root come from: one master seed of 32 random bytes, and for each key a label.
 * Key = HKDF-SHA-256 (RFC 5869) of the seed with the salt `seedmint/root-seed/v1` and the info
 * `seedmint/root/ed25519/v1/` followed by the label. What is written on paper is the text of the
 * seed: it has a checksum, so that a typing error is noticed.
 */
import { createHash, hkdfSync } from "node:crypto";
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import { ed25519PublicKey } from "../../src/core/ed25519.ts";
import { isName } from "./names.ts";

const SEED_BYTES = 32;
const SALT = utf8("seedmint/root-seed/v1");
const INFO = "seedmint/root/ed25519/v1/";
const PREFIX = "seedmint-root-seed-v1-";
const CHECK_DOMAIN = utf8("seedmint/root-seed-check/v1");
const KEY_INDEX_MAX = 999;

/**
 * The seed that everybody knows, for trying things out: nothing that its keys sign is believed unless
 * development is on.
 */
export const DEVELOPMENT_SEED: Bytes = new Uint8Array(
  createHash("sha256").update("seedmint/root-seed/development/v1").digest(),
);

/**
 * Whether `text` is a label, what a key is for: `root` or a role, with `/` and a number for the second
 * key and later ones: `root/1`.
 */
export function isRootKeyLabel(text: string): boolean {
  const [name, index, ...rest] = text.split("/");
  if (!isName(name) || rest.length > 0) return false;
  return index === undefined || (/^[1-9]\d{0,2}$/.test(index) && Number(index) <= KEY_INDEX_MAX);
}

/**
 * The 32-byte Ed25519 secret for `label`.
 *
 * @throws {SyntaxError} If `label` is none.
 */
export function rootKeyOf(seed: Uint8Array, label: string): Bytes {
  if (!isRootKeyLabel(label)) {
    throw new SyntaxError(
      `Cannot derive the key "${label.slice(0, 80)}": a label such as root, root/1 or ci wanted`,
    );
  }
  return new Uint8Array(hkdfSync("sha256", seed, SALT, utf8(INFO + label), 32));
}

/** The text of a seed: `seedmint-root-seed-v1-`, 64 hex digits, `-` and 8 of a checksum. */
export function formatRootSeed(seed: Uint8Array): string {
  return `${PREFIX}${seed.toHex()}-${checksumOf(seed)}`;
}

/**
 * Reads the text of a seed; white space around it does not matter.
 *
 * @throws {SyntaxError} Which never repeats any of it.
 */
export function parseRootSeed(text: string): Bytes {
  const [, hex, checksum] = /^seedmint-root-seed-v1-([0-9a-f]{64})-([0-9a-f]{8})$/
    .exec(text.trim().toLowerCase()) ?? [];
  if (hex === undefined) {
    throw new SyntaxError(`Cannot read the master seed: text that begins with ${PREFIX} wanted`);
  }
  const seed = Uint8Array.fromHex(hex);
  if (checksumOf(seed) === checksum) return seed;
  throw new SyntaxError(
    "Cannot read the master seed: its checksum is wrong; look for a typing error",
  );
}

/** Public keys of {@link DEVELOPMENT_SEED} that a root may have been made of, 64 hex digits each. */
export async function developmentKeys(): Promise<ReadonlySet<string>> {
  return await (known ??= deriveDevelopmentKeys());
}

let known: Promise<ReadonlySet<string>> | undefined;

async function deriveDevelopmentKeys(): Promise<ReadonlySet<string>> {
  const labels = ["root", "root/1", "root/2", "root/3", "ci", "ci/1"];
  const keys = labels.map((label) => ed25519PublicKey(rootKeyOf(DEVELOPMENT_SEED, label)));
  return new Set((await Promise.all(keys)).map((key) => key.toHex()));
}

/** A new seed. */
export function newRootSeed(random: { bytes(count: number): Bytes }): Bytes {
  return random.bytes(SEED_BYTES);
}

function checksumOf(seed: Uint8Array): string {
  return createHash("sha256").update(concatBytes(CHECK_DOMAIN, seed)).digest("hex").slice(0, 8);
}
