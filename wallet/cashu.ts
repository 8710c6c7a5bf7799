/**
 * The door to `@cashu/cashu-ts`, which is used for its cryptography and codecs only: no other file
 * imports it, and its `Wallet` and `Mint` classes, which send requests by themselves, are not used.
 * Points and scalars are hex, amounts are bigints, secrets are text.
 */
import { createHash } from "node:crypto";
import {
  Amount,
  blindMessage as blindMessageOf,
  constructUnblindedSignature,
  deriveKeysetId as deriveKeysetIdOf,
  deriveSecretAndBlindingFactor,
  getDataField,
  getDecodedTokenBinary,
  getEncodedToken,
  getKeysetIdInt,
  getP2PKSigFlag,
  getPubKeyFromPrivKey,
  getTags,
  hash_e,
  hashToCurve,
  pointFromHex,
  type Proof as CashuProof,
  schnorrSignDigest,
  schnorrVerifyDigest,
  SigAll,
} from "@cashu/cashu-ts";
import { concatBytes, utf8 } from "../src/core/bytes.ts";
import type { BlindSignature, Dleq, Keyset, PlannedOutput, Proof } from "./types.ts";

/** Payment requests (NUT-18, NUT-26), read and written in `payment_request.ts`. */
export { PaymentRequest as CashuPaymentRequest } from "@cashu/cashu-ts";

/** Order of secp256k1. */
const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** The generator of secp256k1. */
const GENERATOR = pointFromHex(
  "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
);

/** Signatures of others that are kept in a witness: nutshell refuses one longer than 1024 characters. */
const SIGNATURE_COUNT_MAX = 6;

/** Domain tag of the signature of NUT-20. */
const QUOTE_SIGNATURE_TAG = utf8("Cashu_MintQuoteSig_v1");

/** The compressed public key (33 bytes, hex) of a secp256k1 secret of 32 bytes. */
export function publicKeyOf(secretKey: Uint8Array): string {
  return getPubKeyFromPrivKey(secretKey).toHex();
}

/** Whether `hex` is a compressed point of the curve. */
export function isPoint(hex: unknown): hex is string {
  if (typeof hex !== "string" || !/^0[23][0-9a-f]{64}$/.test(hex)) return false;
  try {
    pointFromHex(hex);
    return true;
  } catch {
    return false;
  }
}

/** Y of a secret (NUT-00): what a mint calls the proof (NUT-07). 33 bytes in hex. */
export function hashToCurveHex(secret: string): string {
  return hashToCurve(utf8(secret)).toHex(true);
}

/** A secret hidden from the mint. */
export interface Blinded {
  /** B_, 33 bytes in hex. */
  readonly blinded: string;
  /** Decimal. */
  readonly blindingFactor: string;
}

/** Blinds `secret` with `blindingFactor`, which is 1 or more and below the order of the curve. */
export function blindSecret(secret: string, blindingFactor: bigint): Blinded {
  const { B_, r } = blindMessageOf(utf8(secret), blindingFactor);
  return { blinded: B_.toHex(true), blindingFactor: r.toString() };
}

