import assert from "node:assert/strict";
import { beginRestore } from "../../../wallet/operations/restore_plan.ts";
import { confirm } from "../../../wallet/operations/engine.ts";
import { beginSend, tokenOf } from "../../../wallet/operations/send_plan.ts";
import { beginSwap } from "../../../wallet/operations/swap_plan.ts";
import { assertTakenBack, begin, fundedKit, paidBy, SAGAS } from "../operations/melt_world.ts";
import { FaultyFetch } from "../outputs/exchange_fixture.ts";

for (const hasDleq of [true, false]) {
  Deno.test(
    `a melt that another copy of the wallet paid ${
      hasDleq ? "blocks no honest mint" : "makes no worthless change"
    }`,
    async () => {
      await using world = await fundedKit({
        prepare: (kit) => hasDleq || kit.mints[0]!.admin.disableNuts([12]),
      });
      const { kit, alice } = world;
      kit.mints[0]!.admin.setFeeReserve({ percent: 10, minSat: 10 });
      const { id } = await begin(alice, { holdMs: 600_000 });
      assert.equal((await alice.engine.drive(id)).state, "prepared");
      const path = `${kit.directory}/backup`;
      await alice.backup(path);
      confirm(alice.context, id);
      const paid = await alice.driveToEnd(id);
      assert.equal(paid.status, "done", String(paid.reason));
      const copy = kit.wallet("copy", { wordsOf: "alice", sagas: SAGAS });
      await copy.takeOver(path);
      confirm(copy.context, id);
      const ended = await copy.driveToEnd(id);
      assert.equal(copy.store.mint(kit.url())!.blockedReason, undefined);
      const restore = await beginRestore(copy.context, { mint: kit.url() });
      assert.equal((await copy.driveToEnd(restore.id)).status, "done");
      assert.equal(paidBy(kit), 1);
      assert.equal(copy.free(), alice.free(), `${ended.state}: ${ended.reason}`);
      assert.deepEqual(copy.store.audit(), []);
    },
  );
}

Deno.test("a mint that says PAID and took no ecash is not believed without proof", async () => {
  const net = new FaultyFetch();
  await using world = await fundedKit({ wallet: { fetch: net.fetch } });
  const { kit, alice } = world;
  const { id } = await begin(alice);
  net.next("/v1/melt/bolt11", (_send, { body }) => {
    const { quote } = JSON.parse(body);
    return Promise.resolve(
      Response.json({ quote, amount: 100, fee_reserve: 2, state: "PAID", expiry: null }),
    );
  });
  assertTakenBack(kit, alice, await alice.driveToEnd(id));
});

Deno.test("a destination's ecash that another copy of the wallet got is found by a restore", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const [from, to] = [kit.url(0), kit.url(1)];
  const { id } = await beginSwap(alice.context, { from, to, amount: 77n });
  alice.crashAt("swap.issuing.before-commit");
  await alice.driveToEnd(id).catch(() => {});
  const path = `${kit.directory}/backup`;
  await alice.backup(path);
  const again = await alice.reopen();
  assert.equal((await again.driveToEnd(id)).status, "done");
  // A part of it is spent, so that the request as a whole has nothing to give any more.
  const keyset = await again.context.mints.of(to).activeKeyset();
  again.store.transact((tx) => tx.advanceCounter(keyset.id, 100));
  const { id: sendId } = await beginSend(again.context, { mint: to, amount: 64n });
  await again.engine.drive(sendId);
  await kit.redeem(tokenOf(again.context, sendId));
  kit.mints[1]!.admin.clearCache();
  const copy = kit.wallet("copy", { wordsOf: "alice", sagas: SAGAS });
  await copy.takeOver(path);
  const ended = await copy.driveToEnd(id, { tries: 12 });
  const restore = await beginRestore(copy.context, { mint: to });
  assert.equal((await copy.driveToEnd(restore.id)).status, "done");
  assert.equal(copy.free(to), 13n, `${ended.state} (${ended.status}): ${ended.reason}`);
});
