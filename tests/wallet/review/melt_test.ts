import assert from "node:assert/strict";
import { beginRestore } from "../../../wallet/operations/restore_plan.ts";
import { confirm } from "../../../wallet/operations/engine.ts";
import { begin, fundedKit, paidBy, SAGAS } from "../operations/melt_world.ts";

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
      assert.equal(paid.status, "done", paid.reason);
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