/** A blinding factor from 32 random bytes. */
export function blindingFactorOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toHex()}`) % (CURVE_ORDER - 1n) + 1n;
}

/** What NUT-13 derives for one counter. */
export interface DerivedSecret extends Blinded {
  readonly secret: string;
}

/**
 * Secrets of NUT-13 for a keyset: BIP-32 for ids that begin with 00, HMAC for those with 01.
 *
 * @param seed 64 bytes.
 */
export function secretDeriver(
  seed: Uint8Array,
  keysetId: string,
): (counter: number) => DerivedSecret {
  return (counter) => {
    const { secret, blindingFactor } = deriveSecretAndBlindingFactor(seed, keysetId, counter);
    const text = secret.toHex();
    return { secret: text, ...blindSecret(text, BigInt(`0x${blindingFactor.toHex()}`)) };
  };
}

/** What {@link deriveKeysetId} hashes. */
export type KeysetFacts = Pick<Keyset, "id" | "unit" | "inputFeePpk" | "finalExpiry" | "keys">;

/** The id that a keyset's keys (and, from version 01 on, unit, fee and expiry) give it (NUT-02). */
export function deriveKeysetId(keyset: KeysetFacts): string {
  return deriveKeysetIdOf({ ...keyset.keys }, {
    unit: keyset.unit,
    input_fee_ppk: keyset.inputFeePpk,
    versionByte: keyset.id.startsWith("00") ? 0 : 1,
    ...(keyset.finalExpiry === undefined ? {} : { expiry: keyset.finalExpiry }),
  });
}

/**
 * The id of version 01 that nutshell gives a keyset that was rotated in without an end: it hashes an
 * expiry of 0, as the text of NUT-02 has it. Its example code, and {@link deriveKeysetId}, leave that
 * out. Undefined for a keyset that has an end.
 */
export function keysetIdOfZeroExpiry(keyset: KeysetFacts): string | undefined {
  if (!keyset.id.startsWith("01") || keyset.finalExpiry !== undefined) return undefined;
  const keys = Object.entries(keyset.keys)
    .sort(([a], [b]) => BigInt(a) < BigInt(b) ? -1 : 1)
    .map(([amount, key]) => `${amount}:${key}`).join(",");
  const fee = keyset.inputFeePpk > 0 ? `|input_fee_ppk:${keyset.inputFeePpk}` : "";
  return `01${sha256(utf8(`${keys}|unit:${keyset.unit}${fee}|final_expiry:0`)).toHex()}`;
}

/** The number that stands for a keyset of version 00 in NUT-13's path: two ids may share one. */
export function keysetNumber(keysetId: string): bigint {
  return getKeysetIdInt(keysetId);
}

/**
 * Splits `amount` into amounts that the keyset signs, largest first: the fewest for powers of two.
 *
 * @throws {RangeError} If the keyset cannot make it up of `countMax` or fewer.
 */
export function splitAmount(
  amount: bigint,
  keyset: Pick<Keyset, "keys">,
  countMax = 1000,
): bigint[] {
  const values = Object.keys(keyset.keys).map(BigInt).filter((value) => value > 0n)
    .sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
  const parts: bigint[] = [];
  let rest = amount;
  for (const value of values) {
    const count = rest / value;
    if (count > BigInt(countMax - parts.length)) break;
    for (let index = 0n; index < count; index++) parts.push(value);
    rest -= count * value;
  }
  if (rest === 0n && amount >= 0n) return parts;
  throw new RangeError(`Cannot split ${amount} into at most ${countMax} amounts of the keyset`);
}

/** Whether a blind signature carries a valid proof (NUT-12) that the keyset's key made it. */
export function hasValidBlindDleq(
  signature: BlindSignature,
  output: Pick<PlannedOutput, "blinded">,
  keyset: Pick<Keyset, "keys">,
): boolean {
  const key = keyset.keys[signature.amount.toString()];
  if (signature.dleq === undefined || key === undefined) return false;
  try {
    return isDleq(signature.dleq, {
      key: pointFromHex(key),
      blinded: pointFromHex(output.blinded),
      signature: pointFromHex(signature.C_),
    });
  } catch {
    return false;
  }
}

/** Whether a proof carries a valid proof (NUT-12), `r` included, that the keyset's key made it. */
export function hasValidDleq(proof: Proof, keyset: Pick<Keyset, "keys">): boolean {
  const hex = keyset.keys[proof.amount.toString()];
  const { dleq } = proof;
  if (dleq?.r === undefined || hex === undefined) return false;
  try {
    const key = pointFromHex(hex);
    const r = scalar(dleq.r);
    return isDleq(dleq, {
      key,
      blinded: hashToCurve(utf8(proof.secret)).add(GENERATOR.multiplyUnsafe(r)),
      signature: pointFromHex(proof.C).add(key.multiplyUnsafe(r)),
    });
  } catch {
    return false;
  }
}

type Point = ReturnType<typeof pointFromHex>;

/**
 * The equation of NUT-12. Nothing in it is secret, so that the faster multiplication will do, whose
 * time depends on the numbers; and two products that are added share half of the work. Half the time
 * that cashu-ts's own takes.
 */
function isDleq(
  dleq: Dleq,
  points: { readonly key: Point; readonly blinded: Point; readonly signature: Point },
): boolean {
  const { key, blinded, signature } = points;
  const [e, s] = [scalar(dleq.e), scalar(dleq.s)];
  const r1 = GENERATOR.mulAddUnsafe(s, key, CURVE_ORDER - e);
  const r2 = blinded.mulAddUnsafe(s, signature, CURVE_ORDER - e);
  return hash_e([r1, r2, key, signature]).toHex() === dleq.e;
}

/** A number from 1 and below the order of the curve, of 32 bytes in hex. */
function scalar(hex: string): bigint {
  const number = /^[0-9a-f]{64}$/.test(hex) ? BigInt(`0x${hex}`) : 0n;
  if (number === 0n || number >= CURVE_ORDER) throw new RangeError("a number of the curve wanted");
  return number;
}

/**
 * The proof that a blind signature makes of an output. Checks nothing but that the key exists.
 *
 * @throws {RangeError} If the keyset has no key for the amount.
 */
export function unblind(
  signature: BlindSignature,
  output: PlannedOutput,
  keyset: Pick<Keyset, "keys">,
): Proof {
  const key = keyset.keys[signature.amount.toString()];
  if (key === undefined) throw new RangeError(`The keyset has no key for ${signature.amount}`);
  const factor = BigInt(output.blindingFactor);
  const { C } = constructUnblindedSignature(
    { C_: pointFromHex(signature.C_), id: signature.keysetId },
    factor,
    utf8(output.secret),
    pointFromHex(key),
  );
  const r = factor.toString(16).padStart(64, "0");
  const { dleq } = signature;
  return {
    keysetId: signature.keysetId,
    amount: signature.amount,
    secret: output.secret,
    C: C.toHex(true),
    ...(dleq === undefined ? {} : { dleq: { e: dleq.e, s: dleq.s, r } }),
  };
}

/** Signs `digest` (32 bytes) with BIP-340; 64 bytes in hex. */
export function schnorrSign(digest: Uint8Array, secretKeyHex: string): string {
  return schnorrSignDigest(digest, secretKeyHex);
}

/** Whether `signature` (64 bytes in hex) of BIP-340 is of `digest` by the holder of the key. */
export function isSchnorrSignature(
  signature: string,
  { digest, publicKey }: { readonly digest: Uint8Array; readonly publicKey: string },
): boolean {
  if (!/^[0-9a-f]{128}$/.test(signature)) return false;
  try {
    return schnorrVerifyDigest(signature, digest, publicKey);
  } catch {
    return false;
  }
}

/** What the holders of two keys have in common (ECDH): 32 bytes, the same from either side. */
export function sharedSecret(secretKeyHex: string, publicKeyHex: string): Uint8Array {
  const point = pointFromHex(publicKeyHex).multiply(BigInt(`0x${secretKeyHex}`));
  return sha256(point.toBytes(true).subarray(1));
}

/** What is signed for inputs of SIG_ALL (NUT-11): 32 bytes over them and `outputs`, in request order. */
export function sigAllDigest(
  inputs: readonly Pick<Proof, "secret" | "C">[],
  outputs: readonly Pick<PlannedOutput, "amount" | "keysetId" | "blinded">[],
  quoteId?: string,
): Uint8Array {
  const ordered = inRequestOrder(outputs).map((output) => ({
    amount: Amount.from(output.amount),
    id: output.keysetId,
    B_: output.blinded,
  }));
  const digests = SigAll.computeDigests(
    inputs.map(({ secret, C }) => ({ secret, C })),
    ordered,
    quoteId,
  );
  return Uint8Array.fromHex(digests.v0);
}

/**
 * The order of outputs in every request: by amount, then by B_, which is random, so that the mint
 * does not see which are sent and which are kept.
 */
export function inRequestOrder<Output extends Pick<PlannedOutput, "amount" | "blinded">>(
  outputs: readonly Output[],
): Output[] {
  return [...outputs].sort((a, b) =>
    a.amount !== b.amount ? (a.amount < b.amount ? -1 : 1) : a.blinded < b.blinded ? -1 : 1
  );
}

/**
 * The same proofs with the witness that P2PK (NUT-11) wants of `secretKeyHex`; those that are not
 * locked stay as they are. Inputs of SIG_ALL are signed over `outputs`, in request order, and of a
 * melt over `quoteId`. Whether a locktime has passed is for the mint's clock to say: a key that is
 * named anywhere in the lock signs, which cashu-ts refuses before, or after, its own clock's locktime.
 *
 * @throws {RangeError} If a proof is locked to others only.
 */
export function signP2pkProofs(
  proofs: readonly Proof[],
  secretKeyHex: string,
  options: { readonly outputs?: readonly PlannedOutput[]; readonly quoteId?: string } = {},
): Proof[] {
  const publicKey = publicKeyOf(Uint8Array.fromHex(secretKeyHex));
  for (const { secret } of proofs) assertNames(secret, publicKey);
  const isSigAll = proofs.some(({ secret }) =>
    isLocked(secret) && getP2PKSigFlag(secret) === "SIG_ALL"
  );
  if (!isSigAll) {
    return proofs.map((proof) => {
      if (!isLocked(proof.secret)) return proof;
      return withSignature(proof, schnorrSign(sha256(utf8(proof.secret)), secretKeyHex));
    });
  }
  const digest = sigAllDigest(proofs, options.outputs ?? [], options.quoteId);
  const signature = schnorrSign(digest, secretKeyHex);
  return proofs.map((proof, index) => index === 0 ? withSignature(proof, signature) : proof);
}

function isLocked(secret: string): boolean {
  return /^\s*\[\s*"P2PK"\s*,/.test(secret);
}

/** The lock names the key: as its own, as one of several, or for after the locktime. */
function assertNames(secret: string, publicKey: string): void {
  if (!isLocked(secret)) return;
  const named = [
    getDataField(secret),
    ...getTags(secret).filter(([name]) => name === "pubkeys" || name === "refund")
      .flatMap(([, ...keys]) => keys),
  ];
  // Signatures of BIP-340 know a key by its x alone.
  if (named.some((key) => key.slice(-64).toLowerCase() === publicKey.slice(-64))) return;
  throw new RangeError("Cannot sign for a proof that is locked to another key");
}

function withSignature(proof: Proof, signature: string): Proof {
  const signatures = [...signaturesOf(proof.witness), signature];
  return { ...proof, witness: JSON.stringify({ signatures }) };
}

/** Signatures of others; a stranger's witness may hold anything. */
function signaturesOf(witness: string | undefined): string[] {
  try {
    const { signatures } = JSON.parse(witness ?? "{}") as { readonly signatures?: unknown };
    if (!Array.isArray(signatures)) return [];
    return signatures.filter((one) => typeof one === "string" && /^[0-9a-f]{128}$/.test(one))
      .slice(0, SIGNATURE_COUNT_MAX);
  } catch {
    return [];
  }
}

/** Both signatures of NUT-20, hex: with the domain tag and framing, and as older mints know it. */
export function signMintQuote(
  request: {
    readonly quoteId: string;
    readonly outputs: readonly Pick<PlannedOutput, "amount" | "blinded">[];
    readonly secretKey: string;
  },
): { readonly signature: string; readonly legacySignature: string } {
  const { quoteId, outputs, secretKey } = request;
  const framed = [utf8(quoteId), ...outputs.flatMap(quoteOutputBytes)].flatMap(withLength);
  const legacy = quoteId + outputs.map(({ blinded }) => blinded).join("");
  return {
    signature: schnorrSign(sha256(concatBytes(QUOTE_SIGNATURE_TAG, ...framed)), secretKey),
    legacySignature: schnorrSign(sha256(utf8(legacy)), secretKey),
  };
}

function quoteOutputBytes(output: Pick<PlannedOutput, "amount" | "blinded">): Uint8Array[] {
  const hex = output.amount === 0n ? "" : output.amount.toString(16);
  return [
    Uint8Array.fromHex(hex.length % 2 === 1 ? `0${hex}` : hex),
    Uint8Array.fromHex(output.blinded),
  ];
}

function withLength(bytes: Uint8Array): Uint8Array[] {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return [length, bytes];
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** A token as cashu-ts takes and gives it; keyset ids may be short. */
export interface CashuToken {
  readonly mint: string;
  readonly unit: string;
  readonly memo?: string;
  readonly proofs: readonly Proof[];
}

/** `cashuB…` (NUT-00), with the DLEQ of those proofs that carry it whole. */
export function encodeTokenText(token: CashuToken): string {
  return getEncodedToken({
    mint: token.mint,
    unit: token.unit,
    ...(token.memo === undefined ? {} : { memo: token.memo }),
    proofs: token.proofs.map((proof) => {
      const { dleq, witness, ...rest } = toCashuProof(proof);
      return {
        ...rest,
        // Encoding stringifies the witness by itself.
        ...(typeof witness === "string" ? { witness: JSON.parse(witness) } : {}),
        ...(dleq?.r === undefined ? {} : { dleq }),
      };
    }),
  });
}

/**
 * Decodes the CBOR of a `cashuB` token without looking keysets up: what comes out is not checked.
 *
 * @throws {Error} If it is no such CBOR.
 */
export function decodeTokenCbor(cbor: Uint8Array): unknown {
  return getDecodedTokenBinary(concatBytes(utf8("crawB"), cbor));
}

function toCashuProof(proof: Proof): CashuProof {
  return {
    id: proof.keysetId,
    amount: proof.amount,
    secret: proof.secret,
    C: proof.C,
    ...(proof.dleq === undefined ? {} : { dleq: proof.dleq }),
    ...(proof.witness === undefined ? {} : { witness: proof.witness }),
  } as unknown as CashuProof;
}
