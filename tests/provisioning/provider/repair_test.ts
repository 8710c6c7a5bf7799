import assert from "node:assert/strict";
import type { ProviderEvent } from "../../../provisioning/provider/mod.ts";
import { LeaseWorld } from "../../support/provisioning/lease_world.ts";

Deno.test("a provider has the network of leases put back at its start, before each comparison and every ten seconds", async () => {
  await using world = new LeaseWorld();
  const lines: string[] = [];
  let count = 0;
  Object.assign(world.backend, {
    repair: () => {
      // Before what runs is asked for.
      if (count++ === 0) assert.ok(!world.backend.calls.includes("list"));
      return lines.includes("broken")
        ? Promise.reject(new Error("nft is gone"))
        : Promise.resolve(lines.splice(0));
    },
  });
  await using one = await world.start();
  assert.equal(count, 1);
  const events: ProviderEvent[] = [];
  one.provider.onEvent((event) => events.push(event));
  const problems = () =>
    events.splice(0).flatMap((event) => event.type === "problem" ? [event.message] : []);
  lines.push("container-7 is back");
  await world.clock.advance(10_000);
  assert.equal(count, 2);
  assert.deepEqual(problems(), ["container-7 is back"]);
  lines.push("broken");
  assert.equal((await one.provider.reconcile()).isKnown, true);
  assert.deepEqual(problems(), ["What connects leases cannot be looked at: nft is gone"]);
  lines.length = 0;
  await world.clock.advance(10_000);
  assert.equal(count, 4);
  assert.deepEqual(problems(), []);
});
