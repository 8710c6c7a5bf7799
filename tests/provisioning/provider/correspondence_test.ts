import assert from "node:assert/strict";
import { buildPrivate, nostrPublicKey, readEvent } from "../../../src/nostr/mod.ts";
import { readHeartbeat, readOffer } from "../../../provisioning/wire/mod.ts";
import { bareToken, safeToken } from "../../support/provisioning/memory_till.ts";
import {
  CAROL_SECRET,
  DAVE_SECRET,
  PostWorld,
  PROVIDER_SECRET,
} from "../../support/provisioning/post_world.ts";

/** Exactly what clients of Paygress send. */
function oldSpawn(token: string): string {
  return JSON.stringify({
    cashu_token: token,
    pod_spec_id: "basic",
    pod_image: "ubuntu:22.04",
    ssh_username: "user",
    ssh_password: "W9ZG2GIUOWiPkYID",
  });
}

for (const kind of ["nip04", "nip17"] as const) {
  Deno.test(`an old client that asks in ${kind} gets one answer, in ${kind}, for a request that came three times`, async () => {
    await using world = new PostWorld();
    await using _one = await world.start();
    const event = await world.send(oldSpawn(bareToken("b", 180)), CAROL_SECRET, kind);
    await world.relay.publish(event);
    await world.relay.publish(event);
    await world.pass(2000);
    await world.relay.publish(event);
    await world.pass(2000);
    const answers = await world.received(CAROL_SECRET);
    assert.equal(answers.length, 1, JSON.stringify([answers, world.problems]));
    assert.equal(answers[0]?.kind, kind);
    const members = JSON.parse(answers[0]!.text);
    assert.equal(members.pod_npub, "container-1000");
    assert.equal(members.node_port, 30_000);
    assert.equal(members.error_type, undefined);
    assert.equal(world.leases.till.balanceSat, 180);
    assert.equal(world.leases.backend.instances.size, 1);
  });
}

Deno.test("a request that came while the provider was away is answered when it is back, or refused when it is old", async () => {
  await using world = new PostWorld();
  await world.send(oldSpawn(bareToken("old", 180)), CAROL_SECRET, "nip17");
  await world.leases.clock.advance(3_600_000);
  await world.send(oldSpawn(bareToken("new", 180)), DAVE_SECRET, "nip17");
  await using _one = await world.start();
  await world.pass(2000);
  const [old] = await world.received(CAROL_SECRET);
  assert.equal(old?.answer?.type === "error" && old.answer.error, "invalid_request");
  const [fresh] = await world.received(DAVE_SECRET);
  assert.equal(fresh?.answer?.type, "access");
  assert.equal(world.leases.till.redeemed.size, 1);
});

Deno.test("wherever a provider dies, the letter has one answer from the next", async () => {
  const places: string[] = [];
  for (let killAt = 8;; killAt++) {
    await using world = new PostWorld();
    const one = await world.start(killAt);
    await world.send(oldSpawn(bareToken("b", 180)), CAROL_SECRET, "nip04");
    await world.pass(1000);
    const { isDead, place } = one.kill;
    await one[Symbol.asyncDispose]();
    await using _two = await world.start();
    await world.pass(2000);
    const answers = await world.received(CAROL_SECRET);
    assert.equal(answers.length, 1, `${killAt} ${place} ${JSON.stringify(answers)}`);
    assert.equal(answers[0]?.answer?.type, "access", `${killAt} ${place}`);
    assert.equal(world.leases.till.balanceSat, 180);
    assert.equal(world.leases.backend.instances.size, 1);
    if (!isDead) break;
    places.push(place!);
  }
  assert.ok(places.length > 15, `only ${places.length} points`);
});

Deno.test("while relays are lost an answer waits, and it is the same event that goes out later", async () => {
  await using world = new PostWorld();
  await using _one = await world.start();
  await world.send(oldSpawn(safeToken("s", 180)), CAROL_SECRET, "nip17");
  world.relay.isUp = false;
  await world.pass(180_000);
  assert.equal((await world.received(CAROL_SECRET)).length, 0);
  const tries = world.relay.given.filter(({ tags }) =>
    tags.some((tag) => tag[1] === nostrPublicKey(CAROL_SECRET))
  );
  assert.ok(tries.length > 2, String(tries.length));
  assert.equal(new Set(tries.map(({ id }) => id)).size, 1);
  world.relay.isUp = true;
  await world.pass(120_000);
  assert.equal((await world.received(CAROL_SECRET)).length, 1);
});

