/**
 * One version of a root as a document, its strict reading, and its text. Everything that is signed is
 * in `signed`; lists are in ascending order, so that one root has one text.
 */
import { canonicalJson, parseCanonicalJson } from "../canonical_json.ts";
import {
  DELEGATIONS_MAX,
  PATTERNS_MAX,
  REASON_CHARS_MAX,
  REVOCATIONS_MAX,
  ROOT_BYTES_MAX,
  ROOT_CHAIN_BYTES_MAX,
  ROOT_CHAIN_MAX,
  ROOT_KEYS_MAX,
  SIGNATURES_MAX,
} from "./limits.ts";
import { isName, isPattern } from "./names.ts";
import { isPinScope } from "./scopes.ts";

/** A name and keys that may sign some catalogs in the root's place. */
export interface Delegation {
  readonly role: string;
  /** Ed25519 public keys, 64 hex digits each, ascending. */
  readonly keys: readonly string[];
  readonly threshold: number;
  /** Names of catalogs, `*` for any characters; ascending. */
  readonly catalogs: readonly string[];
  /**
   * Images that its catalogs may pin, as `isPinScope` reads them, ascending; absent: those that who
   * follows them lets them.
   */
  readonly images?: readonly string[];
  /** Seconds since 1970; absent: as long as the root. */
  readonly expiresS?: number;
}

/** A key that never counts again, whatever it signed and when. */
export interface Revocation {
  readonly key: string;
  /** Seconds since 1970. */
  readonly atS: number;
  readonly reason: string;
}

/** What one version of a root says. */
export interface RootDocument {
  readonly type: "seedmint/root/v1";
  /** 32 hex digits, chosen at random for the first version; the same in all. */
  readonly id: string;
  /** For people; the same in all versions. */
  readonly name: string;
  /** From 1 on, without gaps. */
  readonly version: number;
  /** What development keys sign is believed only where development is on. */
  readonly use: "production" | "development";
  /** Seconds since 1970. */
  readonly issuedS: number;
  readonly expiresS: number;
  /** Ed25519 public keys, 64 hex digits each, ascending. */
  readonly keys: readonly string[];
  readonly threshold: number;
  /** Ascending by role. */
  readonly delegations: readonly Delegation[];
  /** Ascending by key; a later version has all of an earlier one. */
  readonly revocations: readonly Revocation[];
}

/** A signature of some text. */
export interface KeySignature {
  /** Ed25519 public key, 64 hex digits. */
  readonly key: string;
  /** 128 hex digits. */
  readonly sig: string;
}

/** A root document with signatures, not checked yet. */
export interface SignedRoot {
  readonly signed: RootDocument;
  /** Ascending by key. */
  readonly signatures: readonly KeySignature[];
}

const CHAIN_TYPE = "seedmint/root-chain/v1";
const HEX_32 = /^[0-9a-f]{32}$/;
const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;

type Fields = Readonly<Record<string, unknown>>;

/** Whether `text` is a public key as roots write it. */
export function isPublicKey(text: unknown): text is string {
  return typeof text === "string" && HEX_64.test(text);
}

/** The text of a file with every version of a root, the first one first. */
export function writeRootChain(documents: readonly SignedRoot[]): string {
  return canonicalJson({ type: CHAIN_TYPE, documents });
}

/**
 * Reads a file with versions of one root; white space around it does not matter.
 *
 * @throws {SyntaxError} That says what is wrong.
 */
export function parseRootChain(text: string): readonly SignedRoot[] {
  const wrong = (why: string) => new SyntaxError(`Cannot read the root: ${why}`);
  if (text.length > ROOT_CHAIN_BYTES_MAX) {
    throw wrong(`it has more than ${ROOT_CHAIN_BYTES_MAX} characters`);
  }
  const value = parseCanonicalJson(text.trim());
  if (!hasFields(value, ["type", "documents"]) || value.type !== CHAIN_TYPE) {
    throw wrong("canonical JSON of what root new writes wanted; was it edited by hand?");
  }
  const { documents } = value;
  if (!isList(documents, ROOT_CHAIN_MAX) || documents.length === 0) {
    throw wrong(`1 to ${ROOT_CHAIN_MAX} versions wanted`);
  }
  return documents.map((one, index) => {
    const read = readSignedRoot(one);
    if (typeof read === "string") throw wrong(`its version at place ${index + 1}: ${read}`);
    return read;
  });
}

/** Reads one version out of parsed JSON; what is wrong with it otherwise. Never throws. */
export function readSignedRoot(value: unknown): SignedRoot | string {
  if (!hasFields(value, ["signed", "signatures"])) return "signed and signatures wanted";
  const signatures = readSignatures(value.signatures);
  if (signatures === undefined) return "a list of signatures by different keys wanted";
  const fault = documentFault(value.signed);
  if (fault !== undefined) return fault;
  const signed = value.signed as RootDocument;
  const read = { signed, signatures };
  return canonicalJson(read).length > ROOT_BYTES_MAX ? "it is too large" : read;
}

