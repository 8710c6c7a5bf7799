/** What a lease's view says of the request that it came of. */
import assert from "node:assert/strict";
import { leaseView } from "../../../src/app/lifecycle/lessee/views.ts";
import { BASIC } from "../../support/provisioning/lease_world.ts";
import { LENDER, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

Deno.test("leaseView() names the request of a lease, with whatever provider it was tried", async () => {
  await using world = new LesseeWorld();
  using _full = new ScriptedProvider(world, {
    isOurs: true,
    offer: { specs: [{ ...BASIC, rateMsatPerS: 10 }] },
    script: ({ requestId }) => ({
      type: "error",
      error: "no_capacity",
      message: "Full",
      ...(requestId === undefined ? {} : { requestId }),
    }),
  });
  await world.lender();
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const { signal } = new AbortController();
  const wish = { id: "ab".repeat(16), image: "alpine:3.20", durationMs: 600_000 };
  const lease = await world.during(lessee.spawn(wish, { signal }));
  assert.equal(lease.address.provider, LENDER);
  const views = lessee.leases({ all: true }).map(({ id }) => leaseView(lessee.account(id)));
  assert.deepEqual(views.map(({ requestId }) => requestId), [wish.id, wish.id]);
  assert.equal(leaseView({ ...lessee.account(lease.id), payments: [] }).requestId, null);
});
