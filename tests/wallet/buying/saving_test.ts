import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import { startKit } from "../../support/wallet_kit.ts";
import {
  buyerOf,
  buyingWallet,
  deskOf,
  opened,
  paymentOf,
  SELLER,
  TestSeller,
  whyNot,
} from "./buying_world.ts";

Deno.test("a session has what was verified saved before each payment leaves, and pays nothing when it cannot be", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(500n);
  await using desk = deskOf(alice);
  const revealed = () => alice.store.stripParts({ peer: SELLER, states: ["revealed"] }).length;
  let isDiskFull = true;
  const revealedBefore: number[] = [];
  await using session = await opened(buyerOf(desk), new TestSeller(bob).terms, {
    bytesMax: 100 * 1_048_576,
    beforePaying: () => {
      if (isDiskFull) throw new RangeError("the disk is full");
      revealedBefore.push(revealed());
    },
  });
  assert.equal(whyNot(await session.next()), "the disk is full");
  assert.equal(revealed(), 0, "nothing was handed over");
  isDiskFull = false;
  const first = paymentOf(await session.next());
  assert.deepEqual(paymentOf(await session.next()).id, first.id);
  assert.deepEqual(revealedBefore, [0], "once, and before");
});

Deno.test("no token leaves a session before the disk has that it is out, however often it is asked for", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(500n);
  await using desk = deskOf(alice);
  await using session = await opened(buyerOf(desk), new TestSeller(bob).terms, {
    bytesMax: 100 * 1_048_576,
  });
  const broken = () => Promise.reject(new SeedmintError("storage", "the disk is broken"));
  alice.store.flush = broken;
  for (let count = 0; count < 2; count++) {
    assert.match(whyNot(await session.next()), /the disk is broken/);
  }
  const disk = Promise.withResolvers<void>();
  alice.store.flush = () => disk.promise;
  let isOut = false;
  const asked = session.next().then((due) => {
    isOut = true;
    return paymentOf(due);
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(isOut, false, "while the disk is slow");
  disk.resolve();
  const { id } = await asked;
  const [part, ...others] = alice.store.stripParts({ peer: SELLER, states: ["revealed"] });
  assert.equal(part!.paymentId, id.toHex(), "what was about to leave is what leaves");
  assert.deepEqual(others, []);
});
