/** What the tests of sending share. */
import assert from "node:assert/strict";
import type { Operation } from "../../../wallet/operations/operation.ts";
import {
  beginSend,
  type SendPlan,
  type SendRequest,
} from "../../../wallet/operations/send_plan.ts";
import type { TestWallet, WalletKit } from "../../support/wallet_kit.ts";

/** Somebody with a key. */
export const PAYEE = {
  secretKey: "11".repeat(32),
  publicKey: "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa",
};

/** A send, driven until it rests. */
export async function send(
  alice: TestWallet,
  request: Partial<SendRequest> & { readonly amount: bigint },
): Promise<Operation<SendPlan>> {
  const begun = await beginSend(alice.context, { mint: alice.kit.url(), ...request });
  return await alice.engine.drive(begun.id) as Operation<SendPlan>;
}

/** What all wallets and strangers have is what the mint owes. */
export function assertConserved(kit: WalletKit, alice: TestWallet, elsewhere: bigint): void {
  const [balance] = alice.store.balances();
  const held = balance === undefined ? 0n : balance.free + balance.reserved + balance.outgoing;
  assert.equal(kit.mints[0]!.admin.books().outstanding, held + elsewhere);
  assert.deepEqual(alice.troubles(), []);
}
