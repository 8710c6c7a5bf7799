/** How much may be owed to us in channels: of one payer, of one mint, of all. */
import type { IntakePolicy } from "../payments/policy.ts";
import type { ChannelRecord } from "../store/channel_store.ts";
import type { WalletReads } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";
import { CHANNEL_SAT_MAX, CHANNELS_MAX, CHANNELS_PER_PAYER_MAX } from "./limits.ts";

/** What of the store it depends on. */
type Reads = Pick<
  WalletReads,
  "paidBy" | "openChannels" | "incomingPayments" | "mint" | "balances"
>;

/**
 * The most that a new channel of the payer may hold, in sat: what it has paid for good, less what it has
 * in channels. Who took back what it had paid is no stranger any more.
 */
export function allowanceOf(reads: Reads, payer: string, strangersSatMax: bigint): bigint {
  const { redeemed, dead } = reads.paidBy(payer);
  const earned = dead > 0n ? redeemed - dead : redeemed + strangersSatMax;
  const most = earned < CHANNEL_SAT_MAX ? earned : CHANNEL_SAT_MAX;
  const left = most - held(reads.openChannels({ payer }));
  return left > 0n ? left : 0n;
}

/** Why a channel is one too many, as a code of refusals; undefined when it is not. */
export function exposureTrouble(
  reads: Reads,
  channel: { readonly payer: string; readonly mint: MintUrl; readonly capacity: bigint },
  options: { readonly policy: IntakePolicy; readonly strangersSatMax: bigint },
): "busy" | "exposure" | undefined {
  const { payer, mint, capacity } = channel;
  const open = reads.openChannels();
  const ofPayer = open.filter((one) => one.payer === payer);
  if (open.length >= CHANNELS_MAX || ofPayer.length >= CHANNELS_PER_PAYER_MAX) return "busy";
  if (capacity > allowanceOf(reads, payer, options.strangersSatMax)) return "exposure";
  const ids = new Set(open.map(({ operationId }) => operationId));
  const others = reads.incomingPayments({ state: "credited" })
    .filter(({ operationId }) => operationId === undefined || !ids.has(operationId));
  const sum = (list: readonly { readonly amount: bigint }[]) =>
    list.reduce((total, { amount }) => total + amount, 0n);
  const atMint = sum(others.filter((one) => one.mint === mint)) +
    held(open.filter((one) => one.mint === mint)) + capacity;
  const byPayer = sum(others.filter((one) => one.payer === payer)) + held(ofPayer) + capacity;
  const { unredeemedPerMintMaxSat, unredeemedPerPayerMaxSat } = options.policy;
  if (atMint > unredeemedPerMintMaxSat || byPayer > unredeemedPerPayerMaxSat) return "exposure";
  const { exposureMaxSat } = reads.mint(mint) ?? {};
  if (exposureMaxSat === undefined) return undefined;
  const balance = reads.balances().find((one) => one.mint === mint);
  const holding = (balance?.free ?? 0n) + (balance?.reserved ?? 0n) + atMint;
  return holding > exposureMaxSat ? "exposure" : undefined;
}

function held(channels: readonly ChannelRecord[]): bigint {
  return channels.reduce((sum, { capacity }) => sum + capacity, 0n);
}
