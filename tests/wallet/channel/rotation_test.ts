import assert from "node:assert/strict";
import { startKit } from "../../support/wallet_kit.ts";
import { UNKNOWN_KEYSET_MS_MIN } from "../../../wallet/mint/limits.ts";
import {
  assertBooks,
  buyerOf,
  deskOf,
  opened,
  PAYER,
  paymentOf,
  stream,
} from "../buying/buying_world.ts";
import { buyingWallet, ChannelSeller, settle } from "./channel_seller.ts";

const MIB = 1_048_576;

for (const when of ["before its seller closes", "after its seller was refused"]) {
  Deno.test(`a keyset that is rotated out mid-channel costs its seller nothing: the buyer signs anew ${when}`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    const alice = buyingWallet(kit, "alice");
    await alice.fund(8_000n);
    const seller = new ChannelSeller(buyingWallet(kit, "seller"));
    await using desk = deskOf(alice);
    const bytes = 4_000 * MIB;
    const session = await opened(buyerOf(desk), seller.terms, { bytesMax: bytes });
    await stream(session, seller, { bytes: 1_000 * MIB, step: 4 * MIB });
    const balances = seller.balanceCount;
    assert.ok(balances >= 15);
    kit.mints[0]!.admin.rotateKeyset();
    const { operationId } = seller.wallet.store.openChannels()[0]!;
    if (when.startsWith("after")) {
      kit.clock.jump(6 * 60_000);
      await seller.wallet.engine.driveDue();
      const closing = seller.wallet.store.operation(operationId)!;
      assert.equal(closing.state, "closing");
      assert.match(closing.reason!, /12002|refuses/);
    }
    // A seller asks its mint for a keyset that it does not know again after a moment only.
    kit.clock.jump(UNKNOWN_KEYSET_MS_MIN + 1);
    // The buyer hears of it from its mint, sooner or later.
    await alice.context.mints.of(kit.url()).keysets({ fresh: true });
    await stream(session, seller, { bytes: 3_000 * MIB, step: 4 * MIB });
    await session[Symbol.asyncDispose]();
    const record = seller.wallet.store.channelOf(operationId)!;
    assert.equal(record.updateCount, balances + 1, "one more, and the rest is paid from another");
    assert.equal(alice.store.operations({ kind: "channel" }).length, 2);
    await settle([seller.wallet]);
    assert.equal(seller.wallet.store.operation(operationId)!.state, "done");
    const account = seller.wallet.store.creditAccount(PAYER)!;
    assert.ok(account.paid >= 4_000n);
    for (const { id } of alice.store.operations({ kind: "channel", status: "open" })) {
      await alice.engine.resume(id);
    }
    seller.till.closeAll("the test is over");
    kit.clock.jump(4 * 3_600_000);
    await settle([seller.wallet, alice]);
    await settle([seller.wallet, alice]);
    assertBooks(kit, [alice, seller.wallet]);
    assert.ok(seller.wallet.free() >= 4_000n, `the seller has ${seller.wallet.free()}`);
  });
}

Deno.test("a channel whose seller was refused takes nothing but a balance that it can close with", async () => {
  await using kit = await startKit();
  const alice = buyingWallet(kit, "alice");
  await alice.fund(8_000n);
  const seller = new ChannelSeller(buyingWallet(kit, "seller"));
  await using desk = deskOf(alice);
  const session = await opened(buyerOf(desk), seller.terms, { bytesMax: 4_000 * MIB });
  const first = paymentOf(await session.next());
  session.answered(first.id, await seller.take(first));
  session.verified(seller.serve(64 * MIB));
  const second = paymentOf(await session.next());
  kit.mints[0]!.admin.rotateKeyset();
  kit.clock.jump(6 * 60_000);
  await seller.wallet.engine.driveDue();
  const answer = await seller.take(second);
  assert.equal(answer.answer, "refused");
  assert.ok(answer.answer === "refused" && answer.code === "unavailable" && answer.retryMs! > 0);
  session.answered(second.id, answer);
  await alice.context.mints.of(kit.url()).keysets({ fresh: true });
  const renewal = paymentOf(await session.next());
  assert.notDeepEqual(renewal.id, second.id);
  const taken = await seller.take(renewal);
  assert.equal(taken.answer, "credited");
  session.answered(renewal.id, taken);
  assert.equal(seller.creditMsat, 65_000, "what was signed before counts with it");
  await session[Symbol.asyncDispose]();
});
