/**
 * Whether a token may be taken without asking its mint. It may when nobody but us can spend it for long
 * enough, and the mint's signatures prove themselves: then its payer cannot spend it twice, and what
 * remains is the risk that the mint itself is bad, which is bounded by the exposure.
 */
import { PROOFS_PER_PAYMENT_MAX } from "../limits.ts";
import type { MintInfo } from "../mint/mint_api.ts";
import { parseSpendingCondition } from "../outputs/p2pk_secret.ts";
import type { MintRecord } from "../store/wallet_store.ts";
import { type Keyset, type Proof, WALLET_UNIT } from "../types.ts";
import {
  INFO_AGE_MS_MAX,
  LOCKTIME_SKEW_MS,
  OFFLINE_NUTS,
  OFFLINE_SECRET_CHARS_MAX,
  REDEEM_WINDOW_MS,
} from "./limits.ts";
import type { IntakePolicy } from "./policy.ts";
import { isSameKey } from "./spendable.ts";

/** What the decision depends on. */
export interface OfflineFacts {
  readonly mint: MintRecord;
  /** What the mint said about itself, and when. */
  readonly info: { readonly info: MintInfo; readonly atMs: number } | undefined;
  /** A keyset whose id was derived again; undefined for one that is not known. */
  readonly keysetOf: (id: string) => Keyset | undefined;
  readonly proofs: readonly Proof[];
  /** The key that the token must be locked to, 33 bytes in hex. */
  readonly publicKey: string;
  /** What the payment is worth to us, and what it must be, in sat. */
  readonly credit: bigint;
  readonly price: bigint;
  /** Credit that is not redeemed yet, of this mint and of this payer, in sat. */
  readonly unredeemedOfMint: bigint;
  readonly unredeemedOfPayer: bigint;
  readonly policy: IntakePolicy;
  readonly nowMs: number;
}

/** The answer: until when to redeem, in milliseconds since 1970, or why the mint must be asked. */
export type OfflineAnswer =
  | { readonly offline: true; readonly redeemByMs?: number }
  | { readonly offline: false; readonly why: string };

/** Everything but the signatures, which take time: `proof_verifier.ts`. */
export function offlineAnswer(facts: OfflineFacts): OfflineAnswer {
  const why = mintTrouble(facts) ?? amountTrouble(facts) ??
    facts.proofs.map((proof) => keysetTrouble(proof, facts) ?? lockTrouble(proof, facts))
      .find((trouble) => trouble !== undefined);
  if (why !== undefined) return { offline: false, why };
  const locktimesS = facts.proofs.flatMap(({ secret }) => {
    const condition = parseSpendingCondition(secret);
    return condition?.kind === "P2PK" ? condition.locktimeS ?? [] : [];
  });
  if (locktimesS.length === 0) return { offline: true };
  return {
    offline: true,
    redeemByMs: Math.min(...locktimesS) * 1000 - LOCKTIME_SKEW_MS,
  };
}

function mintTrouble({ mint, info, nowMs }: OfflineFacts): string | undefined {
  if (mint.trust !== "trusted") return "the mint is not trusted";
  if (mint.blockedReason !== undefined) return "the mint is blocked";
  if (info === undefined || nowMs - info.atMs > INFO_AGE_MS_MAX) {
    return "the mint was not heard of within a day";
  }
  const missing = OFFLINE_NUTS.filter((nut) => !info.info.nuts.has(nut));
  return missing.length === 0 ? undefined : `the mint does not support NUT ${missing.join(", ")}`;
}

function amountTrouble(facts: OfflineFacts): string | undefined {
  const { credit, price, policy, proofs } = facts;
  const amount = proofs.reduce((sum, proof) => sum + proof.amount, 0n);
  if (!policy.offline) return "tokens are redeemed before they count here";
  if (proofs.length > PROOFS_PER_PAYMENT_MAX) {
    return `more than ${PROOFS_PER_PAYMENT_MAX} proofs`;
  }
  if (credit < price || credit <= 0n) return `worth ${credit} sat after fees, ${price} sat wanted`;
  if (facts.unredeemedOfMint + amount > policy.unredeemedPerMintMaxSat) {
    return "too much of this mint waits to be redeemed";
  }
  if (facts.unredeemedOfPayer + amount > policy.unredeemedPerPayerMaxSat) {
    return "too much of this payer waits to be redeemed";
  }
  return undefined;
}

function keysetTrouble(proof: Proof, { keysetOf, nowMs }: OfflineFacts): string | undefined {
  const keyset = keysetOf(proof.keysetId);
  if (keyset === undefined) return "a keyset is not known yet";
  if (keyset.unit !== WALLET_UNIT) return `a keyset is not in ${WALLET_UNIT}`;
  const lastMs = (keyset.finalExpiry ?? Infinity) * 1000;
  if (lastMs <= nowMs + REDEEM_WINDOW_MS + LOCKTIME_SKEW_MS) return "a keyset is about to expire";
  return undefined;
}

function lockTrouble(proof: Proof, { publicKey, nowMs }: OfflineFacts): string | undefined {
  if (proof.secret.length > OFFLINE_SECRET_CHARS_MAX) return "a secret is too long";
  const condition = parseSpendingCondition(proof.secret);
  if (condition?.kind !== "P2PK") return "a proof is not locked to this node";
  if (!isSameKey(condition.data, publicKey)) return "a proof is locked to another key";
  const untilMs = (condition.locktimeS ?? Infinity) * 1000;
  if (untilMs < nowMs + REDEEM_WINDOW_MS + LOCKTIME_SKEW_MS) return "a locktime is too near";
  return undefined;
}
