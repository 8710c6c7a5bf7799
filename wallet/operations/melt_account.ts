/** The account of a leg: the identities that hold whatever the mint says, checked before it is closed. */
import { assert } from "../../src/core/assert.ts";
import type { LegOperation } from "./melt_leg.ts";

/** What goes into the account, in sat. */
export interface LegFigures {
  readonly amount: bigint;
  /** Fee of the swap for the exact sum, and of whatever was tried before. */
  readonly preparationFee: bigint;
  /** Fee of the melt's own inputs. */
  readonly inputFee: bigint;
  readonly feeReserve: bigint;
  /** Sum of the melt's inputs. */
  readonly inputs: bigint;
}

/** What a leg may cost, and what it cost. */
export interface LegAccount {
  /** `amount + preparationFee + inputFee`: no payment is cheaper. */
  readonly minDebit: bigint;
  /** `minDebit + feeReserve`: no honest mint is dearer. */
  readonly maxDebit: bigint;
  /** The least change that the mint owes: what is beyond amount, input fee and reserve. */
  readonly changeOwed: bigint;
  /** The most that can come back: a payment that cost nothing. */
  readonly changeMax: bigint;
}

/** The bounds of a leg. */
export function accountOf(figures: LegFigures): LegAccount {
  const { amount, preparationFee, inputFee, feeReserve, inputs } = figures;
  const minDebit = amount + preparationFee + inputFee;
  const changeMax = inputs - inputFee - amount;
  assert(changeMax >= 0n, "the inputs of a melt cover its amount and their fee");
  const owed = changeMax - feeReserve;
  return {
    minDebit,
    maxDebit: minDebit + feeReserve,
    changeOwed: owed > 0n ? owed : 0n,
    changeMax,
  };
}

/** What a leg cost, once its change is settled: `finalDebit = preparationFee + inputs - change`. */
export function closedAccount(
  figures: LegFigures,
  change: bigint,
): { readonly finalDebit: bigint; readonly paymentFee: bigint } {
  const { minDebit, maxDebit } = accountOf(figures);
  const finalDebit = figures.preparationFee + figures.inputs - change;
  const paymentFee = finalDebit - minDebit;
  assert(paymentFee >= 0n, "no more comes back than was put in");
  assert(finalDebit <= maxDebit, "an account is not closed while the mint owes change");
  return { finalDebit, paymentFee };
}

/** The figures of a leg whose inputs are worth `inputs`. */
export function figuresOf(operation: LegOperation, inputs: bigint): LegFigures {
  const { funds, paid, quote } = operation.plan;
  return {
    amount: operation.amount,
    preparationFee: BigInt(paid?.preparationFeeSat ?? operation.fee),
    inputFee: BigInt(funds?.inputFeeSat ?? 0),
    feeReserve: BigInt(quote?.feeReserveSat ?? 0),
    inputs,
  };
}
