import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { UNITS_PER_SAT, unitsOf } from "../../../wallet/credit_units.ts";
import type { SagaContext } from "../../../wallet/operations/saga.ts";
import { CreditAccounts } from "../../../wallet/selling/credit_accounts.ts";
import type { Meter } from "../../../wallet/selling/selling_api.ts";
import { MemoryWalletStore, type SqliteWalletStore } from "../../../wallet/store/mod.ts";
import { FINGERPRINT, hex, MINT_A } from "../store/fixture.ts";
import { GROUP, groups } from "./selling_world.ts";

/** A database with payers, and what fault points were passed. */
class Books implements Disposable {
  readonly clock = new ManualClock();
  readonly store: SqliteWalletStore = MemoryWalletStore.open({
    clock: this.clock,
    seedFingerprint: FINGERPRINT,
  });
  accounts: CreditAccounts;
  commitCount = 0;
  #paymentCount = 0;

  constructor() {
    this.accounts = this.newAccounts();
  }

  newAccounts(): CreditAccounts {
    this.accounts = new CreditAccounts({
      store: this.store,
      clock: this.clock,
      random: seededRandom(1),
      fault: (name: string) => void (name === "sell.slice.after-commit" && this.commitCount++),
      emit: () => {},
    } as unknown as SagaContext);
    return this.accounts;
  }

  pay(payer: string, sat: bigint): string {
    const paymentId = `payment ${++this.#paymentCount}`;
    this.store.transact((tx) =>
      tx.putIncoming({
        paymentId,
        payer,
        tokenHash: hex(paymentId),
        mint: MINT_A,
        amount: sat,
        credit: sat,
        state: "credited",
        version: 1,
        createdMs: this.clock.nowMs(),
      })
    );
    this.accounts.refresh(payer);
    return paymentId;
  }

  /** The payment's ecash was worth nothing. */
  die(payer: string, paymentId: string): void {
    this.store.transact((tx) => {
      const payment = tx.incoming(payer, paymentId)!;
      tx.putIncoming({ ...payment, credit: 0n, state: "dead", version: payment.version + 1 });
    });
    this.accounts.refresh(payer);
  }

  meter(payer: string, price = 1_000, root = "film"): Meter {
    return this.accounts.open({ payer, root, priceMsatPerMiB: price, topUpSat: 64 });
  }

