/** Payers who want more than they pay for. */
import assert from "node:assert/strict";
import { hashToCurveHex } from "../../../wallet/cashu.ts";
import { INPUTS_PER_REQUEST_MAX } from "../../../wallet/limits.ts";
import type { PaymentAnswer } from "../../../wallet/selling/selling_api.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import { groups, SellingWorld } from "../selling/selling_world.ts";
import { startKit } from "../../support/wallet_kit.ts";

Deno.test("large texts that are no tokens do not keep strangers from their first payment", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  const token = await world.token(64n);
  for (let count = 0; count < 40; count++) {
    const peer = `waster ${count}`;
    const answer = await world.pay(peer, peer, `cashuB${count}${"A".repeat(32_000)}`);
    assert.ok(answer.answer === "refused" && answer.code === "malformed", JSON.stringify(answer));
  }
  const answer = await world.pay("honest", "first", token);
  assert.equal(answer.answer, "credited", JSON.stringify(answer));
  assert.equal(world.meter("honest").take(groups(1)), 1);
});

Deno.test("a stranger's token of many proofs is refused for less than their points would take", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  const [keyset] = await world.wallet.context.mints.of(kit.url()).keysets();
  const C = hashToCurveHex("any point");
  const proofs = Array.from({ length: INPUTS_PER_REQUEST_MAX }, (_, index) => ({
    keysetId: keyset!.id,
    amount: 1n,
    secret: `s${index}`,
    C,
  }));
  const token = encodeToken({ mint: kit.url(), unit: "sat", proofs });
  const pointsMs = fastestMs(() => {
    for (const { secret } of proofs) hashToCurveHex(secret);
  });
  let names = 0;
  const answers: PaymentAnswer[] = [];
  const paidMs = await fastestOf(async () => {
    const name = `stranger ${names++}`;
    answers.push(await world.pay(name, name, `${token}${"=".repeat(names)}`));
  });
  for (const answer of answers) {
    assert.ok(answer.answer === "refused" && answer.code === "malformed", JSON.stringify(answer));
  }
  assert.ok(paidMs < pointsMs / 2, `${paidMs} ms, and the points take ${pointsMs} ms`);
});

Deno.test("a secret that comes twice in a token is seen, however it is written", () => {
  const id = "00" + "ab".repeat(7);
  const C = hashToCurveHex("any point");
  const text = (secrets: readonly string[]) => {
    const proofs = secrets.map((secret) => ({ id, amount: 8, secret, C }));
    const token = { token: [{ mint: "https://mint.example", proofs }], unit: "sat" };
    return `cashuA${btoa(JSON.stringify(token))}`;
  };
  assert.equal(decodeToken(text(["one", "two"]), [id]).proofs.length, 2);
  assert.throws(() => decodeToken(text(["one", "one"]), [id]), { code: "protocol" });
  // Two halves of pairs, which UTF-8 writes alike.
  assert.throws(() => decodeToken(text(["\ud800", "\ud801"]), [id]), { code: "protocol" });
});

/** The least that `task` took of a few runs. */
function fastestMs(task: () => void): number {
  let least = Infinity;
  for (let runs = 0; runs < 5; runs++) {
    const startMs = performance.now();
    task();
    least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

/** The same of one that waits. */
async function fastestOf(task: () => Promise<void>): Promise<number> {
  let least = Infinity;
  for (let runs = 0; runs < 5; runs++) {
    const startMs = performance.now();
    await task();
    least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

Deno.test("a refund that was redeemed in part gives back as credit only what came back", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  await world.credit("payer", 100n);
  await world.redeemAll();
  const peer = { peerId: "payer", fleet: false };
  const refund = await world.seller.refund(peer);
  assert.ok(refund.status === "refunded" && refund.amountSat === 100);
  const { secretKey } = world.buyer.keys.payment;
  const keysets = await world.buyer.context.mints.of(kit.url()).keysets();
  const { mint, unit, proofs } = decodeToken(refund.token, keysets.map(({ id }) => id));
  const [largest, ...others] = proofs.toSorted((a, b) => Number(b.amount - a.amount));
  assert.ok(largest!.amount === 64n && others.length > 0);
  const part = encodeToken({ mint, unit, proofs: [largest!] });
  assert.equal(await kit.redeem(part, { secretKey }), 64n);
  const [send] = world.wallet.store.operations({ kind: "send", status: "open" });
  kit.clock.jump(8 * 24 * 3_600_000);
  assert.equal((await world.wallet.driveToEnd(send!.id)).state, "reclaimed");
  assert.equal(world.seller.creditOf(peer), 36_000);
  assert.equal(world.seller.earnings({ by: "peer" }).total.refundedMsat, 64_000);
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("a meter that outlives its seller serves nothing more, and costs its payer nothing", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  await world.credit("payer", 200n);
  const meter = world.meter("payer");
  assert.equal(meter.take(groups(64)), 64);
  await world.seller[Symbol.asyncDispose]();
  assert.equal(meter.take(groups(64)), 0);
  await meter[Symbol.asyncDispose]();
  await world.reopen();
  assert.equal(world.seller.creditOf({ peerId: "payer", fleet: false }), 199_000);
  const { total } = world.seller.earnings({ by: "peer" });
  assert.deepEqual([total.soldMsat, total.expiredMsat], [1_000, 0]);
  assert.deepEqual(world.wallet.troubles(), []);
});
