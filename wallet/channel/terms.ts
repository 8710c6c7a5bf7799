/**
 * What a channel is, computed alike by both of its ends. Funding ecash needs both signatures until the
 * expiry, then the buyer's alone (NUT-11, SIG_ALL). A balance is what the seller gets of it: the buyer
 * signs the swap that pays it, the seller keeps the last such signature and adds its own to close.
 *
 *     capacity − fee of the closing swap = balance of the seller + change of the buyer
 *     credit of the seller = balance − the most that redeeming its outputs can cost
 *
 * Outputs of that swap follow from what both know by ECDH, so that a balance and a signature say all of
 * it. Each is locked to its owner, since both know the secrets.
 */
import { createHash, createHmac } from "node:crypto";
import { assert } from "../../src/core/assert.ts";
import {
  blindingFactorOf,
  blindSecret,
  hashToCurveHex,
  isSchnorrSignature,
  schnorrSign,
  sharedSecret,
  sigAllDigest,
  splitAmount,
} from "../cashu.ts";
import type { KeyPair } from "../keys.ts";
import { feeForCount } from "../selection/fees.ts";
import type { Dleq, Keyset, MintUrl, PlannedOutput, Proof } from "../types.ts";

/** One proof of the funding: its secret follows from its nonce and the channel's keys. */
export interface FundingProof {
  readonly amount: bigint;
  /** 32 bytes in hex. */
  readonly nonce: string;
  readonly C: string;
  readonly dleq: Dleq;
}

/** Everything that makes a channel. */
export interface ChannelTerms {
  readonly mint: MintUrl;
  /** Keyset of the funding proofs, and of the outputs unless it was rotated out. */
  readonly keysetId: string;
  /** Payment keys, 33 bytes in hex. */
  readonly buyer: string;
  readonly seller: string;
  /** Seconds since 1970, from when on the buyer can take all of it back. */
  readonly expiryS: number;
  readonly proofs: readonly FundingProof[];
}

/** Whose an output is. */
export type ChannelSide = "buyer" | "seller";

/** A balance that the buyer signed, on outputs of one keyset. */
export interface SignedBalance {
  readonly balance: bigint;
  readonly keysetId: string;
  /** 64 bytes in hex. */
  readonly signature: string;
}

/** The secret of a funding proof: exactly this text, so that nothing in it can be read in two ways. */
export function fundingSecret(
  nonce: string,
  { buyer, seller, expiryS }: Pick<ChannelTerms, "buyer" | "seller" | "expiryS">,
): string {
  const tags = [
    ["pubkeys", seller],
    ["n_sigs", "2"],
    ["sigflag", "SIG_ALL"],
    ["locktime", String(expiryS)],
    ["refund", buyer],
  ];
  return JSON.stringify(["P2PK", { nonce, data: buyer, tags }]);
}

/** The funding proofs whole, in their order. */
export function fundingProofs(terms: ChannelTerms): (Proof & { readonly y: string })[] {
  return terms.proofs.map(({ amount, nonce, C, dleq }) => {
    const secret = fundingSecret(nonce, terms);
    return { keysetId: terms.keysetId, amount, secret, C, dleq, y: hashToCurveHex(secret) };
  });
}

/** The name of a channel: 32 bytes in hex that all of its terms decide. */
export function channelIdOf(terms: ChannelTerms): string {
  const { mint, keysetId, buyer, seller, expiryS } = terms;
  const proofs = terms.proofs.map(({ amount, nonce, C }) => [String(amount), nonce, C]);
  const text = JSON.stringify([mint, keysetId, buyer, seller, expiryS, proofs]);
  return createHash("sha256").update("Seedmint_Channel_v1").update(text).digest("hex");
}

/** Sums of a channel, in sat. */
export interface ChannelSums {
  /** What its funding is worth on its face. */
  readonly capacity: bigint;
  /** What the closing swap costs. */
  readonly closeFee: bigint;
  /** The most that the seller's balance can be. */
  readonly balanceMax: bigint;
  /** The most that redeeming the seller's outputs costs: of every balance, so that credit only grows. */
  readonly redeemFeeMax: bigint;
}

/** Sums of `capacity` in `proofCount` proofs of `keyset`. */
export function sumsOf(
  capacity: bigint,
  proofCount: number,
  keyset: Pick<Keyset, "inputFeePpk" | "keys">,
): ChannelSums {
  const closeFee = feeForCount(proofCount, keyset.inputFeePpk);
  const balanceMax = capacity > closeFee ? capacity - closeFee : 0n;
  const redeemFeeMax = feeForCount(outputCountMax(balanceMax, keyset), keyset.inputFeePpk);
  return { capacity, closeFee, balanceMax, redeemFeeMax };
}

