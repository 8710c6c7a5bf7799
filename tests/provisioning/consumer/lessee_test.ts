/** A lessee and a provider, from the market to the refund. */
import assert from "node:assert/strict";
import { SshKeyFolder } from "../../../provisioning/consumer/mod.ts";
import { BASIC } from "../../support/provisioning/lease_world.ts";
import { FUNDED_SAT, LENDER, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";
import { seededRandom } from "../../support/seeded_random.ts";

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

Deno.test("a lease that is not kept alive is told of before its end, and ends on time", async () => {
  await using world = new LesseeWorld();
  await world.lender();
  const ended: string[] = [];
  const { lessee, events } = await world.lessee({
    receipts: { ended: (lease) => Promise.resolve(void ended.push(lease.reason)) },
  });
  await world.pass(3_000);
  const lease = await world.during(
    lessee.spawn({ image: "alpine", durationMs: 300_000 }, { signal: SIGNAL }),
  );
  await world.clock.advance(260_000);
  const told = events.filter((event) => event.type === "ending");
  assert.equal(told.length, 1);
  assert.match(told[0]!.message, /ends in \d+ s: Nothing keeps it alive/);
  await world.clock.advance(60_000);
  await world.pass(3_000);
  assert.equal(lessee.lease(lease.id).end?.reason, "expired");
  assert.deepEqual(ended, ["expired"]);
  assert.deepEqual(lessee.lease(lease.id).complaints, []);
  assert.equal(lessee.account(lease.id).payments[0]?.token, undefined);
});

Deno.test("a lease is kept alive within its budget, and no longer", async () => {
  await using world = new LesseeWorld();
  await world.lender();
  const { lessee, events } = await world.lessee();
  await world.pass(3_000);
  const lease = await world.during(lessee.spawn({
    image: "alpine",
    durationMs: 120_000,
    keepAlive: { budgetSat: 20, stepMs: 120_000, leadMs: 40_000 },
  }, { signal: SIGNAL }));
  for (let minute = 0; minute < 11; minute++) await world.pass(60_000);
  const { payments } = lessee.account(lease.id);
  // 6 sat each, and what was left of 20.
  assert.deepEqual(
    payments.map(({ purpose, amountSat, state }) => `${purpose} ${amountSat} ${state}`),
    ["spawn 6 taken", "keepalive 6 taken", "keepalive 6 taken", "keepalive 6 taken"],
  );
  assert.equal(lessee.lease(lease.id).end?.reason, "expired");
  assert.ok(events.some((event) => event.type === "ending" && event.why === "budget"));
  assert.equal(world.moneySat, FUNDED_SAT);
});

Deno.test("what is left of a lease that the provider ended is asked for and taken in", async () => {
  await using world = new LesseeWorld();
  const lender = await world.lender();
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const lease = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  assert.ok(lender.provider.evict(1000, "Maintenance"));
  await world.pass(10_000);
  const after = lessee.lease(lease.id);
  assert.equal(after.end?.reason, "cut-short");
  assert.equal(after.stage, "ended");
  assert.match(after.complaints[0] ?? "", /^It ended 35\d\d s before the paid time was over/);
  assert.equal(after.complaints.length, 1);
  assert.ok(world.purse.balanceSat >= FUNDED_SAT - 2, `${world.purse.balanceSat}`);
});

Deno.test("leases that the book lost are found with their provider, and can be ended", async () => {
  await using world = new LesseeWorld();
  await world.lender();
  const first = await world.lessee();
  await world.pass(3_000);
  await world.during(first.lessee.spawn(WISH, { signal: SIGNAL }));
  await first[Symbol.asyncDispose]();
  world.loseBook();
  const { lessee } = await world.lessee();
  assert.equal(lessee.leases().length, 0);
  const { found, silent } = await world.during(lessee.sync({ signal: SIGNAL }));
  assert.deepEqual(silent, []);
  assert.equal(found[0]?.isRecovered, true);
  assert.equal(found[0]?.access?.host, "203.0.113.5");
  assert.equal(found[0]?.wanted.rateMsatPerS, 50);
  assert.equal((await world.during(lessee.sync({ signal: SIGNAL }))).found.length, 0);
  const stopped = await world.during(lessee.stop(found[0]!.id, { signal: SIGNAL }));
  assert.ok(stopped.refundedSat >= 178, `${stopped.refundedSat}`);
  assert.equal(world.moneySat, FUNDED_SAT);
});

Deno.test("the same wish twice is one lease, and one payment", async () => {
  await using world = new LesseeWorld();
  const lender = await world.lender();
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const [one, two] = await world.during(Promise.all([
    lessee.spawn(WISH, { signal: SIGNAL }),
    lessee.spawn(WISH, { signal: SIGNAL }).catch((error) => error),
  ]));
  const again = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  assert.equal(again.id, one.id);
  assert.equal(two.id, one.id);
  assert.equal(lender.provider.leases().length, 1);
  assert.equal(world.purse.made.size, 1);
});

Deno.test("a purse that declines costs nothing, and nothing is asked", async () => {
  await using world = new LesseeWorld();
  const lender = await world.lender();
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  world.purse.declines = "The budget of today is used up";
  await assert.rejects(
    world.during(lessee.spawn(WISH, { signal: SIGNAL })),
    /^SeedmintError: Cannot rent Basic from Lender: The budget of today is used up\. Nothing was paid$/,
  );
  assert.equal(lender.provider.leases().length, 0);
  assert.equal(lessee.leases({ all: true })[0]?.end?.reason, "unserved");
});

Deno.test("when the first provider refuses, the next one is asked", async () => {
  await using world = new LesseeWorld();
  using cheap = new ScriptedProvider(world, {
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
  const lease = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  assert.equal(lease.address.provider, LENDER);
  assert.equal(cheap.requests.filter(({ type }) => type === "spawn").length, 1);
  assert.deepEqual([...world.purse.made.keys()], ["web", "web.2"]);
  await assert.rejects(
    world.during(lessee.spawn({ ...WISH, id: "b", budgetSat: 1 }, { signal: SIGNAL })),
    { code: "not-found" },
  );
});

Deno.test("what a provider says of a lease that failed for good is believed at once", async () => {
  await using world = new LesseeWorld();
  using failing = new ScriptedProvider(world, {
    isOurs: true,
    // As one whose disk is nearly full, before it redeemed anything.
    script: ({ requestId }) => ({
      type: "error",
      error: "backend_error",
      message: "The image cannot be used",
      ...(requestId === undefined ? {} : { requestId }),
    }),
  });
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const startMs = world.clock.nowMs();
  await assert.rejects(
    world.during(lessee.spawn(WISH, { signal: SIGNAL })),
    /The image cannot be used.*locked to it until/,
  );
  const tookMs = world.clock.nowMs() - startMs;
  assert.ok(tookMs < 60_000, `${tookMs} ms`);
  assert.ok(failing.requests.filter(({ type }) => type === "spawn").length >= 1);
});

Deno.test("a relay that is away for minutes delays a lease, and loses nothing", async () => {
  await using world = new LesseeWorld();
  const lender = await world.lender();
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const spawning = lessee.spawn(WISH, { signal: SIGNAL });
  await world.during(
    (async () => {
      while (world.purse.made.size === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    })(),
  );
  world.relay.isUp = false;
  await world.pass(120_000);
  world.relay.isUp = true;
  const lease = await world.during(spawning);
  assert.equal(lease.stage, "live");
  assert.equal(lender.provider.leases().length, 1);
  assert.equal(world.moneySat, FUNDED_SAT);
});

Deno.test("SshKeyFolder makes a key once, for its owner only", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const random = seededRandom(3);
    const place = new SshKeyFolder({ folder: `${folder}/ssh`, random });
    const [one, two] = await Promise.all([place.get(), place.get()]);
    assert.deepEqual(one, two);
    assert.match(one.publicKey, /^ssh-ed25519 AAAA/);
    assert.equal((await Deno.stat(one.path)).mode! & 0o777, 0o600);
    assert.equal((await Deno.stat(`${folder}/ssh`)).mode! & 0o777, 0o700);
    const other = new SshKeyFolder({ folder: `${folder}/ssh`, random });
    assert.equal((await other.get()).publicKey, one.publicKey);
    const names: string[] = [];
    for await (const { name } of Deno.readDir(`${folder}/ssh`)) names.push(name);
    assert.deepEqual(names.sort(), ["id_ed25519", "id_ed25519.pub"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
