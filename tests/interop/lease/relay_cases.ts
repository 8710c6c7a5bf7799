/** Requests that come twice, late or in another order, and a relay that is gone for a while. */
import assert from "node:assert/strict";
import { buildPrivate, RelayPool } from "../../../src/nostr/mod.ts";
import { parsePublicKey } from "../../../src/nostr/nostr.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { buildRequest } from "../../../provisioning/wire/mod.ts";
import { until } from "../../e2e/lease/lab.ts";
import { OldClient } from "../../e2e/lease/old_client.ts";
import { setLink, swallow } from "./net.ts";
import type { Check } from "./rent_cases.ts";
import type { LeaseWorld, WorldProvider } from "./world.ts";

const DOWN_MS = 60_000;
const PAID_SAT = 40;

async function repeat(world: LeaseWorld, provider: WorldProvider): Promise<void> {
  const secretKey = crypto.getRandomValues(new Uint8Array(32));
  await using client = new OldClient(world.relay, secretKey);
  await using pool = new RelayPool({
    relays: [world.relay],
    clock: systemClock,
    random: systemRandom,
  });
  const known = (await world.leases(provider)).map(({ number }) => Number(number));
  // A top-up for the lease to come arrives before it is asked for: nothing is taken.
  const early = await world.purse.token(PAID_SAT, provider.paymentKey);
  const request = await world.request(provider, { sat: PAID_SAT });
  const number = Math.max(999, ...known) + 1;
  const topUp = { type: "topup", lease: `container-${number}`, token: early } as const;
  const refused = await client.ask(provider.npub, { ...topUp, requestId: "early" });
  assert.equal(refused.type === "error" && refused.error, "not_found", JSON.stringify(refused));
  assert.deepEqual(await world.statesOf(early), ["UNSPENT"]);

  const recipient = parsePublicKey(provider.npub)!;
  const sender = { secretKey, clock: systemClock, random: systemRandom };
  const text = buildRequest(request);
  const [one, other, old] = await Promise.all([
    buildPrivate({ kind: "nip17", recipient, text }, sender),
    buildPrivate({ kind: "nip17", recipient, text }, sender),
    buildPrivate({ kind: "nip04", recipient, text }, sender),
  ]);
  const publish = (built: typeof one) => pool.publish(built.event, { graceMs: 100 });
  const answered = client.ask(provider.npub, request);
  await Promise.all([one, one, other, old, one].map(publish));
  const answer = await answered;
  assert.equal(answer.type, "access", JSON.stringify(answer));
  if (answer.type !== "access") return;
  await publish(one);
  await publish(other);
  const before = client.answers.length;
  // Within one second the same answer is the same message, which nobody hears twice.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const again = await client.ask(provider.npub, request);
  assert.equal(again.type === "access" && again.lease, answer.lease, JSON.stringify(again));
  // The same token under another name, and from somebody else.
  const renamed = await client.ask(provider.npub, { ...request, requestId: "renamed" });
  assert.equal(renamed.type === "access" && renamed.lease, answer.lease, JSON.stringify(renamed));
  const foreign = await world.client.ask(provider.npub, request);
  assert.equal(
    foreign.type === "error" && foreign.error,
    "token_already_spent",
    JSON.stringify(foreign),
  );
  assert.ok(client.answers.length >= before + 2);
  const later = await client.ask(provider.npub, { ...topUp, lease: answer.lease });
  assert.equal(later.type, "topup", JSON.stringify(later));
  const begun = (await world.leases(provider)).filter((one) => Number(one.number) >= number);
  assert.equal(begun.length, 1, "one lease for all of them");
  const stopped = await client.ask(provider.npub, { type: "stop", lease: answer.lease });
  assert.equal(stopped.type, "stop", JSON.stringify(stopped));
  if (stopped.type === "stop" && stopped.refund) await world.purse.receive(stopped.refund.token);
  await world.assertBooks();
}

/** While the relay is gone a lease ends, another one fails for want of SSH, and a third is asked for. */
async function lose(world: LeaseWorld, provider: WorldProvider): Promise<void> {
  const { client } = world;
  const withinMs = DOWN_MS + 90_000;
  const request = await world.request(provider, { sat: PAID_SAT });
  const lived = await client.ask(provider.npub, request);
  assert.equal(lived.type, "access", JSON.stringify(lived));
  if (lived.type !== "access") return;

  const release = await swallow(30_000, 31_999);
  try {
    const mute = await world.request(provider, { sat: PAID_SAT });
    const heard = client.answers.length;
    const answered = client.ask(provider.npub, mute, { withinMs });
    answered.catch(() => {});
    await until(async () => (await world.instances()).length >= 2, 60_000);
    await setLink("relay", "down");
    const downMs = performance.now();
    // The lease that was there ends in its time, whether anybody hears of it or not.
    await until(async () => !(await world.instances()).includes(lived.lease), 90_000);
    const lateMs = Date.now() - lived.expiresMs;
    assert.ok(lateMs > -1000 && lateMs < 6_000, `${lateMs} ms late`);
    await until(async () => (await world.instances()).length === 0, 120_000);
    const leftMs = DOWN_MS - (performance.now() - downMs);
    if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
    assert.equal(client.answers.length, heard);
    await setLink("relay", "up");
    const answer = await answered;
    assert.equal(answer.type === "error" && answer.error, "backend_error", JSON.stringify(answer));
    const refund = answer.type === "error" ? answer.refund : undefined;
    assert.ok(refund !== undefined && refund.amountSat >= PAID_SAT - 2, JSON.stringify(answer));
    await world.purse.receive(refund.token);
    await release();
    const next = await client.ask(provider.npub, { type: "leases", requestId: "after" });
    assert.equal(next.type, "leases", JSON.stringify(next));
    assert.equal(client.answers.length, heard + 2, "one answer, once");
  } finally {
    await setLink("relay", "up");
    await release().catch(() => {});
  }
  await world.assertBooks();
}

/** See the head of this file. */
export async function relayCases(world: LeaseWorld, check: Check): Promise<void> {
  const provider = await world.provider();
  await check(
    "requests that come twice, again and in another order make one lease",
    () => repeat(world, provider),
  );
  await check(
    "without a relay for a minute leases end in time, and answers come once, later",
    () => lose(world, provider),
  );
  await provider.process.stop();
}
