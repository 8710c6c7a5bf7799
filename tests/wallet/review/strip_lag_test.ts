/** A copy of a wallet whose backup was made while a strip was being made. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { stripSaga } from "../../../wallet/operations/strip.ts";
import {
  beginStrip,
  revealPart,
  type StripPlan,
  tokenOfPart,
} from "../../../wallet/operations/strip_plan.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { PAYEE } from "../operations/send_support.ts";

const HOUR_MS = 3_600_000;

for (const redeemed of [0, 1, 3]) {
  Deno.test(`a backup of a strip under way gives back all but the ${redeemed} top-ups that were redeemed since`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    const sagas = [stripSaga];
    const alice = kit.wallet("alice", { sagas });
    await alice.fund(300n);
    const nowMs = kit.clock.nowMs();
    const { id } = beginStrip(alice.context, {
      mint: kit.url(),
      peer: "12D3KooWSeller",
      publicKey: PAYEE.publicKey,
      locktimeS: Math.ceil((nowMs + 2 * HOUR_MS) / 1000),
      count: 5,
      net: 20n,
      useByMs: nowMs + 60_000,
    });
    alice.crashAt("strip.swap.after-send");
    await alice.engine.drive(id).catch(() => {});
    assert.ok(alice.isDead);
    const path = join(kit.directory, "file");
    await alice.backup(path);
    const again = await alice.reopen();
    assert.equal((await again.engine.drive(id)).state, "ready");
    let got = 0n;
    const parts = again.store.stripParts({ operationId: id });
    for (const part of parts.slice(0, redeemed)) {
      const token = tokenOfPart(again.store, revealPart(again.context, part, () => {}));
      got += await kit.redeem(token, PAYEE) as bigint;
    }
    await again[Symbol.asyncDispose]();
    const copy = kit.wallet("copy", { sagas, wordsOf: "alice" });
    await copy.takeOver(path);
    kit.mints[0]!.admin.clearCache();
    const operation = await copy.driveToEnd(id);
    assert.equal((operation.plan as StripPlan).grossSat, 21);
    assert.equal((operation.plan as StripPlan).isForeign, true, "nobody is given them again");
    kit.clock.jump(2 * HOUR_MS + 120_000);
    await copy.driveToEnd(id);
    const balance = copy.store.balances().find(({ mint }) => mint === kit.url())!;
    assert.equal(
      balance.free + balance.reserved + balance.outgoing,
      kit.mints[0]!.admin.books().outstanding - got,
      "what the mint owes is in the copy, or was redeemed",
    );
    assert.equal(balance.outgoing, 0n);
    assert.deepEqual(copy.store.audit(), []);
  });
}
