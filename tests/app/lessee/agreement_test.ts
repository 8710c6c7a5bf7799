/** What is paid for leases without asking. */
import assert from "node:assert/strict";
import {
  type BookedLease,
  type BookedPayment,
  LeaseBook,
} from "../../../provisioning/consumer/mod.ts";
import { Agreements } from "../../../src/app/lifecycle/lessee/agreement.ts";
import { systemClock } from "../../../src/host/system.ts";

const DAY_MS = 24 * 3_600_000;

/** A book with payments, and what is agreed to with it. */
function withBook(
  payments: readonly Partial<BookedPayment>[],
  use: (
    agree: (id: string, amountSat: number) => string,
    agreements: Agreements,
  ) => void,
): void {
  using book = LeaseBook.open({ path: ":memory:" });
  const nowMs = systemClock.nowMs();
  for (const id of ["lease-a", "lease-b", "lease-c"]) {
    const address = { provider: "e".repeat(64), isOurs: true };
    book.leases.put({ id, stage: "live", address, createdMs: nowMs } as unknown as BookedLease);
  }
  payments.forEach((payment, index) => {
    book.payments.put({
      ...{ id: `p${index}`, lease: "lease-a", purpose: "topup", state: "taken", amountSat: 100 },
      ...{ mints: [], isBare: false, createdMs: nowMs, changedMs: nowMs, attemptCount: 0 },
      ...payment,
    });
  });
  // A refund that was told, one that arrived, and one that was worth nothing.
  for (const [id, bankedSat] of [["told", undefined], ["arrived", 395], ["bogus", 0]] as const) {
    book.refunds.put({
      ...{ id: `${id}.topup`, lease: "lease-a", source: "topup", token: "", claimedSat: 400 },
      ...{ attemptCount: 0, createdMs: nowMs },
      state: bankedSat === undefined ? "received" : bankedSat === 0 ? "worthless" : "banked",
      ...(bankedSat === undefined ? {} : { bankedSat }),
    });
  }
  const agreements = new Agreements({
    book,
    clock: systemClock,
    budgets: { lesseeBudget: 500, lesseeBudgetDay: 800 },
  });
  const agree = (id: string, amountSat: number) => {
    const agreement = agreements.agree({ id, mints: [], amountSat, payee: "" });
    return agreement.status === "declined"
      ? agreement.reason
      : agreement.isConfirmed
      ? "confirmed"
      : "agreed";
  };
  use(agree, agreements);
}

const NEW = { id: "new", state: "planned", amountSat: 200 } as const;

Deno.test("a payment is agreed to within the budget of its lease, fees counted", () => {
  withBook(
    [{ amountSat: 290, feeSat: 10 }, NEW],
    (agree) => assert.equal(agree("new", 200), "agreed"),
  );
  withBook([{ amountSat: 290, feeSat: 11 }, NEW], (agree) => {
    assert.match(
      agree("new", 200),
      /200 sat more .* budget of 500 sat for one lease.* 301 sat are spent/,
    );
  });
  withBook([{ amountSat: 290, lease: "lease-b" }, NEW], (agree) => {
    assert.equal(agree("new", 200), "agreed", "another lease has a budget of its own");
  });
});

Deno.test("what came back, was declined, or was somebody else's token is not spent", () => {
  withBook([
    { amountSat: 400, returnedSat: 395, state: "returned" },
    { amountSat: 400, state: "declined" },
    { id: "arrived", amountSat: 400, state: "refunded" },
    { amountSat: 400, isBare: true },
    NEW,
  ], (agree) => assert.equal(agree("new", 200), "agreed"));
});

Deno.test("a refund that a provider tells of is spent until it has arrived", () => {
  for (const id of ["told", "bogus"]) {
    withBook(
      [{ id, amountSat: 400, state: "refunded" }, NEW],
      (agree) => assert.match(agree("new", 200), /400 sat are spent/),
    );
  }
});

Deno.test("all leases of a day have a budget together, which forgets by the clock", () => {
  const others = ["lease-b", "lease-c"].map((lease) => ({ lease, amountSat: 350 }));
  withBook([...others, NEW], (agree) => {
    assert.match(agree("new", 200), /800 sat for a day.* set lessee-budget-day/);
    assert.equal(agree("new", 100), "agreed");
  });
  const createdMs = systemClock.nowMs() - DAY_MS - 1000;
  withBook([...others.map((one) => ({ ...one, createdMs })), NEW], (agree) => {
    assert.equal(agree("new", 200), "agreed");
  });
});

Deno.test("a person's word is above the budgets, for that lease, that sum and as long as it is given", () => {
  withBook([{ amountSat: 450 }, NEW], (agree, agreements) => {
    {
      using _one = agreements.confirm("lease-a", 9_000);
      {
        using _two = agreements.confirm("lease-a", 9_500);
        assert.equal(agree("new", 9_500), "confirmed");
      }
      assert.equal(agree("new", 9_000), "confirmed");
      assert.match(agree("new", 9_001), /above the budget/, "it was to no more");
      assert.equal(agree("new", 50), "confirmed");
    }
    assert.match(agree("new", 200), /above the budget/);
    using _other = agreements.confirm("lease-b", 9_000);
    assert.match(agree("new", 200), /above the budget/);
  });
});

Deno.test("top-ups of keepalive have the budget that was named for them", () => {
  withBook([{ amountSat: 450 }, { ...NEW, purpose: "keepalive" }], (agree) => {
    assert.equal(agree("new", 200), "confirmed");
  });
  withBook([
    { amountSat: 450, purpose: "keepalive", lease: "lease-b" },
    { amountSat: 450, purpose: "keepalive", lease: "lease-c" },
    NEW,
  ], (agree) => assert.equal(agree("new", 200), "agreed", "and use up no other"));
});

Deno.test("a payment that no book knows is held to the budgets, too", () => {
  withBook([], (agree) => {
    assert.equal(agree("unknown", 500), "agreed");
    assert.match(agree("unknown", 501), /above the budget/);
  });
});
