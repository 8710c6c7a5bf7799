/**
 * The mint's side of blind signatures (NUT-00) with their proofs of discrete logarithm (NUT-12). Not
 * constant in time: for development only. The tests hold it against cashu-ts.
 */
import { createHash, createHmac } from "node:crypto";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { schnorrVerifyDigest } from "@cashu/cashu-ts";

const { Point } = secp256k1;
const NONCE_DOMAIN = new TextEncoder().encode("Cashu_DLEQ_R_v1");
const CURVE_DOMAIN = new TextEncoder().encode("Secp256k1_HashToCurve_Cashu_");

/** A blind signature with its proof, hex. */
export interface SignedMessage {
  readonly C_: string;
  readonly e: string;
  readonly s: string;
}

/** One key of a keyset. */
export interface SecretKey {
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  readonly scalar: bigint;
  /** The public key, uncompressed. */
  readonly publicBytes: Uint8Array;
}

/** What signing and verifying need of 32 bytes in hex. */
export function secretKeyOf(hex: string): SecretKey {
  const bytes = Uint8Array.fromHex(hex);
  const scalar = Point.Fn.fromBytes(bytes);
  return { bytes, scalar, publicBytes: Point.BASE.multiply(scalar).toBytes(false) };
}

/** SHA-256. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** `Y` of a secret (NUT-00), 33 bytes in hex. */
export function hashToCurveHex(secret: string): string {
  return hashToPoint(secret).toHex(true);
}

/** Whether `hex` is a compressed point of the curve. */
export function isPoint(hex: string): boolean {
  if (!/^0[23][0-9a-f]{64}$/.test(hex)) return false;
  try {
    Point.fromHex(hex);
    return true;
  } catch {
    return false;
  }
}

/** Signs the blinded message `B_` (hex). @throws {Error} If it is no point. */
export function signBlinded(blinded: string, key: SecretKey): SignedMessage {
  const B_ = Point.fromHex(blinded);
  const C_ = B_.multiplyUnsafe(key.scalar);
  const signature = C_.toBytes(false);
  const nonce = nonceOf(key, B_.toBytes(false), signature);
  const e = challengeOf(
    Point.BASE.multiply(nonce).toBytes(false),
    B_.multiplyUnsafe(nonce).toBytes(false),
    key.publicBytes,
    signature,
  );
  const s = Point.Fn.create(nonce + Point.Fn.create(BigInt(`0x${e}`)) * key.scalar);
  return { C_: C_.toHex(true), e, s: Point.Fn.toBytes(s).toHex() };
}

/** Whether `C` (hex) is the mint's signature on `secret`. */
export function isSignatureOf(C: string, secret: string, key: SecretKey): boolean {
  try {
    return hashToPoint(secret).multiplyUnsafe(key.scalar).equals(Point.fromHex(C));
  } catch {
    return false;
  }
}

/** Whether `signature` is a BIP-340 signature on `message`, hashed once, by `publicKey`; all hex. */
export function isSchnorrSignature(
  signature: string,
  options: { readonly digest: Uint8Array; readonly publicKey: string },
): boolean {
  if (!/^[0-9a-fA-F]{128}$/.test(signature)) return false;
  return schnorrVerifyDigest(signature, options.digest, options.publicKey);
}

function hashToPoint(secret: string): InstanceType<typeof Point> {
  const message = sha256(CURVE_DOMAIN, new TextEncoder().encode(secret));
  const counter = new DataView(new ArrayBuffer(4));
  for (let i = 0; i < 1 << 16; i++) {
    counter.setUint32(0, i, true);
    const x = sha256(message, new Uint8Array(counter.buffer));
    try {
      return Point.fromHex(`02${x.toHex()}`);
    } catch {
      continue; // half of all numbers are no x of a point
    }
  }
  throw new Error("No point of the curve for a secret");
}

function nonceOf(key: SecretKey, blinded: Uint8Array, signature: Uint8Array): bigint {
  for (let counter = 0; counter < 256; counter++) {
    const digest = createHmac("sha256", key.bytes).update(NONCE_DOMAIN).update(key.publicBytes)
      .update(blinded).update(signature).update(Uint8Array.of(counter)).digest("hex");
    const nonce = BigInt(`0x${digest}`);
    if (nonce > 0n && nonce < Point.Fn.ORDER) return nonce;
  }
  throw new Error("No nonce for a proof of discrete logarithm");
}

function challengeOf(...points: readonly Uint8Array[]): string {
  const text = points.map((point) => point.toHex()).join("");
  return sha256(new TextEncoder().encode(text)).toHex();
}
