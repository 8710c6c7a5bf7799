/**
 * Notices that an invoice was paid as soon as its mint says so, instead of at the next look: whoever
 * waits at a till should not wait for a timer. A hint makes the operation due and wakes who waits for
 * it; what happens then is what happens without hints.
 */
import { HINT_WATCH_MS_MAX } from "./mint/limits.ts";
import { type OpenHintSocket, QuoteHints } from "./mint/quote_hints.ts";
import type { Engine } from "./operations/engine.ts";
import type { FundPlan } from "./operations/fund_plan.ts";
import type { Operation } from "./operations/operation.ts";
import type { MintUrl } from "./types.ts";

/** NUT-17, by which a mint says that it gives hints. */
const NUT_HINTS = 17;

/** Options of {@link FundHints}. */
export interface FundHintsOptions {
  readonly open: OpenHintSocket;
  readonly allowPrivate?: boolean;
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Something became due. */
  readonly wake: () => void;
}

/** See the head of this file. */
export class FundHints implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #options: FundHintsOptions;
  readonly #mints = new Map<MintUrl, QuoteHints>();
  /** How to stop watching, by operation. */
  readonly #watched = new Map<string, () => void>();
  readonly #off: () => void;

  constructor(engine: Engine, options: FundHintsOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#off = engine.onEvent(({ event, operationId }) => {
      if (event === "operation" && operationId !== undefined) this.#heard(operationId);
    });
  }

  /** Watches every invoice that is open already. */
  start(): void {
    for (const { id } of this.#engine.context.store.operations({ kind: "fund", status: "open" })) {
      this.#heard(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#off();
    for (const unwatch of [...this.#watched.values()]) unwatch();
    await Promise.all([...this.#mints.values()].map((hints) => hints[Symbol.asyncDispose]()));
  }

  #heard(id: string): void {
    const operation = this.#engine.context.store.operation<FundPlan>(id);
    if (operation?.kind !== "fund") return;
    if (!isWaiting(operation)) this.#watched.get(id)?.();
    else if (!this.#watched.has(id)) this.#watch(operation);
  }

  #watch(operation: Operation<FundPlan>): void {
    const { clock, mints, store } = this.#engine.context;
    const { id, mint, plan } = operation;
    const leftMs = operation.createdMs + HINT_WATCH_MS_MAX - clock.nowMs();
    if (plan.quoteId === undefined || leftMs <= 0 || store.mint(mint) === undefined) return;
    const api = mints.of(mint);
    // A mint that wants to be left alone is left alone in this way, too.
    const isWelcome = (api.cooldownMs?.() ?? 0) === 0 &&
      api.cachedInfo()?.info.nuts.has(NUT_HINTS) === true;
    if (!isWelcome) return;
    const unwatch = this.#hintsOf(mint).watch(plan.quoteId, () => this.#hurry(id));
    const cancel = clock.timer(leftMs, unwatch);
    this.#watched.set(id, () => {
      this.#watched.delete(id);
      cancel();
      unwatch();
    });
  }

  #hintsOf(url: MintUrl): QuoteHints {
    let hints = this.#mints.get(url);
    if (hints === undefined) {
      const { clock, random } = this.#engine.context;
      const { wake: _, ...options } = this.#options;
      this.#mints.set(url, hints = new QuoteHints({ url, clock, random, ...options }));
    }
    return hints;
  }

  #hurry(id: string): void {
    const { store, clock, emit } = this.#engine.context;
    let hurried: Operation | undefined;
    try {
      hurried = store.transact((tx) => {
        const operation = tx.operation<FundPlan>(id);
        return operation !== undefined && isWaiting(operation)
          ? tx.updateOperation(operation, { nextAtMs: clock.nowMs() })
          : undefined;
      });
    } catch {
      // What cannot be written now is due later all the same.
    }
    if (hurried === undefined) return;
    const { mint, kind, state } = hurried;
    emit({ event: "operation", operationId: id, mint, message: `${kind} ${state}: a hint came` });
    this.#options.wake();
  }
}

/** Whether an operation waits for its invoice to be paid. */
function isWaiting({ status, state }: Operation): boolean {
  return status === "open" && (state === "quoted" || state === "awaiting-payment");
}
