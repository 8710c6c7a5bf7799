/** The book of a lessee whose provider gives leases no ids, as those of Paygress. */
import assert from "node:assert/strict";
import { LesseeReceipts } from "../../../src/app/lifecycle/lease_receipts.ts";
import { ReceiptStore } from "../../../trust/mod.ts";
import { LESSEE_SECRET, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

Deno.test("a lease of a provider that gives no ids is over in the book once its time is", async () => {
  await using world = new LesseeWorld();
  using old = new ScriptedProvider(world, {
    isOurs: false,
    script: async (request, provider) => {
      await provider.take(request);
      return provider.access({ expiresMs: world.clock.nowMs() + 600_000 });
    },
  });
  using store = ReceiptStore.open(":memory:");
  const { lessee } = await world.lessee({
    receipts: new LesseeReceipts({
      store: () => Promise.resolve(store),
      signer: { secretKey: LESSEE_SECRET, publishes: false },
      clock: world.clock,
      log: (_level, message) => void world.problems.push(message),
      evidenceOf: () => undefined,
    }),
  });
  const { signal } = new AbortController();
  const wish = { image: "alpine:3.20", durationMs: 600_000, policy: { allowsOld: true } };
  const { id } = await world.during(lessee.spawn(wish, { signal }));
  assert.equal(lessee.lease(id).access?.leaseId, undefined);
  await world.clock.advance(700_000);
  await world.pass(3_000);
  const { stage, end, owesReceipt } = lessee.lease(id);
  assert.deepEqual([stage, end?.reason, owesReceipt], ["ended", "expired", false]);
  const [kept, ...others] = store.leases.list();
  assert.equal(others.length, 0);
  assert.deepEqual([kept!.state, kept!.signed.receipt.ending], ["one-sided", "expired"]);
  assert.equal(kept!.signed.receipt.provider, old.key);
  assert.deepEqual(world.problems, []);
});