  /** What the disk says is left, with what is drawn. */
  leftOnDisk(payer: string): bigint {
    const account = this.store.creditAccount(payer)!;
    return account.paid * UNITS_PER_SAT - account.used;
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}

Deno.test("Meter asks the disk once in a least payment, and gives back what was not used", async () => {
  using books = new Books();
  books.pay("p", 200n);
  const meter = books.meter("p");
  // A group is 15.625 msat: 64 sat are 4096 groups.
  assert.equal(meter.take(groups(64)), 64);
  assert.equal(books.commitCount, 1);
  assert.equal(books.store.creditAccount("p")!.drawn, 64n * UNITS_PER_SAT);
  for (let count = 0; count < 63; count++) assert.equal(meter.take(groups(64)), 64);
  assert.equal(books.commitCount, 1);
  assert.equal(meter.take(groups(1)), 1);
  assert.equal(books.commitCount, 2);
  assert.equal(books.store.creditAccount("p")!.used, 64n * UNITS_PER_SAT);
  await meter[Symbol.asyncDispose]();
  await books.clock.advance(1_000);
  const account = books.store.creditAccount("p")!;
  assert.equal(account.drawn, 0n);
  assert.equal(account.used, unitsOf(4097 * GROUP, 1_000));
  assert.deepEqual(books.store.audit(), []);
});

Deno.test("Meter serves one group beyond the credit, to who has some, and then nothing until it is paid up", () => {
  using books = new Books();
  const meter = books.meter("p", 1_000_000);
  assert.equal(meter.take(groups(1)), 0, "who never paid gets nothing");
  books.pay("p", 64n);
  // A group is 15.625 sat: four are 62.5, and the fifth is begun with 1.5 sat left.
  assert.equal(meter.take(groups(10)), 5);
  assert.equal(meter.creditMsat, 0);
  assert.equal(meter.take(groups(1)), 0);
  assert.equal(books.accounts.unitsOf("p"), 64n * UNITS_PER_SAT - unitsOf(5 * GROUP, 1_000_000));
  books.pay("p", 14n);
  assert.equal(meter.take(groups(1)), 0, "14 sat do not pay the 14.125 that are owed");
  books.pay("p", 1n);
  assert.equal(meter.take(groups(2)), 1);
  books.accounts.settle();
  assert.deepEqual(books.store.audit(), []);
});

Deno.test("Meters of one payer share its credit, to the unit", async () => {
  using books = new Books();
  books.pay("p", 64n);
  const [one, two] = [books.meter("p", 1_000, "one"), books.meter("p", 3_000, "two")];
  let [first, second] = [0, 0];
  for (let turn = 0; turn < 2_000; turn++) {
    first += one.take(groups(1));
    second += two.take(groups(1));
  }
  const used = unitsOf(first * GROUP, 1_000) + unitsOf(second * GROUP, 3_000);
  const paid = 64n * UNITS_PER_SAT;
  assert.ok(used >= paid && used < paid + unitsOf(GROUP, 3_000), `${used - paid}`);
  assert.equal(books.accounts.unitsOf("p"), paid - used);
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await books.clock.advance(1_000);
  assert.equal(books.leftOnDisk("p"), paid - used);
  assert.deepEqual(books.store.audit(), []);
});

Deno.test("Meter takes a charge back that was not sent, once, though it was booked already", async () => {
  using books = new Books();
  books.pay("p", 300n);
  const meter = books.meter("p");
  // The last groups of this lie beyond the first slice: what is before them is booked.
  assert.equal(meter.take(groups(5_000)), 5_000);
  meter.giveBack(5_000 * GROUP);
  assert.equal(meter.creditMsat, 300_000);
  meter.giveBack(5_000 * GROUP);
  assert.equal(meter.creditMsat, 300_000);
  await meter[Symbol.asyncDispose]();
  // Over midnight, too.
  await books.clock.advance(1_000);
  assert.equal(books.leftOnDisk("p"), 300n * UNITS_PER_SAT);
  assert.deepEqual(books.store.audit(), []);
});

Deno.test("Meter is woken by new credit, and stops waiting when it is told to", async () => {
  using books = new Books();
  const meter = books.meter("p");
  const waiting = meter.more(new AbortController().signal);
  const gaveUp = new AbortController();
  const other = meter.more(gaveUp.signal);
  gaveUp.abort(new Error("enough"));
  await assert.rejects(other, /enough/);
  let isWoken = false;
  waiting.then(() => isWoken = true);
  await books.clock.settle();
  assert.equal(isWoken, false);
  books.pay("p", 64n);
  await waiting;
  await meter.more(new AbortController().signal);
  assert.equal(meter.isLow, false);
  assert.equal(meter.take(groups(2_049)), 2_049);
  assert.equal(meter.isLow, true);
});

Deno.test("A payment that turns out dead takes its credit back, below nothing if it must", () => {
  using books = new Books();
  const dead = books.pay("p", 64n);
  const meter = books.meter("p");
  assert.equal(meter.take(groups(2_048)), 2_048);
  books.die("p", dead);
  assert.equal(meter.take(groups(1)), 0, "though a slice was drawn");
  assert.equal(books.accounts.unitsOf("p"), -32n * UNITS_PER_SAT);
  assert.equal(books.accounts.msatOf("p"), 0);
  books.pay("p", 32n);
  assert.equal(meter.take(groups(1)), 0);
  books.pay("p", 1n);
  assert.equal(meter.take(groups(100)), 64);
  books.accounts.settle();
  assert.deepEqual(books.store.audit(), []);
});

Deno.test("A crash loses to the payer at most the slice that was drawn, and the books say so", () => {
  using books = new Books();
  books.pay("p", 200n);
  const meter = books.meter("p");
  meter.take(groups(4_096 + 10));
  // The process dies: what was in memory is gone.
  const accounts = books.newAccounts();
  assert.equal(accounts.msatOf("p"), 72_000);
  accounts.recover();
  assert.equal(accounts.msatOf("p"), 72_000);
  const kinds = books.store.sales({ payer: "p" }).map(({ kind, units }) => [kind, units]);
  assert.deepEqual(kinds, [["content", 64n * UNITS_PER_SAT], ["lost", 64n * UNITS_PER_SAT]]);
  assert.deepEqual(books.store.audit(), []);
});

Deno.test("A backup that is taken over meanwhile leaves out what only memory knew, and goes on", async () => {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-credit-" });
  try {
    using books = new Books();
    books.store.copyTo(`${directory}/empty.db`);
    books.pay("p", 100n);
    books.store.copyTo(`${directory}/paid.db`);
    for (const name of ["paid", "empty"]) {
      const meter = books.meter("p");
      assert.equal(meter.take(groups(100)), 100);
      meter.giveBack(50 * GROUP);
      books.store.importFrom(`${directory}/${name}.db`, { replace: true });
      await meter[Symbol.asyncDispose]();
      await books.clock.advance(1_000);
      assert.deepEqual(books.store.audit(), []);
    }
    assert.equal(books.meter("p").take(groups(1)), 0);
    books.pay("p", 64n);
    assert.equal(books.meter("p").take(groups(1)), 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("Meter.take of 64 groups costs microseconds between draws", () => {
  using books = new Books();
  books.pay("p", 100_000n);
  const meter = books.accounts.open({
    payer: "p",
    root: "film",
    priceMsatPerMiB: 1,
    topUpSat: 1_000,
  });
  const sizes = groups(64);
  meter.take(sizes);
  const rounds = Array.from({ length: 10 }, () => {
    const startMs = performance.now();
    for (let count = 0; count < 1_000; count++) meter.take(sizes);
    return performance.now() - startMs;
  });
  assert.ok(Math.min(...rounds) < 50, `${Math.min(...rounds)} µs for each`);
  books.accounts.settle();
});

Deno.test("CreditAccounts keep the books to the unit, whatever comes in any order", async () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("pay" as const), sat: fc.integer({ min: 1, max: 200 }) }),
    fc.record({
      kind: fc.constant("take" as const),
      meter: fc.nat(2),
      count: fc.integer({ min: 1, max: 3_000 }),
      size: fc.integer({ min: 1, max: GROUP }),
      back: fc.nat(3_000),
    }),
    fc.record({ kind: fc.constant("die" as const), place: fc.nat(20) }),
    fc.record({ kind: fc.constantFrom("close" as const, "settle" as const), meter: fc.nat(2) }),
    fc.record({ kind: fc.constantFrom("night" as const, "crash" as const) }),
  );
  const prices = [777, 1_000, 90_001];
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 40 }), async (events) => {
      using books = new Books();
      const meters: (Meter | undefined)[] = [undefined, undefined, undefined];
      const payments: { id: string; sat: bigint; isDead: boolean }[] = [];
      let expected = 0n;
      for (const one of events) {
        if (one.kind === "pay") {
          const sat = BigInt(one.sat);
          payments.push({ id: books.pay("p", sat), sat, isDead: false });
          expected += sat * UNITS_PER_SAT;
        } else if (one.kind === "take") {
          const price = prices[one.meter]!;
          const meter = meters[one.meter] ??= books.meter("p", price, `root ${one.meter}`);
          const before = expected;
          const count = meter.take(new Array<number>(one.count).fill(one.size));
          const sent = Math.max(0, count - one.back);
          meter.giveBack((count - sent) * one.size);
          expected -= unitsOf(sent * one.size, price);
          if (count > 0) assert.ok(before > 0n, "only who has credit is served");
          const owed = before - unitsOf(count * one.size, price);
          assert.ok(count === 0 || owed > -unitsOf(one.size, price), "one group of grace");
          assert.ok(count === one.count || owed <= 0n, "all that was paid for is served");
        } else if (one.kind === "die") {
          const payment = payments[one.place];
          if (payment === undefined || payment.isDead) continue;
          payment.isDead = true;
          books.die("p", payment.id);
          expected -= payment.sat * UNITS_PER_SAT;
        } else if (one.kind === "close") {
          await meters[one.meter]?.[Symbol.asyncDispose]();
          meters[one.meter] = undefined;
        } else if (one.kind === "settle") books.accounts.settle();
        else if (one.kind === "night") await books.clock.advance(86_400_000 / 2);
        else {
          const before = books.accounts.unitsOf("p");
          books.newAccounts().recover();
          meters.fill(undefined);
          const lost = before - books.accounts.unitsOf("p");
          assert.ok(lost <= 64n * UNITS_PER_SAT, "a payer loses a slice at most");
          assert.ok(lost > -unitsOf(GROUP, 90_001), "we lose a group at most");
          expected = books.accounts.unitsOf("p");
        }
        assert.equal(books.accounts.unitsOf("p"), expected);
      }
      books.accounts.settle();
      assert.equal(books.accounts.unitsOf("p"), expected);
      assert.deepEqual(books.store.audit(), []);
    }),
    { numRuns: 40 },
  );
});

Deno.test("the next slice does not wait for the disk when the one before is on it, and does when not", async () => {
  using books = new Books();
  books.pay("peer", 640n);
  const { store } = books;
  const ways: boolean[] = [];
  const transact = store.transact.bind(store);
  store.transact = (change, options) => {
    ways.push(options?.isLazy === true);
    return transact(change, options);
  };
  let flush = Promise.withResolvers<void>();
  let flushCount = 0;
  store.flush = () => {
    flushCount++;
    return flush.promise;
  };
  const request = { payer: "peer", root: "film", priceMsatPerMiB: 1_000, topUpSat: 64 };
  await using meter = books.accounts.open(request);
  const slice = () => assert.equal(meter.take(groups(4_096)), 4_096);
  slice();
  slice();
  assert.deepEqual(ways, [true, false], "the flush of the first has not ended");
  flush.resolve();
  await flush.promise;
  flush = Promise.withResolvers();
  slice();
  flush.reject(new Error("the disk is broken"));
  await flush.promise.catch(() => {});
  slice();
  assert.deepEqual(ways, [true, false, true, false], "the flush of the third has failed");
  assert.equal(flushCount, 4);
});