/** Signatures by different keys in ascending order; undefined for anything else. */
export function readSignatures(value: unknown): readonly KeySignature[] | undefined {
  if (!isList(value, SIGNATURES_MAX)) return undefined;
  const isSignature = (one: unknown) =>
    hasFields(one, ["key", "sig"]) && isPublicKey(one.key) &&
    typeof one.sig === "string" && HEX_128.test(one.sig);
  if (!value.every(isSignature)) return undefined;
  const signatures = value as readonly KeySignature[];
  return isAscending(signatures.map(({ key }) => key)) ? signatures : undefined;
}

/** What is wrong with a root document, or undefined. Never throws. */
export function documentFault(value: unknown): string | undefined {
  const names = [
    "type",
    "id",
    "name",
    "version",
    "use",
    "issuedS",
    "expiresS",
    "keys",
    "threshold",
    "delegations",
    "revocations",
  ];
  if (!hasFields(value, names)) return `exactly the fields ${names.join(", ")} wanted`;
  if (value.type !== "seedmint/root/v1") return "its type is not seedmint/root/v1";
  if (typeof value.id !== "string" || !HEX_32.test(value.id)) return "its id is not 32 hex digits";
  if (!isName(value.name)) return "its name is none";
  if (!isCount(value.version, 1)) return "its version is no number from 1 on";
  if (value.use !== "production" && value.use !== "development") return "its use is unknown";
  if (!isCount(value.issuedS, 0) || !isCount(value.expiresS, value.issuedS + 1)) {
    return "it expires before it is issued";
  }
  return keysFault(value) ?? delegationsFault(value.delegations) ?? revocationsFault(value);
}

function keysFault({ keys, threshold }: Fields): string | undefined {
  if (!isList(keys, ROOT_KEYS_MAX) || !keys.every(isPublicKey) || !isAscending(keys)) {
    return `1 to ${ROOT_KEYS_MAX} different keys in ascending order wanted`;
  }
  if (!isCount(threshold, 1) || threshold > keys.length) {
    return "its threshold is not from 1 to the count of keys";
  }
}

function delegationsFault(value: unknown): string | undefined {
  if (!isList(value, DELEGATIONS_MAX)) return `at most ${DELEGATIONS_MAX} delegations wanted`;
  for (const one of value) {
    if (!hasFields(one, ["role", "keys", "threshold", "catalogs"], ["images", "expiresS"])) {
      return "a delegation has unknown fields, or lacks some";
    }
    if (!isName(one.role)) return "a delegation's role is no name";
    const fault = keysFault(one);
    if (fault !== undefined) return `delegation ${one.role}: ${fault}`;
    const { catalogs } = one;
    const isGood = isList(catalogs, PATTERNS_MAX) && catalogs.length > 0 &&
      catalogs.every(isPattern) && isAscending(catalogs);
    if (!isGood) return `delegation ${one.role}: names or patterns of catalogs wanted`;
    const { images } = one;
    const isBounded = images === undefined ||
      isList(images, PATTERNS_MAX) && images.length > 0 && isAscending(images) &&
        images.every((scope) => typeof scope === "string" && isPinScope(scope));
    if (!isBounded) return `delegation ${one.role}: images such as ghcr.io/acme/ wanted`;
    if (one.expiresS !== undefined && !isCount(one.expiresS, 1)) {
      return `delegation ${one.role}: its expiry is no time`;
    }
  }
  return isAscending(value.map(({ role }: Delegation) => role))
    ? undefined
    : "different delegations in ascending order of their roles wanted";
}

function revocationsFault({ revocations, keys, delegations }: Fields): string | undefined {
  if (!isList(revocations, REVOCATIONS_MAX)) return `at most ${REVOCATIONS_MAX} revocations wanted`;
  const isRevocation = (one: unknown) =>
    hasFields(one, ["key", "atS", "reason"]) && isPublicKey(one.key) && isCount(one.atS, 0) &&
    typeof one.reason === "string" && one.reason.length <= REASON_CHARS_MAX;
  if (!revocations.every(isRevocation)) return "a revocation needs key, time and reason";
  const revoked = revocations.map(({ key }: Revocation) => key);
  if (!isAscending(revoked)) return "different revocations in ascending order of keys wanted";
  const used = [
    ...keys as string[],
    ...(delegations as Delegation[]).flatMap((one) => one.keys),
  ];
  const bad = used.find((key) => revoked.includes(key));
  return bad === undefined ? undefined : `the key ${bad} is revoked and still listed`;
}

/** Whether `value` is a plain object with all of `needed`, and nothing besides these and `optional`. */
export function hasFields<const Name extends string>(
  value: unknown,
  needed: readonly Name[],
  optional: readonly string[] = [],
): value is Record<Name, unknown> & Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return needed.every((name) => Object.hasOwn(value, name)) &&
    Object.keys(value).every((name) => needed.includes(name as Name) || optional.includes(name));
}

/** Whether `value` is a whole number from `least` on. */
export function isCount(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

/** Whether `value` is a list of at most `max`. */
// deno-lint-ignore no-explicit-any -- what is in it is looked at next
export function isList(value: unknown, max: number): value is readonly any[] {
  return Array.isArray(value) && value.length <= max;
}

/** Whether each of `texts` is greater than the one before. */
export function isAscending(texts: readonly string[]): boolean {
  return texts.every((text, index) => index === 0 || texts[index - 1]! < text);
}
