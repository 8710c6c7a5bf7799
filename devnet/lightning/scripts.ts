/** What may be ordered to happen to payments. */

/**
 * What becomes of a payment:
 * - `settle`: paid at once, as without a script;
 * - `fail`: fails at once;
 * - `hold`: pending until `settle` or `fail` is called for it; the payee sees that it is held;
 * - `delay`: pending for `ms`, then paid;
 * - `pretend`: pending for `ms`, then fails;
 * - `lie`: paid, but the answer says that it failed; who asks later hears the truth;
 * - `silent`: paid, but the request is never answered;
 * - `drop`: nothing happens, and the request is never answered;
 * - `notify-late`: paid, but the payee learns of it `ms` later;
 * - `notify-never`: paid, but the payee never learns of it, unless `settle` is called for it.
 */
export type PaymentAction =
  | "settle"
  | "fail"
  | "hold"
  | "delay"
  | "pretend"
  | "lie"
  | "silent"
  | "drop"
  | "notify-late"
  | "notify-never";

/** An order for the next payments that match. */
export interface PaymentScript {
  /** All that is given must fit; nothing given fits every payment. */
  readonly match?: {
    readonly paymentHash?: string;
    readonly from?: string;
    readonly payee?: string;
  };
  readonly action: PaymentAction;
  /** For `delay`, `pretend` and `notify-late`. @default {1000} */
  readonly ms?: number;
  /** For how many payments; `always` until the scripts are cleared. @default {1} */
  readonly count?: number | "always";
}

/** The parts of an action. */
export interface PaymentPlan {
  readonly outcome: "settle" | "fail" | "none";
  /** When the outcome comes; never by itself when held. */
  readonly when: "now" | "held" | { readonly afterMs: number };
  readonly answer: "truth" | "failure" | "none";
  readonly payeeLearns: "now" | "never" | { readonly afterMs: number };
}

const PLAIN: PaymentPlan = {
  outcome: "settle",
  when: "now",
  answer: "truth",
  payeeLearns: "now",
};

/** What `action` means. */
export function planOf(action: PaymentAction, ms = 1000): PaymentPlan {
  const after = { afterMs: ms };
  const plans: Readonly<Record<PaymentAction, PaymentPlan>> = {
    "settle": PLAIN,
    "fail": { ...PLAIN, outcome: "fail" },
    "hold": { ...PLAIN, when: "held" },
    "delay": { ...PLAIN, when: after },
    "pretend": { ...PLAIN, outcome: "fail", when: after },
    "lie": { ...PLAIN, answer: "failure" },
    "silent": { ...PLAIN, answer: "none" },
    "drop": { ...PLAIN, outcome: "none", answer: "none" },
    "notify-late": { ...PLAIN, payeeLearns: after },
    "notify-never": { ...PLAIN, payeeLearns: "never" },
  };
  return plans[action];
}

const ACTIONS: ReadonlySet<string> = new Set<PaymentAction>([
  ...["settle", "fail", "hold", "delay", "pretend", "lie", "silent", "drop"] as const,
  ...["notify-late", "notify-never"] as const,
]);

/**
 * A script from JSON.
 *
 * @throws {TypeError} If it is none; the message names the actions there are.
 */
export function parseScript(json: unknown): PaymentScript {
  const script = (typeof json === "object" && json !== null ? json : {}) as PaymentScript;
  if (!ACTIONS.has(script.action)) {
    throw new TypeError(`Cannot use this script: its action is one of ${[...ACTIONS].join(", ")}`);
  }
  const { count = 1, ms = 0, match = {} } = script;
  if (count !== "always" && (!Number.isSafeInteger(count) || count < 1)) {
    throw new TypeError('Cannot use this script: its count is a whole number from 1, or "always"');
  }
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw new TypeError("Cannot use this script: its ms is a whole number from 0");
  }
  const known = ["paymentHash", "from", "payee"];
  if (Object.entries(match).some(([k, v]) => !known.includes(k) || typeof v !== "string")) {
    throw new TypeError(`Cannot use this script: it may match ${known.join(", ")}, each a text`);
  }
  return script;
}
