/** Where a refund comes from: a mint that paid in, and as much of the sum as its fee leaves. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { SagaContext } from "../operations/saga.ts";
import type { SendRequest } from "../operations/send_plan.ts";
import { assertAble, sendFee } from "../operations/send_prepare.ts";
import { usableMint } from "../operations/transition.ts";
import { ceilPpk, maxSpendable, worthPpk } from "../selection/fees.ts";
import { termsOf } from "../selection/terms.ts";
import type { Coin } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";

/** A mint that may pay. */
export interface RefundSource {
  readonly mint: string;
  /** What others are owed there, in sat. @default {0} */
  readonly owedSat?: number;
}

/** What was found. */
export type RefundChoice =
  | { readonly status: "found"; readonly mint: MintUrl; readonly amount: bigint }
  /** The fee of sending it takes all of it. */
  | { readonly status: "dust" }
  /** No source can pay now, each for its reason. */
  | { readonly status: "short"; readonly reason: string };

/** What is wanted. */
export interface RefundWish {
  readonly amount: bigint;
  readonly lock: SendRequest["lock"] | undefined;
  /** The best first. */
  readonly sources: readonly RefundSource[];
}

/**
 * Chooses the source that can send the most, which is all of it where somebody has the fee to spare.
 *
 * @throws {SeedmintError} `storage`, `no-space`
 * @throws `signal.reason`
 */
export async function chooseSource(
  context: SagaContext,
  { amount, lock, sources }: RefundWish,
  { signal }: { readonly signal: AbortSignal },
): Promise<RefundChoice> {
  const reasons: string[] = [];
  let best: { readonly mint: MintUrl; readonly amount: bigint } | undefined;
  for (const source of sources) {
    const found = await sendable(context, { amount, lock, source }, signal);
    if (typeof found === "string") reasons.push(found);
    else if (best === undefined || found > best.amount) {
      best = { mint: source.mint as MintUrl, amount: found };
    }
    if (best?.amount === amount) break;
  }
  if (best === undefined) {
    return {
      status: "short",
      reason: reasons.join("; ") || "it is not known which mint paid it in",
    };
  }
  return best.amount < 1n ? { status: "dust" } : { status: "found", ...best };
}

interface SourceWish extends Omit<RefundWish, "sources"> {
  readonly source: RefundSource;
}

/** The most that can be sent of the sum, or why nothing can be. */
async function sendable(
  context: SagaContext,
  wish: SourceWish,
  signal: AbortSignal,
): Promise<bigint | string> {
  const { lock, source } = wish;
  const mint = source.mint as MintUrl;
  try {
    usableMint(context, mint);
    const api = context.mints.of(mint);
    assertAble(await api.info({ signal }), { mint, plan: { lock } });
    const keysets = await api.keysets({ signal });
    return payable(context, wish, termsOf(keysets, { nowMs: context.clock.nowMs() }));
  } catch (error) {
    signal.throwIfAborted();
    if (isSeedmintError(error, "storage") || isSeedmintError(error, "no-space")) throw error;
    return isSeedmintError(error) ? messageOf(error) : `${mint} cannot be asked`;
  }
}

/**
 * The largest sum that leaves no more of the mint's ecash gone, fee included, than is owed, or than is
 * there besides what others are owed.
 */
function payable(
  { store }: SagaContext,
  { amount, lock, source: { mint: url, owedSat = 0 } }: SourceWish,
  terms: ReturnType<typeof termsOf>,
): bigint | string {
  const mint = url as MintUrl;
  const coins = store.coins(mint).filter(({ keysetId }) =>
    terms.feePpkOf(keysetId) !== undefined && terms.isExpired?.(keysetId) !== true
  );
  const free = sumOf(coins);
  if (free < amount) return `${mint} holds ${free} sat`;
  const spare = free - BigInt(owedSat);
  const leavingMax = spare > amount ? spare : amount;
  let sum = amount;
  while (sum > 0n) {
    const fee = sendFee(store, { mint, amount: sum, isLocked: lock !== undefined }, terms);
    if (fee !== undefined && sum + fee <= leavingMax) break;
    const next = fee === undefined ? maxSpendable({ ...terms, coins }) : leavingMax - fee;
    sum = next < sum ? next : sum - 1n;
  }
  // A fee explains what is missing, or what is worth no more than its fee; the limit of a request does not.
  const feeOf = (keysetId: string) => terms.feePpkOf(keysetId) ?? 0;
  const dust = sumOf(
    coins.filter(({ keysetId, amount }) => worthPpk(amount, feeOf(keysetId)) <= 0n),
  );
  const feePpk = coins.reduce((all, { keysetId, count }) => all + feeOf(keysetId) * count, 0);
  return amount - sum <= ceilPpk(BigInt(feePpk)) + dust
    ? sum
    : `${mint} holds ${free} sat in too many small proofs`;
}

function sumOf(coins: readonly Coin[]): bigint {
  return coins.reduce((sum, { amount, count }) => sum + amount * BigInt(count), 0n);
}
