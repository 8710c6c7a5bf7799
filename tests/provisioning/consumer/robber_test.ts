/** Providers that take money for nothing: what they can take is what the lessee agreed to lose. */
import assert from "node:assert/strict";
import type { Answer, Request } from "../../../provisioning/wire/mod.ts";
import { FUNDED_SAT, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { playToken } from "../../support/provisioning/memory_till.ts";
import { type Script, ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

const SIGNAL = new AbortController().signal;
const WISH = { id: "web", image: "alpine:3.20", durationMs: 3_600_000 } as const;

/** A refund that says what it likes. */
function bogus(request: Request): Answer {
  return {
    type: "error",
    error: "race_lost",
    message: "It comes back",
    requestId: request.requestId!,
    refund: {
      token: playToken({ secret: `bogus ${request.requestId}`, amountSat: 180, lockedTo: "02aa" }),
      amountSat: 180,
    },
  };
}

/** Gives a lease of ten minutes, for which there were paid 30 sat; top-ups go by `topUp`. */
function lending(topUp: Script): Script {
  return async (request, provider) => {
    if (request.type === "topup") return await topUp(request, provider);
    if (request.type !== "spawn") return undefined;
    await provider.take(request);
    return provider.access({
      requestId: request.requestId!,
      expiresMs: provider.access().expiresMs - 3_000_000,
    });
  };
}

async function keptAlive(world: LesseeWorld, budgetSat: number) {
  const run = await world.lessee();
  await world.pass(3_000);
  const lease = await world.during(run.lessee.spawn({
    ...WISH,
    durationMs: 600_000,
    keepAlive: { budgetSat, stepMs: 600_000, leadMs: 60_000 },
  }, { signal: SIGNAL }));
  const spawnedSat = world.purse.balanceSat;
  for (let minute = 0; minute < 30; minute++) await world.pass(60_000);
  return {
    ...run,
    lease: run.lessee.lease(lease.id),
    lostSat: spawnedSat - world.purse.balanceSat,
  };
}

Deno.test("refunds that are worth nothing do not give a budget of keepalive back", async () => {
  await using world = new LesseeWorld();
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    script: lending(async (request, provider) => {
      await provider.take(request);
      return bogus(request);
    }),
  });
  const { lostSat } = await keptAlive(world, 45);
  assert.ok(lostSat <= 45, `${lostSat} sat are gone of a budget of 45`);
});

Deno.test("a provider that gives no time for top-ups is not paid the whole budget for it", async () => {
  await using world = new LesseeWorld();
  using _provider = new ScriptedProvider(world, {
    isOurs: true,
    script: lending(async (request, provider) => {
      await provider.take(request);
      const expiresMs = world.clock.nowMs() + 61_000;
      return {
        type: "topup",
        lease: "container-1000",
        extendedS: 1,
        expiresMs,
        message: "Lease extended",
        requestId: request.requestId!,
      };
    }),
  });
  const { lostSat, events, lease } = await keptAlive(world, 3_000);
  assert.ok(lostSat <= 60, `${lostSat} sat are gone`);
  assert.ok(lease.complaints.some((one) => one.includes("It gave 1 s for a top-up of 30 sat")));
  assert.ok(events.some((event) => event.type === "ending" && event.why === "failing"));
});

Deno.test("a token that a provider never redeemed comes back, though its refund was worth nothing", async () => {
  await using world = new LesseeWorld();
  using _provider = new ScriptedProvider(world, { isOurs: true, script: bogus });
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  await assert.rejects(world.during(lessee.spawn(WISH, { signal: SIGNAL })), /180 sat are locked/);
  assert.equal(world.purse.balanceSat, FUNDED_SAT - 180);
  for (let minutes = 0; minutes < 60; minutes += 5) await world.pass(300_000);
  assert.equal(world.purse.balanceSat, FUNDED_SAT);
  const [lease] = lessee.leases({ all: true });
  assert.equal(lease?.stage, "failed");
  assert.equal(lessee.account(lease!.id).payments[0]?.state, "returned");
});

Deno.test("a provider cannot have a top-up locked for years", async () => {
  await using world = new LesseeWorld();
  using provider = new ScriptedProvider(world, { isOurs: true, script: lending(() => undefined) });
  const { lessee, market } = await world.lessee();
  await world.pass(3_000);
  const lease = await world.during(
    lessee.spawn({ ...WISH, durationMs: 600_000 }, { signal: SIGNAL }),
  );
  await world.pass(2_000);
  await provider.announce({
    terms: {
      paymentKey: `02${"ab".repeat(32)}`,
      locktimeMin: 50 * 365 * 1440,
      specs: new Map([["basic", { diskMb: 1024, slotCount: 3 }]]),
      verbs: ["stop"],
      isDraining: false,
    },
  });
  await world.during(market.refresh({ signal: SIGNAL }));
  const asking = lessee.topUp(lease.id, { id: "more", durationMs: 600_000 }, { signal: SIGNAL });
  asking.catch(() => {});
  await world.pass(5_000);
  const paid = world.purse.made.get("more");
  assert.ok(paid?.locktimeS !== undefined, "it is locked");
  const lockedS = paid.locktimeS - world.clock.nowMs() / 1000;
  assert.ok(lockedS < 2 * 86_400, `${lockedS} s`);
});
