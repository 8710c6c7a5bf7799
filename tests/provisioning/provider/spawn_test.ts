import assert from "node:assert/strict";
import type { Answer, SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { ALICE, BASIC, BOB, LeaseWorld } from "../../support/provisioning/lease_world.ts";
import {
  bareToken,
  PAYMENT_KEY,
  playToken,
  safeToken,
} from "../../support/provisioning/memory_till.ts";

function spawn(token: string, more: Partial<SpawnRequest> = {}): SpawnRequest {
  return {
    type: "spawn",
    token,
    specId: "basic",
    image: "ubuntu:22.04",
    sshUsername: "user",
    sshPassword: "W9ZG2GIUOWiPkYID",
    ...more,
  };
}

function assertError(answer: Answer, error: string) {
  assert.equal(answer.type, "error", JSON.stringify(answer));
  assert.equal(answer.type === "error" && answer.error, error);
  return answer;
}

Deno.test("a spawn with a safe token has its image first, is redeemed then, and its time begins with SSH", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const answer = await world.ask(one, ALICE, spawn(safeToken("s1", 180), { requestId: "r1" }));
  assert.equal(answer.type, "access", JSON.stringify(answer));
  if (answer.type !== "access") return;
  assert.equal(answer.lease, "container-1000");
  assert.equal(answer.requestId, "r1");
  assert.equal(answer.sshPort, 30_000);
  assert.equal(answer.expiresMs, answer.readyMs! + 3_600_000);
  assert.equal(world.till.balanceSat, 180);
  assert.deepEqual(one.provider.story(1000).map((entry) => entry.state), [
    "reserved",
    "pulling",
    "redeeming",
    "paid",
    "starting",
    "ready",
  ]);
  assert.ok(answer.instructions.some((line) => line.includes("Password: W9ZG2GIUOWiPkYID")));
  assert.equal(world.backend.instances.get("container-1000")?.expiresMs, answer.expiresMs);
});

Deno.test("a spawn with any other token is redeemed before an image is pulled for it", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const soon = Math.floor(world.clock.nowMs() / 1000) + 60;
  const tokens = [
    bareToken("bare", 180),
    playToken({ secret: "no dleq", amountSat: 180, lockedTo: PAYMENT_KEY }),
    playToken({
      secret: "short lock",
      amountSat: 180,
      lockedTo: PAYMENT_KEY,
      hasValidDleq: true,
      locktimeS: soon,
    }),
  ];
  for (const [index, token] of tokens.entries()) {
    const answer = await world.ask(one, ALICE, spawn(token));
    assert.equal(answer.type, "access", JSON.stringify(answer));
    assert.deepEqual(
      one.provider.story(1000 + index).map((entry) => entry.state),
      ["reserved", "redeeming", "paid", "pulling", "starting", "ready"],
    );
  }
});

Deno.test("what is wrong with a request is found before its token or the engine is touched", async () => {
  await using world = new LeaseWorld();
  world.settings = { ...world.settings, images: { allow: [], deny: ["evil.example/"] } };
  await using one = await world.start();
  one.provider.deny({ kind: "image", name: "sha256:" + "e1".repeat(32), reason: "test" });
  const token = safeToken("s1", 180);
  const cases: [Partial<SpawnRequest>, string][] = [
    [{ specId: "unknown" }, "spec_unavailable"],
    [{ template: "bitcoin-node" }, "template_unsupported"],
    [
      { volumeEncryption: { version: 1, algorithm: "luks2-aes-xts", keyB64: "x" } },
      "invalid_volume_encryption",
    ],
    [{ replication: { mode: "warm-standby", standbys: [] } }, "missing_workload_id"],
    [
      { replication: { mode: "warm-standby", standbys: [] }, workloadId: "w", primary: BOB },
      "not_addressed",
    ],
    [{ image: "evil.example/miner:1" }, "denied"],
    [{ image: `ok@sha256:${"e1".repeat(32)}` }, "denied"],
    [{ image: "../../etc/passwd" }, "invalid_request"],
    [{ image: "--privileged" }, "invalid_request"],
    [{ sshPublicKey: 'command="sh" ssh-ed25519 AAAA' }, "invalid_request"],
    [{ token: safeToken("small", 2) }, "insufficient_payment"],
    [{ token: safeToken("large", 200_000_000) }, "invalid_request"],
    [{ token: "cashuBgarbage" }, "invalid_token"],
    [
      { token: playToken({ secret: "f", amountSat: 180, mint: "https://foreign.example" }) },
      "non_whitelisted_mint",
    ],
    [{ token: playToken({ secret: "u", amountSat: 180, unit: "usd" }) }, "unsupported_unit"],
    [
      { token: playToken({ secret: "o", amountSat: 180, lockedTo: `03${"cd".repeat(32)}` }) },
      "invalid_token",
    ],
  ];
  for (const [more, error] of cases) {
    assertError(await world.ask(one, ALICE, spawn(token, more)), error);
    await world.clock.advance(2000);
  }
  assert.equal(world.till.redeemCount, 0);
  assert.deepEqual(world.images.brought, []);
  assert.ok(!world.backend.calls.includes("create"));
  assert.equal(one.provider.status().openCount, 0);
});

