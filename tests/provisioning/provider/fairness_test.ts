/** What one lessee does to a provider takes nothing from another. */
import assert from "node:assert/strict";
import type { Answer, SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { ALICE, BOB, type Generation, LeaseWorld } from "../../support/provisioning/lease_world.ts";
import { bareToken, safeToken } from "../../support/provisioning/memory_till.ts";

const HERE = "ubuntu:22.04";

function spawn(token: string, more: Partial<SpawnRequest> = {}): SpawnRequest {
  return {
    type: "spawn",
    token,
    specId: "basic",
    image: HERE,
    sshUsername: "user",
    sshPassword: "short",
    ...more,
  };
}

function stranger(number: number): string {
  return number.toString(16).padStart(64, "0");
}

function errorOf(answer: Answer): string | undefined {
  return answer.type === "error" ? answer.error : undefined;
}

/** Asks and waits for nothing. */
function ask(one: Generation, owner: string, request: SpawnRequest): Promise<Answer> {
  const asking = one.provider.ask(owner, request);
  asking.catch(() => {});
  return asking;
}

/** How long an answer took, by the world's clock. */
async function timed(world: LeaseWorld, one: Generation, owner: string, request: SpawnRequest) {
  const fromMs = world.clock.nowMs();
  const answer = await world.ask(one, owner, request, { ms: 1_800_000 });
  return { answer, tookMs: world.clock.nowMs() - fromMs };
}

Deno.test("leases whose SSH does not answer keep nobody else's from being started", async () => {
  await using world = new LeaseWorld();
  world.silentImages.add("silent:1");
  await using one = await world.start();
  const asking = Array.from(
    { length: 8 },
    (_, index) =>
      ask(one, stranger(index), spawn(safeToken(`s${index}`, 180), { image: "silent:1" })),
  );
  await world.clock.advance(1_000);
  assert.equal(world.backend.instances.size, 8);
  const { answer, tookMs } = await timed(world, one, BOB, spawn(safeToken("bob", 180)));
  assert.equal(answer.type, "access", JSON.stringify(answer));
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
  await world.clock.advance(70_000);
  for (const each of await Promise.all(asking)) assert.equal(errorOf(each), "backend_error");
  assert.equal(world.till.balanceSat, 180);
});

Deno.test("a key whose leases show no SSH again and again gets no more of them for a while", async () => {
  await using world = new LeaseWorld();
  world.silentImages.add("silent:1");
  await using one = await world.start();
  const errors: (string | undefined)[] = [];
  for (let count = 0; count < 5; count++) {
    const request = spawn(safeToken(`s${count}`, 180), { image: "silent:1" });
    errors.push(errorOf(await world.ask(one, ALICE, request)));
  }
  assert.deepEqual(errors.slice(0, 3), Array(3).fill("backend_error"));
  assert.deepEqual(errors.slice(3), ["rate_limited", "rate_limited"]);
  assert.equal(world.till.redeemed.size, 3);
  assert.equal((await world.ask(one, BOB, spawn(safeToken("bob", 180)))).type, "access");
  await world.clock.advance(1_800_000);
  assert.equal((await world.ask(one, ALICE, spawn(safeToken("a", 180)))).type, "access");
});

Deno.test("images that do not come keep nobody waiting for one that is here", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  assert.equal((await world.ask(one, BOB, spawn(safeToken("b1", 180)))).type, "access");
  for (let index = 0; index < 4; index++) {
    world.images.endless.add(`slow:${index}`);
    const request = spawn(safeToken(`s${index}`, 180), { image: `slow:${index}` });
    void ask(one, stranger(index), request);
  }
  await world.clock.advance(1_000);
  const { answer, tookMs } = await timed(world, one, BOB, spawn(safeToken("b2", 180)));
  assert.equal(answer.type, "access", JSON.stringify(answer));
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
});

Deno.test("one key's images come one after the other, and another's meanwhile", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  for (let index = 0; index < 6; index++) {
    world.images.endless.add(`slow:${index}`);
    void ask(one, ALICE, spawn(safeToken(`s${index}`, 180), { image: `slow:${index}` }));
  }
  await world.clock.advance(1_000);
  assert.deepEqual(world.images.brought, ["slow:0"]);
  const { answer, tookMs } = await timed(world, one, BOB, spawn(safeToken("b", 180)));
  assert.equal(answer.type, "access", JSON.stringify(answer));
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
});

Deno.test("a spawn that waited too long for the images of others is not charged", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  for (let index = 0; index < 4; index++) {
    world.images.endless.add(`slow:${index}`);
    void ask(one, stranger(index), spawn(safeToken(`s${index}`, 180), { image: `slow:${index}` }));
  }
  await world.clock.advance(1_000);
  const gate = Promise.withResolvers<void>();
  world.images.gate = gate.promise;
  const cancel = world.clock.timer(1_000_000, gate.resolve);
  const request = spawn(safeToken("b", 180), { image: "new:1" });
  const { answer, tookMs } = await timed(world, one, BOB, request);
  assert.equal(errorOf(answer), "image_unavailable");
  assert.ok(tookMs <= 920_000, `${tookMs} ms`);
  await world.clock.advance(600_000);
  cancel();
  assert.equal(world.till.redeemCount, 0);
});

