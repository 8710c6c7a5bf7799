/**
 * Tokens: ecash as text (NUT-00), `cashuB` and the older `cashuA`. A token is a stranger's text until
 * its mint is known to be listed and its keysets are found; it is read strictly and within limits.
 */
import { isSeedmintError, SeedmintError } from "../src/core/errors.ts";
import { decodeTokenCbor, encodeTokenText, isPoint } from "./cashu.ts";
import {
  AMOUNT_SAT_MAX,
  INPUTS_PER_REQUEST_MAX,
  SECRET_CHARS_MAX,
  TOKEN_CHARS_MAX,
} from "./limits.ts";
import { parseExactJson } from "./mint/exact_json.ts";
import type { MintApi } from "./mint/mint_api.ts";
import { parseMintUrl } from "./mint/mint_url.ts";
import { asArray, asHex, asObject, asText, ifPresent, ShapeError } from "./mint/shape.ts";
import type { Keyset, MintUrl, Proof } from "./types.ts";

/** Longest memo and witness taken, in characters. */
const MEMO_CHARS_MAX = 1024;
const WITNESS_CHARS_MAX = 1024;

/** A token, read. */
export interface Token {
  readonly mint: MintUrl;
  readonly unit: string;
  readonly memo?: string;
  /** At least one, each Y once. */
  readonly proofs: readonly Proof[];
}

/** What a token says before its keysets are known: enough to decide whether to go on. */
export interface TokenMetadata {
  readonly mint: MintUrl;
  readonly unit: string;
  readonly memo?: string;
  /** Sum of its proofs, in its unit. */
  readonly amount: bigint;
  readonly proofCount: number;
  /** As the token names them: those of version 01 may be short. */
  readonly keysetIds: readonly string[];
}

/** The token itself is at fault, whatever its mint says. */
export class TokenError extends SeedmintError {
  constructor(why: string) {
    super("protocol", `Cannot read the token: ${why}; ask for it again`);
  }
}

/** Finds the id of a keyset from a short one; undefined if there is none, or more than one. */
export type KeysetIdResolver = (shortId: string) => string | undefined;

/** `cashuB…`, with DLEQ. Holds the money: whoever reads it can spend it. */
export function encodeToken(
  token: Omit<Token, "mint"> & { readonly mint: string },
): string {
  return encodeTokenText(token);
}

/**
 * Reads what a token says without its keysets. Private networks are not refused here: whether the mint
 * is listed decides.
 *
 * @throws {SeedmintError} `protocol` if it is no token, or has more proofs than are wanted.
 */
export function tokenMetadata(
  text: string,
  { proofCountMax = INPUTS_PER_REQUEST_MAX }: { readonly proofCountMax?: number } = {},
): TokenMetadata {
  const { proofs, ...rest } = readToken(text, proofCountMax);
  return {
    ...rest,
    amount: proofs.reduce((sum, { amount }) => sum + amount, 0n),
    proofCount: proofs.length,
    keysetIds: [...new Set(proofs.map(({ keysetId }) => keysetId))],
  };
}

/**
 * Reads a token. Short keyset ids are looked up in `known`, the ids of the mint's keysets.
 *
 * @throws {SeedmintError} `protocol` if it is no token; `not-found` if a short id fits no keyset that
 * is known, or several: ask the mint for its keysets and try again.
 */
export function decodeToken(text: string, known: readonly string[] | KeysetIdResolver): Token {
  const resolve = typeof known === "function" ? known : resolverOf(known);
  const token = readToken(text);
  const ids = new Map<string, string>();
  for (const { keysetId } of token.proofs) {
    const isWhole = keysetId.startsWith("00") || keysetId.length === 66;
    const id = isWhole ? keysetId : ids.get(keysetId) ?? resolve(keysetId);
    if (id === undefined) {
      throw new SeedmintError(
        "not-found",
        `Cannot read the token: its keyset ${keysetId} is not known to be of ${token.mint}; ask the mint for its keysets first`,
      );
    }
    ids.set(keysetId, id);
  }
  const proofs = token.proofs.map((proof) => ({ ...proof, keysetId: ids.get(proof.keysetId)! }));
  return { ...token, proofs };
}

/** A token with the keysets of its proofs. */
export interface TokenAtMint {
  readonly token: Token;
  /** By id. Each has a key for the amount of each of its proofs. */
  readonly keysets: ReadonlyMap<string, Keyset>;
}

/**
 * Reads a token with what its mint, which the caller found to be listed, says of its keysets. The mint
 * is asked anew for one that is not known, as after a rotation, though not for every stranger's token.
 *
 * @throws {SeedmintError} `protocol` if it is no token, or no such ecash can be; `not-found` if the mint
 * does not have its keysets; and what asking the mint throws.
 */
export async function readTokenAt(
  text: string,
  mint: Pick<MintApi, "keysets" | "keyset">,
  options: { readonly signal?: AbortSignal } = {},
): Promise<TokenAtMint> {
  let known = (await mint.keysets(options)).map(({ id }) => id);
  for (const id of tokenMetadata(text).keysetIds) {
    if (resolverOf(known)(id) !== undefined) continue;
    try {
      await mint.keyset(id, options);
    } catch (error) {
      if (!isSeedmintError(error, "not-found")) throw error;
    }
    known = (await mint.keysets(options)).map(({ id }) => id);
  }
  const token = decodeToken(text, known);
  const keysets = new Map<string, Keyset>();
  for (const { keysetId, amount } of token.proofs) {
    const keyset = keysets.get(keysetId) ?? await mint.keyset(keysetId, options);
    keysets.set(keysetId, keyset);
    if (keyset.keys[amount.toString()] === undefined) {
      throw new TokenError(`keyset ${keysetId} has no key for ${amount}`);
    }
  }
  return { token, keysets };
}

