/** Strips of top-ups, taken over from a backup that is older than what was handed over since. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { beginRestore } from "../../../wallet/operations/restore_plan.ts";
import { startKit } from "../../support/wallet_kit.ts";
import {
  AMPLE,
  buyerOf,
  buyingWallet,
  deskOf,
  opened,
  SELLER,
  stream,
  TestSeller,
} from "../buying/buying_world.ts";

const MIB = 1_048_576;
const LOCKED_MS = 4 * 3_600_000;

Deno.test("a backup older than some top-ups gives back all that was not redeemed, hidden or handed over", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(4_000n);
  const seller = new TestSeller(bob);
  const path = join(kit.directory, "file");
  {
    await using desk = deskOf(alice);
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 640 * MIB });
    await stream(session, seller, { bytes: 100 * MIB });
    await alice.backup(path);
    // Of what comes now the backup knows nothing.
    await stream(session, seller, { bytes: 150 * MIB });
  }
  const paidCount = seller.paidCount;
  assert.ok(paidCount > 3);
  await alice[Symbol.asyncDispose]();
  const copy = buyingWallet(kit, "copy", { wordsOf: "alice" });
  await copy.takeOver(path);
  for (const { id } of bob.store.operations({ kind: "redeem", status: "open" })) {
    await bob.driveToEnd(id);
  }
  kit.clock.jump(LOCKED_MS);
  const [strip] = copy.store.operations({ kind: "strip" });
  assert.equal((await copy.driveToEnd(strip!.id)).state, "done");
  const states = copy.store.stripParts({ operationId: strip!.id }).map(({ state }) => state);
  assert.equal(states.filter((state) => state === "claimed").length, paidCount);
  assert.equal(states.filter((state) => state === "returned").length, states.length - paidCount);
  assert.deepEqual(copy.store.audit(), []);
  const balance = copy.store.balances().find(({ mint }) => mint === kit.url())!;
  assert.equal(balance.outgoing, 0n);
  const held = balance.free + bob.free();
  assert.equal(kit.mints[0]!.admin.books().outstanding, held, "what the mint owes is in wallets");
});

for (const [before, after] of [[100, 500], [97, 95]] as const) {
  Deno.test(`an honest seller of ${before} MiB is not taken for a cheat by a copy that lags ${after} MiB behind`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
    await alice.fund(8_000n);
    const seller = new TestSeller(bob);
    const path = join(kit.directory, "file");
    {
      await using desk = deskOf(alice);
      await using session = await opened(buyerOf(desk), seller.terms, {
        bytesMax: (before + after) * MIB,
      });
      await stream(session, seller, { bytes: before * MIB });
      await alice.backup(path);
      await stream(session, seller, { bytes: after * MIB });
      session.verified(seller.serve(640 * MIB));
    }
    await alice[Symbol.asyncDispose]();
    const copy = buyingWallet(kit, "copy", { wordsOf: "alice" });
    await copy.takeOver(path);
    const restore = await beginRestore(copy.context, { mint: kit.url() });
    assert.equal((await copy.driveToEnd(restore.id)).status, "done");
    await using desk = deskOf(copy, { budgets: AMPLE });
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 320 * MIB });
    session.told(seller.creditMsat);
    await stream(session, seller, { bytes: 320 * MIB });
    assert.equal(copy.store.sellerAccount(SELLER)?.avoidUntilMs, undefined);
    assert.deepEqual(copy.store.audit(), []);
  });
}
