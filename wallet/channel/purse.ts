/** Channels from which a buyer can pay a seller: which one serves, how much is left, and signing in it. */
import {
  type ChannelPlan,
  endOfChannel,
  nextBalance,
  roomOf,
  signBalance,
} from "../operations/channel_plan.ts";
import type { Operation } from "../operations/operation.ts";
import type { SagaContext } from "../operations/saga.ts";
import { lockedUntilMs } from "../operations/strip_plan.ts";
import type { StripPart } from "../store/buying_store.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset, MintUrl } from "../types.ts";
import {
  CHANNEL_MARGIN_MS,
  CHANNEL_REUSE_MS,
  CHANNEL_SAT_MAX,
  CHANNEL_TOP_UPS_MIN,
  CHANNEL_UPDATES_MAX,
  ROLLOVER_PART,
} from "./limits.ts";
import type { ChannelEnd } from "./terms.ts";

/** Which channels serve. */
export interface PurseKind {
  /** The seller. */
  readonly peer: string;
  readonly publicKey: string;
  readonly minTopUpSat: number;
  readonly accepted: readonly MintUrl[];
}

/** What fees take of a channel at most, in sat: 16 funding proofs, and redeeming up to 20 outputs. */
const FEES_SAT_MAX = 40n;

/** See the head of this file. */
export class ChannelPurse {
  readonly #context: SagaContext;
  readonly #kind: PurseKind;
  #end: { readonly id: string; readonly end: ChannelEnd } | undefined;

  constructor(context: SagaContext, kind: PurseKind) {
    this.#context = context;
    this.#kind = kind;
  }

  /** The channel from which the next top-up can be paid. */
  get channel(): Operation<ChannelPlan> | undefined {
    const { store } = this.#context;
    return (store.operations({ kind: "channel", status: "open" }) as Operation<ChannelPlan>[])
      .find((operation) => this.#serves(operation));
  }

  /** What can still be paid from it, in sat. */
  get room(): bigint {
    const { channel } = this;
    return channel === undefined ? 0n : roomOf(this.#context.store, channel);
  }

  /** What all channels with the seller hold that have not ended, in sat: it counts against what may be. */
  get held(): bigint {
    const { store } = this.#context;
    return (store.operations({ kind: "channel", status: "open" }) as Operation<ChannelPlan>[])
      .filter(({ plan }) => plan.peer === this.#kind.peer)
      .reduce((sum, { amount }) => sum + amount, 0n);
  }

  /** Whether so little is left of it that the next one should be begun. */
  get isLow(): boolean {
    const { channel } = this;
    if (channel === undefined) return true;
    const max = BigInt(channel.plan.channel!.balanceMaxSat);
    return roomOf(this.#context.store, channel) * ROLLOVER_PART < max;
  }

  /**
   * Signs the next top-up, on disk before it is returned. `also` runs in the same transaction. With
   * `renewal` it is one sat more, on outputs of that keyset.
   *
   * @throws {SeedmintError} `denied` if it can not be any more.
   */
  sign(
    operation: Operation<ChannelPlan>,
    also: (tx: WalletTransaction, part: Pick<StripPart, "paymentId" | "net" | "gross">) => void,
    renewal?: Keyset,
  ): StripPart | undefined {
    const context = this.#context;
    const { keysetId } = operation.plan.channel!;
    const funding = context.mints.of(operation.mint).cachedKeyset(keysetId);
    const keyset = renewal ?? funding;
    const net = renewal === undefined ? BigInt(this.#kind.minTopUpSat) : 1n;
    const next = nextBalance(context, operation, net);
    if (funding === undefined || keyset === undefined || next === undefined) return undefined;
    if (this.#end?.id !== operation.id) {
      this.#end = { id: operation.id, end: endOfChannel(context, operation, funding) };
    }
    const { end } = this.#end;
    return signBalance(context, operation, { end, keyset, next, also: (tx) => also(tx, next) });
  }

  /**
   * A channel whose last balance is on outputs that its mint signs no more: its seller cannot close it,
   * and is given one that it can.
   */
  get stale(): Operation<ChannelPlan> | undefined {
    const { store, mints } = this.#context;
    const { peer, publicKey } = this.#kind;
    return (store.operations({ kind: "channel", status: "open" }) as Operation<ChannelPlan>[])
      .find((operation) => {
        const { plan, mint, id } = operation;
        if (plan.peer !== peer || plan.lock.publicKey !== publicKey) return false;
        const last = store.lastBalance(id);
        if (last === undefined || roomOf(store, operation) < 1n) return false;
        return mints.of(mint).cachedKeyset(last.keysetId)?.active === false;
      });
  }

  /** The keyset that a stale channel's outputs can be of. */
  renewalOf(
    operation: Operation<ChannelPlan>,
    options: { readonly signal?: AbortSignal },
  ): Promise<Keyset> {
    return this.#context.mints.of(operation.mint).activeKeyset({ ...options, fresh: true });
  }

  /** Asks the mint of a channel again which keysets it signs with. */
  async refresh(operationId: string): Promise<void> {
    const { store, mints } = this.#context;
    const operation = store.operation(operationId);
    if (operation?.kind === "channel") await mints.of(operation.mint).keysets({ fresh: true });
  }

  #serves(operation: Operation<ChannelPlan>): boolean {
    const { store, mints, clock } = this.#context;
    const { peer, publicKey, accepted, minTopUpSat } = this.#kind;
    const { plan, mint, id } = operation;
    if (operation.state !== "ready" || plan.channel === undefined || plan.over !== undefined) {
      return false;
    }
    if (plan.peer !== peer || plan.lock.publicKey !== publicKey) return false;
    if (!accepted.includes(mint) || store.mint(mint)?.blockedReason !== undefined) return false;
    const nowMs = clock.nowMs();
    if (lockedUntilMs(plan) - CHANNEL_MARGIN_MS * 1.15 <= nowMs) return false;
    const usedMs = store.lastBalance(id)?.createdMs ?? operation.createdMs;
    if (usedMs + CHANNEL_REUSE_MS <= nowMs) return false;
    const keyset = mints.of(mint).cachedKeyset(plan.channel.keysetId);
    if (keyset?.active !== true) return false;
    // What came out of a backup may have been signed further since.
    if (store.proof(plan.channel.ys[0]!)?.needsRecheck === true) return false;
    return roomOf(store, operation) >= BigInt(minTopUpSat);
  }
}

/**
 * What a channel is to be able to pay, in sat: `count` top-ups, or as many as its seller lets it hold.
 * Undefined when that is too few to be worth a channel. `held` is what it holds in others already.
 */
export function channelNetOf(
  count: number,
  terms: { readonly minTopUpSat: number; readonly channelSat?: number },
  held = 0n,
): bigint | undefined {
  const least = BigInt(terms.minTopUpSat);
  const allowed = BigInt(terms.channelSat ?? 0) - held;
  const holds = (allowed < CHANNEL_SAT_MAX ? allowed : CHANNEL_SAT_MAX) - FEES_SAT_MAX;
  if (count < CHANNEL_TOP_UPS_MIN) return undefined;
  // One more than is expected: what is not used comes back, and another swap for the last one would not.
  const counts = [BigInt(count) + 1n, BigInt(CHANNEL_UPDATES_MAX), holds / least];
  const most = counts.reduce((a, b) => a < b ? a : b);
  return most < BigInt(CHANNEL_TOP_UPS_MIN) ? undefined : most * least + FEES_SAT_MAX / 2n;
}
