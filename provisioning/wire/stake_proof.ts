/**
 * The stake of a provider, as an offer may carry it: someone's signature that names an unspent output
 * and the provider. The signature proves who said it; that the output exists, is worth that much and is
 * locked, only the chain can tell, which is not asked here.
 */
import { createHash } from "node:crypto";
import { concatBytes, utf8 } from "../../src/core/bytes.ts";
import { schnorrVerify } from "../../src/core/secp256k1.ts";
import { asCount, asMembers, asText, complete } from "./json.ts";

/** A stake that is claimed. */
export interface StakeProof {
  /** `<txid>:<index>`. */
  readonly outpoint: string;
  /** Until when it is locked, in seconds since 1970. */
  readonly locktimeS: number;
  readonly sats: number;
  /** X-only key that signed, 64 hex digits. */
  readonly key: string;
  /** 128 hex digits. */
  readonly signature: string;
  readonly version: number;
}

/** Reads the member `stake_proof`; undefined if it cannot be read. */
export function readStakeProof(raw: unknown): StakeProof | undefined {
  const members = asMembers(raw);
  return members && complete({
    outpoint: asText(members.utxo_outpoint, 128),
    locktimeS: asCount(members.locktime_unix),
    sats: asCount(members.sats),
    key: asText(members.provider_pubkey_hex, 64),
    signature: asText(members.signature_hex, 128),
    version: asCount(members.version, 255),
  });
}

/** What {@link readStakeProof} reads. */
export function stakeProofMembers(proof: StakeProof): Record<string, unknown> {
  return {
    utxo_outpoint: proof.outpoint,
    locktime_unix: proof.locktimeS,
    sats: proof.sats,
    provider_pubkey_hex: proof.key,
    signature_hex: proof.signature,
    version: proof.version,
  };
}

/** The 32 bytes that are signed; `provider` stands in them as it is written. */
export function stakeDigest(
  stake: Pick<StakeProof, "outpoint" | "locktimeS" | "sats"> & { readonly provider: string },
): Uint8Array<ArrayBuffer> {
  const gap = Uint8Array.of(0);
  const message = concatBytes(
    utf8("paygress-stake-v1"),
    gap,
    utf8(stake.provider),
    gap,
    utf8(stake.outpoint),
    gap,
    littleEndian64(stake.locktimeS),
    gap,
    littleEndian64(stake.sats),
  );
  return Uint8Array.from(createHash("sha256").update(message).digest());
}

/** Whether the provider's own key made the signature. */
export function isStakeSigned(proof: StakeProof, provider: string): boolean {
  if (proof.key !== provider) return false;
  if (!/^[0-9a-f]{128}$/.test(proof.signature) || !/^[0-9a-f]{64}$/.test(proof.key)) return false;
  return schnorrVerify(
    Uint8Array.fromHex(proof.signature),
    stakeDigest({ ...proof, provider }),
    Uint8Array.fromHex(proof.key),
  );
}

function littleEndian64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}
