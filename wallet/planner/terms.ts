/** What planning must know, read from the store and the mints: holdings, trust, and what each way costs. */
import { heldAt, spareOf } from "../held_back.ts";
import type { SagaContext } from "../operations/saga.ts";
import { grossOf } from "../operations/send_prepare.ts";
import { selectFrom } from "../selection/from_store.ts";
import { type KeysetTerms, termsOf } from "../selection/terms.ts";
import type { WalletReads } from "../store/wallet_store.ts";
import type { Keyset, MintUrl } from "../types.ts";
import type { Holding, PaymentLeg, PlanTerms } from "./plan_payment.ts";

/**
 * What a melt is expected to reserve for Lightning: stock mints ask 1 or 2 percent and at least 2 to 4
 * sat. The swap itself never costs more than it is allowed.
 */
const RESERVE_SAT_MIN = 4n;
const RESERVE_PERCENT = 2n;

/** The amounts of a way to pay, in sat. */
export interface LegCost {
  /** Most on top of what the payee nets, all told. */
  readonly feeMax: bigint;
  /** Of a swap: what must arrive at the target, so that the payee nets the amount. */
  readonly arriving?: bigint;
  /** Of a swap: most that it may cost itself on top of what arrives. */
  readonly swapFeeMax?: bigint;
}

/** Everything that {@link planPayment} takes, and the amounts behind its fees. */
export interface Planning {
  readonly holdings: readonly Holding[];
  readonly terms: PlanTerms;
  costOf(leg: PaymentLeg, amount: bigint): LegCost | undefined;
}

/** What the payee nets, and in parts of which size. */
interface Amount {
  readonly amount: bigint;
  readonly part: bigint | undefined;
}

/** A mint as far as it could be asked. */
interface KnownMint {
  readonly keyset: Keyset;
  readonly terms: KeysetTerms;
}

/** Options of {@link planningOf}. */
export interface PlanningOptions {
  readonly homeMint?: MintUrl;
  /** Amounts are paid in parts of so much, each of which its payee redeems alone. @default {in one} */
  readonly part?: bigint;
  readonly signal?: AbortSignal;
}

/** Reads what planning a payment at `accepted` mints needs; a mint that does not answer is left out. */
export async function planningOf(
  context: SagaContext,
  accepted: readonly MintUrl[],
  options: PlanningOptions = {},
): Promise<Planning> {
  const { store, clock } = context;
  const usable = store.mints().filter((record) => record.blockedReason === undefined);
  // What others may have to be paid back pays for nothing.
  const kept = await context.heldBack?.() ?? new Map();
  const holdings = store.balances().map(({ mint, free }): Holding => ({
    mint,
    free: spareOf(free, heldAt(kept, mint)),
  })).filter((held) => held.free > 0n);
  const wanted = usable.map((record) => record.url).filter((url) =>
    accepted.includes(url) || holdings.some((held) => held.mint === url)
  );
  const known = new Map<MintUrl, KnownMint>();
  await Promise.all(wanted.map(async (url) => {
    const mint = await knownMint(context, url, options.signal);
    if (mint !== undefined) known.set(url, mint);
  }));
  options.signal?.throwIfAborted();
  const { part } = options;
  const costOf = (leg: PaymentLeg, amount: bigint) =>
    leg.kind === "direct"
      ? directCost(context, known, { mint: leg.mint, amount, part })
      : swapCost(context, known, { ...leg, amount, part });
  const terms: PlanTerms = {
    trust: (mint) => usable.find((record) => record.url === mint)?.trust,
    feeOf: (leg, amount) => costOf(leg, amount)?.feeMax,
    routes: store.routes(),
    nowMs: clock.nowMs(),
    ...options.homeMint === undefined ? {} : { homeMint: options.homeMint },
  };
  return { holdings, terms, costOf };
}

async function knownMint(
  context: SagaContext,
  url: MintUrl,
  signal: AbortSignal | undefined,
): Promise<KnownMint | undefined> {
  const options = signal === undefined ? {} : { signal };
  try {
    const mint = context.mints.of(url);
    // What rests after failures would only make everybody wait.
    if ((mint.cooldownMs?.() ?? 0) > 0) return undefined;
    const keyset = await mint.activeKeyset(options);
    const terms = termsOf(await mint.keysets(options), { nowMs: context.clock.nowMs() });
    return { keyset, terms };
  } catch {
    return undefined;
  }
}

function directCost(
  { store }: SagaContext,
  known: ReadonlyMap<MintUrl, KnownMint>,
  wanted: { readonly mint: MintUrl } & Amount,
): LegCost | undefined {
  const { mint: url, amount } = wanted;
  const mint = known.get(url);
  const token = mint && tokenSat(wanted, mint.keyset);
  if (token === undefined) return undefined;
  const selection = selectFrom(store, { ...mint!.terms, mint: url, amount: token });
  return selection && { feeMax: token - amount + selection.fee };
}

function swapCost(
  { store }: SagaContext,
  known: ReadonlyMap<MintUrl, KnownMint>,
  leg: PaymentLeg & { readonly kind: "swap" } & Amount,
): LegCost | undefined {
  const { amount } = leg;
  const [from, to] = [known.get(leg.from), known.get(leg.to)];
  if (from === undefined || to === undefined) return undefined;
  const token = tokenSat(leg, to.keyset);
  const arriving = token && grossOrUndefined(token, to.keyset);
  if (arriving === undefined || !hasRoom(store, leg.to, arriving)) return undefined;
  const reserve = larger(RESERVE_SAT_MIN, (arriving * RESERVE_PERCENT + 99n) / 100n);
  const need = arriving + reserve;
  const selection = selectFrom(store, { ...from.terms, mint: leg.from, amount: need });
  if (selection === undefined) return undefined;
  // The inputs' fee twice: the melt may want them split by a swap first.
  const swapFeeMax = reserve + 2n * selection.fee;
  return { feeMax: arriving - amount + swapFeeMax, arriving, swapFeeMax };
}

/** Whether a mint may hold so much more. */
function hasRoom(store: WalletReads, url: MintUrl, more: bigint): boolean {
  const exposureMax = store.mint(url)?.exposureMaxSat;
  if (exposureMax === undefined) return true;
  const held = store.balances().find((balance) => balance.mint === url);
  const holding = held === undefined ? 0n : held.free + held.reserved + held.incoming;
  return holding + more <= exposureMax;
}

/** What must be in the tokens, so that the payee nets the amount. */
function tokenSat({ amount, part }: Amount, keyset: Keyset): bigint | undefined {
  if (part === undefined) return grossOrUndefined(amount, keyset);
  const gross = grossOrUndefined(part, keyset);
  return gross && gross * ((amount + part - 1n) / part);
}

function grossOrUndefined(amount: bigint, keyset: Keyset): bigint | undefined {
  try {
    return grossOf(amount, keyset);
  } catch {
    return undefined;
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
