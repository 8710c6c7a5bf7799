/**
 * Moves money by itself to where it is safer: from mints that are only accepted into a trusted one, and,
 * if the user wants it, from the wallet to the user's own Lightning wallet. What is held back stays.
 */
import { messageOf } from "../src/core/errors.ts";
import { heldAt, spareOf } from "./held_back.ts";
import { requestInvoice, resolveLnurl } from "./lightning/lnurl.ts";
import type { Engine } from "./operations/engine.ts";
import { beginMelt } from "./operations/melt_plan.ts";
import type { Operation } from "./operations/operation.ts";
import { beginSwap } from "./operations/swap_plan.ts";
import { maxSpendable } from "./selection/fees.ts";
import { termsOf } from "./selection/terms.ts";
import type { Coin } from "./store/wallet_store.ts";
import type { MintUrl } from "./types.ts";
import type { WalletOptions } from "./wallet_options.ts";

/** Less than this is left where it is: Lightning fees would eat it. */
const SWEEP_SAT_MIN = 20n;

/**
 * The same where something is held back: a lease that runs frees its money sat by sat, and each sweep
 * costs Lightning's base fee.
 */
const SWEEP_BESIDE_HELD_SAT_MIN = 1_000n;

/** What Lightning may reserve, in percent and at least in sat; more after each failure in a row. */
const RESERVE_PERCENT: readonly bigint[] = [2n, 4n, 8n];
const RESERVE_SAT_MIN = 4n;

/** Rest after a failure. */
const REST_MS = 600_000;

/** Parents of sweeps, which find those that are under way after a restart. */
const INTO_TRUSTED = "sweep:trusted";
const OUT = "sweep:out";

/** What a sweep may take, and the most that this may cost. */
interface Movable {
  readonly amount: bigint;
  readonly feeMax: bigint;
}

/** How a kind of sweep went lately. */
interface Memory {
  failureCount: number;
  restUntilMs: number;
}