Deno.test("a token whose lease waited for its image in vain is redeemed before it waits again", async () => {
  await using world = new LeaseWorld();
  world.images.missing.add("gone:1");
  await using one = await world.start();
  const token = safeToken("s", 180);
  const first = await world.ask(one, ALICE, spawn(token, { image: "gone:1" }));
  assert.equal(errorOf(first), "image_unavailable");
  assert.equal(world.till.redeemCount, 0);
  const second = await world.ask(one, ALICE, spawn(token, { image: "gone:1" }));
  assert.equal(errorOf(second), "image_unavailable");
  assert.equal(second.type === "error" && second.refund?.amountSat, 180);
  assert.deepEqual(
    one.provider.story(1001).map((entry) => entry.state).slice(0, 4),
    ["reserved", "redeeming", "paid", "pulling"],
  );
});

Deno.test("spent tokens, which prove themselves still, cannot keep the mint busy", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const answers: Answer[] = [];
  for (let count = 0; count < 60; count++) {
    const secret = `spent ${count}`;
    world.till.refusals.set(secret, "token_already_spent");
    answers.push(await world.ask(one, stranger(count), spawn(bareToken(secret, 180))));
  }
  assert.ok(world.till.redeemCount <= 24, `${world.till.redeemCount} questions`);
  assert.deepEqual(new Set(answers.slice(30).map(errorOf)), new Set(["rate_limited"]));
  const locked = await world.ask(one, BOB, spawn(safeToken("b", 180)));
  assert.equal(locked.type, "access", JSON.stringify(locked));
  const topUp = { type: "topup", lease: "container-1000", token: bareToken("t", 9) } as const;
  const lease = locked.type === "access" ? locked.lease : "";
  const asked = world.till.redeemCount;
  assert.equal(errorOf(await world.ask(one, BOB, { ...topUp, lease })), "rate_limited");
  assert.equal(world.till.redeemCount, asked);
  await world.clock.advance(120_000);
  assert.equal((await world.ask(one, BOB, { ...topUp, lease })).type, "topup");
});

Deno.test("while the mint is silent, tokens that may be spent leave room for those that are locked", async () => {
  await using world = new LeaseWorld();
  world.till.isReachable = false;
  await using one = await world.start();
  for (let count = 0; count < 40; count++) {
    void ask(one, stranger(count), spawn(bareToken(`spent ${count}`, 180)));
  }
  await world.clock.advance(1_000);
  assert.ok(one.provider.status().free.cpuMillicores >= 5_000);
  const honest = ask(one, BOB, spawn(safeToken("b", 180)));
  await world.clock.advance(1_000);
  world.till.isReachable = true;
  await world.clock.advance(5_000);
  assert.equal((await honest).type, "access");
});

Deno.test("a request that was begun is answered again when its mint is taken no more, or its key denied", async () => {
  for (const requestId of ["r", undefined]) {
    await using world = new LeaseWorld();
    await using one = await world.start();
    const id = (name: string) => requestId === undefined ? {} : { requestId: requestId + name };
    const request = spawn(bareToken("s", 180), id("1"));
    const first = await world.ask(one, ALICE, request);
    assert.equal(first.type, "access", JSON.stringify(first));
    const lease = first.type === "access" ? first.lease : "";
    const topUp = { type: "topup", lease, token: bareToken("t", 60), ...id("2") } as const;
    world.till.isReachable = false;
    const pending = await world.ask(one, ALICE, topUp);
    assert.equal(errorOf(pending), "token_pending");
    world.till.isReachable = true;
    await world.clock.advance(120_000);
    world.till.mints = [];
    one.provider.deny({ kind: "key", name: ALICE, reason: "abuse" });
    const again = await world.ask(one, ALICE, request);
    assert.equal(again.type === "access" && again.lease, lease);
    assert.equal((await world.ask(one, ALICE, topUp)).type, "topup");
    const more = { ...topUp, token: bareToken("more", 60), ...id("3") };
    assert.equal(errorOf(await world.ask(one, ALICE, more)), "denied");
  }
});

Deno.test("the refund of a failed lease can be asked for when its mint is taken no more", async () => {
  await using world = new LeaseWorld();
  world.backend.broken.add("start");
  world.till.canRefund = false;
  await using one = await world.start();
  const request = spawn(bareToken("s", 180), { requestId: "r" });
  await world.ask(one, ALICE, request);
  world.till.canRefund = true;
  world.till.mints = [];
  await world.clock.advance(60_000);
  const answer = await world.ask(one, ALICE, request);
  assert.equal(answer.type === "error" && answer.refund?.amountSat, 180);
});
