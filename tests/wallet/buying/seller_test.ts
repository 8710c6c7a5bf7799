/** What a buyer forgives its sellers, and for how long it stays away from them. */
import assert from "node:assert/strict";
import { UNITS_PER_SAT } from "../../../wallet/credit_units.ts";
import { Seller } from "../../../wallet/buying/seller.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import {
  buyerOf,
  buyingWallet,
  declined,
  deskOf,
  opened,
  paymentOf,
  SELLER,
  TestSeller,
  whyNot,
} from "./buying_world.ts";

const MIB = 1_048_576;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** A clock that moves while something waits for it. */
async function whileTimePasses<T>(kit: WalletKit, task: Promise<T>): Promise<T> {
  let isOver = false;
  const done = task.finally(() => isOver = true);
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    kit.clock.jump(200);
  }
  return await done;
}

/** Pays twice and verifies half of the first; the seller sends all of the rest, and we are killed. */
async function killed(alice: TestWallet, seller: TestSeller): Promise<TestWallet> {
  const desk = deskOf(alice);
  const session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  for (const verifiedMiB of [32, 0]) {
    const due = paymentOf(await session.next());
    session.answered(due.id, await seller.take(due));
    if (verifiedMiB > 0) session.verified(seller.serve(verifiedMiB * MIB));
  }
  seller.serve(1000 * MIB);
  assert.equal(seller.creditMsat, 0);
  return await alice.reopen();
}

Deno.test("a buyer that was killed gives up once what was on its way, and buys on of who says that nothing is left", async () => {
  await using kit = await startKit();
  const bob = buyingWallet(kit, "bob");
  const first = buyingWallet(kit);
  await first.fund(2000n);
  const seller = new TestSeller(bob);
  const alice = await killed(first, seller);
  const before = alice.store.sellerAccount(SELLER)!;
  assert.ok(before.openMs !== undefined, "it left its mark");
  await using desk = deskOf(alice);
  {
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
    assert.deepEqual(await session.next(), { due: "nothing" }, "a top-up and a half are there");
    session.told(0);
    const due = paymentOf(await session.next());
    session.answered(due.id, await seller.take(due));
    const account = alice.store.sellerAccount(SELLER)!;
    assert.equal(account.lost, 96n * UNITS_PER_SAT, "what was prepaid and not verified");
    assert.equal(account.strikes, 0);
    // From here on nothing is forgiven: what it takes now and does not send, it keeps once.
    const second = await whileTimePasses(kit, session.next());
    assert.deepEqual(second, { due: "nothing" });
    session.told(0);
    const paid = paymentOf(await session.next());
    session.answered(paid.id, { answer: "credited", creditMsat: 0 });
    assert.match(whyNot(await whileTimePasses(kit, session.next())), /did not deliver/);
  }
  assert.equal(alice.store.sellerAccount(SELLER)!.openMs, undefined, "that ended in order");
});

Deno.test("no more than two least top-ups are given up after a kill, whatever is at risk", async () => {
  await using kit = await startKit();
  const bob = buyingWallet(kit, "bob");
  const first = buyingWallet(kit);
  await first.fund(2000n);
  const seller = new TestSeller(bob);
  const alice = await killed(first, seller);
  const known = new Seller(alice.engine.context, SELLER);
  known.told(0, { ...seller.terms, minTopUpSat: 20 });
  assert.equal(alice.store.sellerAccount(SELLER)!.lost, 40n * UNITS_PER_SAT);
});

Deno.test("a session that ended in order leaves nothing to be forgiven", async () => {
  await using kit = await startKit();
  let alice = buyingWallet(kit);
  const bob = buyingWallet(kit, "bob");
  await alice.fund(2000n);
  const seller = new TestSeller(bob);
  {
    await using desk = deskOf(alice);
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
    for (const verifiedMiB of [32, 0]) {
      const due = paymentOf(await session.next());
      session.answered(due.id, await seller.take(due));
      assert.ok(alice.store.sellerAccount(SELLER)!.openMs !== undefined);
      if (verifiedMiB > 0) session.verified(seller.serve(verifiedMiB * MIB));
    }
  }
  alice = await alice.reopen();
  assert.equal(alice.store.sellerAccount(SELLER)!.openMs, undefined);
  await using desk = deskOf(alice);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  session.told(0);
  assert.match(whyNot(await whileTimePasses(kit, session.next())), /did not deliver/);
});

Deno.test("a fetch that uses up old credit leaves its mark before it pays anything", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(2000n);
  const seller = new TestSeller(bob);
  await using desk = deskOf(alice);
  {
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 10 * MIB });
    const due = paymentOf(await session.next());
    session.answered(due.id, await seller.take(due));
  }
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 10 * MIB });
  assert.equal(alice.store.sellerAccount(SELLER)!.openMs, undefined);
  session.told(seller.creditMsat);
  assert.ok(alice.store.sellerAccount(SELLER)!.openMs !== undefined);
});

Deno.test("a kill forgets less than a quarter of a top-up, a power cut less than a top-up and a quarter", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(2000n);
  const seller = new TestSeller(bob);
  await using desk = deskOf(alice);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  let [used, synced] = [0n, 0n];
  const { store } = alice;
  const transact = store.transact.bind(store);
  store.transact = (change, options) => {
    const result = transact(change, options);
    if (!options?.isLazy) synced = store.sellerAccount(SELLER)?.used ?? 0n;
    return result;
  };
  const least = 64n * UNITS_PER_SAT;
  for (let payments = 0; payments < 2; payments++) {
    const due = paymentOf(await session.next());
    session.answered(due.id, await seller.take(due));
    synced = store.sellerAccount(SELLER)!.used;
    for (let mib = 0; mib < 32 + 64 * payments; mib++) {
      session.verified(seller.serve(MIB));
      used += UNITS_PER_SAT;
      const written = store.sellerAccount(SELLER)!.used;
      assert.ok((used - written) * 4n < least, `${used - written} units are not written`);
      assert.ok((used - synced) * 4n < least * 5n, `${used - synced} units may be lost`);
    }
  }
  assert.equal(used, 128n * UNITS_PER_SAT);
});

Deno.test("a seller that cheats again is avoided for longer: an hour, four, a day, a week", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(2000n);
  const { terms } = new TestSeller(bob);
  await using desk = deskOf(alice);
  for (const hours of [1, 4, 24, 168, 168]) {
    new Seller(alice.engine.context, SELLER).avoid("it cheated in a test");
    kit.clock.jump(hours * HOUR_MS - MINUTE_MS);
    assert.match(await declined(buyerOf(desk), terms), /it cheated in a test/, `${hours} h`);
    kit.clock.jump(MINUTE_MS);
    await using _session = await opened(buyerOf(desk), terms);
  }
  assert.equal(alice.store.sellerAccount(SELLER)!.strikes, 5, "strikes are kept");
});