Deno.test("progress and notices go to those who asked for them only", async () => {
  await using world = new PostWorld();
  await using one = await world.start();
  const request = JSON.parse(oldSpawn(safeToken("s", 180)));
  const asked = { ...request, progress: true, request_id: "r1", ssh_public_key: undefined };
  await world.send(JSON.stringify(asked), CAROL_SECRET, "nip17");
  await world.send(oldSpawn(safeToken("t", 180)), DAVE_SECRET, "nip17");
  await world.pass(5000);
  one.provider.drain(true);
  await world.pass(3_600_000 - 200_000);
  await world.pass(300_000);
  const types = (await world.received(CAROL_SECRET)).map(({ answer }) =>
    answer?.type === "notice" ? answer.notice : answer?.type
  );
  assert.ok(types.includes("progress"), JSON.stringify(types));
  assert.deepEqual(types.filter((type) => type !== "progress"), [
    "access",
    "draining",
    "expiring",
    "ended",
  ]);
  assert.equal((await world.received(DAVE_SECRET)).length, 1);
});

Deno.test("chatter is met with silence, and a flood of malformed requests with few words", async () => {
  await using world = new PostWorld();
  await using _one = await world.start();
  await world.send("hello?", DAVE_SECRET, "nip04");
  for (let count = 0; count < 60; count++) {
    await world.send(
      JSON.stringify({ pod_npub: count, junk: "x".repeat(500) }),
      CAROL_SECRET,
      "nip04",
    );
  }
  await world.pass(20_000);
  assert.equal((await world.received(DAVE_SECRET)).length, 0);
  const answers = await world.received(CAROL_SECRET);
  assert.ok(answers.length >= 1 && answers.length <= 4, String(answers.length));
  assert.ok(
    answers.every(({ answer }) => answer?.type === "error" && answer.error === "invalid_request"),
  );
});

Deno.test("an offer is published at the start and at each change, and heartbeats say what is free", async () => {
  await using world = new PostWorld();
  await using one = await world.start();
  await using _announcer = world.announce(one);
  const nowS = () => Math.floor(world.leases.clock.nowMs() / 1000);
  const offers = () =>
    world.relay.stored.filter(({ kind }) => kind === 38383)
      .map((event) => readOffer(readEvent(event)!, { nowS: nowS() })!);
  const beats = (kind: number) =>
    world.relay.stored.filter((event) => event.kind === kind)
      .map((event) => readHeartbeat(readEvent(event)!, { nowS: nowS() })!);
  await world.pass(1000);
  assert.equal(offers().length, 1);
  assert.equal(offers()[0]?.terms?.specs.get("basic")?.slotCount, 10);
  await world.send(oldSpawn(safeToken("s", 180)), CAROL_SECRET, "nip17");
  await world.pass(70_000);
  assert.equal(offers().at(-1)?.terms?.specs.get("basic")?.slotCount, 9);
  assert.equal(beats(38384).length, 2);
  assert.equal(beats(20384).length, 2);
  const beat = beats(38384).at(-1)!;
  assert.equal(beat.activeCount, 1);
  assert.equal(beat.cpuMillicores, 9000);
  assert.equal(beat.terms?.sshProbeMs, 0);
  one.provider.drain(true);
  await world.pass(70_000);
  assert.equal(offers().at(-1)?.terms?.isDraining, true);
  assert.equal(beats(38384).at(-1)?.cpuMillicores, 0);
  const dates = world.relay.stored.filter(({ kind }) => kind === 38383).map((e) => e.created_at);
  assert.equal(new Set(dates).size, dates.length);
  // What cannot run leases says nothing.
  const count = beats(38384).length;
  world.leases.backend.isReachable = false;
  await world.pass(240_000);
  assert.ok(beats(38384).length <= count + 1);
  assert.equal(nostrPublicKey(PROVIDER_SECRET), offers()[0]?.provider);
});

Deno.test("a message that is dated far in the past is not served", async () => {
  await using world = new PostWorld();
  await using _one = await world.start();
  const { clock } = world.leases;
  const { event } = await buildPrivate(
    {
      kind: "nip17",
      recipient: nostrPublicKey(PROVIDER_SECRET),
      text: oldSpawn(bareToken("b", 180)),
    },
    {
      secretKey: CAROL_SECRET,
      clock: { nowMs: () => clock.nowMs() - 12 * 3_600_000 },
      random: world.leases.random,
    },
  );
  await world.relay.publish(event);
  await world.pass(2000);
  const [answer] = await world.received(CAROL_SECRET);
  assert.equal(answer?.answer?.type === "error" && answer.answer.error, "invalid_request");
  assert.equal(world.leases.till.redeemCount, 0);
});