Deno.test("a request that came while the provider was away is refused when it is old, and not charged", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const sentAtMs = world.clock.nowMs() - 47 * 3_600_000;
  const answer = await world.ask(one, ALICE, spawn(bareToken("b", 180)), { sentAtMs });
  assertError(answer, "invalid_request");
  assert.equal(world.till.redeemCount, 0);
});

Deno.test("the same request of the same key gets the same answer, and from another nothing", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const request = spawn(safeToken("s1", 180), { requestId: "r1" });
  const asking = Promise.all([0, 1, 2].map(() => one.provider.ask(ALICE, request)));
  await world.clock.advance(1000);
  const answers = await asking;
  assert.deepEqual(answers[1], answers[0]);
  assert.deepEqual(answers[2], answers[0]);
  assert.deepEqual(await world.ask(one, ALICE, request), answers[0]);
  // Without an id the token says that it is the same.
  const { requestId: _, ...old } = request;
  const again = await world.ask(one, ALICE, old);
  assert.equal(again.type === "access" && again.lease, "container-1000");
  assertError(await world.ask(one, BOB, request), "token_already_spent");
  const other = spawn(safeToken("s2", 180), { requestId: "r1" });
  assertError(await world.ask(one, ALICE, other), "invalid_request");
  assert.equal(world.till.balanceSat, 180);
  assert.equal(world.backend.instances.size, 1);
});

Deno.test("of a hundred spawns at once as many run as there is room for, and no token of the others is touched", async () => {
  await using world = new LeaseWorld();
  world.settings = { ...world.settings, leasesPerKeyMax: 100 };
  await using one = await world.start();
  const asking = Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      one.provider.ask(
        index.toString(16).padStart(64, "0"),
        spawn(index % 2 === 0 ? safeToken(`s${index}`, 180) : bareToken(`b${index}`, 180)),
      )),
  );
  await world.clock.advance(5000);
  const answers = await asking;
  const ready = answers.filter((answer) => answer.type === "access");
  assert.equal(ready.length, 10);
  assert.equal(new Set(ready.map((answer) => answer.type === "access" && answer.sshPort)).size, 10);
  for (const answer of answers) if (answer.type !== "access") assertError(answer, "no_capacity");
  assert.equal(world.till.redeemed.size, 10);
  assert.equal(world.backend.instances.size, 10);
  assert.deepEqual(world.backend.mistakes, []);
  assert.equal(one.provider.status().free.cpuMillicores, 0);
});

for (
  const [what, breakIt, error] of [
    [
      "the image cannot be had",
      (world: LeaseWorld) => world.images.missing.add("ubuntu:22.04"),
      "image_unavailable",
    ],
    [
      "the engine cannot unpack",
      (world: LeaseWorld) => world.backend.broken.add("prepare"),
      "backend_error",
    ],
    [
      "the engine cannot create",
      (world: LeaseWorld) => world.backend.broken.add("create"),
      "backend_error",
    ],
    [
      "the engine cannot start",
      (world: LeaseWorld) => world.backend.broken.add("start"),
      "backend_error",
    ],
    ["SSH does not answer", (world: LeaseWorld) => world.answersSsh = false, "backend_error"],
  ] as const
) {
  for (const isSafe of [true, false]) {
    Deno.test(`when ${what}, a ${isSafe ? "safe" : "bare"} token comes back whole and nothing is left`, async () => {
      await using world = new LeaseWorld();
      breakIt(world);
      await using one = await world.start();
      const token = isSafe ? safeToken("s1", 180) : bareToken("b1", 180);
      const refundKey = `02${"77".repeat(32)}`;
      const answer = assertError(await world.ask(one, ALICE, spawn(token, { refundKey })), error);
      assert.equal(world.till.balanceSat, 0);
      assert.equal(world.backend.instances.size, 0);
      assert.equal(one.provider.status().free.cpuMillicores, 10_000);
      const isRedeemed = world.till.redeemed.size === 1;
      assert.equal(answer.refund?.amountSat, isRedeemed ? 180 : undefined);
      for (const refund of world.till.refunds.values()) assert.equal(refund.lockTo, refundKey);
    });
  }
}

