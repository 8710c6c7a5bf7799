/** Which tier of whom is rented, and as what it is asked for. */
import assert from "node:assert/strict";
import { BASIC } from "../../support/provisioning/lease_world.ts";
import { FUNDED_SAT, LENDER, LesseeWorld } from "../../support/provisioning/lessee_world.ts";
import { ScriptedProvider } from "../../support/provisioning/scripted_provider.ts";

const SIGNAL = new AbortController().signal;
const WISH = { image: "alpine:3.20", durationMs: 3_600_000 } as const;
const SMALL = { ...BASIC, id: "small", memoryMb: 512, rateMsatPerS: 10 };
const LARGE = { ...BASIC, id: "large", memoryMb: 4096, rateMsatPerS: 80 };

Deno.test("a provider that is named gives the tier that was asked for, or says what it lacks", async () => {
  await using world = new LesseeWorld();
  using two = new ScriptedProvider(world, {
    isOurs: true,
    offer: { specs: [SMALL, LARGE], location: "EU" },
    script: () => undefined,
  });
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const provider = two.key;
  const quote = async (wish: Parameters<typeof lessee.quote>[0]) =>
    (await world.during(lessee.quote(wish, { signal: SIGNAL }))).spec.id;
  assert.equal(await quote({ ...WISH, provider }), "small");
  assert.equal(await quote({ ...WISH, provider, policy: { memoryMb: 4096 } }), "large");
  // Whether it is there is for it to say.
  await world.clock.advance(600_000);
  const policy = { memoryMb: 4096, isOnline: true, location: "eu" };
  assert.equal(await quote({ ...WISH, provider, policy }), "large");
  const lacks: readonly (readonly [Parameters<typeof quote>[0], RegExp])[] = [
    [{ ...WISH, policy: { memoryMb: 8192 } }, /does not have 8192 MiB of memory; ask for less/],
    [{ ...WISH, policy: { arch: "arm64", location: "US" } }, /machine arm64; location US;/],
    [{ ...WISH, policy: { memoryMb: 4096, rateMsatPerSMax: 20 } }, /all of what is wanted in one/],
    [{ ...WISH, specId: "small", policy: { memoryMb: 4096 } }, /rent small from .* 4096 MiB/],
  ];
  for (const [wish, message] of lacks) {
    await assert.rejects(quote({ ...wish, provider }), { code: "usage", message });
  }
});

Deno.test("a provider that took money for nothing is not chosen again, unless it is named", async () => {
  await using world = new LesseeWorld();
  using robber = new ScriptedProvider(world, {
    isOurs: true,
    offer: { specs: [{ ...BASIC, rateMsatPerS: 10 }] },
    script: async (request, provider) => {
      if (request.type !== "spawn") return undefined;
      await provider.take(request);
      const requestId = request.requestId!;
      return { type: "error", error: "provisioning_error", message: "Oh", requestId };
    },
  });
  const { lessee, market } = await world.lessee();
  await world.pass(3_000);
  await assert.rejects(
    world.during(lessee.spawn(WISH, { signal: SIGNAL })),
    /36 sat are lost to it/,
  );
  const alone = lessee.spawn(WISH, { signal: SIGNAL });
  await assert.rejects(world.during(alone), /took no money for nothing lately: Scripted\w+ did/);
  await world.lender();
  await world.pass(3_000);
  await market.refresh({ signal: SIGNAL });
  const lease = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  assert.equal(lease.address.provider, LENDER);
  assert.equal(robber.requests.filter(({ type }) => type === "spawn").length, 1);
  const named = await world.during(
    lessee.quote({ ...WISH, provider: robber.key }, { signal: SIGNAL }),
  );
  assert.match(named.note ?? "", /took money of ours for nothing lately/);
  assert.equal(named.isAvailable, true);
  world.clock.jump(29 * 24 * 3_600_000);
  await robber.announce({ specs: [{ ...BASIC, rateMsatPerS: 10 }] });
  await market.refresh({ signal: SIGNAL });
  const later = await world.during(lessee.quote(WISH, { signal: SIGNAL }));
  assert.equal(later.listing.provider, robber.key, "not for ever");
});

Deno.test("whom to log in as is part of the request, and refused before it is paid where it cannot be", async () => {
  await using world = new LesseeWorld();
  using old = new ScriptedProvider(world, {
    isOurs: false,
    script: async (request, provider) => {
      await provider.take(request);
      return provider.access();
    },
  });
  await world.lender();
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const wish = { ...WISH, sshUser: "anna" };
  await assert.rejects(
    world.during(lessee.spawn({ ...wish, provider: LENDER }, { signal: SIGNAL })),
    /logged in to as root, not as anna; name no other user\. Nothing was paid$/,
  );
  await assert.rejects(lessee.spawn({ ...wish, sshUser: "a b" }, { signal: SIGNAL }), {
    code: "usage",
  });
  assert.equal(world.purse.balanceSat, FUNDED_SAT);
  const lease = await world.during(
    lessee.spawn({ ...wish, provider: old.key }, { signal: SIGNAL }),
  );
  const [request] = old.requests;
  assert.equal(request?.type === "spawn" && request.sshUsername, "anna");
  assert.equal(lease.access?.sshUsername, "root", "as its own line says");
  assert.deepEqual(lease.complaints, ["It is logged in to as root, not as anna"]);
});

Deno.test("what is paid back by a mint that is away is told as coming", async () => {
  await using world = new LesseeWorld();
  await world.lender();
  const { lessee } = await world.lessee();
  await world.pass(3_000);
  const { id } = await world.during(lessee.spawn(WISH, { signal: SIGNAL }));
  world.purse.isReachable = false;
  const stopped = await world.during(lessee.stop(id, { signal: SIGNAL }));
  assert.equal(stopped.refundedSat, 0);
  assert.ok(stopped.comingSat >= 178, `${stopped.comingSat}`);
  assert.equal(stopped.claimedSat, stopped.comingSat);
  world.purse.isReachable = true;
  await world.pass(120_000);
  const again = await world.during(lessee.stop(id, { signal: SIGNAL }));
  assert.deepEqual([again.refundedSat, again.comingSat], [stopped.claimedSat, 0]);
});
