/** R1, R2: a wallet that lost its memory, in part or all of it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { beginMelt } from "../../../wallet/operations/melt.ts";
import { beginRestore } from "../../../wallet/operations/restore_plan.ts";
import { beginSwap } from "../../../wallet/operations/swap.ts";
import type { TestWallet, WalletKit } from "../../support/wallet_kit.ts";
import { fundedKit, SAGAS, shopInvoice } from "../operations/melt_world.ts";
import { PAYEE, send } from "../operations/send_support.ts";

/** A bit of everything. */
async function live(alice: TestWallet): Promise<void> {
  const { kit } = alice;
  await alice.fund(300n);
  assert.equal((await send(alice, { amount: 33n })).state, "token-ready");
  const { bolt11: invoice } = await shopInvoice(kit, 70n);
  const melt = await beginMelt(alice.context, { mint: kit.url(), invoice });
  assert.equal((await alice.driveToEnd(melt.id)).status, "done");
  const ends = { from: kit.url(0), to: kit.url(1), amount: 90n };
  const swap = await beginSwap(alice.context, ends);
  assert.equal((await alice.driveToEnd(swap.id)).status, "done");
}

async function restoreAll(wallet: TestWallet): Promise<void> {
  for (let index = 0; index < wallet.kit.mints.length; index++) {
    const { id } = await beginRestore(wallet.context, { mint: wallet.kit.url(index) });
    assert.equal((await wallet.driveToEnd(id)).status, "done");
  }
}

/** What each mint owes is what the wallet holds there, but for what is locked to others. */
function assertFound(kit: WalletKit, wallet: TestWallet, lockedSat = 0n): void {
  assert.deepEqual(wallet.troubles(), []);
  for (const [index, mint] of kit.mints.entries()) {
    const held = wallet.store.balances().find((one) => one.mint === kit.url(index));
    const total = (held?.free ?? 0n) + (held?.outgoing ?? 0n);
    const elsewhere = index === 0 ? lockedSat : 0n;
    assert.equal(total, mint.admin.books().outstanding - elsewhere, `at mint ${index}`);
  }
}

Deno.test("R1 a database from an old backup passes the counters that were used since, and loses nothing", async (test) => {
  for (const isSettled of [true, false]) {
    await test.step(isSettled ? "restored first" : "used at once", async () => {
      await using world = await fundedKit({ mints: 2 });
      const { kit, alice } = world;
      const path = join(kit.directory, "old.backup");
      await alice.backup(path);
      await live(alice);
      await alice[Symbol.asyncDispose]();
      const again = kit.wallet("again", { wordsOf: "alice", sagas: SAGAS });
      await again.takeOver(path);
      if (isSettled) {
        await restoreAll(again);
        assertFound(kit, again);
      }
      // New outputs begin where the backup ends: the mint has signed those (11003).
      const funded = await again.fund(64n);
      assert.equal(funded.status, "done", String(funded.reason));
      await live(again);
      await restoreAll(again);
      assertFound(kit, again);
    });
  }
});

Deno.test("R2 the words alone find everything but tokens that are locked to others", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  await live(alice);
  kit.mints[0]!.admin.rotateKeyset({ feePpk: 100 });
  await live(alice);
  const locked = await send(alice, { amount: 50n, lock: { publicKey: PAYEE.publicKey } });
  assert.equal(locked.state, "token-ready", String(locked.reason));
  const lockedSat = alice.store.proofs({ operationId: locked.id, state: "outgoing" })
    .reduce((sum, { amount }) => sum + amount, 0n);
  await alice[Symbol.asyncDispose]();
  const again = kit.wallet("again", { wordsOf: "alice", sagas: SAGAS });
  assert.deepEqual(again.store.balances(), []);
  await restoreAll(again);
  assertFound(kit, again, lockedSat);
  await live(again);
  assertFound(kit, again, lockedSat);
});
