/** Providers whose machine is away for a while, and leases that the book has to find again. */
import assert from "node:assert/strict";
import { LESSEE_LIMITS } from "../../../provisioning/consumer/mod.ts";
import { FUNDED_SAT, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

const SIGNAL = new AbortController().signal;
const WISH = { image: "alpine:3.20", durationMs: 3_600_000 } as const;
const MINUTE_MS = 60_000;

async function minutes(world: LesseeWorld, count: number, stepCount = 15): Promise<void> {
  for (let passed = 0; passed < count; passed += stepCount) {
    await world.pass(Math.min(stepCount, count - passed) * MINUTE_MS);
  }
}

/** A lease of an hour whose provider's machine goes down after ten minutes of it. */
async function downAfterTen(world: LesseeWorld) {
  const lender = await world.lender();
  const run = await world.lessee();
  await world.pass(3_000);
  const lease = await world.during(run.lessee.spawn(WISH, { signal: SIGNAL }));
  await minutes(world, 10);
  await lender[Symbol.asyncDispose]();
  for (const instance of world.backend.instances.values()) instance.state = "stopped";
  return { ...run, id: lease.id, expiresMs: lease.expiresMs! };
}

Deno.test("a lease outlives an outage of its provider, longer than what was left of it", async () => {
  await using world = new LesseeWorld();
  const { lessee, id, expiresMs } = await downAfterTen(world);
  await minutes(world, 75);
  assert.equal(lessee.lease(id).stage, "live", "silence is no end");
  assert.ok(lessee.account(id).isOverdue);
  assert.ok(world.clock.nowMs() > expiresMs + LESSEE_LIMITS.overLastMs);
  await world.lender();
  // It is asked after now and then.
  await minutes(world, 15, 1);
  assert.ok(lessee.lease(id).expiresMs! >= expiresMs + 70 * MINUTE_MS);
  assert.ok(!lessee.account(id).isOverdue);
  const run = await world.during(lessee.exec(id, ["echo", "hi"], { signal: SIGNAL }));
  assert.equal(run.stdout, "echo hi");
  const stopped = await world.during(lessee.stop(id, { signal: SIGNAL }));
  assert.ok(stopped.refundedSat >= 100 && stopped.refundedSat <= 150, `${stopped.refundedSat}`);
  assert.equal(world.moneySat, FUNDED_SAT);
});

Deno.test("a lease that was given up after a day of silence is found again by a sync", async () => {
  await using world = new LesseeWorld();
  const { lessee, id } = await downAfterTen(world);
  world.clock.jump(26 * 60 * MINUTE_MS);
  await minutes(world, 15);
  assert.equal(lessee.lease(id).end?.reason, "expired");
  await world.lender();
  await world.pass(3_000);
  const { found } = await world.during(lessee.sync({ signal: SIGNAL }));
  assert.deepEqual(found.map((lease) => lease.id), [id]);
  assert.equal(lessee.lease(id).stage, "live");
  assert.equal(lessee.lease(id).owesReceipt, false);
  assert.equal((await world.during(lessee.sync({ signal: SIGNAL }))).found.length, 0);
  const stopped = await world.during(lessee.stop(id, { signal: SIGNAL }));
  assert.ok(stopped.refundedSat >= 100, `${stopped.refundedSat}`);
  assert.equal((await world.during(lessee.sync({ signal: SIGNAL }))).found.length, 0);
});

Deno.test("a provider that answers after the end, and names no later one, gives no lease back", async () => {
  await using world = new LesseeWorld();
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    script: async (request, provider) => {
      const requestId = request.requestId!;
      if (request.type !== "spawn") {
        return { type: "error", error: "backend_error", message: "Later", requestId };
      }
      await provider.take(request);
      return provider.access({ requestId });
    },
  });
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const { id } = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  await minutes(world, 75, 5);
  assert.equal(lessee.lease(id).end?.reason, "expired");
});

Deno.test("a sync asks all providers of the market, and tells how many it did not get to", async () => {
  await using world = new LesseeWorld();
  using providers = new DisposableStack();
  const all = Array.from({ length: 60 }, (_, index) =>
    providers.use(
      new ScriptedProvider(world, {
        isOurs: true,
        seed: 60 + index,
        script: ({ requestId }) => ({
          type: "leases",
          leases: [],
          isTruncated: false,
          requestId: requestId!,
        }),
      }),
    ));
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const asked = () => all.filter(({ requests }) => requests.length > 0).length;
  const stop = new AbortController();
  const stopping = lessee.sync({ signal: stop.signal, isWide: true });
  while (asked() === 0) await world.pass(20);
  stop.abort();
  const { unasked } = await stopping;
  assert.ok(unasked.length >= 40 && unasked.length <= 60, `${unasked.length}`);
  for (const { requests } of all) requests.length = 0;
  const synced = await world.during(lessee.sync({ signal: SIGNAL, isWide: true }));
  assert.deepEqual(synced, { found: [], over: [], silent: [], unasked: [] });
  assert.equal(asked(), 60);
});