/** A resolver over a list of whole ids. */
export function resolverOf(keysetIds: readonly string[]): KeysetIdResolver {
  return (shortId) => {
    const fitting = [...new Set(keysetIds)].filter((id) => id.startsWith(shortId));
    return fitting.length === 1 ? fitting[0] : undefined;
  };
}

function readToken(text: string, proofCountMax = INPUTS_PER_REQUEST_MAX): Token {
  const bare = text.trim().replace(/^(web\+cashu:\/\/|cashu:\/\/|cashu:)(?=cashu[AB])/i, "");
  try {
    if (bare.length > TOKEN_CHARS_MAX) {
      throw new ShapeError(`at most ${TOKEN_CHARS_MAX} characters wanted`);
    }
    if (bare.startsWith("cashuB")) {
      return checked(decodeTokenCbor(fromBase64Url(bare.slice(6))), proofCountMax);
    }
    if (bare.startsWith("cashuA")) {
      return checked(fromVersionA(bare.slice(6)), proofCountMax);
    }
    throw new ShapeError("a text that begins with cashuA or cashuB wanted");
  } catch (error) {
    const why = error instanceof ShapeError ? error.message : "it is damaged or cut off";
    // Neither the cause nor the text is passed on: they hold the money.
    throw new TokenError(why);
  }
}

function fromVersionA(encoded: string): unknown {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(fromBase64Url(encoded));
  const whole = asObject(parseExactJson(text), "token");
  const entries = asArray(whole.token, "token.token", 1);
  if (entries.length !== 1) throw new ShapeError("token: one mint wanted");
  const { mint, proofs } = asObject(entries[0], "token.token");
  return { mint, proofs, unit: whole.unit ?? "sat", memo: whole.memo };
}

function fromBase64Url(text: string): Uint8Array {
  return Uint8Array.fromBase64(
    text.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, ""),
    { lastChunkHandling: "loose" },
  );
}

function checked(value: unknown, proofCountMax: number): Token {
  const token = asObject(value, "token");
  const memo = token.memo === ""
    ? undefined
    : ifPresent(token.memo, (memo) => asText(memo, "token.memo", MEMO_CHARS_MAX));
  const proofs = asArray(token.proofs, "token.proofs", proofCountMax).map(readProof);
  // As the mint sees them, in UTF-8. Their points on the curve would cost a stranger nothing and us a lot.
  const secrets = new Set(proofs.map(({ secret }) => secret.toWellFormed()));
  if (proofs.length === 0 || secrets.size !== proofs.length) {
    throw new ShapeError("token.proofs: at least one, and each once, wanted");
  }
  return {
    mint: mintOf(asText(token.mint, "token.mint", 256)),
    unit: asText(token.unit, "token.unit", 32),
    ...(memo === undefined ? {} : { memo }),
    proofs,
  };
}

function mintOf(text: string): MintUrl {
  try {
    return parseMintUrl(text, { allowPrivate: true });
  } catch {
    throw new ShapeError("token.mint: the address of a mint, with https, wanted");
  }
}

function readProof(value: unknown): Proof {
  const proof = asObject(value, "proof");
  if (proof.p2pk_e !== undefined || proof.pe !== undefined) {
    throw new ShapeError("proof: one that is not locked to a blinded key wanted");
  }
  if (
    typeof proof.id !== "string" ||
    !/^(00[0-9a-f]{14}|01[0-9a-f]{14}([0-9a-f]{50})?)$/.test(proof.id)
  ) {
    throw new ShapeError("proof.id: a keyset id of version 00 or 01 wanted");
  }
  const witness = proof.witness === "" ? undefined : ifPresent(proof.witness, (witness) =>
    asText(
      typeof witness === "object" ? JSON.stringify(witness) : witness,
      "proof.witness",
      WITNESS_CHARS_MAX,
    ));
  const dleq = ifPresent(proof.dleq, readDleq);
  return {
    keysetId: proof.id,
    amount: amountOf(proof.amount),
    secret: asText(proof.secret, "proof.secret", SECRET_CHARS_MAX),
    C: curvePoint(proof.C),
    ...(dleq === undefined ? {} : { dleq }),
    ...(witness === undefined ? {} : { witness }),
  };
}

/** Off the curve, some mints answer with an error of their own, which looks as if it might pass. */
function curvePoint(value: unknown): string {
  if (!isPoint(value)) throw new ShapeError("proof.C: a point of the curve wanted");
  return value;
}

function readDleq(value: unknown): Proof["dleq"] {
  const { e, s, r } = asObject(value, "proof.dleq");
  // Without the blinding factor it proves nothing to us.
  if (typeof r !== "string" || !/^[0-9a-f]{64}$/.test(r)) return undefined;
  return { e: asHex(e, "proof.dleq.e", 32), s: asHex(s, "proof.dleq.s", 32), r };
}

/** A number of JSON, or the object that the decoder of CBOR makes of one. */
function amountOf(value: unknown): bigint {
  const isObject = typeof value === "object" && value !== null && "toBigInt" in value;
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const text = isNumber || isObject ? String(value) : "";
  if (!/^[1-9]\d{0,15}$/.test(text) || BigInt(text) > AMOUNT_SAT_MAX) {
    throw new ShapeError("proof.amount: a whole number from 1 on wanted");
  }
  return BigInt(text);
}
