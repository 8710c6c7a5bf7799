import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../src/core/keys.ts";
import { systemRandom } from "../../src/host/system.ts";
import { beginRestore } from "../../wallet/operations/restore_plan.ts";
import type { RestorePlan } from "../../wallet/operations/restore_plan.ts";
import { Rechecker } from "../../wallet/rechecker.ts";
import { restoreBackup } from "../../wallet/backup/mod.ts";
import { walletKeysOf } from "../../wallet/keys.ts";
import { Wallet } from "../../wallet/mod.ts";
import { SqliteWalletStore } from "../../wallet/store/mod.ts";
import { startKit, type WalletKit } from "../support/wallet_kit.ts";

/** A wallet that took a backup over, and crashed before anybody asked the mint. */
async function takenOver(kit: WalletKit) {
  const path = join(kit.directory, "file");
  const alice = kit.wallet();
  await alice.fund(100n);
  await alice.backup(path);
  const wiped = kit.wallet("wiped", { wordsOf: "alice", mints: [] });
  await wiped.takeOver(path);
  return { alice, wiped };
}

function unchecked(wallet: { readonly store: { proofs: SqliteWalletStore["proofs"] } }): number {
  return wallet.store.proofs({ state: "free", needsRecheck: true }).length;
}

Deno.test("Rechecker begins a whole restore of a mint whose restored ecash nobody asked about", async () => {
  await using kit = await startKit();
  const { wiped } = await takenOver(kit);
  assert.equal(wiped.free(), 100n);
  assert.ok(unchecked(wiped) > 0);
  const rechecker = new Rechecker(wiped.engine);
  const [id, ...others] = await rechecker.look();
  assert.deepEqual(others, []);
  assert.deepEqual(await rechecker.look(), [], "one is open already");
  assert.equal((await wiped.engine.wait(id!)).status, "done");
  assert.equal(unchecked(wiped), 0);
  kit.clock.jump(24 * 3_600_000);
  assert.deepEqual(await rechecker.look(), [], "nothing is left to ask about");
  assert.ok(kit.mints[0]!.admin.requests("/v1/restore").length > 0);
  assert.deepEqual(wiped.troubles(), []);
});

Deno.test("Rechecker asks again later, and less, about what its mint calls pending", async () => {
  await using kit = await startKit();
  const { alice } = await takenOver(kit);
  let isPending = true;
  const pending = kit.wallet("pending", {
    wordsOf: "alice",
    mints: [],
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (!isPending || !String(input).endsWith("/v1/checkstate")) return response;
      const text = await response.text();
      return new Response(text.replaceAll("UNSPENT", "PENDING"), response);
    },
  });
  await pending.takeOver(join(kit.directory, "file"));
  const rechecker = new Rechecker(pending.engine);
  const begunAfter = async (ms: number) => {
    kit.clock.jump(ms);
    const ids = await rechecker.look();
    for (const id of ids) await pending.engine.wait(id);
    return ids;
  };
  assert.equal((await begunAfter(0)).length, 1);
  assert.ok(unchecked(pending) > 0);
  assert.equal((await begunAfter(60_000)).length, 0, "not within five minutes");
  const restoresBefore = kit.mints[0]!.admin.requests("/v1/restore").length;
  const [second] = await begunAfter(4 * 60_000 + 1000);
  assert.equal((pending.store.operation(second!)!.plan as RestorePlan).heldOnly, true);
  assert.equal(kit.mints[0]!.admin.requests("/v1/restore").length, restoresBefore);
  assert.equal((await begunAfter(6 * 60_000)).length, 0, "the rest doubles");
  isPending = false;
  assert.equal((await begunAfter(5 * 60_000)).length, 1);
  assert.equal(unchecked(pending), 0);
  assert.equal(pending.free(), alice.free());
  assert.deepEqual(pending.troubles(), []);
});

Deno.test("Rechecker leaves mints alone that are not listed, or whose restore is open", async () => {
  await using kit = await startKit();
  const { wiped } = await takenOver(kit);
  const open = await beginRestore(wiped.context, { mint: kit.url() });
  const rechecker = new Rechecker(wiped.engine);
  assert.deepEqual(await rechecker.look(), []);
  await wiped.engine.drive(open.id);
  assert.equal(unchecked(wiped), 0);
  const other = kit.wallet("other", { wordsOf: "alice", mints: [] });
  await other.takeOver(join(kit.directory, "file"));
  other.store.transact((tx) => tx.removeMint(kit.url()));
  assert.deepEqual(await new Rechecker(other.engine).look(), []);
});

Deno.test("Wallet spends what it took out of a backup although nobody asked for a restore", async () => {
  await using kit = await startKit();
  const seedWords = newSeedWords();
  const path = join(kit.directory, "file");
  const directory = join(kit.directory, "new");
  const random = systemRandom;
  const { clock } = kit;
  {
    const options = { directory: join(kit.directory, "old"), seedWords, clock, random };
    await using old = await Wallet.open(options);
    await old.addMint({ url: kit.url(), trust: "trusted" });
    const { operation, invoice } = await old.fund({ amountSat: 100 });
    await kit.pay(invoice);
    const ended = old.wait(operation.id);
    await new Promise((resolve) => setTimeout(resolve, 50));
    clock.jump(10_000);
    assert.equal((await ended).status, "done");
    await old.backup(path);
  }
  {
    const keys = walletKeysOf(seedWords);
    using store = SqliteWalletStore.open({
      directory,
      clock,
      seedFingerprint: keys.fingerprint,
    });
    await restoreBackup({ store, path, keys, random });
  }
  for (const resumes of [false, true]) {
    await using wallet = await Wallet.open({ directory, seedWords, clock, random, resumes });
    const restores = () =>
      wallet.pending().then((all) => all.filter((one) => one.kind === "restore"));
    if (!resumes) {
      assert.deepEqual(
        await restores(),
        [],
        "a wallet opened for one verb begins nothing by itself",
      );
      await assert.rejects(wallet.prepareSend({ amountSat: 60 }), /wallet resume/);
      continue;
    }
    for (const { id } of await restores()) await wallet.wait(id);
    await wallet.cancel((await wallet.prepareSend({ amountSat: 60 })).id);
  }
});
