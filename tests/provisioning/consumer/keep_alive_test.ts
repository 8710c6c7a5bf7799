/** What keeps a lease alive when its purse or its provider does not do its part. */
import assert from "node:assert/strict";
import { LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

const SIGNAL = new AbortController().signal;
const WISH = {
  image: "alpine:3.20",
  durationMs: 3_600_000,
  keepAlive: { budgetSat: 1_000, stepMs: 3_600_000, leadMs: 600_000 },
} as const;

/** Lets time pass up to `atMs`. */
async function until(world: LesseeWorld, atMs: number, stepMs: number): Promise<void> {
  for (let leftMs = 1; leftMs > 0;) {
    leftMs = atMs - world.clock.nowMs();
    if (leftMs > 0) await world.pass(Math.min(stepMs, leftMs));
  }
}

/** A lease of an hour that is 605 s before its end. */
async function nearItsEnd(world: LesseeWorld) {
  const run = await world.lessee();
  await world.pass(3_000);
  const lease = await world.during(run.lessee.spawn(WISH, { signal: SIGNAL }));
  await until(world, lease.expiresMs! - 605_000, 1_500_000);
  return { ...run, id: lease.id, expiresMs: lease.expiresMs! };
}

Deno.test("a top-up that the purse declines is told of, and tried again before the end", async () => {
  await using world = new LesseeWorld();
  await world.lender();
  const { lessee, events, id, expiresMs } = await nearItsEnd(world);
  world.purse.declines = "The wallet is being restored";
  await until(world, expiresMs - 575_000, 6_000);
  const told = events.filter((event) => event.type === "ending");
  assert.deepEqual(told.map(({ why }) => why), ["failing"]);
  assert.match(told[0]!.message, /tried again: The wallet is being restored$/);
  assert.ok(!events.some(({ type }) => type === "kept-alive"), "nothing was paid yet");
  world.purse.declines = undefined;
  await until(world, expiresMs - 500_000, 15_000);
  const states = lessee.account(id).payments.map(({ purpose, state }) => `${purpose} ${state}`);
  assert.deepEqual(states, ["spawn taken", "keepalive declined", "keepalive taken"]);
  const kept = events.filter((event) => event.type === "kept-alive");
  assert.deepEqual(kept.map(({ amountSat }) => amountSat), [180]);
  assert.equal(kept[0]?.lease.expiresMs, expiresMs + 3_600_000, "told with the time that it gave");
});

Deno.test("a purse that declines to the end is asked some times, and never told as a top-up", async () => {
  await using world = new LesseeWorld();
  await world.lender();
  const { lessee, events, id, expiresMs } = await nearItsEnd(world);
  world.purse.declines = "The budget of today is used up";
  await until(world, expiresMs + 60_000, 60_000);
  const tries = lessee.account(id).payments.filter(({ purpose }) => purpose === "keepalive");
  assert.ok(tries.length >= 4 && tries.length <= 5, `${tries.length} tries`);
  assert.ok(tries.every(({ state }) => state === "declined"));
  assert.ok(events.some((event) => event.type === "ending" && event.why === "failing"));
  assert.ok(!events.some(({ type }) => type === "kept-alive"));
  assert.equal(lessee.lease(id).end?.reason, "expired");
});

Deno.test("a top-up that a provider refuses, or never answers, is told of before the end", async () => {
  for (const isSilent of [false, true]) {
    await using world = new LesseeWorld();
    using _provider = new ScriptedProvider(world, {
      isOurs: true,
      script: async (request, provider) => {
        if (request.type === "spawn") {
          await provider.take(request);
          return provider.access({ requestId: request.requestId! });
        }
        if (request.type !== "topup" || isSilent) return undefined;
        const requestId = request.requestId!;
        return { type: "error", error: "denied", message: "Not this token", requestId };
      },
    });
    const { lessee, events, id, expiresMs } = await nearItsEnd(world);
    await until(world, expiresMs - 400_000, 30_000);
    const told = events.filter((event) => event.type === "ending");
    assert.deepEqual(told.map(({ why }) => why), ["failing"], String(isSilent));
    assert.match(told[0]!.message, isSilent ? /under way and takes long$/ : /: Not this token$/);
    await until(world, expiresMs - 60_000, 60_000);
    const tries = lessee.account(id).payments.filter(({ purpose }) => purpose === "keepalive");
    assert.ok(tries.length >= 2, `${tries.length} tries`);
  }
});
