/** How much of a refund a mint's ecash can pay: all of it where the fee of sending it is to spare. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { SagaContext } from "../operations/saga.ts";
import { assertAble, sendFee } from "../operations/send_prepare.ts";
import { usableMint } from "../operations/transition.ts";
import { ceilPpk, maxSpendable, worthPpk } from "../selection/fees.ts";
import { type KeysetTerms, termsOf } from "../selection/terms.ts";
import type { Coin } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";

/** What is to be paid back. */
export interface RefundWish {
  readonly mint: MintUrl;
  readonly amount: bigint;
  readonly isLocked: boolean;
  /** What others are owed there, in sat. */
  readonly owed: bigint;
}

/**
 * The most that can be sent of the sum, 0 when the fee takes all of it; or why nothing can be sent now.
 *
 * @throws {SeedmintError} `storage`, `no-space`
 * @throws `signal.reason`
 */
export async function payableNow(
  context: SagaContext,
  wish: RefundWish,
  { signal }: { readonly signal: AbortSignal },
): Promise<bigint | string> {
  const { mint, isLocked } = wish;
  try {
    usableMint(context, mint);
    const api = context.mints.of(mint);
    assertAble(await api.info({ signal }), { mint, plan: isLocked ? { lock: true } : {} });
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
  { mint, amount, isLocked, owed }: RefundWish,
  terms: KeysetTerms,
): bigint | string {
  const coins = store.coins(mint).filter(({ keysetId }) =>
    terms.feePpkOf(keysetId) !== undefined && terms.isExpired?.(keysetId) !== true
  );
  const free = sumOf(coins);
  if (free < amount) return `it holds ${free} sat`;
  const spare = free - owed;
  const leavingMax = spare > amount ? spare : amount;
  let sum = amount;
  while (sum > 0n) {
    const fee = sendFee(store, { mint, amount: sum, isLocked }, terms);
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
    : `it holds ${free} sat in too many small proofs`;
}

function sumOf(coins: readonly Coin[]): bigint {
  return coins.reduce((sum, { amount, count }) => sum + amount * BigInt(count), 0n);
}
