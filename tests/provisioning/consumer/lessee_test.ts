/** A lessee and a provider, from the market to the refund. */
import assert from "node:assert/strict";
import { FUNDED_SAT, LENDER, LesseeWorld } from "../../support/provisioning/lessee_world.ts";

const SIGNAL = new AbortController().signal;
const WISH = { id: "web", image: "alpine:3.20", durationMs: 3_600_000 } as const;

Deno.test("Lessee rents, tops up, looks inside, stops early and gets its refund", async () => {
  await using world = new LesseeWorld();
  const lender = await world.lender();
  const { lessee, events } = await world.lessee();
  await world.pass(3_000);
  const steps: string[] = [];
  const lease = await world.during(lessee.spawn(WISH, {
    signal: SIGNAL,
    onProgress: ({ step }) => steps.push(step),
  }));
  assert.equal(lease.stage, "live");
  assert.equal(lease.address.provider, LENDER);
  assert.equal(lease.access?.lease, "container-1000");
  assert.equal(lease.access?.host, "203.0.113.5");
  assert.equal(lease.access?.usesPassword, false);
  assert.deepEqual(lease.complaints, []);
  assert.deepEqual(steps.slice(0, 3), ["choosing", "paying", "asking"]);
  // 3600 s at 50 msat a second.
  assert.equal(world.purse.balanceSat, FUNDED_SAT - 180);
  assert.equal(world.till.balanceSat, 180);
  assert.equal(lender.provider.leases().length, 1);

  const run = await world.during(lessee.exec(lease.id, ["echo", "hi"], { signal: SIGNAL }));
  assert.equal(run.stdout, "echo hi");
  const logs = await world.during(lessee.logs(lease.id, { signal: SIGNAL, lineCount: 7 }));
  assert.equal(logs.text, "7 lines of container-1000\n");
  await world.during(lessee.restart(lease.id, { signal: SIGNAL }));

  const topped = await world.during(
    lessee.topUp(lease.id, { durationMs: 1_800_000 }, { signal: SIGNAL }),
  );
  assert.equal(topped.expiresMs, lease.expiresMs! + 1_800_000);

  const stopped = await world.during(
    lessee.stop(lease.id, { signal: SIGNAL }),
  );
  assert.equal(stopped.lease.stage, "ended");
  assert.ok(stopped.refundedSat > 260 && stopped.refundedSat <= 270, `${stopped.refundedSat}`);
  assert.equal(stopped.claimedSat, stopped.refundedSat);
  assert.equal(world.moneySat, FUNDED_SAT);
  assert.equal(world.purse.inFlightSat, 0);
  assert.deepEqual(lessee.lease(lease.id).complaints, []);
  assert.equal(lessee.account(lease.id).spentSat, 270 - stopped.refundedSat);
  assert.ok(events.some(({ type }) => type === "money-back"));
  assert.equal(world.backend.instances.size, 0);
});
