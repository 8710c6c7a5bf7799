/** A buyer and a seller over development mints, for tests of payments. */
import assert from "node:assert/strict";
import { redeemSaga } from "../../../wallet/operations/redeem.ts";
import { beginSend, tokenOf } from "../../../wallet/operations/send_plan.ts";
import { meltSaga } from "../../../wallet/operations/melt.ts";
import { swapSaga } from "../../../wallet/operations/swap.ts";
import { Intake } from "../../../wallet/payments/intake.ts";
import type { TakeOutcome } from "../../../wallet/payments/outcome.ts";
import { INTAKE_POLICY, type IntakePolicy } from "../../../wallet/payments/policy.ts";
import type { IncomingPayment } from "../../../wallet/store/wallet_store.ts";
import type { MintUrl } from "../../../wallet/types.ts";
import type { TestWallet, WalletKit, WalletOptions } from "../../support/wallet_kit.ts";

/** The sagas that payments need besides the kit's own. */
export const PAYMENT_SAGAS = [redeemSaga, meltSaga, swapSaga];

/** A wallet that can do everything. */
export function payingWallet(
  kit: WalletKit,
  name: string,
  options: WalletOptions = {},
): TestWallet {
  return kit.wallet(name, { sagas: PAYMENT_SAGAS, ...options });
}

/** What a token is made for. */
export interface TokenWish {
  readonly lockTo?: string;
  readonly locktimeS?: number;
  readonly mint?: MintUrl;
  readonly includeFees?: boolean;
}

/** A token of a wallet that has the money. */
export async function tokenFrom(
  wallet: TestWallet,
  amount: bigint,
  wish: TokenWish = {},
): Promise<string> {
  const { lockTo, locktimeS, mint = wallet.kit.url(), includeFees = false } = wish;
  const send = await beginSend(wallet.context, {
    mint,
    amount,
    includeFees,
    ...lockTo === undefined
      ? {}
      : { lock: { publicKey: lockTo, ...locktimeS === undefined ? {} : { locktimeS } } },
  });
  const driven = await wallet.engine.drive(send.id);
  assert.equal(driven.state, "token-ready", String(driven.reason));
  return tokenOf(wallet.context, send.id);
}

/** An intake whose batches close when the test says so. */
export function intakeOf(wallet: TestWallet, policy: Partial<IntakePolicy> = {}): Intake {
  return new Intake(wallet.engine.context, { policy: { ...INTAKE_POLICY, ...policy } });
}

/** The payment that was taken. */
export function taken(outcome: TakeOutcome): IncomingPayment {
  if (outcome.status === "taken") return outcome.payment;
  return assert.fail(`a payment that is taken was wanted: ${JSON.stringify(outcome)}`);
}

/** Why it was refused. */
export function refusedCode(outcome: TakeOutcome): string {
  return outcome.status === "refused"
    ? outcome.code
    : assert.fail(`refused wanted, not ${outcome.status}`);
}