Deno.test("what is less than the shortest lease after the mint's fee comes back", async () => {
  await using world = new LeaseWorld();
  world.till.feeSat = 1;
  await using one = await world.start();
  const answer = await world.ask(one, ALICE, spawn(bareToken("b1", 3)));
  assert.equal(assertError(answer, "insufficient_payment").refund?.amountSat, 2);
  assert.equal(world.till.balanceSat, 0);
});

Deno.test("a lease that fails at a mint with fees pays them out of what comes back, where nothing else is", async () => {
  await using world = new LeaseWorld();
  world.till.sendFeeSat = 2;
  world.answersSsh = false;
  await using one = await world.start();
  const refundKey = `02${"77".repeat(32)}`;
  const answer = await world.ask(one, ALICE, spawn(safeToken("s1", 180), { refundKey }));
  assert.equal(assertError(answer, "backend_error").refund?.amountSat, 178);
  assert.equal(world.till.balanceSat, 0);
  assert.deepEqual(one.provider.leases().map(({ state }) => state), ["refunded"]);
});

Deno.test("a mint that does not answer costs the lease its room, and what it gives later comes back", async () => {
  await using world = new LeaseWorld();
  world.till.isReachable = false;
  await using one = await world.start();
  const request = spawn(bareToken("b1", 180), { requestId: "r" });
  const answer = await world.ask(one, ALICE, request, { ms: 200_000 });
  assertError(answer, "token_pending");
  assert.equal(one.provider.status().free.cpuMillicores, 10_000);
  world.till.isReachable = true;
  await world.clock.advance(60_000);
  const later = assertError(await world.ask(one, ALICE, request), "token_pending");
  assert.equal(later.refund?.amountSat, 180);
  assert.equal(world.till.balanceSat, 0);
});

Deno.test("a token that its failed lease never touched can be tried again", async () => {
  await using world = new LeaseWorld();
  world.images.missing.add("ubuntu:22.04");
  await using one = await world.start();
  const token = safeToken("s1", 180);
  assertError(await world.ask(one, ALICE, spawn(token, { requestId: "1" })), "image_unavailable");
  world.images.missing.clear();
  const answer = await world.ask(one, ALICE, spawn(token, { requestId: "2" }));
  assert.equal(answer.type, "access", JSON.stringify(answer));
});

Deno.test("a draining provider and one that denies the key touch no token", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  one.provider.drain(true);
  assertError(await world.ask(one, ALICE, spawn(safeToken("s", 180))), "draining");
  one.provider.drain(false);
  one.provider.deny({ kind: "key", name: ALICE, reason: "abuse" });
  assertError(await world.ask(one, ALICE, spawn(safeToken("s", 180))), "denied");
  assert.equal(world.till.redeemCount, 0);
  one.provider.allow("key", ALICE);
  assert.equal((await world.ask(one, ALICE, spawn(safeToken("s", 180)))).type, "access");
});

Deno.test("a tier need not be named when there is one, and must be when there are more", async () => {
  await using world = new LeaseWorld();
  {
    await using one = await world.start();
    const { specId: _, ...request } = spawn(safeToken("s", 180));
    assert.equal((await world.ask(one, ALICE, request)).type, "access");
  }
  world.settings = { ...world.settings, specs: [BASIC, { ...BASIC, id: "big" }] };
  await using two = await world.start();
  const { specId: _, ...request } = spawn(safeToken("s2", 180));
  assertError(await world.ask(two, ALICE, request), "spec_unavailable");
});

Deno.test("tokens without proofs, which cost nothing to make, cannot keep the mint busy", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const answers: Answer[] = [];
  for (let count = 0; count < 30; count++) {
    const secret = `forged ${count}`;
    world.till.refusals.set(secret, "invalid_token");
    const owner = count.toString(16).padStart(64, "0");
    answers.push(await world.ask(one, owner, spawn(playToken({ secret, amountSat: 180 }))));
  }
  assert.ok(world.till.redeemCount <= 12, String(world.till.redeemCount));
  for (const answer of answers.slice(15)) assertError(answer, "rate_limited");
  const honest = await world.ask(one, BOB, spawn(bareToken("b", 180)));
  assert.equal(honest.type, "access");
});

Deno.test("a token that was refused once is not taken to its mint again", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  world.till.refusals.set("spent", "token_already_spent");
  for (let count = 0; count < 3; count++) {
    assertError(await world.ask(one, ALICE, spawn(bareToken("spent", 180))), "token_already_spent");
  }
  assertError(await world.ask(one, BOB, spawn(bareToken("spent", 180))), "token_already_spent");
  assert.equal(world.till.redeemCount, 1);
  assert.equal(one.provider.status().free.cpuMillicores, 10_000);
});