/** See the head of this file. */
export class Sweeper implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #options: WalletOptions;
  readonly #homeMint: () => MintUrl | undefined;
  readonly #memories = new Map<string, Memory>();
  readonly #stop = new AbortController();
  #isWanted = false;
  #running: Promise<void> | undefined;

  constructor(engine: Engine, options: WalletOptions, homeMint: () => MintUrl | undefined) {
    this.#engine = engine;
    this.#options = options;
    this.#homeMint = homeMint;
  }

  /**
   * Looks whether there is something to move; returns at once. A wallet that does not go on by itself
   * begins nothing by itself either, unless it is `asked` to.
   */
  look({ asked = false }: { readonly asked?: boolean } = {}): void {
    if (this.#options.resumes === false && !asked) return;
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => this.#running = undefined);
  }

  /** An operation ended: remembers how sweeps go. */
  heard(operation: Operation): void {
    if (operation.parent !== INTO_TRUSTED && operation.parent !== OUT) return;
    const key = `${operation.parent} ${operation.mint}`;
    if (operation.status === "done") this.#memories.delete(key);
    if (operation.status === "failed") this.#failed(key);
  }

  /** Waits until nothing is being begun. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.idle();
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#isWanted && !this.#stop.signal.aborted) {
      this.#isWanted = false;
      try {
        await this.#sweepIntoTrusted();
        await this.#sweepOut();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#engine.context.emit({
          event: "attention",
          message: `Sweeping failed and is tried again later: ${messageOf(error)}`,
        });
      }
    }
  }

  async #sweepIntoTrusted(): Promise<void> {
    const { store } = this.#engine.context;
    for (const record of store.mints()) {
      const home = this.#homeMint();
      if (record.trust !== "accepted" || home === undefined) continue;
      const key = `${INTO_TRUSTED} ${record.url}`;
      if (!this.#mayBegin(key, INTO_TRUSTED, record.url)) continue;
      const sum = await this.#movable(record.url, key);
      if (sum === undefined || sum.amount < SWEEP_SAT_MIN) continue;
      await this.#begin(key, () =>
        beginSwap(this.#engine.context, {
          from: record.url,
          to: home,
          amount: sum.amount,
          feeMax: sum.feeMax,
          parent: INTO_TRUSTED,
        }));
    }
  }

  async #sweepOut(): Promise<void> {
    const { autoSweep, allowPrivate, fetch, resolve } = this.#options;
    const { context } = this.#engine;
    if (autoSweep === undefined) return;
    const held = await this.#held();
    const balances = context.store.balances().map(({ mint, free, reserved }) => ({
      mint,
      free: spareOf(free, heldAt(held, mint)),
      reserved,
    }));
    const total = balances.reduce((sum, { free, reserved }) => sum + free + reserved, 0n);
    if (total <= BigInt(autoSweep.aboveSat)) return;
    const richest = [...balances].sort((a, b) => a.free < b.free ? 1 : -1)[0]!.mint;
    const key = `${OUT} ${richest}`;
    if (!this.#mayBegin(key, OUT, richest)) return;
    const sum = await this.#movable(richest, key);
    const excess = total - BigInt(autoSweep.aboveSat);
    if (sum === undefined || excess < SWEEP_SAT_MIN) return;
    await this.#begin(key, async () => {
      const ask = {
        clock: context.clock,
        signal: this.#stop.signal,
        ...allowPrivate === undefined ? {} : { allowPrivate },
        ...fetch === undefined ? {} : { fetch },
        ...resolve === undefined ? {} : { resolve },
      };
      const payee = await resolveLnurl(autoSweep.to, ask);
      let amountMsat = 1000n * (sum.amount < excess ? sum.amount : excess);
      if (amountMsat > payee.maxMsat) amountMsat = payee.maxMsat / 1000n * 1000n;
      const { invoice } = await requestInvoice(payee, { amountMsat }, ask);
      return await beginMelt(context, { mint: richest, invoice, feeMax: sum.feeMax, parent: OUT });
    });
  }

  /** What can leave a mint over Lightning, if it is worth it, and the most that this may cost. */
  async #movable(mint: MintUrl, key: string): Promise<Movable | undefined> {
    const { store, mints, clock } = this.#engine.context;
    if (sumOf(store.coins(mint)) < SWEEP_SAT_MIN) return undefined;
    try {
      const keysets = await mints.of(mint).keysets({ signal: this.#stop.signal });
      const held = heldAt(await this.#held(), mint);
      const coins = store.coins(mint);
      const spendable = maxSpendable({ coins, ...termsOf(keysets, { nowMs: clock.nowMs() }) });
      const spare = spareOf(sumOf(coins), held);
      const most = spendable < spare ? spendable : spare;
      const failureCount = this.#memories.get(key)?.failureCount ?? 0;
      const percent = RESERVE_PERCENT[Math.min(failureCount, RESERVE_PERCENT.length - 1)]!;
      const reserve = larger(RESERVE_SAT_MIN, (most * percent + 99n) / 100n);
      // The fee of splitting the inputs first comes out of the same reserve.
      const feeMax = 2n * reserve + most / 20n;
      if (held === 0n) return { amount: most - reserve, feeMax };
      // No fee may come out of what is held back.
      const amount = most - feeMax;
      return amount < SWEEP_BESIDE_HELD_SAT_MIN ? undefined : { amount, feeMax };
    } catch {
      this.#failed(key);
      return undefined;
    }
  }

  async #held(): Promise<ReadonlyMap<string, number>> {
    return await this.#engine.context.heldBack?.() ?? new Map();
  }

  #mayBegin(key: string, parent: string, mint: MintUrl): boolean {
    const { store, clock } = this.#engine.context;
    if ((this.#memories.get(key)?.restUntilMs ?? 0) > clock.nowMs()) return false;
    return !store.operations({ parent, limit: 50 }).some((operation) =>
      operation.mint === mint && (operation.status === "open" || operation.status === "attention")
    );
  }

  async #begin(key: string, begin: () => Promise<Operation>): Promise<void> {
    let operation: Operation;
    try {
      operation = await begin();
    } catch (error) {
      this.#failed(key);
      throw error;
    }
    await this.#engine.drive(operation.id, { signal: this.#stop.signal });
  }

  #failed(key: string): void {
    const failureCount = (this.#memories.get(key)?.failureCount ?? 0) + 1;
    const restUntilMs = this.#engine.context.clock.nowMs() + REST_MS * failureCount;
    this.#memories.set(key, { failureCount, restUntilMs });
  }
}

function sumOf(coins: readonly Coin[]): bigint {
  return coins.reduce((sum, { amount, count }) => sum + amount * BigInt(count), 0n);
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
