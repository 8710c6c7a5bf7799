/** Telling of refused payments: strangers send as many as they like, and the log is the operator's. */
import type { Clock } from "../../core/ports.ts";
import type { PaymentAnswer } from "../../../swarm/ports.ts";
import type { Log } from "../log.ts";

/** Time between two summaries. */
const SUMMARY_MS = 60_000;

type Code = Extract<PaymentAnswer, { readonly answer: "refused" }>["code"];

/** Each at debug; what came since the last summary at info, at most once a minute, with its count. */
export class RefusedPayments implements Disposable {
  readonly #log: Log;
  readonly #clock: Clock;
  /** Since the last summary, by code: there are few. */
  readonly #counts = new Map<Code, number>();
  #cancel: (() => void) | undefined;

  constructor(options: { readonly log: Log; readonly clock: Clock }) {
    this.#log = options.log;
    this.#clock = options.clock;
  }

  /** Tells of one. */
  note(peer: string, code: Code): void {
    this.#log("debug", "a payment was refused", { peer, code });
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    if (this.#cancel === undefined) this.#summarize();
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#tell();
  }

  /** Tells what came, and is silent for a while; what comes meanwhile is told after it. */
  #summarize(): void {
    this.#cancel = undefined;
    if (!this.#tell()) return;
    this.#cancel = this.#clock.timer(SUMMARY_MS, () => this.#summarize());
  }

  #tell(): boolean {
    if (this.#counts.size === 0) return false;
    const count = this.#counts.values().reduce((sum, one) => sum + one, 0);
    this.#log("info", "payments were refused", { count, ...Object.fromEntries(this.#counts) });
    this.#counts.clear();
    return true;
  }
}