/** What of a balance is credit. */
export function creditOf(
  balance: bigint,
  { redeemFeeMax }: Pick<ChannelSums, "redeemFeeMax">,
): bigint {
  return balance > redeemFeeMax ? balance - redeemFeeMax : 0n;
}

/** The most outputs that any amount up to `amount` takes. */
function outputCountMax(amount: bigint, keyset: Pick<Keyset, "keys">): number {
  const values = Object.keys(keyset.keys).map(BigInt).filter((value) =>
    value > 0n && value <= amount
  )
    .sort((a, b) => a < b ? -1 : 1);
  let count = 0n;
  for (const [index, value] of values.entries()) {
    const next = values[index + 1];
    count += next === undefined ? amount / value : (next - 1n) / value;
  }
  return Number(count);
}

/** One end of a channel. Outputs are computed once each: 300 balances have about 20. */
export class ChannelEnd {
  readonly id: string;
  readonly terms: ChannelTerms;
  readonly inputs: readonly (Proof & { readonly y: string })[];
  readonly sums: ChannelSums;
  readonly #key: KeyPair;
  readonly #shared: Uint8Array;
  readonly #outputs = new Map<string, PlannedOutput>();

  /** `keyset` is that of the terms; `key` is the payment key of one of both ends. */
  constructor(
    terms: ChannelTerms,
    { keyset, key }: { readonly keyset: Keyset; readonly key: KeyPair },
  ) {
    assert(keyset.id === terms.keysetId, "the keyset is that of the channel");
    assert(key.publicKey === terms.buyer || key.publicKey === terms.seller, "one end is ours");
    this.terms = terms;
    this.id = channelIdOf(terms);
    this.inputs = fundingProofs(terms);
    const capacity = terms.proofs.reduce((sum, { amount }) => sum + amount, 0n);
    this.sums = sumsOf(capacity, terms.proofs.length, keyset);
    this.#key = key;
    this.#shared = sharedSecret(
      key.secretKey,
      key.publicKey === terms.buyer ? terms.seller : terms.buyer,
    );
  }

  /** The outputs of one side for an amount. */
  outputsOf(side: ChannelSide, amount: bigint, keyset: Keyset): PlannedOutput[] {
    const countOf = new Map<bigint, number>();
    return splitAmount(amount, keyset).map((value) => {
      const index = countOf.get(value) ?? 0;
      countOf.set(value, index + 1);
      return this.#output(side, value, { index, keysetId: keyset.id });
    });
  }

  /** All outputs of the swap that pays `balance` to the seller. */
  outputs(balance: bigint, keyset: Keyset): PlannedOutput[] {
    assert(balance > 0n && balance <= this.sums.balanceMax, "a balance is within its channel");
    return [
      ...this.outputsOf("seller", balance, keyset),
      ...this.outputsOf("buyer", this.sums.balanceMax - balance, keyset),
    ];
  }

  /** Signs a balance. */
  sign(balance: bigint, keyset: Keyset): SignedBalance {
    const digest = sigAllDigest(this.inputs, this.outputs(balance, keyset));
    return { balance, keysetId: keyset.id, signature: schnorrSign(digest, this.#key.secretKey) };
  }

  /** Whether the buyer signed it. */
  isSigned({ balance, signature }: SignedBalance, keyset: Keyset): boolean {
    if (balance <= 0n || balance > this.sums.balanceMax) return false;
    const digest = sigAllDigest(this.inputs, this.outputs(balance, keyset));
    return isSchnorrSignature(signature, { digest, publicKey: this.terms.buyer });
  }

  /** The funding with both signatures, as the mint wants it to pay `signed`. */
  closed(signed: SignedBalance, keyset: Keyset): Proof[] {
    const own = this.sign(signed.balance, keyset).signature;
    const witness = JSON.stringify({ signatures: [signed.signature, own] });
    return this.inputs.map((proof, index) => index === 0 ? { ...proof, witness } : proof);
  }

  #output(
    side: ChannelSide,
    amount: bigint,
    { index, keysetId }: { readonly index: number; readonly keysetId: string },
  ): PlannedOutput {
    const name = `${this.id} ${keysetId} ${side} ${amount} ${index}`;
    const found = this.#outputs.get(name);
    if (found !== undefined) return found;
    const mac = (what: string) =>
      new Uint8Array(createHmac("sha256", this.#shared).update(`${what} ${name}`).digest());
    const nonce = mac("nonce").toHex();
    const secret = JSON.stringify(["P2PK", { nonce, data: this.terms[side], tags: [] }]);
    const output: PlannedOutput = {
      // What is the buyer's is not for us to keep, and the other way round.
      role: this.terms[side] === this.#key.publicKey ? "receive" : "change",
      keysetId,
      amount,
      secret,
      ...blindSecret(secret, blindingFactorOf(mac("blinding"))),
    };
    this.#outputs.set(name, output);
    return output;
  }
}
