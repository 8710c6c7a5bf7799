/**
 * The tie between a peer and a Nostr key. An advert is signed by a Nostr key and names a peer; that
 * proves nothing about the peer. So the peer's own libp2p key (Ed25519) signs, too:
 *
 *     message   = canonical CBOR of ["seedmint/bind/v1", nostrKey (32 bytes), peerId (text),
 *                 p2pk (33 bytes, or empty), expiresS (seconds since 1970)]
 *     in JSON   = "bind": {"sig": "<128 hex digits>", "exp": expiresS}
 *
 * Who holds both may then be paid, and be given a reputation, under one name. The Nostr key needs no
 * signature of its own in it: it signs the event that carries the binding.
 */
import { encodeCbor } from "../../src/core/cbor.ts";
import { ed25519Sign, ed25519Verify } from "../../src/core/ed25519.ts";
import { publicKeyOfPeerId } from "../net/peer_id.ts";

/** A signature by a peer's key over a Nostr key. */
export interface Binding {
  /** 128 lower-case hex digits. */
  readonly signature: string;
  /** Seconds since 1970. */
  readonly expiresS: number;
}

/** What a binding ties together. */
export interface BindingClaim {
  /** X-only key, 64 hex digits. */
  readonly nostrKey: string;
  readonly peerId: string;
  /** Payment key, 66 hex digits; undefined when the peer asks for none. */
  readonly p2pk: string | undefined;
}

const DOMAIN = "seedmint/bind/v1";

/** Signs with the peer's 32-byte Ed25519 secret. */
export async function signBinding(
  claim: BindingClaim,
  options: { readonly secretKey: Uint8Array; readonly expiresS: number },
): Promise<Binding> {
  const message = bindingMessage(claim, options.expiresS);
  const signature = await ed25519Sign(message, options.secretKey);
  return { signature: signature.toHex(), expiresS: options.expiresS };
}

/** Whether `binding` ties the claim together at `nowS`. Never throws. */
export async function verifyBinding(
  binding: Binding,
  claim: BindingClaim,
  options: { readonly nowS: number },
): Promise<boolean> {
  if (binding.expiresS <= options.nowS) return false;
  const publicKey = publicKeyOfPeerId(claim.peerId);
  if (publicKey === undefined || !/^[0-9a-f]{128}$/.test(binding.signature)) return false;
  if (!/^[0-9a-f]{64}$/.test(claim.nostrKey)) return false;
  if (claim.p2pk !== undefined && !/^0[23][0-9a-f]{64}$/.test(claim.p2pk)) return false;
  const message = bindingMessage(claim, binding.expiresS);
  return await ed25519Verify(Uint8Array.fromHex(binding.signature), message, publicKey);
}

function bindingMessage(claim: BindingClaim, expiresS: number): Uint8Array {
  return encodeCbor([
    DOMAIN,
    Uint8Array.fromHex(claim.nostrKey),
    claim.peerId,
    claim.p2pk === undefined ? new Uint8Array(0) : Uint8Array.fromHex(claim.p2pk),
    expiresS,
  ]);
}
