/** What a fund operation keeps, and how one begins. */
import { SeedmintError } from "../../src/core/errors.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import type { MintUrl } from "../types.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { newOperation, usableMint } from "./transition.ts";

/**
 * States of {@link FundPlan}'s operation.
 *
 *     intent ──▶ quoted ──▶ awaiting-payment ──▶ paid ──▶ issuing ──▶ done
 *        │          └──────────────┬─▲────────────▲──┘        │
 *        │                         │ └ polls      └ new plan ─┘ after a conclusive refusal
 *        └──▶ failed ◀─────────────┘ expired, and looked at for a while longer
 */
export type FundState =
  /** Nobody was asked for anything. */
  | "intent"
  /** There is an invoice, locked to a key of this quote alone (NUT-20). */
  | "quoted"
  /** The mint was asked at least once and has seen no payment. */
  | "awaiting-payment"
  /** The mint has the money; it owes us ecash. */
  | "paid"
  /** The request for signatures is frozen, and may have been sent. */
  | "issuing"
  | "done"
  | "failed";

/** Plan of a fund operation. */
export interface FundPlan {
  /** For the payer's wallet to show. */
  readonly description?: string;
  /** Index of the quote's key; a new one for each try to get a quote. */
  readonly keyIndex?: number;
  readonly quoteId?: string;
  /** Look at the invoice until then, in milliseconds since 1970. */
  readonly watchUntilMs?: number;
  /** Requests for signatures that were frozen so far; the last counts. */
  readonly round: number;
  /** The mint refused for its keysets: ask for them anew. */
  readonly stale?: boolean;
}

/** Where a test or a crash may stop a fund operation; `<phase>` is `mint`, after a new plan `mint.2`. */
export const FAULT_POINTS: readonly string[] = [
  /** Before the quote and its key are asked for. */
  "fund.intent.before-quote",
  /** The mint has made a quote that nobody knows of yet. */
  "fund.intent.after-quote",
  "fund.intent.before-commit",
  "fund.intent.after-commit",
  "fund.quoted.before-commit",
  "fund.quoted.after-commit",
  "fund.awaiting-payment.before-commit",
  "fund.awaiting-payment.after-commit",
  "fund.paid.before-commit",
  "fund.paid.after-commit",
  "fund.mint.before-send",
  "fund.mint.after-send",
  "fund.issuing.before-commit",
  "fund.issuing.after-commit",
];

/**
 * Writes down that ecash for `amount` sat is wanted of `mint`. Nothing is asked yet.
 *
 * @throws {RangeError} For an amount that is not 1 sat to 2^53 - 1.
 * @throws {SeedmintError} `denied` for a mint that is not listed, blocked, or would hold too much.
 */
export async function beginFund(
  context: SagaContext,
  request: {
    readonly mint: MintUrl;
    readonly amount: bigint;
    readonly description?: string;
    readonly parent?: string;
  },
): Promise<Operation<FundPlan>> {
  const { mint, amount, description, parent } = request;
  if (amount < 1n || amount > AMOUNT_SAT_MAX) {
    throw new RangeError(`Cannot fund ${amount} sat: 1 to ${AMOUNT_SAT_MAX} sat wanted`);
  }
  assertExposure(context, mint, { more: amount });
  const operation = newOperation<FundPlan>(context, {
    kind: "fund",
    state: "intent",
    mint,
    amount,
    plan: { round: 0, ...(description === undefined ? {} : { description }) },
    ...(parent === undefined ? {} : { parent }),
  });
  return await Promise.resolve(context.store.transact((tx) => {
    tx.insertOperation(operation);
    return tx.operation<FundPlan>(operation.id)!;
  }));
}

/**
 * What is on its way to a mint counts as what it holds.
 *
 * @param request `of`: the operation that wants it, if it has begun.
 * @throws {SeedmintError} `denied`
 */
export function assertExposure(
  context: SagaContext,
  url: MintUrl,
  { more, of }: { readonly more: bigint; readonly of?: string },
): void {
  const { exposureMaxSat } = usableMint(context, url);
  if (exposureMaxSat === undefined) return;
  const balance = context.store.balances().find((one) => one.mint === url);
  const held = (balance === undefined ? 0n : balance.free + balance.reserved + balance.incoming) +
    onItsWay(context, url, of);
  if (held + more <= exposureMaxSat) return;
  throw new SeedmintError(
    "denied",
    `Cannot put ${more} sat into ${url}: it would hold ${
      held + more
    } sat of at most ${exposureMaxSat}; spend some first or raise its limit`,
  );
}

function onItsWay({ store }: SagaContext, url: MintUrl, except: string | undefined): bigint {
  return store.operations({ status: ["open", "attention"] })
    .filter(({ id, kind, mint, peerMint }) =>
      id !== except && (kind === "fund" ? mint === url : kind === "swap" && peerMint === url)
    )
    .filter(({ state }) => state !== "change-due")
    .reduce((sum, { amount }) => sum + amount, 0n);
}
