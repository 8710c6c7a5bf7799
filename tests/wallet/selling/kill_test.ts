import assert from "node:assert/strict";
import { UNITS_PER_SAT, unitsOf } from "../../../wallet/credit_units.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { GROUP, groups, SellingWorld, viewer } from "./selling_world.ts";

const SLICE = 64n * UNITS_PER_SAT;
const PRICE = 1_000;

/** What the outside saw: groups that went over the wire, and refunds that were handed over. */
interface Seen {
  readonly peer: string;
  sent: number;
  refunded: Map<string, number>;
}

/** A day of a seller, of which each part may be the last that it does. Parts that were done are skipped. */
async function live(world: SellingWorld, tokens: readonly string[], seen: Seen): Promise<void> {
  for (const [index, token] of tokens.entries()) {
    // The payer asks with the same id until it has an answer.
    await world.pay(seen.peer, `payment ${index}`, token);
  }
  const meter = world.meter(seen.peer, PRICE);
  for (let count = 0; count < 6_000 && seen.sent < 6_000; count += 500) {
    seen.sent += meter.take(groups(500));
  }
  await meter[Symbol.asyncDispose]();
  await world.redeemAll();
  const answer = await world.seller.refund(viewer(seen.peer));
  if (answer.status === "refunded") seen.refunded.set(answer.token, answer.amountSat);
}

Deno.test("a seller killed at any point gives no credit twice, loses no more than a slice, and balances", async () => {
  await using kit = await startKit();
  const points = new Set<string>();
  let crashCount = 0;
  for (let crashAfter = 1;; crashAfter += crashAfter < 16 ? 1 : 4) {
    await using world = await SellingWorld.start(kit, { fund: 300n });
    const tokens = [await world.token(64n), await world.token(70n), await world.token(66n)];
    const seen: Seen = { peer: `p${crashAfter}`, sent: 0, refunded: new Map() };
    world.wallet.crashAfter(crashAfter);
    let isOver = false;
    try {
      await live(world, tokens, seen);
      isOver = true;
    } catch (error) {
      if (!world.wallet.isDead) throw error;
    }
    const died = world.wallet.isDead;
    for (const point of world.wallet.points) points.add(point);
    if (died) crashCount++;
    await world.reopen();
    // Once more, as the payer would go on.
    await live(world, tokens, seen);
    await world.redeemAll();
    await world.reopen();
    const account = world.wallet.store.creditAccount(seen.peer)!;
    assert.equal(account.paid, 200n, "each payment counts once");
    assert.equal(account.drawn, 0n);
    const refunded = [...seen.refunded.values()].reduce((sum, sat) => sum + BigInt(sat), 0n);
    assert.ok(seen.refunded.size <= 1, "one refund a day");
    const served = unitsOf(seen.sent * GROUP, PRICE) + refunded * UNITS_PER_SAT;
    const used = account.used;
    // More was booked than served: what was drawn when it died. Less: what was served and not booked.
    assert.ok(used - served <= SLICE, `payer lost ${used - served} units at ${crashAfter}`);
    assert.ok(
      served - used <= unitsOf(GROUP, PRICE),
      `seller lost ${served - used} units at ${crashAfter}`,
    );
    assert.deepEqual(world.wallet.troubles(), []);
    await world.buyer[Symbol.asyncDispose]();
    await world.wallet[Symbol.asyncDispose]();
    if (isOver) break;
    assert.ok(crashAfter < 200);
  }
  assert.ok(crashCount >= 15, `${crashCount} crashes`);
  for (
    const point of [
      "sell.slice.before-commit",
      "sell.slice.after-commit",
      "redeem.take.after-commit",
      "send.swap.after-send",
    ]
  ) {
    assert.ok(points.has(point), point);
  }
});
