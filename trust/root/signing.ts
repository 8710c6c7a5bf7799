/**
 * Signatures by roots: Ed25519 over a domain, one zero byte, and the canonical JSON (RFC 8785) of what
 * is signed. A domain belongs to one kind of text, so that no signature is good for another.
 */
import { canonicalJson } from "../canonical_json.ts";
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from "../../src/core/ed25519.ts";
import type { KeySignature, RootDocument, SignedRoot } from "./document.ts";

/** What a signature can be about. */
export type SigningDomain = "seedmint/root/v1" | "seedmint/catalog-seal/v1";

/** The bytes that are signed. */
export function signedBytes(domain: SigningDomain, value: unknown): Bytes {
  return concatBytes(utf8(domain), Uint8Array.of(0), utf8(canonicalJson(value)));
}

/** Signs `value` with a 32-byte secret. */
export async function signValue(
  domain: SigningDomain,
  value: unknown,
  secret: Uint8Array,
): Promise<KeySignature> {
  const [key, sig] = await Promise.all([
    ed25519PublicKey(secret),
    ed25519Sign(signedBytes(domain, value), secret),
  ]);
  return { key: key.toHex(), sig: sig.toHex() };
}

/** `signatures` with `added`, one for each key, ascending. */
export function withSignature(
  signatures: readonly KeySignature[],
  added: KeySignature,
): readonly KeySignature[] {
  return [...signatures.filter(({ key }) => key !== added.key), added]
    .sort((a, b) => a.key < b.key ? -1 : 1);
}

/**
 * Which of `keys` signed `value` rightly. A signature by another key costs nothing; one of them that is
 * wrong makes all void, so that a forgery costs one check and no more.
 */
export async function signersOf(
  domain: SigningDomain,
  value: unknown,
  from: { readonly signatures: readonly KeySignature[]; readonly keys: Iterable<string> },
): Promise<ReadonlySet<string>> {
  const wanted = new Set(from.keys);
  const message = signedBytes(domain, value);
  const signers = new Set<string>();
  for (const { key, sig } of from.signatures) {
    if (!wanted.has(key) || signers.has(key)) continue;
    const isGood = await ed25519Verify(
      Uint8Array.fromHex(sig),
      message,
      Uint8Array.fromHex(key),
    );
    if (!isGood) return new Set();
    signers.add(key);
  }
  return signers;
}

/** Signs a root document with a secret. */
export async function signRoot(root: SignedRoot, secret: Uint8Array): Promise<SignedRoot> {
  const signature = await signValue("seedmint/root/v1", root.signed, secret);
  return { signed: root.signed, signatures: withSignature(root.signatures, signature) };
}

/** How many of the keys of `by` signed `root`. */
export async function rootSignerCount(
  root: SignedRoot,
  by: Pick<RootDocument, "keys">,
): Promise<number> {
  const { signed, signatures } = root;
  return (await signersOf("seedmint/root/v1", signed, { signatures, keys: by.keys })).size;
}
